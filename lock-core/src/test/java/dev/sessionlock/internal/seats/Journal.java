package dev.sessionlock.internal.seats;

import java.io.IOException;

/**
 * Stops one call of the real engine at any operation and continues it later, without a thread for it. The answer of each operation is recorded. To
 * stop, an error unwinds the call, and no operation does anything on the way out. To continue, the call is repeated, with the engine's own fields set
 * back to what they were before it. Its operations return the recorded answers up to the place where it had stopped. This is some hundred times
 * cheaper than switching between threads.
 *
 * <p>It relies on the engine being a function of the answers of its {@link dev.sessionlock.internal.directory.LockStore}. That is checked: a replay
 * that calls anything else than before fails.
 */
final class Journal {

    /** An operation that can fail as the disk and the kernel do. */
    interface Action<T> {
        T run() throws IOException;
    }

    /** An operation that cannot fail. */
    interface SafeAction<T> {
        T run();
    }

    /** Is told of every operation just before it happens for the first time; may make it fail. */
    interface Watcher {
        void before(Op op) throws IOException;

        /** Gets the result, for the trace. */
        default void after(Op op, Object result) {
        }
    }

    /** The operations of a store. */
    enum Op {
        CLOCK, WALL, TRY_BYTE, ACCEPT_BYTE, FREE_BYTE, FIND_ENTRY, CLAIM_ENTRY, READ_EXPIRY, HAS_EXPIRY, REPLACE, DRAW_TOKEN, LAST_TOKEN, RAISE_TOKEN, READ_WAITER_MARK, SET_WAITER_MARK, READ_READERS, REPLACE_READERS, IS_VALID,
        WRITE, REWRITE, LINK, RENAME, CREATE, FILL, IS_AT, DELETE, UNLINK, RECYCLE, RETIRE, FIND, TARGET, JUDGE, BEGIN_RECLAIM, END_RECLAIM,
        REQUEST, REQUESTED, DROP_REQUEST, KERNEL, DISPLACED, IN_PLACE, OPEN_TABLE, SHARES
    }

    /** Unwinds a call that is stopped. */
    static final class Stopped extends Error {
        private static final long serialVersionUID = 1L;

        Stopped() {
            super("the simulated process is not running now", null, false, false);
        }
    }

    private static final Stopped STOPPED = new Stopped();

    private record Failure(IOException exception) {
    }

    private final Watcher watcher;
    private Op[] ops = new Op[64];
    private Object[] results = new Object[64];
    private int written;
    private int at;
    private int allowance = Integer.MAX_VALUE;
    private boolean unwinding;
    private boolean recording;

    Journal(Watcher watcher) {
        this.watcher = watcher;
    }

    /** A new call begins, with nothing recorded yet. */
    void beginCall() {
        written = 0;
        recording = true;
    }

    /** The call is made, or repeated, and may do this many operations beyond those that are recorded. */
    void run(int operations) {
        at = 0;
        allowance = operations;
        unwinding = false;
    }

    /** The call has ended. Returns how many more operations it was allowed to do. */
    int endCall() {
        recording = false;
        written = 0;
        int left = allowance;
        allowance = Integer.MAX_VALUE;
        return left;
    }

    <T> T step(Op op, Action<T> action) throws IOException {
        if (unwinding) {
            throw STOPPED;
        }
        return recording && at < written ? replayed(op) : live(op, action);
    }

    <T> T safely(Op op, SafeAction<T> action) {
        try {
            return step(op, action::run);
        } catch (IOException e) {
            throw new AssertionError(op + " cannot fail", e);
        }
    }

    private <T> T live(Op op, Action<T> action) throws IOException {
        if (allowance == 0) {
            unwinding = true;
            throw STOPPED;
        }
        allowance--;
        try {
            watcher.before(op);
            T result = action.run();
            write(op, result);
            watcher.after(op, result);
            return result;
        } catch (IOException e) {
            write(op, new Failure(e));
            watcher.after(op, e);
            throw e;
        }
    }

    private void write(Op op, Object result) {
        if (!recording) {
            return;
        }
        if (written == ops.length) {
            ops = java.util.Arrays.copyOf(ops, 2 * written);
            results = java.util.Arrays.copyOf(results, 2 * written);
        }
        ops[written] = op;
        results[written++] = result;
        at = written;
    }

    @SuppressWarnings("unchecked")
    private <T> T replayed(Op op) throws IOException {
        if (ops[at] != op) {
            throw new AssertionError("the engine asked for " + op + " where it had asked for " + ops[at]
                    + ": it keeps state between calls that the simulation does not set back");
        }
        Object result = results[at++];
        if (result instanceof Failure failure) {
            throw failure.exception();
        }
        return (T) result;
    }
}
