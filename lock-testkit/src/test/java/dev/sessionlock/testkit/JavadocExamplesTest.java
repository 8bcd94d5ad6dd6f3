package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The examples of the Javadoc and of the guide: they compile and do what they say. Change both together. */
class JavadocExamplesTest {
    @TempDir
    Path dir;

    private Path session;

    @BeforeEach
    void aSession() throws IOException {
        session = Files.writeString(dir.resolve("session.jsonl"), "");
    }

    /** The code under test: appends lines, with one lock for each line or for several. */
    private static final class SessionWriter {
        private final SessionLocks locks;
        private SessionLock open;

        SessionWriter(SessionLocks locks) {
            this.locks = locks;
        }

        void begin(Path session) throws LockException, InterruptedException {
            open = locks.acquire(session);
        }

        Void append(Path session, String line) throws IOException, InterruptedException {
            if (open == null) {
                try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofMillis(100)))) {
                    append(session, line, lock);
                }
            } else {
                append(session, line, open);
            }
            return null;
        }

        private static void append(Path session, String line, SessionLock lock) throws IOException {
            lock.ensureHeld();
            Files.writeString(session, line + "\n", StandardOpenOption.APPEND);
        }
    }

    /** {@link InMemoryLocks}. */
    @Test
    void withoutADisk() throws Exception {
        try (InMemoryLocks memory = InMemoryLocks.create()) {
            SessionWriter writer = new SessionWriter(memory.locks());          // the code under test

            InMemoryLocks other = memory.anotherProcess();
            other.hold(session);                                               // somebody else has it
            assertThatThrownBy(() -> writer.append(session, "a line")).isInstanceOf(LockTimeoutException.class);
            other.crash();                                                     // and is killed: it is free at once
            writer.append(session, "a line");

            writer.begin(session);
            memory.loseLock(session, LockLostException.Reason.REMOVED_BY_HAND); // as if an operator had run rm
            assertThatThrownBy(() -> writer.append(session, "too late")).isInstanceOf(LockLostException.class);
        }
        assertThat(session).hasContent("a line\n");
    }

    /** The guide's, lock-testkit/README.md. */
    @Test
    void ofTheGuide() throws Exception {
        ExecutorService executor = Executors.newSingleThreadExecutor();
        TestClock clock = TestClock.create();
        try (InMemoryLocks memory = InMemoryLocks.withTestClock(clock)) {
            SessionWriter writer = new SessionWriter(memory.locks());           // your code
            InMemoryLocks other = memory.anotherProcess();
            other.hold(session);                                                // another process holds the lock
            Future<?> appending = executor.submit(() -> writer.append(session, "a line"));
            await().until(() -> memory.locks().stats().waiting() == 1);         // your code waits,
            clock.advance(Duration.ofSeconds(10));                              // and times out: does it say so, and lose nothing?
            assertThatThrownBy(appending::get).hasCauseInstanceOf(LockTimeoutException.class);

            other.freeze();                                                     // or other.crash()
            clock.advance(Duration.ofSeconds(34));                              // its lease and grace are over
            writer.append(session, "a line");

            writer.begin(session);
            memory.loseLock(session, LockLostException.Reason.REMOVED_BY_HAND); // as if an operator had run rm: does it stop?
            assertThatThrownBy(() -> writer.append(session, "too late")).isInstanceOf(LockLostException.class);
        } finally {
            executor.shutdownNow();
        }
        assertThat(session).hasContent("a line\n");
    }

    /** {@link TestClock}. */
    @Test
    void byAClockThatTheTestMoves() throws Exception {
        TestClock clock = TestClock.create();
        try (InMemoryLocks memory = InMemoryLocks.withTestClock(clock)) {
            SessionLock lock = memory.locks().acquire(session);
            clock.advance(Duration.ofMinutes(5));                        // its keeper renews the lease, until maxHold ends it
            assertThatThrownBy(lock::ensureHeld).isInstanceOf(LockLostException.class).hasMessageContaining("maxHold");
        }
    }

    /** {@link LockFiles}; here by two of them. */
    @ParameterizedTest
    @EnumSource(names = {"DEAD", "FOREIGN"})
    void writerRecoversFromWhatItCan(LockFiles.Kind kind) throws Exception {
        try (LockFiles files = LockFiles.of(session); SessionLocks locks = SessionLocks.create()) {
            files.make(kind);
            assertThat(locks.inspect(session).state()).isEqualTo(kind.verdict());
            if (kind.makesWay()) {
                new SessionWriter(locks).append(session, "a line");   // gets the lock, whatever lies there
            } else {
                assertThatThrownBy(() -> new SessionWriter(locks).append(session, "a line")).isInstanceOf(LockException.class);
            }
        }
    }

    /** {@link ChildJvm#running}. */
    @Test
    void lambdaInAChild() throws Exception {
        String file = session.toString();
        try (ChildJvm holder = ChildJvm.running(parent -> {
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(Path.of(file))) {
                parent.mark("held", lock.token());
                parent.awaitLine();
            }
        }).start()) {
            holder.awaitMark("held", Duration.ofSeconds(10));
        }
    }

    /** {@link ChildJvm}, {@link ChildScenario}. */
    static final class Holder implements ChildScenario {
        private static final LockOptions BRIEF = LockOptions.defaults().withLease(Duration.ofSeconds(1));

        @Override
        public void run(ParentJvm parent) throws Exception {
            try (SessionLocks locks = SessionLocks.create();
                    SessionLock lock = locks.acquire(Path.of(parent.args().get(0)), BRIEF)) {
                lock.onLost(why -> parent.mark("lost", why.reason()));
                parent.mark("held", lock.token());
                parent.awaitLine("close");
            }
        }
    }

    /** {@link ChildJvm}. */
    @Test
    void freezingAChild() throws Exception {
        try (SessionLocks locks = SessionLocks.create(); ChildJvm holder = ChildJvm.of(Holder.class).args(session.toString()).start()) {
            holder.awaitMark("held", Duration.ofSeconds(10));
            holder.freeze();                                    // SIGSTOP: its lease runs out
            try (SessionLock lock = locks.acquire(session)) {   // and we take over
                holder.wake();
                holder.awaitMark("lost", Duration.ofSeconds(10));
                lock.ensureHeld();
            }
            holder.kill();                                      // SIGKILL
        }
    }

    /** {@link MutualExclusionWitness}, {@link WitnessedHolder}. */
    static final class Writer implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            Path session = Path.of(parent.args().get(1));
            WitnessedHolder me = WitnessedHolder.connect(parent.args().get(0), "writer " + ProcessHandle.current().pid());
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(session)) {
                WitnessedHolder.Visit<LockLostException> visit = me.entered("session", lock.token(), lock::ensureHeld);
                Files.writeString(session, "a line\n", StandardOpenOption.APPEND);
                visit.stillIn();                                // before the lock is closed
            }
        }
    }

    /** {@link MutualExclusionWitness}. */
    @Test
    void twoChildrenAndTheirWitness() throws Exception {
        try (MutualExclusionWitness witness = MutualExclusionWitness.open();
                ChildJvm one = ChildJvm.of(Writer.class).args(witness.address(), session.toString()).start();
                ChildJvm two = ChildJvm.of(Writer.class).args(witness.address(), session.toString()).start()) {
            one.awaitExit(Duration.ofMinutes(1));
            two.awaitExit(Duration.ofMinutes(1));
            witness.awaitAllLeft(Duration.ofSeconds(10));
            witness.historyOnFailure(dir.resolve("history.txt")).verify();
            assertThat(witness.visits()).isEqualTo(2);
        }
        assertThat(session).hasContent("a line\na line\n");
    }
}
