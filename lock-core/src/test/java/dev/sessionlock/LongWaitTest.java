package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Waits that take long are logged: who waits for whom, and what came of it. In a JVM of its own, since SLF4J has one back end in a JVM. */
class LongWaitTest {
    @TempDir
    static Path dir;
    private static List<String> lines;

    @BeforeAll
    static void waitForLong() throws Exception {
        lines = FreshJvm.run(Waits.class, dir, PrintedLog.OPTION).lines().toList();
    }

    /** {@return what is said about the waits for one lock} */
    private static List<String> about(String session) {
        return lines.stream().filter(line -> line.matches("WARN (still waiting for|acquired|gave up waiting for) .*/" + session + "\\.lock .*")).toList();
    }

    @Test
    void namesWhoWaitsWhoHoldsItSinceWhenAndWhoElseWaits() {
        assertThat(about("in-this-jvm")).hasSize(2);
        assertThat(about("in-this-jvm").get(0)).matches("WARN still waiting for .*in-this-jvm\\.lock after \\d{3,} ms: thread \"first\", purpose \"to append\"; "
                + "held in this JVM by pid \\d+, thread \"holder\", purpose \"to compact\", since \\d\\d:\\d\\d:\\d\\d \\(\\d+ s\\); "
                + "queue of this JVM: \"first\" \\d{3,} ms, \"second\" \\d+ ms");
    }

    @Test
    void tellsWhenItGotIn() {
        assertThat(about("in-this-jvm").get(1)).matches("WARN acquired .*in-this-jvm\\.lock after \\d{3,} ms: thread \"first\", purpose \"to append\"");
    }

    @Test
    void tellsWhenItGaveUp() {
        assertThat(about("in-vain").stream().filter(line -> line.startsWith("WARN still waiting"))).hasSize(1);
        assertThat(about("in-vain")).anyMatch(line -> line.matches("WARN gave up waiting for .* at its timeout after \\d+ ms: thread \"first\""));
        assertThat(about("interrupted").get(1)).matches("WARN gave up waiting for .* before its timeout .* after \\d+ ms: thread \"first\"");
    }

    @Test
    void acquisitionsThatNoThreadWaitsForAreToldAsWell() {
        assertThat(about("no-thread")).hasSize(2);
        assertThat(about("no-thread").get(0)).contains("still waiting").contains("thread \"asker\"");
        assertThat(about("no-thread").get(1)).contains("before its timeout (interrupted, cancelled or refused)");
    }

    @Test
    void aHolderInAnotherProcessIsReadFromItsRecord() {
        assertThat(about("foreign").get(0)).matches("WARN still waiting for .*; held by pid " + ProcessHandle.current().pid()
                + ", since \\d\\d:\\d\\d:\\d\\d \\(.*\\), state FOREIGN; queue of this JVM: \"first\" \\d+ ms");
    }

    @Test
    void ofEachLockOneWaitInAWhile() {
        assertThat(about("again")).as("a second long wait, right after the first").hasSize(2);
    }

    @Test
    void ofManyOnlyTheFirstAreNamed() {
        assertThat(about("many").get(0)).contains("\"w0\"").contains("\"w9\"").doesNotContain("\"w10\"").endsWith(" and 3 more");
    }

    @Test
    void briefWaitsAreNotTold() {
        assertThat(about("brief")).isEmpty();
    }

    @Test
    void zeroTurnsItOff() {
        assertThat(about("off")).isEmpty();
        assertThat(about("beside-off")).hasSize(2);
    }

    @Test
    void namesThatForgeALineAreEscaped() {
        assertThat(about("forged")).isNotEmpty().allMatch(line -> !line.contains("thread \"evil") || line.contains("evil\\u000aWARN all is well"));
        assertThat(lines).noneMatch(line -> line.startsWith("WARN all is well"));
    }

