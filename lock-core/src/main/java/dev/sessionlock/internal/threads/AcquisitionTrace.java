package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import org.jspecify.annotations.Nullable;

/** Where a handle was acquired: its stack is what it tells. The cause of what is reported of a handle that somebody forgot to close. */
final class AcquisitionTrace extends Exception {
    private static final long serialVersionUID = 1L;

    private AcquisitionTrace(String thread) {
        super("the lock was acquired here, by thread \"" + thread + '"');
    }

    /** {@return the stack of the thread that calls this; null unless it asks for leak detection, since a stack costs more than a lock that lingers} */
    static @Nullable AcquisitionTrace ifWanted(LockOptions options) {
        return options.leakDetectionThreshold().isZero() ? null : new AcquisitionTrace(Thread.currentThread().getName());
    }
}
