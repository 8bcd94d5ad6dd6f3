package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.LabSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A Windows machine sleeps for an hour, and its clocks count it: who has which lock when it has woken. */
@EnabledOnOs(OS.LINUX)
class SleepTest {
    private static final Duration PATIENCE = Duration.ofSeconds(90);

    @TempDir
    Path dir;

    private final List<ChildJvm> started = new ArrayList<>();
    private Path sessions;
    private SleepingMachine machine;

    @BeforeEach
    void requireStreams() throws IOException {
        assumeTrue(LabDisk.hasStreams(dir), "the disk of the tests has no extended attributes, which play named streams");
        machine = new SleepingMachine(Files.createDirectories(dir.resolve("machine")));
        sessions = Files.createDirectories(dir.resolve("sessions"));
    }

    @AfterEach
    void endAll() {
        started.forEach(ChildJvm::close);
    }

    private ChildJvm start(String what, String... names) throws Exception {
        List<String> args = new ArrayList<>(List.of(what, sessions.toString()));
        args.addAll(List.of(names));
        ChildJvm child = ChildJvm.of(SleepActor.class).on(LabSystem.WINDOWS).jvmArgs(machine.jvmArgs().toArray(new String[0]))
                .jvmArgs("-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC").args(args.toArray(new String[0])).start();
        started.add(child);
        return child;
    }

    private static void awaitOutput(ChildJvm child, String... lines) {
        for (String line : lines) {
            await().atMost(PATIENCE).untilAsserted(() -> assertThat(child.output()).contains(line));
        }
    }

    @Test
    void livingHoldersKeepTheirLocksAndDeadAndFrozenOnesDoNot() throws Exception {
        ChildJvm idle = start("hold", "idle");
        ChildJvm busy = start("use", "busy");
        ChildJvm frozen = start("hold", "frozen");
        ChildJvm dead = start("hold", "dead");
        awaitOutput(idle, "idle is held");
        awaitOutput(busy, "busy is held");
        awaitOutput(frozen, "frozen is held");
        awaitOutput(dead, "dead is held");
        ChildJvm waiting = start("wait", "idle", "busy", "frozen");
        awaitOutput(waiting, "idle is asked for", "busy is asked for", "frozen is asked for");
        frozen.freeze();
        dead.kill();

        machine.sleep(Duration.ofHours(1));

        ChildJvm late = start("wait", "dead", "busy"); // it was not there before the machine slept
        awaitOutput(late, "dead is still held");
        awaitOutput(waiting, "frozen is still held"); // from here on, all have waited for long enough
        assertThat(waiting.output()).doesNotContain("idle is held").doesNotContain("busy is held");
        assertThat(late.output()).doesNotContain("busy is held");
        assertThat(idle.output() + busy.output()).doesNotContain("lost").doesNotContain("failed");
        Files.createFile(sessions.resolve("end"));
        awaitOutput(idle, "idle is still held");
        awaitOutput(busy, "busy is still held");
        awaitOutput(waiting, "idle is still held", "busy is still held");
        awaitOutput(late, "busy is still held");

        frozen.wake();
        awaitOutput(frozen, "frozen is lost: LEASE_EXPIRED");
    }
}
