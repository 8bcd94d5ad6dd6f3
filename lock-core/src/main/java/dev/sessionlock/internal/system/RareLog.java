package dev.sessionlock.internal.system;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Logs one kind of failure that may come again and again: the first time at once, then at most once in 30 s, with the number of messages that were
 * left out. Its methods never throw, not even if the logger does: they are called where a throwable would end a thread that every lock depends on.
 * Thread-safe.
 */
public final class RareLog {
    private static final long PAUSE_SECONDS = 30;

    private final Log log;
    private final String what;
    private final @Nullable LongSupplier nanoTime;
    /** From when on it may be logged again, monotonic nanoseconds. */
    private final AtomicLong nextAt;
    private final AtomicLong leftOut = new AtomicLong();

    /**
     * @param log where to
     * @param what the message: what failed, and what is done about it
     */
    public RareLog(Log log, String what) {
        this(log, what, null);
    }

    /** @param nanoTime used instead of the machine's clock */
    RareLog(Log log, String what, @Nullable LongSupplier nanoTime) {
        this.log = log;
        this.what = what;
        this.nanoTime = nanoTime;
        this.nextAt = new AtomicLong(now());
    }

    private long now() {
        return nanoTime == null ? System.nanoTime() : nanoTime.getAsLong();
    }

    /** It failed, and somebody should look into it: logged as an error, with the stack. */
    public void error(Throwable cause) {
        try {
            if (isDue() && !log.error("{}{}", what, andLeftOut(), cause)) {
                leftOut.incrementAndGet();
            }
        } catch (RuntimeException | Error e) {
            leftOut.incrementAndGet(); // no memory or no stack left for the message: there is nobody else to tell
        }
    }

    /**
     * It failed, as may be expected now and then: logged as a warning.
     *
     * @param why the reason, one clause
     * @param cause whose stack is logged; null for none
     */
    public void warn(String why, @Nullable Throwable cause) {
        try {
            if (isDue() && !log.warn("{}: {}{}", what, why, andLeftOut(), cause)) {
                leftOut.incrementAndGet();
            }
        } catch (RuntimeException | Error e) {
            leftOut.incrementAndGet(); // as above
        }
    }

    private boolean isDue() {
        long now = now();
        long next = nextAt.get();
        boolean due = now - next >= 0 && nextAt.compareAndSet(next, now + TimeUnit.SECONDS.toNanos(PAUSE_SECONDS));
        if (!due) {
            leftOut.incrementAndGet();
        }
        return due;
    }

    private String andLeftOut() {
        long times = leftOut.getAndSet(0);
        return times == 0 ? "" : " (and " + times + (times == 1 ? " time" : " times") + " since this was last logged)";
    }
}
