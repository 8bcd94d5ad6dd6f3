package dev.sessionlock.testkit.example;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashRun;
import dev.sessionlock.testkit.CrashScenario;
import dev.sessionlock.testkit.CrashSummary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * The test for every writer that a document shows. It is frozen at each of its steps past its lease, while another process writes. It must lose
 * nothing that was acknowledged, and leave a session that the next writer can use. To test a writer, write a scenario that creates it, and one test
 * method:
 *
 * <pre>{@code
 * static final class Right extends WriterTrial.Appends {
 *     @Override Writer writer(SessionLocks locks, Path session) {
 *         return new SessionWriter(session, locks);
 *     }
 * }
 *
 * @CrashTest
 * void rightWriter(CrashLab lab) throws Exception {
 *     WriterTrial.frozen(lab, Right.class);
 * }
 * }</pre>
 */
abstract class WriterTrial implements CrashScenario {
    /** Long enough for a machine that is busy with other tests. */
    private static final Duration LEASE = Duration.ofSeconds(3);
    private static final Duration FREEZE = Duration.ofMillis(3_500);
    private static final String FIRST = "{\"id\":\"given-1\",\"done\":true}";
    private static final String SECOND = "{\"id\":\"given-2\"}";

    /** Creates the writer. */
    abstract Writer writer(SessionLocks locks, Path session);

    /** {@return what a killed writer has left at the end of the session; null for a writer that cannot handle it} */
    String tornLine() {
        return "{\"id\":\"to";
    }

    /** Uses the writer; what it writes tells which process has written it. */
    abstract void work(Writer writer) throws Exception;

    /** Appends a line. */
    abstract static class Appends extends WriterTrial {
        @Override
        void work(Writer writer) throws Exception {
            append(writer);
        }
    }

    /** Appends a line, and compacts. */
    abstract static class AppendsAndCompacts extends WriterTrial {
        @Override
        void work(Writer writer) throws Exception {
            append(writer);
            writer.compact();
        }
    }

    private static void append(Writer writer) throws Exception {
        String line = "{\"id\":\"" + CrashLab.process() + "\"}";
        writer.append(line);
        CrashLab.acknowledge(line);
    }

    @Override
    public void run(Path directory) throws Exception {
        try (SessionLocks locks = SessionLocks.builder().defaults(LockOptions.defaults().withLease(LEASE)).build()) {
            work(writer(locks, directory.resolve("session.jsonl")));
        }
    }

    /** Tests a writer. */
    static CrashSummary frozen(CrashLab lab, Class<? extends WriterTrial> trial) throws Exception {
        WriterTrial next = trial.getDeclaredConstructor().newInstance();
        return lab.scenario(trial).given(next::given).check((directory, run) -> next.findsAllWell(directory, run))
                .freezeAtEveryStep(FREEZE);
    }

    private void given(Path directory) throws IOException {
        Files.writeString(directory.resolve("session.jsonl"), FIRST + "\n" + SECOND + "\n" + tornLine());
    }

    private void findsAllWell(Path directory, CrashRun run) throws Exception {
        Path session = directory.resolve("session.jsonl");
        try (SessionLocks locks = SessionLocks.create()) {
            writer(locks, session).append("{\"id\":\"next\"}");
        }
        assertThat(Files.readAllLines(session)).allMatch(line -> line.matches("\\{[^{}]*}"))
                .contains(SECOND, "{\"id\":\"next\"}").containsAll(run.acknowledged());
    }
}
