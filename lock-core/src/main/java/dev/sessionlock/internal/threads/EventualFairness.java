package dev.sessionlock.internal.threads;

/**
 * Who goes first among the threads of one JVM: the head of the queue, or a thread that is running just now. Pure: the caller passes the time.
 *
 * <p>Strict order of arrival is slow. For each acquisition one thread must sleep and another wake, which takes many times as long as a brief critical section.
 * No order at all starves threads. <em>Eventual fairness</em> is between the two: a running thread may take the lock ahead of the queue for as long as the head
 * has waited less than {@link #PATIENCE_NANOS}. Once the head has waited for that long, newcomers queue, and whoever closes the lock hands it to the head. So
 * nobody is overtaken once it is at the head and has waited for a millisecond, and those who wait never overtake each other.
 *
 * <p>The rule is that of {@code sync.Mutex} in Go (its starvation mode begins after 1 ms) and resembles the {@code FairTimeout} of the Rust crate
 * {@code parking_lot} (a hand-over every 0.5 ms on average). Time is that of the machine, whatever clock leases run by: this is about the processor.
 */
final class EventualFairness {
    /** For how long the head of the queue may be overtaken. A plain number, as those of {@link FairnessPolicy}. */
    static final long PATIENCE_NANOS = 1_000_000;

    private EventualFairness() {
    }

    /**
     * {@return whether a running thread may take the lock ahead of a waiter}
     *
     * @param queuedAt since when the waiter has been in the queue, by the machine's clock
     * @param machineNow the machine's clock
     */
    static boolean mayOvertake(long queuedAt, long machineNow) {
        return machineNow - queuedAt < PATIENCE_NANOS;
    }
}
