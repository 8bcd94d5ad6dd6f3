package dev.sessionlock.testkit;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Watches the process that works while another is frozen: either it finishes, or it waits for a lock of the frozen one. */
final class Passing {
    /** Seen waiting at this many looks in a row, it is not just about to get the lock. */
    private static final int LOOKS = 6;
    private static final long BETWEEN_MILLIS = 50;
    private static final Duration TO_ANSWER = Duration.ofSeconds(10);

    private final ChildJvm other;
    private final long patienceNanos;

    /**
     * Watches a process.
     *
     * @param timeout how long it may take altogether; after half of that it counts as waiting, whatever it waits for
     */
    Passing(ChildJvm other, Duration timeout) {
        this.other = other;
        this.patienceNanos = timeout.toNanos() / 2;
    }

    /** {@return true once it is over; false if it waits, and the frozen process has to be woken} */
    boolean comesThrough() throws InterruptedException {
        long end = System.nanoTime() + patienceNanos;
        for (int waiting = 0; waiting < LOOKS; waiting = waits() ? waiting + 1 : 0) {
            long next = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(BETWEEN_MILLIS);
            while (System.nanoTime() < next) {
                if (other.hasMark("event") || !other.isAlive()) {
                    return true;
                }
                TimeUnit.MILLISECONDS.sleep(2);
            }
            if (System.nanoTime() > end) {
                return false;
            }
        }
        return false;
    }

    private boolean waits() throws InterruptedException {
        try {
            other.send(CrashChild.WAITS);
            return Boolean.parseBoolean(other.awaitMark(CrashChild.WAITS, TO_ANSWER).detail(0));
        } catch (AssertionError ended) {
            return false;
        }
    }
}
