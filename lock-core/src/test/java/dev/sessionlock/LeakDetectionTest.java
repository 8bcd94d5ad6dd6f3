package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.LockLostException.Reason;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The library names the code that forgets to close a handle. */
class LeakDetectionTest extends LocksFixture {
    private static final LockOptions DETECTING = LockOptions.defaults().withLeakDetectionThreshold(Duration.ofDays(1));

    /** The method that a report must name. */
    private static SessionLock acquiredByACareless(SessionLocks locks, Path session, LockOptions options) throws Exception {
        return locks.acquire(session, options);
    }

    private static void forgetOne(SessionLocks locks, Path session, LockOptions options) throws Exception {
        acquiredByACareless(locks, session, options).token();
    }

    private static boolean names(Throwable acquiredHere, String thread) {
        return acquiredHere.getMessage().contains("by thread \"" + thread + '"')
                && Arrays.stream(acquiredHere.getStackTrace()).anyMatch(frame -> frame.getMethodName().equals("acquiredByACareless"));
    }

    private static void untilLost(SessionLocks locks) {
        await().until(() -> {
            System.gc();
            return locks.stats().lost() == 1;
        });
    }

    @Nested
    class ALeak {
        private final List<LockLostException> told = new CopyOnWriteArrayList<>();
        private final SessionLocks heard = SessionLocks.builder().listener(new LockListener() {
            @Override
            public void lost(Event event, LockLostException why) {
                told.add(why);
            }
        }).build();

        private LockLostException leaked() {
            untilLost(heard);
            await().until(() -> told.size() == 1);
            heard.close();
            assertThat(told.get(0).reason()).isEqualTo(Reason.LEAKED);
            return told.get(0);
        }

        @Test
        void isToldWithWhereItWasAcquired() throws Exception {
            forgetOne(heard, session(), DETECTING);
            assertThat(leaked().getCause()).matches(cause -> names(cause, Thread.currentThread().getName()));
        }

        @Test
        void ofALockThatWasHandedOverNamesTheThreadThatWaitedForIt() throws Exception {
            try (Actor waiting = new Actor("careless")) {
                SessionLock lock = heard.acquire(session());
                Future<Void> next = waiting.begin(() -> {
                    forgetOne(heard, session(), DETECTING);
                    return null;
                });
                await().until(() -> heard.stats().waiting() == 1);
                lock.close();
                Actor.end(next);
                assertThat(leaked().getCause()).matches(cause -> names(cause, "careless"));
            }
        }

        @Test
        void ofALockThatLingeredNamesItsLastUser() throws Exception {
            LockOptions warm = DETECTING.withLinger(Duration.ofSeconds(30));
            try (Actor last = new Actor("careless")) {
                heard.acquire(session(), warm).close();
                last.does(() -> {
                    forgetOne(heard, session(), warm);
                    return null;
                });
                assertThat(leaked().getCause()).matches(cause -> names(cause, "careless"));
            }
        }

        @Test
        void keepsNoStackUnlessThatIsWanted() throws Exception {
            forgetOne(heard, session(), LockOptions.defaults());
            assertThat(leaked().getCause()).isNull();
        }
    }

    @Test
    void whoIsThrownALossSeesWhereItWasAcquired() throws Exception {
        SessionLock lock = acquiredByACareless(locks, session(), DETECTING.withMaxHold(Duration.ofMillis(100)));
        await().until(() -> !lock.isHeld());
        LockLostException lost = catchThrowableOfType(LockLostException.class, lock::ensureHeld);
        assertThat(lost.reason()).isEqualTo(Reason.MAX_HOLD);
        assertThat(lost.getCause()).matches(cause -> names(cause, Thread.currentThread().getName()));
        lock.close();
    }

    @Nested
    class TheLog {
        private static final String SUSPICION = "is held for longer than leakDetectionThreshold (100 ms)";