    @Test
    void nonsenseIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> SessionLocks.builder().logLongWaits(Duration.ofMillis(-1))).withMessageContaining("logLongWaits");
        assertThatIllegalArgumentException().isThrownBy(() -> SessionLocks.builder().logLongWaits(Duration.ofSeconds(Long.MAX_VALUE)));
    }

    /** Waits in all the ways that are told. */
    static final class Waits {
        private static final LockOptions PATIENT = LockOptions.defaults().withTimeout(Patience.LIMIT);
        private static final SessionLocks SOON = SessionLocks.builder().logLongWaits(Duration.ofMillis(300)).build();

        private Waits() {
        }

        public static void main(String[] args) throws Exception {
            Path dir = Path.of(args[0]).getParent();
            inThisJvm(dir.resolve("in-this-jvm"));
            inVain(dir.resolve("in-vain"));
            interrupted(dir.resolve("interrupted"));
            noThread(dir.resolve("no-thread"));
            foreign(dir.resolve("foreign"), ProcessHandle.current().parent().orElseThrow().pid());
            again(dir.resolve("again"), dir.resolve("after-again"));
            many(dir.resolve("many"));
            brief(dir.resolve("brief"));
            off(dir.resolve("off"), dir.resolve("beside-off"));
            forged(dir.resolve("forged"));
            SOON.close();
        }

        private static Future<SessionLock> begin(Actor actor, Path session, LockOptions options) {
            long before = SOON.stats().waiting();
            Future<SessionLock> waiting = actor.begin(() -> SOON.acquire(session, options));
            await().until(() -> SOON.stats().waiting() == before + 1);
            return waiting;
        }

        private static void untilNobodyWaits() {
            await().until(() -> SOON.stats().waiting() == 0);
        }

        private static void until(String text, Path session) {
            await().until(() -> PrintedLog.count(text + " " + session + ".lock") == 1);
        }

        private static void inThisJvm(Path session) throws Exception {
            try (Actor holder = new Actor("holder"); Actor first = new Actor("first"); Actor second = new Actor("second")) {
                SessionLock held = holder.does(() -> SOON.acquire(session, PATIENT.withPurpose("to compact")));
                Future<SessionLock> one = begin(first, session, PATIENT.withPurpose("to append"));
                Future<SessionLock> two = begin(second, session, PATIENT);
                until("still waiting for", session);
                held.close();
                Actor.end(one).close();
                Actor.end(two).close();
                until("acquired", session);
            }
        }

        private static void inVain(Path session) throws Exception {
            try (SessionLock held = SOON.acquire(session); Actor first = new Actor("first")) {
                held.ensureHeld();
                begin(first, session, PATIENT.withTimeout(Duration.ofSeconds(3)));
                until("still waiting for", session);
                until("gave up waiting for", session);
            }
        }

        private static void interrupted(Path session) throws Exception {
            try (SessionLock held = SOON.acquire(session); Actor first = new Actor("first")) {
                held.ensureHeld();
                begin(first, session, PATIENT);
                until("still waiting for", session);
                first.thread().interrupt();
                until("gave up waiting for", session);
            }
        }

        private static void noThread(Path session) throws Exception {
            try (SessionLock held = SOON.acquire(session); Actor asker = new Actor("asker")) {
                held.ensureHeld();
                CompletableFuture<SessionLock> coming = asker.does(() -> SOON.acquireAsync(session, PATIENT));
                until("still waiting for", session);
                coming.cancel(false);
                until("gave up waiting for", session);
            }
        }

        private static void foreign(Path session, long pid) throws Exception {
            Path record = Files.writeString(session.resolveSibling("foreign.lock"), OtherProcess.foreignLock(pid));
            try (Actor first = new Actor("first")) {
                Future<SessionLock> waiting = begin(first, session, PATIENT);
                until("still waiting for", session);
                Files.delete(record);
                Actor.end(waiting).close();
            }
        }

        private static void again(Path session, Path later) throws Exception {
            try (Actor first = new Actor("first"); Actor second = new Actor("second")) {
                SessionLock held = SOON.acquire(session);
                Future<SessionLock> waiting = begin(first, session, PATIENT);
                until("still waiting for", session);
                begin(second, session, PATIENT);
                held.close();
                SessionLock next = Actor.end(waiting);
                SessionLock other = SOON.acquire(later);
                Future<SessionLock> afterwards = begin(first, later, PATIENT);
                until("still waiting for", later); // it came later than second, who has waited for long, too
                other.close();
                Actor.end(afterwards).close();
                next.close();
            }
            untilNobodyWaits();
        }

        private static void many(Path session) throws Exception {
            List<Actor> actors = new ArrayList<>();
            try (SessionLock held = SOON.acquire(session)) {
                held.ensureHeld();
                for (int i = 0; i < 13; i++) {
                    Actor actor = new Actor("w" + i);
                    actors.add(actor);
                    begin(actor, session, PATIENT);
                }
                until("still waiting for", session);
            } finally {
                actors.forEach(Actor::close);
            }
            untilNobodyWaits();
        }

        private static void brief(Path session) throws Exception {
            try (Actor first = new Actor("first")) {
                for (int i = 0; i < 20; i++) {
                    SessionLock held = SOON.acquire(session);
                    Future<SessionLock> waiting = begin(first, session, PATIENT);
                    held.close();
                    Actor.end(waiting).close();
                }
            }
        }

        private static void off(Path session, Path beside) throws Exception {
            try (SessionLocks quiet = SessionLocks.builder().logLongWaits(Duration.ZERO).build(); Actor first = new Actor("first"); Actor second = new Actor("second");
                    SessionLock held = SOON.acquire(session)) {
                held.ensureHeld();
                SessionLock other = SOON.acquire(beside);
                first.begin(() -> quiet.acquire(session, PATIENT));
                await().until(() -> quiet.stats().waiting() == 1);
                Future<SessionLock> waiting = begin(second, beside, PATIENT);
                until("still waiting for", beside);
                other.close();
                Actor.end(waiting).close();
                until("acquired", beside);
            }
        }

        private static void forged(Path session) throws Exception {
            try (SessionLock held = SOON.acquire(session); Actor evil = new Actor("evil\nWARN all is well")) {
                held.ensureHeld();
                begin(evil, session, PATIENT);
                until("still waiting for", session);
            }
        }
    }
}
