package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.PastHold;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.jdbc.JdbcLockEngine;
import dev.sessionlock.jdbc.PostgresServer;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The operator's tool on locks in a database. */
class JdbcCommandTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final LockOptions OPTIONS = LockOptions.defaults().withRevokeGrace(Duration.ZERO).withPurpose("nightly");

    private final String schema = PostgresServer.newSchema();
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private SessionLocks locks;

    @BeforeEach
    void open() throws Exception {
        JdbcLockEngine engine = JdbcLockEngine.postgresql(PostgresServer.plain(PostgresServer.url())).withSchema(schema);
        engine.createSchema();
        locks = SessionLocks.over(engine);
    }

    @AfterEach
    void close() {
        locks.close();
    }

    /** In this JVM. */
    private int tool(String command, String... args) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        CommandLine line = Main.commandLine();
        line.setOut(new PrintWriter(out, true));
        line.setErr(new PrintWriter(err, true));
        return line.execute(words(command, args).toArray(new String[0]));
    }

    private List<String> words(String command, String... args) {
        List<String> words = new ArrayList<>(List.of(command, "--jdbc", PostgresServer.url(), "--schema", schema));
        words.addAll(Arrays.asList(args));
        return words;
    }

    private Process start(Path output, String command, String... args) throws Exception {
        List<String> words = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m",
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        words.addAll(words(command, args));
        return new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(output.toFile()).start();
    }

    @Test
    void statusAndListNameTheHolderAndHaveNoLockFile() throws Exception {
        try (SessionLock lock = locks.acquire("a//b", OPTIONS)) {
            assertThat(tool("status", "a//b")).isZero();
            assertThat(out.toString()).startsWith("a//b: held").contains("nightly").contains("token     " + lock.token());
            assertThat(tool("status", "--json", "a//b")).isZero();
            assertThat(out.toString()).contains("\"lock\":null").contains("\"target\":\"a//b\"").contains("\"token\":" + lock.token());
            assertThat(tool("list")).isZero();
            assertThat(out.toString()).contains("a//b   \"nightly\"").contains("1 lock in the database: 1 held");
            assertThat(tool("list", "--json", "a/")).isZero();
            assertThat(out.toString()).contains("\"target\":\"a//b\"");
            assertThat(tool("list", "b")).isZero();
            assertThat(out.toString()).contains("no locks in the database that begin with b");
        }
        assertThat(tool("status", "a//b")).isZero();
        assertThat(out.toString()).startsWith("a//b: free");
    }

    @Test
    void whyAndHistoryWorkAndSayIfThereIsNoHistory() throws Exception {
        try (SessionLock lock = locks.acquire("a//b", OPTIONS)) {
            assertThat(tool("why", "--no-stack", "a//b")).isZero();
            assertThat(out.toString()).startsWith("a//b: held").contains("nightly", "token     " + lock.token(), "  why ", "  to do ", "No past holds are known");
            assertThat(tool("why", "--json", "a//b")).isZero();
            assertThat(out.toString()).contains("\"target\":\"a//b\"", "\"holds\":[]");
        }
        assertThat(tool("history", "a//b")).isZero();
        assertThat(out.toString().lines()).as("one plain line").containsExactly(
                "No past holds are known: none has ended here yet, or no process writes a history (JdbcLockEngine.withHistory).");
        assertThat(tool("history", "--json")).isZero();
        assertThat(out.toString().strip()).isEqualTo("{\"version\":1,\"holds\":[]}");
    }

    @Nested
    class WithAHistory {
        private final JdbcLockEngine engine = JdbcLockEngine.postgresql(PostgresServer.plain(PostgresServer.url())).withSchema(schema).withHistory(1_000);

        private void execute(String sql) throws Exception {
            PostgresServer.execute(PostgresServer.plain(PostgresServer.url()), sql);
        }

        @Test
        void historyAndWhyReadIt() throws Exception {
            engine.createSchema();
            try (SessionLocks writer = SessionLocks.over(engine)) {
                writer.acquire("a//b", OPTIONS).close();
                writer.acquire("c", OPTIONS.withPurpose("\u001b[2J")).close();
                await().atMost(PATIENCE).until(() -> locks.historyOfAll("", 10).size() == 2);
            }
            assertThat(tool("history", "a//b")).isZero();
            assertThat(out.toString()).contains("nightly", "released").doesNotContain("[2J");
            assertThat(tool("history")).isZero();
            assertThat(out.toString()).contains("a//b", "nightly", "[2J").doesNotContain("\u001b");
            assertThat(tool("history", "--json")).isZero();
            assertThat(out.toString()).contains("\"name\":\"a//b\"", "\"ending\":\"RELEASED\"");
            assertThat(tool("why", "a//b")).isZero();
            assertThat(out.toString()).contains("nightly", "released");
        }

        @Test
        void runAndClearWriteIt(@TempDir Path dir) throws Exception {
            engine.createSchema();
            Process run = start(dir.resolve("out"), "run", "--purpose", "job", "s/1", "--", "true");
            assertThat(run.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(locks.history("s/1", 10)).extracting(PastHold::purpose, PastHold::ending).containsExactly(Tuple.tuple("job", PastHold.Ending.RELEASED));

            Process killed = start(dir.resolve("killed"), "run", "--purpose", "killed", "s/1", "--", "sleep", "100");
            await().atMost(PATIENCE).until(() -> locks.inspect("s/1").owner() != null);
            killed.destroyForcibly().waitFor();
            Process clear = start(dir.resolve("cleared"), "clear", "--yes", "s/1");
            assertThat(clear.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(Files.readString(dir.resolve("cleared"))).startsWith("s/1: cleared");
            assertThat(locks.history("s/1", 1)).extracting(PastHold::purpose, PastHold::ending).containsExactly(Tuple.tuple("killed", PastHold.Ending.PROCESS_DIED));
        }

        @Test
        void whyWorksWhereItCannotBeRead() throws Exception {
            execute("CREATE TABLE " + schema + ".session_lock_history (theirs text)");
            assertThat(tool("why", "a//b")).isZero();
            assertThat(out.toString()).startsWith("a//b: free");
            assertThat(err.toString()).contains("is not the one that this version makes");
            assertThat(tool("history", "a//b")).isEqualTo(2);
            assertThat(err.toString()).contains("cannot look at the history").doesNotContain("\tat ");
        }
    }

    @Test
    void adviceForANameThatBeginsWithADashCanBeTyped() throws Exception {
        try (SessionLock lock = locks.acquire("--help", OPTIONS)) {
            assertThat(tool("status", "--", "--help")).isZero();
            assertThat(out.toString()).contains("clear --jdbc URL --token " + lock.token() + " --yes -- --help");
            assertThat(tool("clear", "--token", Long.toString(lock.token()), "--", "--help")).isZero();
            assertThat(out.toString()).startsWith("--help: ");
        }
    }

    @Test
    void clearAsksALivingHolderByItsToken() throws Exception {
        SessionLock lock = locks.acquire("a", OPTIONS);
        assertThat(tool("clear", "--yes", "a")).isEqualTo(1);
        assertThat(out.toString()).startsWith("a: refused");
        assertThat(lock.isHeld()).isTrue();
        assertThat(tool("clear", "--yes", "--timeout", "50s", "--token", Long.toString(lock.token()), "a")).isZero();
        assertThat(out.toString()).startsWith("a: released");
        assertThat(org.assertj.core.api.Assertions.catchThrowableOfType(LockLostException.class, lock::ensureHeld).reason())
                .isEqualTo(LockLostException.Reason.RELEASE_REQUESTED);
        assertThat(tool("clear", "--json", "a")).isZero();
        assertThat(out.toString()).contains("\"locks\":[]");
        lock.close();
    }

    @Test
    void runKeepsTheLockWhileItsJobRunsAndPassesItsExitCode(@TempDir Path dir) throws Exception {
        Path go = dir.resolve("go");
        Process run = start(dir.resolve("out"), "run", "s/1", "--", "sh", "-c",
                "echo token $SESSIONLOCK_TOKEN of $SESSIONLOCK_FILE; while [ ! -e '" + go + "' ]; do sleep 0.05; done; exit 3");
        try {
            await().atMost(PATIENCE).until(() -> Files.readString(dir.resolve("out")).contains(" of s/1"));
            long token = locks.inspect("s/1").owner().token();
            assertThat(Files.readString(dir.resolve("out"))).contains("token " + token + " of s/1");
            assertThat(tool("status", "s/1")).isZero();
            Path second = dir.resolve("second");
            Process late = start(second, "run", "--timeout", "0", "s/1", "--", "true");
            assertThat(late.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(late.exitValue()).isEqualTo(75);
            assertThat(Files.readString(second)).contains("session file locked (timeout 0ms): pid=" + run.pid() + " alive=true");
            Files.createFile(go);
            assertThat(run.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(run.exitValue()).isEqualTo(3);
            assertThat(locks.inspect("s/1").owner()).isNull();
        } finally {
            Files.deleteIfExists(go);
            Files.createFile(go);
            run.destroyForcibly();
        }
    }

    @Test
    void waiterIsCountedByTheFactsOfItsReport(@TempDir Path dir) throws Exception {
        Process waiter = null;
        try (SessionLock lock = locks.acquire("s/1", OPTIONS)) {
            assertThat(tool("list", "--json")).isZero();
            assertThat(out.toString()).contains("\"waiting\":0");
            assertThat(locks.inspect("s/1").facts().waitedFor()).isFalse();
            waiter = start(dir.resolve("out"), "run", "--timeout", "1h", "s/1", "--", "true");
            await().atMost(PATIENCE).until(() -> tool("list", "--json") == 0 && out.toString().contains("\"waiting\":1"));
            assertThat(lock.isHeld()).isTrue();
        } finally {
            if (waiter != null) {
                waiter.destroyForcibly().waitFor();
            }
        }
    }

    @Test
    void watchTellsChanges(@TempDir Path dir) throws Exception {
        Path output = dir.resolve("out");
        Process watch = start(output, "watch", "--interval", "100ms");
        try (SessionLock lock = locks.acquire("s/1", OPTIONS)) {
            await().atMost(PATIENCE).until(() -> Files.readString(output).contains("s/1"));
            assertThat(lock.isHeld()).isTrue();
        } finally {
            watch.destroy();
            watch.waitFor();
        }
    }

    @Test
    void badAddressIsBadUsageAndAnAwayServerTrouble() {
        CommandLine line = Main.commandLine();
        line.setErr(new PrintWriter(err, true));
        assertThat(line.execute("status", "--jdbc", "postgres://x", "a")).isEqualTo(2);
        assertThat(err.toString()).contains("begins with jdbc:postgresql:");
        assertThat(line.execute("status", "--jdbc", "jdbc:postgresql://127.0.0.1:1/none", "a")).isEqualTo(2);
        assertThat(err.toString()).contains("cannot look at a: the database could not be reached");
        assertThat(line.execute("status", "--schema", "s", "a")).isEqualTo(2);
        assertThat(line.execute("list")).isEqualTo(2);
        assertThat(err.toString()).contains("DIR");
    }
}
