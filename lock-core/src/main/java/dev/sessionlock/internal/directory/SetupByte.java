package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The setup byte of a directory: held by whoever creates or reshapes the shared table, in all processes and in this one. Nothing that waits for another
 * byte may be done while it is held. A process that is frozen with it keeps others from opening the table, so they wait for a limited time only. Beside
 * it, the table gets here what else it needs to reshape itself: the two bytes of a lock whose entry is to be cleared.
 */
final class SetupByte implements SharedTable.TableBytes {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final Path inner;
    private final GuardFiles guards;
    /** A second thread of ours would find the byte taken by ourselves. */
    private final Mutex threads = new Mutex();

    SetupByte(Path inner, GuardFiles guards) {
        this.inner = inner;
        this.guards = guards;
    }

    /** Runs a step with the byte held, unless another thread or process has it. */
    void tryHolding(Step step) throws IOException {
        threads.tryLocked(() -> {
            try (GuardFiles.Loan held = guards.lendTo()) {
                if (held.trySetup()) {
                    step.run();
                }
            }
        });
    }

    /** A step that touches the disk. */
    interface Step {
        void run() throws IOException;
    }

    @Override
    public <T> T holdingSetup(BytesStep<T> step) throws IOException {
        boolean has = threads.isHeldByMe(); // this thread has the byte already
        int outer = threads.depth();
        try {
            threads.lock(); // a second thread of ours would find the byte taken by ourselves
            if (has) {
                return step.run();
            }
            try (GuardFiles.Loan held = guards.lendTo()) {
                awaitSetup(held);
                return step.run();
            }
        } finally {
            threads.unlock(outer);
        }
    }

    private void awaitSetup(GuardFiles.Loan held) throws IOException {
        boolean interrupted = false;
        try {
            for (long start = Clock.SYSTEM.nanos(); ; ) {
                if (held.trySetup()) {
                    return;
                }
                if (Clock.SYSTEM.nanos() - start > PATIENCE_NANOS) {
                    throw new IOException("another process has been setting up " + inner + " for 5 s; is it frozen? (kill -CONT wakes it)");
                }
                LockSupport.parkNanos(500_000);
                interrupted |= Thread.interrupted(); // else parkNanos would return at once, for ever
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public boolean holdingBoth(long h, Runnable clear) throws IOException {
        try (GuardFiles.Loan first = guards.lendTo(); GuardFiles.Loan second = guards.lendTo()) {
            boolean both = first.trySeat(h, 0) && second.trySeat(h, 1);
            if (both) {
                clear.run();
            }
            return both;
        }
    }
}
