package gateway;

import dev.sessionlock.testkit.CrashFault;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashRun;
import dev.sessionlock.testkit.CrashScenario;
import dev.sessionlock.testkit.CrashTest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Scenarios that close their locks, once at the end, and twice with work after it. */
class JournalTest {

    static final class OneLine implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try (Journal journal = new Journal(directory.resolve("journal"))) {
                journal.append("one");
                CrashLab.acknowledge("one");
            }
        }
    }

    static final class StopsAndStartsAgain implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            for (String line : List.of("one", "two")) {
                try (Journal journal = new Journal(directory.resolve("journal"))) {
                    journal.append(line);
                    CrashLab.acknowledge(line);
                }
                Files.writeString(directory.resolve("stopped-after"), line); // while the library still tidies up
            }
        }
    }

    private static void nothingIsLost(Path directory, CrashRun run) throws Exception {
        try (Journal journal = new Journal(directory.resolve("journal"))) {
            journal.append("next");
        }
        List<String> lines = Files.readAllLines(directory.resolve("journal"));
        if (!lines.containsAll(run.acknowledged()) || !lines.contains("next")) {
            throw new AssertionError("acknowledged " + run.acknowledged() + ", there are " + lines);
        }
    }

    @CrashTest
    void killed(CrashLab lab) throws Exception {
        lab.scenario(OneLine.class).check(JournalTest::nothingIsLost).killAtEveryStep();
    }

    @CrashTest
    void refused(CrashLab lab) throws Exception {
        lab.scenario(OneLine.class).check(JournalTest::nothingIsLost).failAtEveryStep(CrashFault.EIO);
    }

    @CrashTest
    void stoppedAndStarted(CrashLab lab) throws Exception {
        lab.scenario(StopsAndStartsAgain.class).check(JournalTest::nothingIsLost).killAtEveryStep();
    }
}
