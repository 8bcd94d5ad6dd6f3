package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.LockFiles;
import dev.sessionlock.testkit.LockFiles.Kind;
import dev.sessionlock.testkit.Puppet;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every advice is followed, to the letter, for each kind of file that can lie in the place of a lock. It is not refused, it does not lead back to
 * itself, and in the end the lock can be taken.
 */
class AdviceTest {
    private static final String TO_DO = "  to do     ";
    private static final String TO_FREE = "  to free   ";
    private static final int STEPS = 5;
    /** Prevents hanging. Advice that leads back to itself is noticed after this long. */
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    @TempDir
    private Path directory;
    private Path session;
    private final SessionLocks locks = SessionLocks.create();

    @BeforeEach
    void aSession() throws Exception {
        session = Files.writeString(directory.resolve("it's a session.jsonl"), "{}\n"); // a shell must take it for one word
    }

    @AfterEach
    void close() {
        locks.close();
    }

    // ---- the tool, and a shell ----

    private record Outcome(int exitCode, String out) {
        /** {@return the advice, without its label; empty if there is none} */
        String advice() {
            return out.lines().filter(line -> line.startsWith(TO_DO)).map(line -> line.substring(TO_DO.length())).findFirst().orElse("");
        }
    }

    private static Outcome tool(String... words) {
        StringWriter out = new StringWriter();
        int exitCode = Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(out, true)).execute(words);
        return new Outcome(exitCode, out.toString());
    }

    private Outcome status() {
        return tool("status", session.toString());
    }

    /** A shell reads a line of advice. What it would pass to the tool runs in this JVM. */
    private static Outcome shell(String line) throws Exception {
        Path words = Files.createTempFile("advice", ".words");
        try {
            String tool = "java() { shift 2; for word; do printf '%s\\n' \"$word\" >> " + words + "; done; }; ";
            Process shell = new ProcessBuilder("sh", "-c", tool + line).redirectErrorStream(true).start();
            shell.getOutputStream().close();
            String said = new String(shell.getInputStream().readAllBytes());
            int exitCode = shell.waitFor();
            List<String> arguments = Files.readAllLines(words);
            return exitCode != 0 || arguments.isEmpty() ? new Outcome(exitCode, said) : tool(arguments.toArray(String[]::new));
        } finally {
            Files.delete(words);
        }
    }

    /** {@return the command in a line of advice; empty if it says to do nothing} Where a person has to judge first, the command comes last. */
    private static String command(String advice) {
        for (String condition : List.of("; if it stays: ", ": then ", "; if none does: ")) {
            int at = advice.indexOf(condition);
            if (at >= 0) {
                return advice.substring(at + condition.length());
            }
        }
        return advice.startsWith("nothing") || advice.startsWith("look where") ? "" : advice;
    }

    // ---- following the advice ----

    /** Does what the tool says until the lock can be taken. Returns all advice that it gave, in order. */
    private List<String> follow() throws Exception {
        Set<String> given = new LinkedHashSet<>();
        for (String advice = status().advice(); !advice.isEmpty(); ) {
            assertThat(given.add(advice)).as("it leads back to '%s', by %s", advice, given).isTrue();
            assertThat(given).as("it never ends").hasSizeLessThan(STEPS);
            String command = command(advice);
            if (command.isEmpty()) {
                break;
            }
            Outcome done = shell(command);
            if (done.exitCode() == 0) {
                advice = nextAdvice(given);
            } else {
                assertThat(done.advice()).as("'%s' was refused, and nothing else was said: %s", command, done).isNotEmpty();
                assertThat(done.out()).as("only one that cannot be seen to be alive may leave it unanswered").contains("did not answer");
                advice = done.advice();
            }
        }
        try (SessionLock lock = locks.acquire(session)) {
            lock.verifyHeld();
        }
        return new ArrayList<>(given);
    }

    /** A signal takes a moment to arrive, and a woken process another moment to see what has become of its lock. */
    private String nextAdvice(Set<String> given) {
        AtomicReference<String> next = new AtomicReference<>();
        await("other advice than " + given).atMost(PATIENCE).until(() -> {
            next.set(status().advice());
            return !given.contains(next.get()) && !next.get().startsWith("jstack") && !next.get().startsWith("wait: its holder");
        });
        return next.get();
    }

    /** {@return the advice from all other sources: list, the message of a timeout, and clear if it refuses} */
    private Set<String> saidElsewhere(Kind kind) {
        Set<String> said = new LinkedHashSet<>();
        said.add(tool("list", "--older-than", "0", directory.toString()).advice());
        said.add(tool("list", directory.toString()).advice());
        if (!kind.makesWay() && kind != Kind.NOT_A_LOCK) {
            LockTimeoutException timeout = catchThrowableOfType(LockTimeoutException.class,
                    () -> locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofMillis(50))));
            timeout.getMessage().lines().filter(line -> line.startsWith(TO_FREE)).forEach(line -> said.add(line.substring(TO_FREE.length())));
        }
        for (Path named : List.of(session, directory)) {
            Outcome dry = tool("clear", named.toString());
            if (dry.exitCode() != 0) {
                assertThat(tool("clear", "--yes", named.toString()).advice()).isEqualTo(dry.advice());
                said.add(dry.advice());
            }
        }
        said.remove("");
        return said;
    }

    private static String commandOnly(String advice) {
        return command(advice).replaceAll("   # .*", "");
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "OTHER_PID_NAMESPACE")
    void itEndsWithALockThatCanBeTaken(Kind kind) throws Exception {
        try (LockFiles files = LockFiles.of(session)) {
            Path lockFile = files.make(kind).lockFile();
            boolean young = kind == Kind.TORN || kind == Kind.EMPTY;
            if (young) {
                Files.setLastModifiedTime(lockFile, FileTime.from(Instant.now().plusSeconds(3600))); // however slow the machine is
            }
            String advice = status().advice();
            assertThat(saidElsewhere(kind)).as("all say the same").allSatisfy(said -> assertThat(commandOnly(said)).isEqualTo(commandOnly(advice)));
            if (young) {
                assertThat(advice).contains("once it is old enough");
                Files.setLastModifiedTime(lockFile, FileTime.from(Instant.now().minusSeconds(31)));
            }
            follow();
        }
    }

    /** Nobody can be asked to release it, and its lease runs for minutes. */
    @Test
    void ofOneThatCannotBeSeenItNamesNoProcessOfOurs() throws Exception {
        try (LockFiles files = LockFiles.of(session)) {
            files.make(Kind.OTHER_PID_NAMESPACE);
            String advice = status().advice();
            assertThat(advice).contains("clear --token", "its lease is over").doesNotContain("kill", "jstack");
            Outcome asked = shell(command(advice).replace("--yes", "--yes --timeout 50ms"));
            assertThat(asked.exitCode()).isEqualTo(1);
            assertThat(asked.advice()).contains("once its lease is over").doesNotContain("kill", "jstack", "clear");
        }
    }

    @Nested
    class OfAnotherProgramsLock {
        private Process gateway;

        @BeforeEach
        void start() throws Exception {
            Assumptions.assumeTrue(Files.exists(Path.of("/proc/self/stat")), "no /proc");
            gateway = new ProcessBuilder("sh", "-c", "read -r openclaw_gateway").start();
        }

        @AfterEach
        void end() throws Exception {
            gateway.destroyForcibly().waitFor();
        }

        private void locks(Duration ago, String more) throws Exception {
            Files.writeString(directory.resolve(session.getFileName() + ".lock"),
                    "{\"pid\":" + gateway.pid() + ",\"createdAt\":\"" + Instant.now().minus(ago) + "\"" + more + "}");
        }

        private void assertThatAPersonIsCalled(boolean called) {
            int code = called ? 1 : 0;
            assertThat(status().exitCode()).isEqualTo(code);
            assertThat(tool("list", directory.toString()).exitCode()).isEqualTo(code);
            assertThat(tool("list", "--older-than", "1h", directory.toString()).exitCode()).isEqualTo(code);
        }

        /** The origin of this library: 22 minutes in which every message vanished. */
        @Test
        void thatIsStuckItSaysWhatToEndWhatIsLostAndThatNothingIsToBeDoneAfterwards() throws Exception {
            locks(Duration.ofMinutes(22), "");
            assertThatAPersonIsCalled(true);
            String advice = status().advice();
            assertThat(advice).startsWith("kill " + gateway.pid() + "   #").contains("read -r openclaw_gateway", "is lost", "the next acquisition")
                    .doesNotContain("clear");
            assertThat(tool("clear", "--yes", session.toString()).advice()).isEqualTo(advice);
            assertThat(follow()).first().isEqualTo(advice);
        }

        @Test
        void thatIsAsOldAsALockMayGetItCallsNobodyYet() throws Exception {
            locks(Duration.ofMinutes(4), "");
            assertThatAPersonIsCalled(false);
            assertThat(status().advice()).startsWith("wait: ").contains("; if it stays: kill " + gateway.pid());
        }

        @Test
        void itsOwnLimitCounts() throws Exception {
            locks(Duration.ofMinutes(22), ",\"maxHoldMs\":1800000");
            assertThatAPersonIsCalled(false);
            locks(Duration.ofMinutes(2), ",\"maxHoldMs\":60000");
            assertThatAPersonIsCalled(true);
        }

        @Test
        void ofAPidFileTheFilesAgeCounts() throws Exception {
            Path lockFile = Files.writeString(directory.resolve(session.getFileName() + ".lock"), gateway.pid() + "\n");
            assertThatAPersonIsCalled(false);
            Files.setLastModifiedTime(lockFile, FileTime.from(Instant.now().minusSeconds(301)));
            assertThatAPersonIsCalled(true);
            assertThat(tool("list", "--older-than", "5m", directory.toString()).out()).contains("5 min");
        }

        @Test
        void thatIsStoppedItSaysHowToWakeItFirst() throws Exception {
            locks(Duration.ZERO, "");
            new ProcessBuilder("kill", "-STOP", Long.toString(gateway.pid())).start().waitFor();
            await().atMost(Puppet.PATIENCE).until(() -> status().advice().startsWith("kill -CONT"));
            assertThatAPersonIsCalled(true);
            assertThat(follow()).extracting(advice -> advice.substring(0, 10)).containsExactly("kill -CONT", "wait: anot", "java -jar ");
        }
    }

    @Nested
    class OfAHoldWithoutARecord {

        private Puppet holder(String... options) throws Exception {
            Puppet holder = Puppet.start();
            holder.begin((Object[]) concat(new String[] {"acquire", "a", session.toString()}, options)).mustSucceed();
            holder.jvm().freeze();
            Files.delete(directory.resolve(session.getFileName() + ".lock"));
            return holder;
        }

        private static String[] concat(String[] one, String[] other) {
            List<String> all = new ArrayList<>(List.of(one));
            all.addAll(List.of(other));
            return all.toArray(String[]::new);
        }

        @Test
        void frozenItIsOlderThanTheTimeSinceItsTokenWasDrawn() throws Exception {
            try (Puppet holder = holder("lease=60000")) {
                assertThat(tool("list", "--older-than", "1h", directory.toString())).isEqualTo(new Outcome(0, ""));
                await().pollDelay(Duration.ofMillis(30)).until(() -> true);
                Outcome alarm = tool("list", "--older-than", "20ms", directory.toString());
                assertThat(alarm.exitCode()).isEqualTo(1);
                assertThat(alarm.advice()).startsWith("kill -CONT " + holder.jvm().pid());
                assertThat(follow()).hasSize(1);
            }
        }

        @Test
        void frozenForeverItNeedsAPersonAtOnce() throws Exception {
            try (Puppet holder = holder("takeover=false")) {
                for (Outcome call : List.of(status(), tool("list", directory.toString()), tool("list", "--older-than", "1h", directory.toString()))) {
                    assertThat(call.exitCode()).isEqualTo(1);
                    assertThat(call.advice()).startsWith("kill -CONT " + holder.jvm().pid());
                }
                assertThat(follow()).hasSize(1);
            }
        }
    }
}
