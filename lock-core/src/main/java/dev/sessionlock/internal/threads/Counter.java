package dev.sessionlock.internal.threads;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Counts what many threads do at once. Never throws: a {@link LongAdder} that many threads use grows, for which there may be no memory. */
final class Counter {
    private final LongAdder adder = new LongAdder();
    /** What was counted while there was no memory. */
    private final AtomicLong rest = new AtomicLong();

    void add(long count) {
        try {
            adder.add(count);
        } catch (OutOfMemoryError e) {
            rest.addAndGet(count);
        }
    }

    long sum() {
        return adder.sum() + rest.get();
    }
}
