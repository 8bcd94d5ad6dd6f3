package dev.sessionlock.testkit;

import dev.sessionlock.LockMode;
import dev.sessionlock.spi.Clock;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** What the processes of {@link InMemoryLocks} share: who holds which lock. It exists only in the memory of this JVM. */
final class MemoryMachine {
    private static final long FIRST_PID = 1001;

    final Clock clock;
    final @Nullable TestClock testClock;
    final ReentrantLock mutex = new ReentrantLock();
    /** Something has become free, or somebody can take it now. */
    final Condition changed = mutex.newCondition();
    /** Guarded by the mutex, like all that the slots contain. */
    final Map<Path, Slot> slots = new HashMap<>();
    private long nextPid = FIRST_PID;

    /** One lock: its holders, and what must outlast them. */
    static final class Slot {
        /** One, or several that share it. Also those that are dead or whose lease is over, until the next one comes in. */
        final List<MemoryHold> holders = new ArrayList<>();
        @Nullable ForeignOwner foreign;
        long lastToken;
        /** When each process last said that it waits, by the machine's real clock: others give up the CPU for it. */
        final Map<MemoryProcess, WaiterMark> waiterMarks = new HashMap<>();

        /** {@return whether another process has said within the last {@code nanos} that it waits, and does not want to share what is held in a mode} */
        boolean isWaitedFor(LockMode mode, MemoryProcess self, long nanos) {
            long now = System.nanoTime();
            return waiterMarks.entrySet().stream().anyMatch(mark -> mark.getKey() != self && now - mark.getValue().at() < nanos
                    && !(mode == LockMode.SHARED && mark.getValue().mode() == LockMode.SHARED));
        }
    }

    /**
     * A process has said that it waits.
     *
     * @param at when, by the machine's real clock
     * @param mode how it wants the lock
     */
    record WaiterMark(long at, LockMode mode) {
    }

    /** Another program's lock. */
    static final class ForeignOwner {
        final long pid;
        final long sinceMillis;
        boolean dead;

        ForeignOwner(long pid, long sinceMillis) {
            this.pid = pid;
            this.sinceMillis = sinceMillis;
        }
    }

    MemoryMachine(@Nullable TestClock testClock) {
        this.testClock = testClock;
        this.clock = testClock == null ? Clock.SYSTEM : testClock.clock();
    }

    /** {@return a process id that nobody has had; under the mutex} */
    long newPid() {
        return nextPid++;
    }

    /** {@return the lock of a path; under the mutex} */
    Slot slot(Path target) {
        return slots.computeIfAbsent(target, t -> new Slot());
    }
}
