package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Only a lock that was taken from a frozen or dead holder counts as reclaimed, and is reported to people. */
class ReclaimedTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path dir;
    private Path file;

    @BeforeEach
    void nameIt() {
        file = dir.resolve("session.jsonl");
    }

    /**
     * {@return the byte of seat 0 of the lock, if a process has it} A process has it for a moment before it publishes anything, and after it has
     * withdrawn.
     */
    private KernelTruth.Seat firstSeat(Puppet puppet) throws IOException, InterruptedException {
        puppet.acquire("warm", file, PATIENT);
        KernelTruth.Seat seat = KernelTruth.seats(dir, puppet.jvm().pid()).get(0);
        puppet.close("warm");
        return seat;
    }

    private static String reclaimed(Puppet puppet) throws InterruptedException {
        String stats = puppet.tell("stats").text();
        return stats.replaceAll(".*(reclaimed=\\d+).*", "$1");
    }

    @Test
    void nothingIsWhileAnotherProcessIsSlowToPublishOrToFreeItsByte() throws Exception {
        try (Puppet taker = Puppet.start()) {
            KernelTruth.Seat seat = firstSeat(taker);
            try (FileChannel slow = FileChannel.open(dir.resolve(".session-locks").resolve(seat.guard()), StandardOpenOption.WRITE);
                    var lock = slow.lock(seat.position(), 1, false)) {
                taker.acquire("a", file, PATIENT);
                assertThat(lock.isValid()).isTrue();
                assertThat(taker.verify("a")).isEqualTo("held");
                assertThat(reclaimed(taker)).isEqualTo("reclaimed=0");
                assertThat(taker.jvm().output()).doesNotContain("frozen");
                taker.close("a");
            }
        }
    }

    @Test
    void lockOfAFrozenHolderIs() throws Exception {
        try (Puppet holder = Puppet.start(); Puppet taker = Puppet.start()) {
            holder.acquireAndFreeze("a", file, "lease=1000", PATIENT);
            taker.acquire("b", file, PATIENT);
            assertThat(reclaimed(taker)).isEqualTo("reclaimed=1");
            assertThat(taker.jvm().output()).contains("its holder is frozen past its lease");
            holder.jvm().wake();
        }
    }

    @Test
    void lockOfAKilledHolderIsAndItIsNotCalledFrozenThoughAnotherIsSlowToPublish() throws Exception {
        try (Puppet holder = Puppet.start(); Puppet taker = Puppet.start()) {
            KernelTruth.Seat seat = firstSeat(taker);
            holder.acquire("a", file, "lease=6000", PATIENT); // longer than this machine ever stands still
            holder.jvm().kill();
            try (FileChannel slow = FileChannel.open(dir.resolve(".session-locks").resolve(seat.guard()), StandardOpenOption.WRITE);
                    var lock = slow.lock(seat.position(), 1, false)) {
                taker.acquire("b", file, PATIENT); // when the dead one's lease is over
                assertThat(lock.isValid()).isTrue();
                assertThat(reclaimed(taker)).isEqualTo("reclaimed=1");
                assertThat(taker.jvm().output()).contains("pid " + holder.jvm().pid() + " does not exist").doesNotContain("frozen");
                taker.close("b");
            }
        }
    }
}
