package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.example.gateway.Compactor;
import com.example.gateway.Writer;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.SmallJvm;
import dev.sessionlock.cli.MainTest.Outcome;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The outage from which this library comes, in four ways, with eleven waiting processes each: a handle that leaked, a thread that hangs, a process that was killed, and one that
 * was frozen. What {@code why} prints, and nothing else, must name the cause, during the outage and after it. All four happen at once, to save JVMs.
 */
class WhyOutageTest {
    private static final int WRITERS = 11;
    private static final Path TRANSCRIPTS = Path.of("target", "why");

    @TempDir
    private static Path directory;

    private static final Map<String, Program> COMPACTORS = new LinkedHashMap<>();
    private static final List<Program> WRITING = new ArrayList<>();
    private static final Map<String, String> DURING = new LinkedHashMap<>();
    private static final Map<String, String> AFTER = new LinkedHashMap<>();
    private static Program ending;
    private static String ended;

    @BeforeAll
    @Timeout(300)
    static void breakAndMendAll() throws Exception {
        start();
        untilAllWaitersAreKnown();
        DURING.put("leak", why("leak"));
        DURING.put("hang", why("hang"));
        ended = whileOneWaits("end");
        Files.createDirectories(TRANSCRIPTS);
        assertThat(Outcome.of("why", "--html", TRANSCRIPTS.resolve("hang.html").toString(), session("hang")).exitCode()).isZero();
        COMPACTORS.get("frozen").signal("STOP");
        DURING.put("frozen", why("frozen"));
        COMPACTORS.get("killed").signal("KILL");
        untilEnded("killed", Ending.PROCESS_DIED);
        DURING.put("killed", why("killed"));
        COMPACTORS.get("leak").type();
        COMPACTORS.get("hang").type();
        untilEnded("leak", Ending.LEAKED);
        untilEnded("hang", Ending.MAX_HOLD);
        untilEnded("frozen", Ending.LEASE_EXPIRED);
        for (Program writer : WRITING) {
            assertThat(writer.process.waitFor()).isZero();
        }
        for (String outage : COMPACTORS.keySet()) {
            untilNobodyWaits(outage);
            AFTER.put(outage, why(outage));
        }
        for (String outage : COMPACTORS.keySet()) {
            Files.writeString(TRANSCRIPTS.resolve(outage + ".txt"), DURING.get(outage) + "\n==== afterwards ====\n\n" + AFTER.get(outage));
        }
    }

    private static void start() throws IOException {
        ending = new Program(Compactor.class, session("end"), "end");
        assertThat(ending.said.readLine()).isEqualTo("held");
        COMPACTORS.put("leak", new Program(Compactor.class, session("leak"), "leak"));
        COMPACTORS.put("hang", new Program(Compactor.class, session("hang"), "hang"));
        COMPACTORS.put("killed", new Program(Compactor.class, session("killed"), "hold"));
        COMPACTORS.put("frozen", new Program(Compactor.class, session("frozen"), "hold"));
        for (Program compactor : COMPACTORS.values()) {
            assertThat(compactor.said.readLine()).isEqualTo("held");
        }
        for (int i = 0; i < WRITERS; i++) {
            WRITING.add(new Program(Writer.class, COMPACTORS.keySet().stream().map(WhyOutageTest::session).toArray(String[]::new)));
        }
        for (Program writer : WRITING) {
            assertThat(writer.said.readLine()).isEqualTo("waits");
        }
    }

    private static String session(String outage) {
        return directory.resolve(outage + ".jsonl").toString();
    }

    private static String why(String outage) {
        Outcome outcome = Outcome.of("why", session(outage));
        assertThat(outcome.err()).isEmpty();
        assertThat(outcome.exitCode()).isIn(0, 1);
        return outcome.out();
    }

