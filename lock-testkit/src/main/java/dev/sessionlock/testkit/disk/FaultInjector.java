package dev.sessionlock.testkit.disk;

import dev.sessionlock.internal.directory.LockDirectory;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Every file operation beneath the lab's directory passes through here, one at a time. So the operations have an order, and no other thread changes
 * anything once the run has been stopped. The planned fault happens here.
 *
 * <p>What the lock library does for itself is recorded, but not counted. A step is identified by its number, and how much the library has to do for a
 * lock depends on how far its own thread has got meanwhile.
 */
public final class FaultInjector {
    /** The library's threads that run no code of its users. */
    private static final Set<String> LIBRARYS_OWN = Set.of("sessionlock-keeper", "sessionlock-worker", "sessionlock-abandons",
            "sessionlock-waits-in-kernel", "sessionlock-shutdown", "sessionlock-jdbc");

    /** What is reported to the lab. */
    public interface Lab {
        /**
         * The run has come to where it is to be stopped.
         *
         * @param operation the operation
         * @param at the stack of the thread that does it
         */
        void stopped(String operation, StackTraceElement[] at);

        /** An operation now fails, or is late. */
        void befallen(String operation, StackTraceElement[] at);

        /** The run has come to where its process is to be frozen. Returns when it has been frozen and woken. */
        void frozen(String operation, StackTraceElement[] at);
    }

    private final Path root;
    private final Plan plan;
    private final boolean locksCount;
    private final Lab lab;
    private final DataOutputStream journal;
    private final ReentrantLock lock = new ReentrantLock();
    // guarded by the lock
    private int steps;
    private int fallible;
    /** The disk is full from here on. */
    private boolean full;
    /** The rest of a write that was cut short fails, once. */
    private boolean restFails;
    /** The thread whose operation is to be late. */
    private @Nullable Thread late;
    /** How many files without a name have been given a number. */
    private long nameless;

    /**
     * @param root the lab's directory, its real path, of the system's own provider
     * @param plan the fault
     * @param locksCount whether to count what a thread of the program does for its locks
     * @param lab to be told
     * @param journal to record what was done
     */
    FaultInjector(Path root, Plan plan, boolean locksCount, Lab lab, OutputStream journal) {
        this.root = root;
        this.plan = plan;
        this.locksCount = locksCount;
        this.lab = lab;
        this.journal = new DataOutputStream(new BufferedOutputStream(journal));
    }

    Path root() {
        return root;
    }

    /** An operation, or part of it. */
    interface Body<T> {
        T run() throws IOException;
    }

    /** Writes the first {@code n} bytes; returns how many were written. */
    interface GuardedWrite {
        int write(int most) throws IOException;
    }


    /** Reads the disk and then does what follows from it, with no other operation in between. */
    <T> T alone(Body<T> body) throws IOException {
        lock.lock();
        try {
            return body.run();
        } finally {
            leave();
        }
    }

    /** An operation that changes nothing. */
    void look(Operation operation) throws IOException {
        if (operation.type().isChange()) {
            throw new IllegalArgumentException(operation.type().toString());
        }
        if (isLibrarysOwn()) {
            return; // the keeper must not wait behind the program's slow forcing: it has leases to renew
        }
        lock.lock(); // a thread that comes here after the run was stopped stays here
        try {
            begin(operation);
            refuse(operation);
        } finally {
            lock.unlock();
        }
    }

    /** An operation that changes the disk, and is either done or not. */
    <T> T change(Operation operation, Body<T> body) throws IOException {
        lock.lock();
        try {
            int step = begin(operation);
            stop(operation, step, Plan.BEFORE);
            refuse(operation);
            T result;
            try {
                result = body.run();
            } finally {
                journal.flush();
                stop(operation, step, Plan.AFTER);
            }
            return result;
        } finally {
            leave();
        }
    }

    /**
     * A write, which may be done in part.
     *
     * @return how much was written: less than asked for, if the disk became full during the write
     */
    int write(Operation operation, int length, GuardedWrite writer) throws IOException {
        lock.lock();
        try {
            int step = begin(operation);
            stop(operation, step, Plan.BEFORE);
            int part = plan.stopsWithin(step, length);
            if (part > 0) {
                writer.write(part);
                stopHere(operation.describe(root, part));
            }
            int written;
            try {
                int cut = refuseWrite(operation, length);
                written = writer.write(cut);
                if (cut < length && plan.errno() != Errno.ENOSPC) {
                    throw plan.errno().onChannel();
                }
            } finally {
                journal.flush();
                stop(operation, step, Plan.AFTER);
            }
            return written;
        } finally {
            leave();
        }
    }

    private int begin(Operation operation) throws IOException {
        boolean counts = counts(operation);
        record(new Effect.Began(operation.type(), counts, (int) Math.min(Integer.MAX_VALUE, operation.length()), operation.describe(root)));
        if (!operation.type().isChange() || !counts) {
            return 0;
        }
        steps++;
        if (plan.befalls(Plan.Kind.DELAY, steps)) {
            late = Thread.currentThread();
            lab.befallen(operation.describe(root), new Throwable().getStackTrace());
        }
        return steps;
    }

