package dev.sessionlock.internal.threads;

import dev.sessionlock.LockMeter;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.RareLog;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The meters of one {@code SessionLocks}. As long as there are none, measuring costs one volatile read for an acquisition and one for a close. No clock is read.
 *
 * <p>Meters are user code: they are called by the user's own thread, under no lock of ours.
 */
public final class LockMeters {
    /** Instead of a time: nobody measured when it began. */
    public static final long NOT_MEASURED = Long.MIN_VALUE;

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "a LockMeter failed");

    /** Null as long as there are none. Never changed, only replaced. */
    private volatile @Nullable List<LockMeter> meters;

    LockMeters() {
    }

    /** Adds a meter. It may be added several times, and then measures as often. */
    public synchronized void add(LockMeter meter) {
        List<LockMeter> more = new ArrayList<>(meters == null ? List.of() : meters);
        more.add(meter);
        meters = List.copyOf(more);
    }

    /** Removes a meter, once if it was added several times. */
    public synchronized void remove(LockMeter meter) {
        List<LockMeter> fewer = new ArrayList<>(meters == null ? List.of() : meters);
        fewer.remove(meter);
        meters = fewer.isEmpty() ? null : List.copyOf(fewer);
    }

    /** {@return whether anybody measures} */
    public boolean areThere() {
        return meters != null;
    }

    /** Never throws. */
    public void waited(String name, long nanos, boolean acquired) {
        List<LockMeter> all = meters;
        for (int i = 0; all != null && i < all.size(); i++) {
            try {
                all.get(i).waited(name, Math.max(0, nanos), acquired);
            } catch (Throwable e) { // whatever: the others must hear of it, and the lock has a user who waits for it
                trouble.warn("a wait is missing", e);
            }
        }
    }

    /** Never throws. */
    public void held(String name, long nanos) {
        List<LockMeter> all = meters;
        for (int i = 0; all != null && i < all.size(); i++) {
            try {
                all.get(i).held(name, Math.max(0, nanos));
            } catch (Throwable e) {
                trouble.warn("a hold is missing", e);
            }
        }
    }
}