        @Test
        void namesWhoHoldsForLongOnceAndWhoForgot() throws Exception {
            List<String> said = FreshJvm.run(Careless.class, dir, PrintedLog.OPTION).lines().toList();
            List<String> suspicions = said.stream().filter(line -> line.contains(SUSPICION)).toList();
            assertThat(suspicions).hasSize(3).allMatch(line -> line.startsWith("WARN ") && line.contains("by thread \"main\""));
            assertThat(suspicions.get(0)).contains("long.jsonl").contains("for \"compaction\"");
            assertThat(suspicions.subList(1, 3)).allMatch(line -> line.contains("again.jsonl"));
            assertThat(said.stream().filter(line -> line.startsWith("WARN lost the lock"))).singleElement().asString()
                    .contains("forgotten.jsonl").contains("its handle was never closed");
            assertThat(said.stream().filter(line -> line.contains("acquiredByACareless"))).as("with a stack each").hasSize(4);
            assertThat(said).noneMatch(line -> line.contains("brief.jsonl") || line.contains("renewed.jsonl"));
        }

        @Test
        void tellsOfTimeoutsInOneLineAndNotAgainAndAgain() throws Exception {
            List<String> said = FreshJvm.run(InVain.class, dir, PrintedLog.OPTION).lines().filter(line -> !line.startsWith("SLF4J")).toList();
            assertThat(said).hasSize(3);
            assertThat(said.get(0)).startsWith("WARN waited for a lock in vain: session file locked (timeout 30ms): pid=").contains("session.jsonl.lock, held by pid ")
                    .contains("thread \"main\", purpose \"compaction\", since ");
            assertThat(said.get(1)).startsWith("WARN waited for a lock in vain: session file locked (timeout 30ms): pid=").contains("other.jsonl.lock, held by pid ");
            assertThat(said.get(2)).isEqualTo("timed out 6");
        }
    }

    /** Holds some for long, and forgets one. */
    static final class Careless {
        private static final LockOptions IMPATIENT = LockOptions.defaults().withLeakDetectionThreshold(Duration.ofMillis(100));

        private Careless() {
        }

        public static void main(String[] args) throws Exception {
            Path session = Path.of(args[0]);
            try (SessionLocks locks = SessionLocks.create()) {
                locks.acquire(session.resolveSibling("brief.jsonl"), IMPATIENT.withLeakDetectionThreshold(Duration.ofMinutes(10))).close();
                try (SessionLock held = acquiredByACareless(locks, session.resolveSibling("long.jsonl"), IMPATIENT.withPurpose("compaction"))) {
                    await().until(() -> PrintedLog.count("long.jsonl") == 1);
                    Thread.sleep(1_200); // another round of the keeper: it must be reported only once
                    held.ensureHeld();
                }
                Path renewed = session.resolveSibling("renewed.jsonl");
                try (SessionLock held = locks.acquire(renewed, IMPATIENT.withLeakDetectionThreshold(Duration.ofMinutes(1)))) {
                    held.renew();
                }
                Path again = session.resolveSibling("again.jsonl");
                LockOptions warm = IMPATIENT.withLinger(Duration.ofSeconds(10));
                for (int user = 1; user <= 2; user++) { // the second user has the same grant
                    int suspicions = user;
                    try (SessionLock held = acquiredByACareless(locks, again, warm)) {
                        await().until(() -> PrintedLog.count("again.jsonl") == suspicions);
                        held.ensureHeld();
                    }
                }
                forgetOne(locks, session.resolveSibling("forgotten.jsonl"), DETECTING);
                untilLost(locks);
                await().until(() -> PrintedLog.count("lost the lock") == 1); // the counter is incremented before the log line
            }
        }
    }

    /** Waits in vain, for two locks. */
    static final class InVain {
        private InVain() {
        }

        public static void main(String[] args) throws Exception {
            Path session = Path.of(args[0]);
            Path other = session.resolveSibling("other.jsonl");
            try (SessionLocks locks = SessionLocks.create(); Actor actor = new Actor("in vain")) {
                LockOptions options = LockOptions.defaults().withPurpose("compaction").withTimeout(Duration.ofMillis(30));
                try (SessionLock one = locks.acquire(session, options); SessionLock two = locks.acquire(other, options)) {
                    for (Path wanted : List.of(session, session, session, other)) {
                        actor.does(() -> catchThrowableOfType(LockTimeoutException.class, () -> locks.acquire(wanted, options)));
                    }
                    for (Path wanted : List.of(session, other)) { // one try: finding the lock taken is nothing unusual then
                        actor.does(() -> catchThrowableOfType(LockTimeoutException.class, () -> locks.acquire(wanted, options.withTimeout(Duration.ZERO))));
                    }
                    one.ensureHeld();
                    two.ensureHeld();
                }
                System.out.println("timed out " + locks.stats().timedOut());
            }
            System.exit(0);
        }
    }
}
