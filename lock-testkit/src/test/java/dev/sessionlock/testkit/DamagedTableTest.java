package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.damage.Damage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Another program cuts the shared table short, or overwrites it, under a JVM that holds, lingers, waits and cycles there. The JVM lives on, there are
 * never two holders, and every name can be locked again, there and in other processes.
 */
@Tag("soak") // in the default build DamageSweepTest damages the table, too
class DamagedTableTest {
    private static final String PATIENT = "timeout=30000";
    private static final String SHORT = "lease=10000 grace=200";

    @TempDir
    Path temp;
    private Path dir;
    private Path calm;

    @BeforeEach
    void makeDirectories() throws IOException {
        dir = Files.createDirectory(temp.resolve("sessions"));
        calm = Files.createDirectory(temp.resolve("calm"));
    }

    @ParameterizedTest
    @CsvSource({"CUT_TO_NOTHING, -Xint", "CUT_TO_NOTHING, -XX:TieredStopAtLevel=1", "CUT_TO_NOTHING, -XX:+TieredCompilation",
        "CUT_IN_THE_MIDDLE, -Xint", "CUT_IN_THE_MIDDLE, -XX:TieredStopAtLevel=1", "ZEROED, -Xint", "FILLED, -XX:TieredStopAtLevel=1"})
    void jvmLivesOnAndEveryNameCanBeLockedAgain(Damage damage, String compiler) throws Exception {
        try (Puppet victim = Puppet.start(Puppet.child().jvmArgs(compiler, "-XX:-CreateCoredumpOnCrash")); Puppet other = Puppet.start()) {
            Path[] names = new Path[4];
            for (int i = 0; i < names.length; i++) {
                names[i] = dir.resolve("session-" + i + ".jsonl");
            }
            victim.acquire("held", names[0], SHORT);
            victim.acquire("warm", names[1], SHORT, "linger=60000");
            victim.close("warm");
            other.acquire("theirs", names[2], SHORT);
            Puppet.Call waiting = victim.beginAcquire("awaited", names[2], PATIENT);
            victim.acquire("calm", calm.resolve("session.jsonl"), SHORT);
            victim.tell("cycle", names[3], "linger=1000", 300);
            // Not in interpreted code: there each cycle has an instant in which a cut ends the JVM, see MappedWords.
            boolean cycles = damage == Damage.ZEROED || !compiler.equals("-Xint");
            Puppet.Call cycling = victim.begin("cycle", names[3], "linger=1000 " + PATIENT, cycles ? 1_000 : 0);
            Thread.sleep(200);

            damage.to(dir.resolve(".session-locks").resolve("board"));

            cycling.mustSucceed();
            for (Path name : names) {
                other.tell("inspect", name);
            }
            victim.awaitLost("held");
            other.awaitLost("theirs");
            acquireForGood(other, "a", names[0]);
            Puppet.held(waiting);
            victim.close("awaited");
            other.close("a");
            assertThat(victim.verify("calm")).as("in another directory").isEqualTo("held");
            for (Path name : names) {
                acquireForGood(victim, "again", name);
                assertThat(other.tryAcquire("no", name)).isFalse();
                victim.close("again");
                acquireForGood(other, "again", name);
                assertThat(victim.tryAcquire("no", name)).isFalse();
                other.close("again");
            }
            assertThat(victim.jvm().output()).as("the log").hasSizeLessThan(100_000).doesNotContain("stumbled", "Exception in thread");
            victim.jvm().terminate();
            assertThat(victim.jvm().awaitExit(Puppet.PATIENCE)).as("ended by the signal").isEqualTo(143);
        }
    }

    /** A lock that is acquired on the damaged table, before its process has noticed the damage, is lost like any other. */
    private static void acquireForGood(Puppet puppet, String handle, Path file) throws InterruptedException {
        do {
            puppet.close(handle);
            puppet.acquire(handle, file, PATIENT);
        } while (!puppet.verify(handle).equals("held"));
    }

    @Test
    void tableThatIsCutAgainAndAgainUnderThoseWhoCycleIsMadeAnewEachTime() throws Exception {
        try (Puppet one = Puppet.start(); Puppet two = Puppet.start()) {
            Path file = dir.resolve("session.jsonl");
            one.tell("cycle", file, PATIENT, 500); // compiled: in the interpreter there is an instant in which a cut ends the JVM
            two.tell("cycle", file, PATIENT, 500);
            for (int i = 0; i < 5; i++) {
                Puppet.Call first = one.begin("cycle", file, PATIENT + (i % 2 == 0 ? "" : " linger=1000"), 400);
                Puppet.Call second = two.begin("cycle", file, PATIENT, 400);
                Thread.sleep(200);
                Damage.CUT_TO_NOTHING.to(dir.resolve(".session-locks").resolve("board"));
                assertThat(first.mustSucceed().number(0)).isPositive();
                assertThat(second.mustSucceed().number(0)).isPositive();
                one.acquire("a", file, PATIENT); // perhaps on the rest of the table that was cut
                assertThat(two.tryAcquire("b", file)).isFalse();
                one.close("a");
            }
        }
    }
}