    private static String whileOneWaits(String outage) throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            CompletableFuture<SessionLock> waiting = locks.acquireAsync(Path.of(session(outage)), LockOptions.defaults().withTimeout(ToolProcess.PATIENCE));
            await().atMost(ToolProcess.PATIENCE).until(() -> locks.inspect(Path.of(session(outage))).waiters().stream().anyMatch(WhyOutageTest::hasWaitedForAWhile));
            String told = why(outage);
            waiting.cancel(true);
            return told;
        }
    }

    /** Until then its lock may be one that lingers, and is about to be given back. */
    private static boolean hasWaitedForAWhile(LockReport.Waiter waiter) {
        return waiter.since() != null && Duration.between(waiter.since(), Instant.now()).compareTo(Duration.ofSeconds(1)) > 0;
    }

    /** A waiter mark counts for a fifth of a second, whether its process lives or not. */
    private static void untilNobodyWaits(String outage) {
        try (SessionLocks locks = SessionLocks.create()) {
            await().atMost(ToolProcess.PATIENCE).until(() -> locks.inspect(Path.of(session(outage))).waiters().isEmpty());
        }
    }

    private static void untilAllWaitersAreKnown() {
        try (SessionLocks locks = SessionLocks.create()) {
            for (String outage : COMPACTORS.keySet()) {
                await().atMost(ToolProcess.PATIENCE).until(() -> locks.inspect(Path.of(session(outage))).waiters().stream().map(LockReport.Waiter::since)
                        .filter(since -> since != null).count() == WRITERS);
            }
        }
    }

    private static void untilEnded(String outage, Ending ending) {
        try (SessionLocks locks = SessionLocks.create()) {
            await().atMost(ToolProcess.PATIENCE).until(() -> locks.history(Path.of(session(outage)), 1_000).stream().anyMatch(hold -> hold.ending() == ending));
        }
    }

    @AfterAll
    static void end() {
        if (ending != null) {
            ending.close();
        }
        COMPACTORS.values().forEach(Program::close);
        WRITING.forEach(Program::close);
        COMPACTORS.clear();
        WRITING.clear();
    }

    private static String lineOf(String text, String label) {
        return text.lines().filter(line -> line.startsWith("  " + label + " ")).findFirst().orElseThrow(() -> new AssertionError("no " + label + " in:\n" + text));
    }

    @Test
    void leakedHandle() {
        assertThat(lineOf(DURING.get("leak"), "why")).contains("leaked handle: thread \"compactor-1\"", "nobody has closed the handle");
        assertThat(lineOf(DURING.get("leak"), "to do")).contains("clear --token", "frees the lock", "compaction");
        assertThat(lineOf(AFTER.get("leak"), "before")).contains("leaked handle: pid " + COMPACTORS.get("leak").process.pid(), "without closing it", "11 holds have ended well");
        assertThat(lineOf(AFTER.get("leak"), "to do")).contains("for \"compaction\" in thread \"compactor-1\"");
    }

    @Test
    void leakedHandleOfAThreadThatHasEnded() {
        assertThat(lineOf(ended, "why")).contains("leaked handle: thread \"compactor-2\" took the lock at ", " and has ended or was renamed; nobody has closed the handle");
    }

    @Test
    void hungThread() {
        assertThat(lineOf(DURING.get("hang"), "why")).containsPattern("thread hung in com\\.example\\.gateway\\.Compactor\\.askUpstream\\(Compactor\\.java:\\d+\\), .* since .*");
        assertThat(DURING.get("hang")).contains("more of the JDK)");
        assertThat(lineOf(DURING.get("hang"), "to do")).contains("clear --token");
        assertThat(lineOf(AFTER.get("hang"), "before")).containsPattern("thread hung in com\\.example\\.gateway\\.Compactor\\.askUpstream\\(Compactor\\.java:\\d+\\) since .* and still")
                .contains("maxHold");
        assertThat(lineOf(AFTER.get("hang"), "to do")).contains("jstack " + COMPACTORS.get("hang").process.pid());
    }

    @Test
    void killedProcess() {
        for (String text : List.of(DURING.get("killed"), AFTER.get("killed"))) {
            assertThat(lineOf(text, "before")).contains("process killed", "pid " + COMPACTORS.get("killed").process.pid());
            assertThat(lineOf(text, "to do")).contains("journalctl");
        }
    }

    @Test
    void frozenProcess() {
        long pid = COMPACTORS.get("frozen").process.pid();
        assertThat(lineOf(DURING.get("frozen"), "why")).contains("process stopped: pid " + pid);
        assertThat(lineOf(DURING.get("frozen"), "to do")).contains("kill -CONT " + pid);
        assertThat(lineOf(AFTER.get("frozen"), "why")).contains("others take the lock over");
        assertThat(lineOf(AFTER.get("frozen"), "before")).contains("process stopped: pid " + pid, "still stopped");
        assertThat(lineOf(AFTER.get("frozen"), "to do")).contains("kill -CONT " + pid);
    }

    @Test
    void whoWaitsIsThere() {
        for (String outage : List.of("leak", "hang", "frozen")) {
            assertThat(DURING.get(outage)).as(outage).contains("11 wait, the first since ");
            assertThat(DURING.get(outage).lines().filter(line -> line.contains("thread \"writer-"))).as(outage).hasSize(WRITERS);
        }
        assertThat(AFTER.values()).allSatisfy(text -> assertThat(text).doesNotContain("waiting"));
    }

    @Test
    void eachStoryFitsOnAScreen() {
        for (String text : DURING.values()) {
            assertThat(text.lines()).as(text).hasSizeLessThan(50);
        }
    }

    /** A JVM of the outage. */
    private static final class Program implements AutoCloseable {
        private final Process process;
        private final BufferedReader said;

        Program(Class<?> program, String... args) throws IOException {
            List<String> command = SmallJvm.command("-Xmx32m");
            command.add(program.getName());
            command.addAll(List.of(args));
            process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            said = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        }

        void signal(String name) {
            ProcessTree.signal(name, List.of(process.toHandle()));
        }

        void type() throws IOException {
            process.getOutputStream().write('x');
            process.getOutputStream().flush();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
