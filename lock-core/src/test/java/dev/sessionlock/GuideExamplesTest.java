package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.jdbc.JdbcLockEngine;
import dev.sessionlock.metrics.SessionLockMetrics;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The examples of README.md and of the guide, word for word: {@link DocumentsTest} looks for their lines here. Change both together. */
class GuideExamplesTest {
    @TempDir
    Path dir;

    @AfterEach
    void everythingIsReleased() {
        Patience.untilLetGo(dir);
    }

    /** The first example of README.md names a directory of its reader, so it is only compiled. {@link JavadocExamplesTest} runs the same. */
    static void firstExample(Path other, String line) throws IOException, InterruptedException {
        SessionLocks locks = SessionLocks.create();

        SessionFile session = SessionFile.of(Path.of("sessions/session.jsonl"), locks);
        session.append(line);                                  // waits for the lock, 10 s by default; when it returns, the line is safe

        try (SessionLock lock = locks.acquire(other)) {        // the lock alone, for anything that is not lines of text
            lock.ensureHeld();                                 // before each step that must not come late
        }
    }

    /** This needs a database: JdbcExamplesTest in lock-testkit runs much the same. */
    static void overPostgreSql(DataSource dataSource) throws SQLException, LockException, InterruptedException {
        JdbcLockEngine engine = JdbcLockEngine.postgresql(dataSource);     // the data source and the driver are yours
        engine.createSchema();                                             // once; or run dev/sessionlock/jdbc/postgresql.sql, which is in the jar
        SessionLocks locks = SessionLocks.over(engine);                    // one engine a JVM

        try (SessionLock lock = locks.acquire("session-4711")) {
            lock.ensureHeld();
        }
    }

    @Test
    void writing() throws Exception {
        Path path = dir.resolve("session.jsonl");
        String line = "{\"id\":\"1\"}";
        String id = "1";
        LockOptions warm = LockOptions.defaults().withLinger(Duration.ofMillis(200));
        try (SessionLocks locks = SessionLocks.builder().defaults(warm).build()) {
            SessionFile session = SessionFile.of(path, locks);
            session.append(line);                                          // or append(List.of(…)), all in one write
            session.appendOnce(line, each -> id.equals(idOf(each)));       // skips a line that is there; for retries after an exception or a crash
            List<String> lines = session.lines();                          // whole lines only, never half a line; needs no lock
            assertThat(lines).containsExactly(line);
        }
    }

    @Test
    void meters() throws Exception {
        MeterRegistry registry = new SimpleMeterRegistry();
        try (SessionLocks locks = SessionLocks.create()) {
            new SessionLockMetrics(locks).bindTo(registry);
            locks.acquire(dir.resolve("session.jsonl")).close();
        }
        assertThat(registry.get("sessionlock.hold").timer().count()).isOne();
    }

    private interface Model {
        CompletionStage<String> answer(String message);
    }

    @Test
    void withoutAThreadThatWaits() {
        Path path = dir.resolve("session.jsonl");
        LockOptions options = LockOptions.defaults();
        String message = "Hello";
        Model model = question -> CompletableFuture.supplyAsync(() -> question + "!");
        ExecutorService disk = Executors.newSingleThreadExecutor();
        try (SessionLocks locks = SessionLocks.builder().executor(disk).build()) {
            CompletableFuture<String> reply = locks.withLockAsync(path, options,
                    lock -> model.answer(message)                                  // a CompletionStage: minutes may pass, and no thread waits
                            .thenApplyAsync(answer -> recorded(path, message, answer), disk));
            assertThat(reply.join()).isEqualTo("Hello!");
            assertThat(path).hasContent("Hello\nHello!");
        } finally {
            disk.shutdown();
        }
    }

    private static String recorded(Path path, String message, String answer) {
        try {
            Files.writeString(path, message + "\n" + answer + "\n");
            return answer;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void compactingLines() throws Exception {
        Path path = dir.resolve("session.jsonl");
        try (SessionLocks locks = SessionLocks.create()) {
            SessionFile session = SessionFile.of(path, locks);
            session.append(List.of("{\"id\":1}", "{\"done\":1}"));
            session.compact(lines -> lines.stream().filter(each -> !each.contains("\"done\"")).toList());
            assertThat(session.lines()).containsExactly("{\"id\":1}");
        }
    }

    @Test
    void replacing() throws Exception {
        Path path = Files.writeString(dir.resolve("session.json"), "[1, 2]");
        try (SessionLocks locks = SessionLocks.create()) {
            LockOptions compaction = LockOptions.defaults().withPurpose("compaction").withTakeover(false).withMaxHold(Duration.ofMinutes(20));

            try (SessionLock lock = locks.acquire(path, compaction)) {
                Path compacted = Files.writeString(path.resolveSibling("session.json.new"), compact(path));
                lock.replace(compacted);           // force, ensureHeld, rename over the session, force the directory
            }
        }
        assertThat(path).hasContent("[1]");
    }

    private static String compact(Path path) throws IOException {
        return Files.readString(path).replace(", 2", "");
    }

    @Test
    void whatHappenedBefore() throws Exception {
        Path path = dir.resolve("session.jsonl");
        Logger log = LoggerFactory.getLogger(GuideExamplesTest.class);
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(path).close();
            for (PastHold hold : locks.history(path, 10)) {                    // the last ten holds, the latest end first
                log.info("{} to {}: {} ({})", hold.since(), hold.until(), hold.ending(), hold.purpose());
            }
            assertThat(locks.history(path, 10)).hasSize(1);
        }
    }

    private static String idOf(String line) {
        return line.matches("\\{\"id\":\"[^\"]*\".*}") ? line.substring(7, line.indexOf('"', 7)) : "";
    }
}
