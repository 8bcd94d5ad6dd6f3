package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockMode;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import org.junit.jupiter.api.Test;

/** Where readers have no slots, since the disk has no hard links: processes take turns, and the threads of one JVM share what it holds. */
class ReadersWithoutLinksTest extends SeatEngineFixture {
    private static final Terms READING = new Terms(LEASE, true, -1, "main", null, true, LockMode.SHARED);

    @Test
    void processesTakeTurnsAndTheRecordIsThatOfOneHolder() throws Exception {
        AcquireResult taken = one.engine.take(READING);
        assertThat(taken).isInstanceOf(SeatHold.class);
        assertThat(two.engine.take(READING)).isInstanceOf(Busy.class);
        assertThat(((LockContent.Ours) one.find(RecordLocation.LOCK).content()).record().shared()).isFalse();
        one.engine.release((Hold) taken);
        assertThat(two.engine.take(READING)).isInstanceOf(SeatHold.class);
    }

    @Test
    void threadsOfOneJvmShareIt() throws Exception {
        Hold hold = (Hold) one.engine.take(READING);
        assertThat(hold.terms().shared()).as("further readers join holds in their mode alone").isTrue();
        assertThat(one.engine.mayShare(hold)).isTrue();
    }
}
