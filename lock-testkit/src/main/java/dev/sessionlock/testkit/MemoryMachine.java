package dev.sessionlock.testkit;

import dev.sessionlock.spi.Clock;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
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

    /** One lock: its holder, and what must outlast its holders. */
    static final class Slot {
        /** Also a holder that is dead or whose lease is over, until the next one comes in. */
        @Nullable MemoryHold holder;
        @Nullable ForeignOwner foreign;
        long lastToken;
        final Set<Long> releaseRequests = new HashSet<>();
        /** When each process last said that it waits, by the machine's real clock: others give up the CPU for it. */
        final Map<MemoryProcess, Long> waiterMarks = new HashMap<>();
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
