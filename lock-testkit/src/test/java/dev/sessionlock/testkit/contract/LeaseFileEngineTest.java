package dev.sessionlock.testkit.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.LockEngine.LockId;
import dev.sessionlock.spi.Terms;
import dev.sessionlock.testkit.contract.StateFileEngines.Fault;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the contract meets only by chance, as an interrupt in the middle of a step, and what an engine says that leaves out what it may. */
class LeaseFileEngineTest {
    private static final Terms TERMS = new Terms(30_000_000_000L, true, -1, "taker", null, false);

    @TempDir
    private Path dir;

    @AfterEach
    void notInterrupted() {
        Thread.interrupted();
    }

    @Test
    void leaseFileEngineGoesOnAndKeepsTheInterrupt() throws Exception {
        LockEngine engine = new LeaseFileEngine(dir);
        goesOnAndKeepsTheInterrupt(engine, engine.idOfName("a/../b"));
    }

    @Test
    void stateFileEngineGoesOnAndKeepsTheInterrupt() throws Exception {
        StateFileEngines engine = new StateFileEngines(Fault.NONE);
        goesOnAndKeepsTheInterrupt(engine, engine.idOf(dir.resolve("session"), false));
    }

    private static void goesOnAndKeepsTheInterrupt(LockEngine engine, LockId id) throws Exception {
        EngineLock lock = engine.pin(id).lock(id.name());
        Thread.currentThread().interrupt();
        Hold hold = (Hold) lock.take(TERMS);
        assertThat(lock.check(hold, true)).isEqualTo(EngineLock.HoldStatus.INTACT);
        assertThat(lock.renew(hold, -1)).isTrue();
        lock.release(hold);
        assertThat(lock.take(TERMS)).isInstanceOf(Hold.class);
        assertThat(Thread.currentThread().isInterrupted()).isTrue();
    }

    /** Two engines in one JVM are as two processes; and what a try has left that threw after it had written is nobody's. */
    @Test
    void secondEngineIsAnotherAndTidyFreesWhatIsLeft() throws Exception {
        EngineLock one = lock(new LeaseFileEngine(dir));
        EngineLock two = lock(new LeaseFileEngine(dir));
        Hold lost = (Hold) one.take(TERMS);
        assertThat(two.take(TERMS)).isInstanceOf(Busy.class);
        assertThat(two.tidy()).isTrue();
        assertThat(one.check(lost, true)).isEqualTo(EngineLock.HoldStatus.INTACT);
        assertThat(one.tidy()).isTrue();
        AcquireResult next = two.take(TERMS);
        assertThat(next).isInstanceOfSatisfying(Hold.class, hold -> assertThat(hold.token()).isGreaterThan(lost.token()));
        one.release(lost);
        assertThat(two.check((Hold) next, true)).isEqualTo(EngineLock.HoldStatus.INTACT);
        assertThat(one.check(lost, true)).isEqualTo(EngineLock.HoldStatus.LOST);
    }

    private static EngineLock lock(LockEngine engine) throws Exception {
        return engine.pin(engine.idOfName("session")).lock("session");
    }

    @Test
    void engineThatKeepsNoListSaysSo() {
        try (SessionLocks locks = SessionLocks.over(new LeaseFileEngine(dir))) {
            assertThatThrownBy(() -> locks.list("s")).isInstanceOf(LockException.class).hasMessageContaining("this engine keeps no list of its locks");
        }
    }

    @Test
    void rightEngineTakesAtMost150Lines() throws Exception {
        assertThat(Files.readAllLines(Path.of("src/test/java/dev/sessionlock/testkit/contract/LeaseFileEngine.java"))).hasSizeLessThanOrEqualTo(150);
    }

    /** A lock with the six methods that there must be: the others do nothing, or say in words what the engine cannot do. */
    @Test
    void whatIsLeftOutIsSaidInWords() throws Exception {
        EngineLock least = new SixMethods();
        assertThat(least.clear(true).outcome()).isEqualTo(EngineLock.ClearOutcome.KEPT);
        assertThat(least.withdrawAsking(7)).isFalse();
        assertThat(least.tidy()).isTrue();
        assertThatThrownBy(() -> least.askForRelease(7)).isInstanceOf(LockException.class).hasMessageContaining("the least");
        assertThatThrownBy(() -> least.awaitKernel(0)).isInstanceOf(LockException.class).hasMessageContaining("the least");
    }

    private static final class SixMethods implements EngineLock {
        @Override
        public String name() {
            return "the least";
        }

        @Override
        public AcquireResult take(Terms terms) {
            return new Busy(Busy.NOTHING, 0, "never free");
        }

        @Override
        public boolean renew(Hold hold, long holdUntilMillis) {
            return false;
        }

        @Override
        public HoldStatus check(Hold hold, boolean deeply) {
            return HoldStatus.LOST;
        }

        @Override
        public void release(Hold hold) {
        }

        @Override
        public LockReport inspect() {
            throw new AssertionError("nobody looks");
        }
    }
}
