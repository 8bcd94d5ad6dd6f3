package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.RandomAccessFile;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two copies of the library in one JVM exclude each other, and never drop each other's kernel bytes. */
class TwoCopiesTest {
    @TempDir
    Path dir;

    @Test
    void oneCopyDoesNotGetInBesideTheOtherAndItsEndDropsNothingOfTheOthers() throws Exception {
        Path first = dir.resolve("session.jsonl");
        Path second = TrapsTest.sameGuard(first); // both bytes in one file: closing it drops both
        try (ChildJvm both = SmallJvm.of(TwoCopies.class).start(); Puppet other = Puppet.start()) {
            assertThat(tell(both, "acquire one " + first)).isEqualTo("held");
            assertThat(tell(both, "try two " + first)).isEqualTo("busy");
            assertThat(KernelTruth.seats(dir, both.pid())).hasSize(1);
            assertThat(other.tryAcquire("a", first)).isFalse();

            assertThat(tell(both, "acquire two " + second)).isEqualTo("held");
            assertThat(tell(both, "try one " + second)).isEqualTo("busy");
            assertThat(KernelTruth.seats(dir, both.pid())).hasSize(2);

            tell(both, "close one");
            tell(both, "leave one"); // its keeper closes its guard files, if it may
            Thread.sleep(2_500);
            assertThat(KernelTruth.seats(dir, both.pid())).as("the other copy's byte").hasSize(1);
            assertThat(other.tryAcquire("b", second)).isFalse();

            tell(both, "close two");
            assertThat(other.tryAcquire("b", second)).isTrue();
            assertThat(tell(both, "try two " + second)).isEqualTo("busy");
        }
    }

    /** The first guard file carries bytes that every opening takes. A copy that fails there closes what it has opened. */
    @Test
    void oneCopyThatCannotOpenTheDirectoryDropsNothingOfTheOthers() throws Exception {
        Path file = TrapsTest.inGuard(0, dir);
        try (ChildJvm both = SmallJvm.of(TwoCopies.class).start()) {
            assertThat(tell(both, "acquire one " + file)).isEqualTo("held");
            assertThat(KernelTruth.seats(dir, both.pid())).hasSize(1);
            try (RandomAccessFile table = new RandomAccessFile(dir.resolve(".session-locks/board").toFile(), "rw")) {
                table.seek(8);
                table.write(new byte[] {99, 0, 0, 0, 0, 0, 0, 0}); // the format of an unknown version
            }
            assertThat(tell(both, "fail two " + dir.resolve("session.jsonl"))).contains("another version of sessionlock");
            assertThat(KernelTruth.seats(dir, both.pid())).hasSize(1);
        }
    }

    @Test
    void copiesThatHammerOneLockTakeTurns() throws Exception {
        try (MutualExclusionWitness witness = MutualExclusionWitness.open();
                ChildJvm both = SmallJvm.of(TwoCopies.class).start()) {
            both.send("hammer both " + witness.address() + " " + dir.resolve("session.jsonl"));
            ChildJvm.Mark hammered = both.awaitMark("hammered", Puppet.PATIENCE);
            witness.awaitAllLeft(Puppet.PATIENCE);
            witness.verify();
            assertThat(hammered.detail(2)).as("what went wrong; %s", both.output()).isEqualTo("null");
            System.out.println("two copies in one JVM, locks had in 2 s: " + hammered.number(0) + " and " + hammered.number(1));
            assertThat(hammered.number(0)).isPositive();
            assertThat(hammered.number(1)).isPositive();
            assertThat(witness.visits()).isEqualTo(hammered.number(0) + hammered.number(1));
        }
    }

    private static String tell(ChildJvm both, String command) throws InterruptedException {
        both.send(command);
        return both.awaitMark("done", Puppet.PATIENCE).text();
    }
}
