package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The wall clock of one process is stepped by hours, forward and back, and that of the other is not: locks use another clock. */
@Tag("soak")
class ClockFaultsTest {
    private static final String PATIENT = "timeout=30000";
    /** For libfaketime: only the wall clock changes, as this file says, which is read anew at each look. */
    private static final List<String> OFFSETS = List.of("-5h", "+7h", "-90d", "+400d", "+0");

    @TempDir
    Path dir;

    private Path offset;
    private Path library;

    @BeforeEach
    void needFakeTime() throws Exception {
        library = Stream.of("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib64/faketime", "/usr/lib/faketime")
                .map(place -> Path.of(place, "libfaketimeMT.so.1")).filter(Files::exists).findFirst().orElse(null);
        Tools.skipUnless(library != null, "libfaketime is not to be had here (apt-get install faketime)");
        offset = Files.createDirectory(dir.resolve("clock")).resolve("offset");
        step("+0");
        Tools.require("libfaketime that steps a JVM's wall clock", "/bin/sh", "-c", "FAKETIME=+400d LD_PRELOAD=" + library
                + " FAKETIME_DONT_FAKE_MONOTONIC=1 date +%Y | grep -qv \"$(date +%Y)\"");
    }

    private Puppet underAnotherClock() throws IOException, InterruptedException {
        return Puppet.start(Puppet.child().environment("LD_PRELOAD", library.toString()).environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .environment("FAKETIME_TIMESTAMP_FILE", offset.toString()).environment("FAKETIME_NO_CACHE", "1")
                // Otherwise every timed wait of a JVM ends at once (libfaketime 0.9.10).
                .environment("FAKETIME_FORCE_MONOTONIC_FIX", "0"));
    }

    private void step(String by) throws IOException {
        Path fresh = Files.writeString(offset.resolveSibling("fresh"), by + "\n");
        Files.move(fresh, offset, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    }

    @Test
    void stepsOfTheWallClockMakeNoTokenSmallerAndNoLeaseShorterOrLonger() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet stepped = underAnotherClock(); Puppet steady = Puppet.start()) {
            long last = 0;
            for (String by : OFFSETS) {
                last = larger(last, stepped.acquire("a", file, "lease=1000", PATIENT).token());
                step(by);
                assertThat(steady.tryAcquire("b", file)).as("in, after a step by %s", by).isFalse();
                Puppet.Call waiting = steady.beginAcquire("b", file, "lease=1000", PATIENT);
                Thread.sleep(2_500); // the lease and several renewals
                assertThat(stepped.verify("a")).isEqualTo("held");
                assertThat(waiting.isDone()).isFalse();
                assertAgesAreNotNegative(stepped, steady, file);
                stepped.close("a");
                last = larger(last, Puppet.held(waiting).token());
                assertAgesAreNotNegative(stepped, steady, file);
                assertThat(stepped.tryAcquire("a", file)).isFalse();
                steady.close("b");
            }
        }
    }

    @Test
    void othersTakeOverAfterTheLeaseWhateverTheWallClockSays() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet steady = Puppet.start()) {
            long last = 0;
            for (String by : List.of("-5h", "+7h")) {
                step("+0");
                try (Puppet stepped = underAnotherClock()) {
                    last = larger(last, stepped.acquire("a", file, "lease=2000", PATIENT).token());
                    stepped.watch("a");
                    stepped.jvm().freeze();
                    long frozen = System.nanoTime();
                    step(by);
                    Puppet.Held next = steady.acquire("b", file, PATIENT);
                    last = larger(last, next.token());
                    assertThat(next.nanos() - frozen).as("in before the lease was over").isGreaterThan(1_000_000_000L);
                    stepped.jvm().wake();
                    assertThat(stepped.heldTo("a")).isLessThan(next.nanos());
                    assertThat(stepped.ensure("a")).startsWith("lost");
                    steady.close("b");
                    last = larger(last, stepped.acquire("again", file, PATIENT).token());
                    stepped.close("again");
                }
            }
        }
    }

    @Test
    void successorOfADeadHolderGetsInWhateverEitherClockSays() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet steady = Puppet.start()) {
            long last = 0;
            for (String by : List.of("+400d", "-90d")) {
                step(by);
                try (Puppet stepped = underAnotherClock()) {
                    last = larger(last, stepped.acquire("a", file, PATIENT).token());
                    stepped.jvm().kill();
                }
                last = larger(last, steady.acquire("b", file, PATIENT).token());
                steady.close("b");
            }
        }
    }

    private static long larger(long last, long token) {
        assertThat(token).as("a token after %s", last).isGreaterThan(last);
        return token;
    }

    private static void assertAgesAreNotNegative(Puppet stepped, Puppet steady, Path file) throws Exception {
        assertThat(stepped.tell("inspect", file).text()).isEqualTo("HELD");
        assertThat(steady.tell("inspect", file).text()).isEqualTo("HELD");
        String told = stepped.ask("acquire", "refused", file, "timeout=0").text() + steady.ask("acquire", "refused", file, "timeout=0").text();
        try (SessionLocks locks = SessionLocks.create()) {
            LockReport report = locks.inspect(file);
            assertThat(report.state()).isEqualTo(LockReport.State.HELD);
            told += report;
        }
        assertThat(told).doesNotContainPattern("ageMs=-").doesNotContainPattern("-\\d+ (ms|s|min|h|d)\\b");
    }
}
