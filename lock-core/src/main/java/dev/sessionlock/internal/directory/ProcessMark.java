package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.channels.FileLock;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The mark by which the words of a table tell which process wrote them: the low 16 bits of expiries and waiter marks. No two living processes of a
 * directory have the same one, since each holds the mark byte of its own in guard 0. With equal marks, a process would take the other's waiter mark
 * for its own and never let it in.
 */
final class ProcessMark implements LongSupplier {
    private static final int TRIES = 256;

    private final GuardFiles guards;
    private final @Nullable LongSupplier random;
    private final Mutex taking = new Mutex();
    private @Nullable FileLock held;
    private long heldSince;
    private volatile long mark;

    ProcessMark(GuardFiles guards) {
        this(guards, null);
    }

    /** For tests: draws as {@code random} says. */
    ProcessMark(GuardFiles guards, @Nullable LongSupplier random) {
        this.guards = guards;
        this.random = random;
        this.mark = draw();
    }

    /** {@return the mark; never 0} It may change, if the kernel has lost its byte. */
    @Override
    public long getAsLong() {
        return mark;
    }

    private long draw() {
        long drawn = (random == null ? ThreadLocalRandom.current().nextLong() : random.getAsLong()) & TableEntry.MARK_BITS;
        return drawn == 0 ? 1 : drawn;
    }

    /** Takes a mark that no other living process has. With thousands of other processes it may stay a random one, as it is without a table. */
    void take() throws IOException {
        int outer = taking.depth();
        try {
            taking.lock();
            for (int tries = 0; held == null && tries < TRIES; tries++) {
                long drawn = draw();
                held = guards.tryMark(drawn);
                heldSince = Clock.SYSTEM.nanos();
                mark = drawn;
            }
        } finally {
            taking.unlock(outer);
        }
    }

    /**
     * Takes the byte again if the kernel has lost it, or another mark if another process has the byte by now. Published words keep the mark that they
     * have.
     */
    void verify(BiFunction<Long, Long, @Nullable Boolean> kernelHas) throws IOException {
        taking.locked(() -> {
            FileLock lost = held;
            boolean closed = lost != null && !lost.acquiredBy().isOpen();
            if (lost != null && (closed || Boolean.FALSE.equals(kernelHas.apply(GuardLayout.positionOfMark(mark), heldSince)))) {
                held = null;
                if (!closed) {
                    lost.release();
                }
                held = guards.tryMark(mark);
                heldSince = Clock.SYSTEM.nanos();
                take();
            }
        });
    }

    void free() throws IOException {
        taking.locked(() -> {
            FileLock own = held;
            held = null;
            if (own != null && own.acquiredBy().isOpen()) {
                own.release();
            }
        });
    }
}
