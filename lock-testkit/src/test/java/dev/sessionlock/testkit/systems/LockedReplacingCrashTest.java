package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashRun;
import dev.sessionlock.testkit.CrashScenario;
import dev.sessionlock.testkit.CrashTest;
import dev.sessionlock.testkit.LabSystem;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** A process is killed at each step of taking a lock, replacing the file, and giving the lock back, as if on another system. The next process gets the lock there. */
@EnabledOnOs(OS.LINUX)
class LockedReplacingCrashTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** Takes the lock, replaces the file, and gives the lock back. */
    static final class Replacing implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            replace(directory.resolve("session.jsonl"), "new");
            CrashLab.acknowledge("new");
        }
    }

    private static void replace(Path session, String content) throws Exception {
        try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session)) {
            lock.replace(Files.writeString(session.resolveSibling("fresh"), content));
        }
    }

    private static void given(Path directory) throws Exception {
        Files.writeString(directory.resolve("session.jsonl"), "old");
    }

    private static void nextOneGetsIt(LabSystem system, Path directory, CrashRun run) throws Exception {
        Path session = directory.resolve("session.jsonl");
        assertThat(Files.readString(session)).isIn(run.acknowledged().contains("new") ? new Object[] {"new"} : new Object[] {"old", "new"});
        String path = session.toString();
        try (ChildJvm next = ChildJvm.running(parent -> {
            replace(Path.of(path), "next");
            parent.mark("replaced");
        }).on(system).jvmArgs("-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC").start()) {
            next.awaitMark("replaced", PATIENCE);
        }
        assertThat(session).hasContent("next");
    }

    private static CrashLab campaign(CrashLab lab, LabSystem system) {
        return lab.scenario(Replacing.class).given(LockedReplacingCrashTest::given).check((directory, run) -> nextOneGetsIt(system, directory, run)).timeout(PATIENCE);
    }

    @CrashTest(os = LabSystem.WINDOWS)
    void nextProcessGetsTheLockOnWindows(CrashLab lab) throws Exception {
        assertThat(campaign(lab, LabSystem.WINDOWS).killAtEveryStep().runs()).isGreaterThan(5);
    }

    @CrashTest(os = LabSystem.MACOS)
    void nextProcessGetsTheLockOnMacOs(CrashLab lab) throws Exception {
        assertThat(campaign(lab, LabSystem.MACOS).killAtEveryStep().runs()).isGreaterThan(5);
    }

    @Tag("soak")
    @CrashTest(os = LabSystem.WINDOWS)
    void whereverItTookTheLockOnWindows(CrashLab lab) throws Exception {
        campaign(lab, LabSystem.WINDOWS).lockStepsToo().stepsMayVary().killAtEveryStep();
    }

    @Tag("soak")
    @CrashTest(os = LabSystem.MACOS)
    void whereverItTookTheLockOnMacOs(CrashLab lab) throws Exception {
        campaign(lab, LabSystem.MACOS).lockStepsToo().stepsMayVary().killAtEveryStep();
    }

    @Tag("soak")
    @CrashTest
    void whereverItTookTheLockWithoutHardLinks(CrashLab lab) throws Exception {
        campaign(lab, LabSystem.POSIX).withoutHardLinks().lockStepsToo().stepsMayVary().killAtEveryStep();
    }
}
