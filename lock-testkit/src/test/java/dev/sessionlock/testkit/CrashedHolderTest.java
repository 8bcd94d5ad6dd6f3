package dev.sessionlock.testkit;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

/**
 * Our own lock in the lab. Its holder is killed at every file operation of acquire, append, replace and release, or the operation fails. Then others
 * get in at once, nothing is left behind, and no acknowledged line is lost.
 */
class CrashedHolderTest {
    private static final String FIRST = "{\"id\":1}\n";
    private static final String SECOND = "{\"id\":2}\n";

    private static Path session(Path directory) {
        return directory.resolve("session.jsonl");
    }

    private static void given(Path directory) throws IOException {
        Files.writeString(session(directory), FIRST);
    }

    static final class LockedAppend implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (SessionLocks locks = SessionLocks.create()) {
                try (SessionLock lock = locks.acquire(session(directory))) {
                    Files.writeString(session(directory), SECOND, CREATE, APPEND);
                    lock.ensureHeld();
                    CrashLab.acknowledge(SECOND.strip());
                }
            }
        }
    }

    static final class LockedCompaction implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (SessionLocks locks = SessionLocks.create()) {
                try (SessionLock lock = locks.acquire(session(directory), LockOptions.defaults().withTakeover(false))) {
                    lock.replace(Files.writeString(directory.resolve("session.jsonl.new"), SECOND));
                    CrashLab.acknowledge(SECOND.strip());
                }
            }
        }
    }

    /** Another process locks, and appends. */
    private static void othersGetIn(Path directory) throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            try (SessionLock lock = locks.acquire(session(directory), LockOptions.defaults().withTimeout(Duration.ofSeconds(20)))) { // the lease is 30 s
                lock.verifyHeld();
            }
        }
        assertThat(names(directory)).isSubsetOf("session.jsonl", ".session-locks", "session.jsonl.new");
        assertThat(names(directory.resolve(".session-locks")))
                .noneMatch(name -> name.startsWith("takeover-") || name.startsWith("release-"));
    }

    private static List<String> names(Path directory) throws IOException {
        try (Stream<Path> all = Files.list(directory)) {
            return all.map(path -> path.getFileName().toString()).toList();
        }
    }

    private static void whatWasAcknowledgedIsThere(Path directory, CrashRun run) throws IOException {
        List<String> lines = Files.readAllLines(session(directory));
        assertThat(lines).containsAll(run.acknowledged());
    }

    @Tag("soak") // the guide's example does much the same in the default build
    @CrashTest
    void aKilledHolderIsInNobodysWay(CrashLab lab) throws Exception {
        lab.scenario(LockedAppend.class).lockStepsToo().given(CrashedHolderTest::given).check((directory, run) -> {
            assertThat(Files.readString(session(directory))).startsWith(FIRST);
            whatWasAcknowledgedIsThere(directory, run);
            othersGetIn(directory);
        }).killAtEveryStep();
    }

    @Tag("soak") // the guide's example does much the same in the default build
    @CrashTest
    void aKilledCompactionLeavesTheOldOrTheNew(CrashLab lab) throws Exception {
        lab.scenario(LockedCompaction.class).lockStepsToo().given(CrashedHolderTest::given).check((directory, run) -> {
            assertThat(Files.readString(session(directory))).isIn(FIRST, SECOND);
            whatWasAcknowledgedIsThere(directory, run);
            othersGetIn(directory);
        }).killAtEveryStep();
    }

    @Tag("soak") // the guide's example does much the same in the default build
    @CrashTest
    void aCompactionSurvivesAPowerCut(CrashLab lab) throws Exception {
        lab.scenario(LockedCompaction.class).lockStepsToo().given(CrashedHolderTest::given).check((directory, run) -> {
            assertThat(Files.readString(session(directory))).isIn(FIRST, SECOND);
            whatWasAcknowledgedIsThere(directory, run);
            othersGetIn(directory);
        }).powerCutAtEveryStep();
    }

    /** The session's file does not exist yet, and would be made under the lock. */
    static final class FirstLockOfANewSession implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (SessionLocks locks = SessionLocks.create()) {
                try (SessionLock lock = locks.acquire(session(directory))) {
                    lock.ensureHeld();
                }
            }
        }
    }

    @CrashTest
    void aPowerCutInTheFirstLockOfANewSessionIsInNobodysWay(CrashLab lab) throws Exception {
        lab.scenario(FirstLockOfANewSession.class).lockStepsToo().check((directory, run) -> othersGetIn(directory)).powerCutAtEveryStep();
    }

    @CrashTest
    @Tag("soak")
    void aHolderThatMeetsAnErrorOfTheDiskIsInNobodysWay(CrashLab lab) throws Exception {
        failing(lab, CrashFault.EIO);
    }

    @CrashTest
    @Tag("soak")
    void aHolderThatFindsTheDiskFullOrClosedIsInNobodysWay(CrashLab lab) throws Exception {
        failing(lab, CrashFault.ENOSPC, CrashFault.EACCES);
    }

    private static void failing(CrashLab lab, CrashFault... faults) throws Exception {
        lab.scenario(LockedAppend.class).lockStepsToo().given(CrashedHolderTest::given).check((directory, run) -> {
            assertThat(Files.readString(session(directory))).startsWith(FIRST);
            whatWasAcknowledgedIsThere(directory, run);
            othersGetIn(directory);
        }).failAtEveryStep(faults);
    }
}
