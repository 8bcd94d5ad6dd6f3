package dev.sessionlock.testkit.example;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.CrashFault;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashRun;
import dev.sessionlock.testkit.CrashScenario;
import dev.sessionlock.testkit.CrashTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;

/** {@link SessionFile}, killed, refused by the disk, and without power, at each of its steps, starting with a torn line. */
@Tag("soak")
class SessionFileCrashTest {
    private static final String OLD = "{\"id\":0}";

    static final class AllThatItDoes implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            SessionFile session = SessionFile.of(directory.resolve("session.jsonl"), SessionLocks.create());
            step(() -> session.append(id(1)), 1);
            step(() -> session.appendOnce(id(2), id(2)::equals), 2);
            step(() -> session.appendOnce(id(2), id(2)::equals), 2);
            step(() -> session.compact(lines -> lines));
            step(() -> session.append(List.of(id(3), id(4))), 3, 4);
        }

        private interface Step {
            void run() throws IOException, InterruptedException;
        }

        /** A line that the disk refuses is not acknowledged, and the next step is tried nevertheless. */
        private static void step(Step step, int... ids) throws InterruptedException {
            try {
                step.run();
            } catch (IOException e) {
                return;
            }
            for (int id : ids) {
                CrashLab.acknowledge(id(id));
            }
        }
    }

    static final class MakingAFile implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            SessionFile.of(directory.resolve("session.jsonl"), SessionLocks.create()).append(id(1));
            CrashLab.acknowledge(id(1));
        }
    }

    private static String id(int id) {
        return "{\"id\":" + id + "}";
    }

    private static void given(Path directory) throws IOException {
        Files.writeString(directory.resolve("session.jsonl"), OLD + "\n{\"id");
    }

    private static void nextFindsAllWell(Path directory, CrashRun run) throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            SessionFile session = SessionFile.of(directory.resolve("session.jsonl"), locks);
            assertThat(session.lines()).allMatch(line -> line.matches("\\{\"id\":[0-4]}")).containsAll(run.acknowledged());
            session.append("{\"id\":5}");
            session.compact(lines -> lines);
            List<String> lines = session.lines();
            assertThat(lines).allMatch(line -> line.matches("\\{\"id\":[0-5]}")).doesNotHaveDuplicates().containsAll(run.acknowledged())
                    .contains("{\"id\":5}");
            assertThat(Files.readString(session.path())).isEqualTo(String.join("\n", lines) + "\n");
        }
        try (var files = Files.newDirectoryStream(directory, "*.compacting-*")) {
            assertThat(files).isEmpty();
        }
    }

    private static CrashLab all(CrashLab lab) {
        return lab.scenario(AllThatItDoes.class).given(SessionFileCrashTest::given).check(SessionFileCrashTest::nextFindsAllWell);
    }

    @CrashTest
    void survivesEveryKill(CrashLab lab) throws Exception {
        all(lab).killAtEveryStep();
    }

    @CrashTest
    void survivesEveryPowerCut(CrashLab lab) throws Exception {
        all(lab).powerCutAtEveryStep();
    }

    @CrashTest
    void survivesEveryError(CrashLab lab) throws Exception {
        all(lab).failAtEveryStep(CrashFault.ENOSPC, CrashFault.EIO, CrashFault.EACCES);
    }

    @CrashTest
    void aFileThatItMakesSurvivesEveryPowerCut(CrashLab lab) throws Exception {
        lab.scenario(MakingAFile.class).check(SessionFileCrashTest::nextFindsAllWell).powerCutAtEveryStep();
    }

    // ---- a disk that is slower than the lock may be held ----

    static final class HeldTooLong implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            SessionLocks locks = SessionLocks.create();
            SessionFile session = SessionFile.of(directory.resolve("session.jsonl"), locks);
            try (SessionLock lock = locks.acquire(session.path(), LockOptions.defaults().withMaxHold(Duration.ofMillis(700)))) {
                session.append(lock, List.of(id(1)));
                if (!lock.isHeld()) {
                    throw new AssertionError("acknowledged, though the lock was lost");
                }
            } catch (LockLostException e) {
                session.appendOnce(id(1), id(1)::equals);
            }
            CrashLab.acknowledge(id(1));
        }
    }

    @CrashTest
    void acknowledgesNothingThatTookLongerThanTheLockWasHeld(CrashLab lab) throws Exception {
        lab.scenario(HeldTooLong.class).stepsMayVary().check((directory, run) -> {
            assertThat(run.acknowledged()).as("%s", run).containsExactly(id(1));
            nextFindsAllWell(directory, run);
        }).delayEveryStep(Duration.ofMillis(1500));
    }
}
