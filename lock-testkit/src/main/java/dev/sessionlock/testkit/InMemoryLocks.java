package dev.sessionlock.testkit;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A {@link SessionLocks} without a disk, for the unit tests of code that uses one. It has all of its behaviour: the queue of threads, reentry, lease,
 * {@code maxHold}, loss, listeners and counters. In addition it has what a test needs: other processes that hold, freeze and crash, and a lock that
 * is lost on demand.
 *
 * <pre>{@code
 * try (InMemoryLocks memory = InMemoryLocks.create()) {
 *     SessionWriter writer = new SessionWriter(memory.locks());          // the code under test
 *
 *     InMemoryLocks other = memory.anotherProcess();
 *     other.hold(session);                                               // somebody else has it
 *     assertThatThrownBy(() -> writer.append(session, "a line")).isInstanceOf(LockTimeoutException.class);
 *     other.crash();                                                     // and is killed: it is free at once
 *     writer.append(session, "a line");
 *
 *     writer.begin(session);
 *     memory.loseLock(session, LockLostException.Reason.REMOVED_BY_HAND); // as if an operator had run rm
 *     assertThatThrownBy(() -> writer.append(session, "too late")).isInstanceOf(LockLostException.class);
 * }
 * }</pre>
 *
 * <p>One object stands for one process; {@link #anotherProcess} creates others of the same machine. Time is the machine's own, or that of a
 * {@link TestClock}.
 *
 * <p>Differences from locks on files:
 * <ul>
 *   <li>Any path will do; its directory need not exist.
 *   <li>{@link dev.sessionlock.SessionLock#lockFile()} is null.
 *   <li>{@link dev.sessionlock.SessionLock#replace} still works on the real files.
 *   <li>Symbolic links are not followed. Two paths mean the same lock if they are equal without {@code .} and {@code ..}.
 *   <li>If several holders are frozen one after the other, each can be taken over from. On a disk two frozen at once hold up the third.
 *   <li>A reader's token is that of the last exclusive holder, exactly. Where there was none, a first token is drawn.
 *   <li>Processes, their ids and their deaths are simulated: these locks exclude nobody outside of this JVM.
 * </ul>
 *
 * <p>Thread-safe.
 */
public final class InMemoryLocks implements AutoCloseable {
    final MemoryProcess process;
    private final ReentrantLock mutex = new ReentrantLock();
    private final List<InMemoryLocks> others = new ArrayList<>();
    private final List<SessionLock> held = new ArrayList<>();
    private @Nullable SessionLocks locks;

    private InMemoryLocks(MemoryProcess process) {
        this.process = process;
    }

    /** {@return a process alone on its machine, with the machine's own clock} */
    public static InMemoryLocks create() {
        return new InMemoryLocks(new MemoryProcess(new MemoryMachine(null)));
    }

    /**
     * {@return a process alone on its machine, with a clock that the test moves}
     *
     * @param clock the clock
     */
    public static InMemoryLocks withTestClock(TestClock clock) {
        return new InMemoryLocks(new MemoryProcess(new MemoryMachine(Objects.requireNonNull(clock, "clock"))));
    }

    /** {@return another process of the same machine} It is closed together with this one, if it has not been closed before. */
    public InMemoryLocks anotherProcess() {
        InMemoryLocks other = new InMemoryLocks(new MemoryProcess(process.machine));
        mutex.lock();
        try {
            others.add(other);
        } finally {
            mutex.unlock();
        }
        return other;
    }

    /** {@return the locks for the code under test, with the default options; the same object at every call} */
    public SessionLocks locks() {
        mutex.lock();
        try {
            locks = locks == null ? builder().build() : locks;
            return locks;
        } finally {
            mutex.unlock();
        }
    }

    /** {@return a builder of further ones in this process, with other options, a listener, an executor} */
    public SessionLocks.Builder builder() {
        return SessionLocks.builder().over(process);
    }

    /**
     * Holds a lock in this process to make others wait: at once, without limit, and bound to no thread. The handle is also kept here, so that the
     * garbage collector does not find it unreachable.
     *
     * @param target what to lock
     * @return the lock, for a test that closes it
     * @throws IllegalStateException if it cannot be taken now
     * @throws LockException if nothing of that name can be locked
     */
    public SessionLock hold(Path target) throws LockException {
        return hold(target, LockMode.EXCLUSIVE);
    }

    /**
     * As {@link #hold(Path)}, in a mode: as one that only reads, to make writers wait.
     *
     * @param target what to lock
     * @param mode whether others may hold it at the same time
     * @return the lock, for a test that closes it
     * @throws IllegalStateException if it cannot be taken now
     * @throws LockException if nothing of that name can be locked
     */
    public SessionLock hold(Path target, LockMode mode) throws LockException {
        SessionLock lock = locks().tryAcquire(target, LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED).withMode(mode)).orElseThrow(() ->
                new IllegalStateException("the lock of " + target + " is not to be had now, so the process " + pid() + " cannot hold it"))
                        .detach();
        mutex.lock();
        try {
            held.removeIf(earlier -> !earlier.isHeld());
            held.add(lock);
        } finally {
            mutex.unlock();
        }
        return lock;
    }

    /** {@return the process id that reports and timeouts name} */
    public long pid() {
        return process.pid;
    }

    // ---- faults of the process ----

    /**
     * Freezes the process, as SIGSTOP does: no lease is renewed, no time passes for it, and nothing can be acquired in it. It still believes that it
     * holds its locks; others get them once their lease and grace are over.
     */
    public void freeze() {
        process.freeze();
    }

    /** Wakes the process, as SIGCONT does. When this returns, its expired locks are lost. */
    public void wake() {
        process.wake();
    }

    /** {@return whether it is frozen} */
    public boolean isFrozen() {
        return process.isFrozen();
    }

    /**
     * Ends the process, as SIGKILL does: its locks are left behind, and others get them at once. Its handles are lost. Threads that wait in it get an
     * {@link IllegalStateException}, since in a test both outlive the process.
     */
    public void crash() {
        process.end(false);
    }

    // ---- faults of a lock ----

    /**
     * Takes a lock away from its holder in this process, as if that had happened by itself. The handle is lost at once, and its listeners are told.
     * Others get in when {@link dev.sessionlock.LockOptions#revokeGrace()} allows it, or at once for reasons without a grace
     * ({@link Reason#LEASE_EXPIRED}, {@link Reason#KERNEL_LOCK_LOST}).
     *
     * @param target what is locked
     * @param reason why it is lost
     * @throws IllegalStateException if nobody in this process holds it
     * @throws LockException if nothing of that name can be locked
     */
    public void loseLock(Path target, Reason reason) throws LockException {
        Objects.requireNonNull(reason, "reason");
        try {
            if (!process.locks().lose(process.idOf(target, false), reason)) {
                throw new IllegalStateException("nobody in the process " + pid() + " holds the lock of " + target
                        + ", so it cannot be lost");
            }
        } catch (LockException e) {
            throw e;
        } catch (IOException e) {
            throw new AssertionError("memory does not fail", e);
        }
    }

    /**
     * Puts another program's lock, such as OpenClaw's, in the place of the lock. It is honoured as long as its process lives, and replaced
     * afterwards.
     *
     * @param target what it locks
     * @return that lock
     * @throws IllegalStateException if somebody holds the lock
     * @throws LockException if nothing of that name can be locked
     */
    public ForeignLock foreignLock(Path target) throws LockException {
        return new ForeignLock(target);
    }

    /** Another program's lock. */
    public final class ForeignLock implements AutoCloseable {
        private final MemoryMachine.Slot slot;
        private final MemoryMachine.ForeignOwner its;

        private ForeignLock(Path target) throws LockException {
            Path path = MemoryProcess.path(process.idOf(target, false));
            MemoryMachine machine = process.machine;
            machine.mutex.lock();
            try {
                slot = machine.slot(path);
                if (!slot.holders.isEmpty() || slot.foreign != null) {
                    throw new IllegalStateException("the lock of " + target + " is held, so no other program can take it");
                }
                its = new MemoryMachine.ForeignOwner(machine.newPid(), machine.clock.wallMillis());
                slot.foreign = its;
            } finally {
                machine.mutex.unlock();
            }
        }

        /** {@return its process id} */
        public long pid() {
            return its.pid;
        }

        /** Ends its process: the lock stays, and may be replaced. */
        public void die() {
            change(() -> its.dead = true);
        }

        /** Removes its lock, as the program does when it has finished. */
        @Override
        public void close() {
            change(() -> slot.foreign = slot.foreign == its ? null : slot.foreign);
        }

        private void change(Runnable what) {
            process.machine.mutex.lock();
            try {
                what.run();
                process.machine.changed.signalAll();
            } finally {
                process.machine.mutex.unlock();
            }
        }
    }

    /**
     * Ends the process in good order, and those created from it. Their {@link SessionLocks} are closed, all locks are free, and handles that are
     * still open are lost.
     */
    @Override
    public void close() {
        List<InMemoryLocks> made;
        mutex.lock();
        try {
            if (locks != null) {
                locks.close();
            }
            made = List.copyOf(others);
            others.clear();
        } finally {
            mutex.unlock();
        }
        made.forEach(InMemoryLocks::close);
        process.end(true);
    }
}