    private boolean counts(Operation operation) {
        return !isLibrarysOwn() && (locksCount || !isForALock(operation));
    }

    private static boolean isLibrarysOwn() {
        return LIBRARYS_OWN.contains(Thread.currentThread().getName());
    }

    private static boolean isForALock(Operation operation) {
        Path other = operation.other();
        return isInner(operation.path()) && (other == null || isInner(other))
                || (isRecord(operation.path()) || other != null && isRecord(other)) && comesFromTheLibrary();
    }

    private static boolean isInner(Path path) {
        for (Path name : path) {
            if (name.toString().equals(LockDirectory.INNER)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isRecord(Path path) {
        String name = String.valueOf(path.getFileName());
        return name.endsWith(".lock") || name.endsWith(".lock.reclaim");
    }

    /** Judged by the stack: a program may have files of its own with such names. */
    private static boolean comesFromTheLibrary() {
        return StackWalker.getInstance().walk(frames -> frames.map(StackWalker.StackFrame::getClassName)
                .filter(name -> !name.startsWith("java.") && !name.startsWith("sun.") && !name.startsWith(FaultInjector.class.getPackageName())
                        && !name.startsWith("dev.sessionlock.internal.system.")) // by which a user's file is replaced as well
                .findFirst().orElse("").startsWith("dev.sessionlock.internal."));
    }

    /** Lets the next operation in. A late operation is done, and its thread is held back while the others go on. */
    private void leave() {
        boolean wait = late == Thread.currentThread() && lock.getHoldCount() == 1;
        if (wait) {
            late = null;
        }
        lock.unlock();
        if (!wait) {
            return;
        }
        long end = System.nanoTime() + Long.parseLong(plan.how()) * 1_000_000;
        boolean interrupted = false;
        for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(left);
            interrupted |= Thread.interrupted(); // a system call that hangs does not wake up, either
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void stop(Operation operation, int step, String where) throws IOException {
        if (step > 0 && plan.stops(step, where)) {
            stopHere(operation.describe(root));
        } else if (step > 0 && plan.freezes(step, where)) {
            journal.flush();
            lab.frozen(operation.describe(root), new Throwable().getStackTrace()); // no other operation gets in meanwhile
        }
    }

    /** Never returns: the lab kills this process while no other operation gets in. */
    private void stopHere(String operation) throws IOException {
        journal.flush();
        lab.stopped(operation, new Throwable().getStackTrace());
        while (true) {
            LockSupport.park();
            Thread.interrupted();
        }
    }

    private void refuse(Operation operation) throws IOException {
        if (failsNow(operation) || full && operation.type().mayFailWith(Errno.ENOSPC)) {
            full |= plan.manner().equals(Plan.FROM_THERE);
            throw error(operation);
        }
    }

    /** {@return how many bytes of a write get through} */
    private int refuseWrite(Operation operation, int length) throws IOException {
        boolean hit = failsNow(operation);
        if (restFails || full || hit) {
            if (hit && !full) {
                int half = Plan.part(Plan.HALF, length);
                if (plan.manner().equals(Plan.HALF) && half > 0) {
                    restFails = plan.errno() == Errno.ENOSPC;
                    return half;
                }
                full = plan.manner().equals(Plan.FROM_THERE);
            }
            restFails = false;
            throw error(operation);
        }
        return length;
    }

    private boolean failsNow(Operation operation) {
        if (plan.kind() != Plan.Kind.FAIL || !operation.type().mayFailWith(plan.errno()) || !counts(operation)) {
            return false;
        }
        boolean now = ++fallible == plan.step();
        if (now) {
            lab.befallen(operation.describe(root), new Throwable().getStackTrace());
        }
        return now;
    }

    private IOException error(Operation operation) {
        Path other = operation.other();
        return operation.onChannel() ? plan.errno().onChannel()
                : plan.errno().onPath(operation.path().toString(), other == null ? null : other.toString());
    }

    /** Records what was done. Called by the thread whose operation is let in. */
    void record(Effect effect) throws IOException {
        effect.write(journal);
        if (effect instanceof Effect.Began) {
            journal.flush();
        }
    }

    /** {@return an inode number for a file that has no name, since its own cannot be asked for} */
    long nameless() {
        return -1 - nameless++;
    }

    /** {@return the name of a path relative to the lab's directory, its links resolved; null if it lies elsewhere} */
    @Nullable String nameOf(Path path) {
        Path plain = path.toAbsolutePath();
        if (!plain.normalize().startsWith(root)) {
            return null;
        }
        if (plain.normalize().equals(root)) {
            return "";
        }
        try {
            Path last = plain.getFileName();
            boolean dots = last.toString().equals("..") || last.toString().equals(".");
            Path real = dots ? plain.toRealPath() : plain.getParent().toRealPath().resolve(last);
            if (!real.startsWith(root)) {
                return null;
            }
            return root.relativize(real).toString();
        } catch (IOException e) {
            return root.relativize(plain.normalize()).toString(); // its directory is missing: the operation will say so
        }
    }
}
