package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static java.nio.file.StandardOpenOption.APPEND;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The examples of the Javadoc: they compile and do what they say. Change both together. Those of the guide are in {@link GuideExamplesTest}. */
class JavadocExamplesTest {
    private static final Logger log = LoggerFactory.getLogger(JavadocExamplesTest.class);

    @TempDir
    Path dir;

    @AfterEach
    void letGo() {
        Patience.untilLetGo(dir);
    }

    private Path session;
    private final String line = "{\"role\":\"user\"}\n";

    @BeforeEach
    void aSession() throws IOException {
        session = Files.writeString(dir.resolve("session.jsonl"), line + line);
    }

    /** {@link SessionLocks}. */
    @Test
    void takingLocks() throws Exception {
        Path other = dir.resolve("session.bin");
        String line = "{\"role\":\"user\"}";
        SessionLocks locks = SessionLocks.create();
        SessionFile.of(session, locks).append(line);      // lines of text: SessionFile does the rest

        try (SessionLock lock = locks.acquire(other)) {   // waits, 10 s by default
            lock.ensureHeld();                            // before each step that must not come late
        }
        assertThat(session).hasContent(this.line.repeat(3));
        locks.close();
    }

    /** {@link SessionLock}. */
    @Test
    void changing() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
                Path changed = Files.writeString(session.resolveSibling("session.new"), compact(session));
                lock.replace(changed);                            // if it is still held
            }
        }
        assertThat(session).hasContent(line);
    }

    /** {@link LockOptions#withMode}. */
    @Test
    void reading() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            LockOptions reading = LockOptions.defaults().withMode(LockMode.SHARED);
            try (SessionLock lock = locks.acquire(session, reading)) {
                archive(Files.readAllLines(session));         // others may read at the same time; nobody writes
                assertThat(lock.mode()).isEqualTo(LockMode.SHARED);
            }
        }
    }

    private static void archive(List<String> lines) {
        assertThat(lines).hasSize(2);
    }

    /** {@link SessionFile} and {@link SessionFile#withLock}. */
    @Test
    void appendingReadingAndCompacting() throws Exception {
        Path path = dir.resolve("fresh.jsonl");
        String line = "{\"id\":\"1\"}";
        String id = "1";
        try (SessionLocks locks = SessionLocks.create()) {
            SessionFile session = SessionFile.of(path, locks);
            session.append(line);                                       // when it returns, the line is there for good

            for (String each : session.lines()) {                       // whole lines only; needs no lock
                System.out.println(each);
            }
            session.appendOnce(line, each -> id.equals(idOf(each)));    // also again, after an exception or a crash
            assertThat(path).hasContent(line + "\n");

            session.<Void, IOException>withLock(lock -> {
                int number = session.lines().size() + 1;
                session.append(lock, List.of("{\"number\":" + number + "}"));
                return null;
            });
            session.append(List.of("{\"done\":1}", "{\"done\":2}"));
            session.compact(lines -> lines.stream().filter(each -> !each.contains("\"done\"")).toList());
        }
        assertThat(path).hasContent(line + "\n{\"number\":2}\n");
    }

    private static String idOf(String line) {
        return line.matches("\\{\"id\":\"[^\"]*\".*}") ? line.substring(7, line.indexOf('"', 7)) : "";
    }

    /** {@link SessionLocks#withLock(Path, LockedAction)}. */
    @Test
    void anAction() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            int lines = locks.withLock(session, lock -> compact(session, lock));
            assertThat(lines).isEqualTo(2);
        }
    }

    /** {@link SessionLocks#runWithLock(Path, LockedRunnable)}. */
    private static void append(SessionLocks locks, Path session, String line) throws IOException, InterruptedException, SQLException {
        locks.runWithLock(session, lock -> {
            Files.writeString(session, line, APPEND);             // IOException
            add(line);                                            // SQLException
        });
    }

    private static void add(String line) throws SQLException {
        if (line.isEmpty()) {
            throw new SQLException("nothing to add");
        }
    }

    /** {@link SessionLocks#withLock(Path, LockedAction)}. */
    private static int count(SessionLocks locks, Path session) throws IOException, InterruptedException, SQLException {
        try (SessionLock lock = locks.acquire(session)) {
            int missing = Files.readAllLines(session).size() - inDatabase(session);
            lock.ensureHeld();                                    // what withLock does at the end
            return missing;
        }
    }

    private static int inDatabase(Path session) throws SQLException {
        if (!Files.exists(session)) {
            throw new SQLException("no such session");
        }
        return 2;
    }

    @Test
    void severalExceptions() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            append(locks, session, line);
            assertThat(count(locks, session)).isEqualTo(1);
        }
    }

    private static int compact(Path session, SessionLock lock) throws IOException {
        lock.ensureHeld();
        return Files.readAllLines(session).size();
    }

    /** {@link SessionLock#replace}. */
    @Test
    void compacting() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
                Path compacted = Files.writeString(session.resolveSibling("session.jsonl.new"), compact(session));
                lock.replace(compacted);
            }
        }
        assertThat(session).hasContent(line);
    }

    private static String compact(Path session) throws IOException {
        return Files.readAllLines(session).get(0) + "\n";
    }

    /** {@link LockOptions}. */
    @Test
    void options() {
        // A compaction rewrites the whole file: nobody may take the lock over while its process lives, and it may take its time.
        LockOptions compaction = LockOptions.defaults()
                .withPurpose("pre-compaction flush")
                .withTakeover(false)
                .withMaxHold(Duration.ofMinutes(20));
        assertThat(compaction.maxHold()).isEqualTo(Duration.ofMinutes(20));
    }

    /** {@link LockLostException}. */
    @Test
    void afterALoss() throws Exception {
        String line = "{\"id\":\"7\"}";
        String id = "7";
        LockLostException seen = null;
        try (SessionLocks locks = SessionLocks.create()) {
            SessionFile session = SessionFile.of(this.session, locks);
            try (SessionLock lock = locks.acquire(this.session, LockOptions.defaults().withMaxHold(Duration.ofMillis(100)))) {
                await().until(() -> !lock.isHeld());
                session.append(lock, List.of(line));
            } catch (LockLostException lost) {
                log.warn("not acknowledged: {} (since {})", lost.getMessage(), lost.since());
                session.appendOnce(line, each -> id.equals(idOf(each)));
                seen = lost;
            }
        }
        assertThat(seen).isNotNull();
        assertThat(session).hasContent(this.line + this.line + line + "\n");
    }

    /** {@link LockReport}. */
    @Test
    void looking() throws Exception {
        Process dead = new ProcessBuilder("true").start();
        dead.waitFor();
        try (SessionLocks locks = SessionLocks.create()) {
            LockReport report = locks.inspect(session);
            if (report.state() == LockReport.State.STALE) {
                log.warn("{}: {} {}", report.name(), report.evidence(), report.advice());
            }
            assertThat(report.state()).isEqualTo(LockReport.State.FREE);
        }
    }

    /** {@link LockListener}. */
    @Test
    void listening() throws Exception {
        List<String> alerts = new CopyOnWriteArrayList<>();
        SessionLocks locks = SessionLocks.builder().listener(new LockListener() {
            @Override
            public void lost(Event event, LockLostException why) {
                alerts.add("lost " + event.name() + ": " + why.reason());
            }
        }).build();
        SessionLock lock = locks.acquire(session, LockOptions.defaults().withMaxHold(Duration.ofMillis(100)));
        await().until(() -> alerts.contains("lost session.jsonl: MAX_HOLD"));
        lock.close();
        locks.close();
    }
}
