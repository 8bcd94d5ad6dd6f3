package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
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

    /** The process that comes next. */
    static final class Next implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path session = directory.resolve("session.jsonl");
            String before = Files.readString(session);
            if (!before.equals("old") && !before.equals("new")) {
                throw new IllegalStateException("it found " + before);
            }
            replace(session, "next after " + before);
        }
    }

    private static void nothingIsLost(Path directory, CrashRun run) {
        Path session = directory.resolve("session.jsonl");
        if (run.acknowledged().contains("new")) {
            assertThat(session).hasContent("next after new");
        } else {
            assertThat(session).content().startsWith("next after ");
        }
    }

    private static CrashLab campaign(CrashLab lab) {
        return lab.scenario(Replacing.class).given(LockedReplacingCrashTest::given).afterwards(Next.class).check(LockedReplacingCrashTest::nothingIsLost)
                .timeout(PATIENCE);
    }

    @CrashTest(os = LabSystem.WINDOWS)
    void nextProcessGetsTheLockOnWindows(CrashLab lab) throws Exception {
        assertThat(campaign(lab).killAtEveryStep().runs()).isGreaterThan(5);
    }

    @Tag("soak")
    @CrashTest(os = LabSystem.MACOS)
    void nextProcessGetsTheLockOnMacOs(CrashLab lab) throws Exception {
        assertThat(campaign(lab).killAtEveryStep().runs()).isGreaterThan(5);
    }

    @Tag("soak")
    @CrashTest
    void nextProcessGetsTheLockWithoutHardLinks(CrashLab lab) throws Exception {
        assertThat(campaign(lab).withoutHardLinks().killAtEveryStep().runs()).isGreaterThan(5);
    }

    @Tag("soak")
    @CrashTest(os = LabSystem.WINDOWS)
    void whereverItTookTheLockOnWindows(CrashLab lab) throws Exception {
        campaign(lab).lockStepsToo().stepsMayVary().killAtEveryStep();
    }

    @Tag("soak")
    @CrashTest(os = LabSystem.MACOS)
    void whereverItTookTheLockOnMacOs(CrashLab lab) throws Exception {
        campaign(lab).lockStepsToo().stepsMayVary().killAtEveryStep();
    }

    @Tag("soak")
    @CrashTest
    void whereverItTookTheLockWithoutHardLinks(CrashLab lab) throws Exception {
        campaign(lab).withoutHardLinks().lockStepsToo().stepsMayVary().killAtEveryStep();
    }
}
