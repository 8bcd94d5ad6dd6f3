package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import org.jspecify.annotations.Nullable;

/**
 * Which process goes next. It decides by the times at which this JVM took and gave back one lock, and by sightings of other processes. It reads no clock, calls
 * nobody, and knows nothing of threads: the caller passes the time, in monotonic nanoseconds.
 *
 * <p><b>Time slices.</b> While another process waits, this JVM may go on using the lock for {@link #TIME_SLICE_NANOS} since it got the lock after it had left it to
 * others, whichever of its threads has it: a switch to another process costs far more than many brief users do. After its slice it gives the lock back and stays away for
 * {@link #AWAY_NANOS} or up to twice that: giving back alone doesn't help, since this JVM would take the lock again before the other process wakes. A user that held
 * the lock for longer than {@link #BRIEF_NANOS} isn't part of a loop of brief users, so its close ends the slice at once,
 * unless another thread of this JVM is queued.
 *
 * <p><b>Lingering.</b> A lock that other processes use, too, doesn't linger here ({@link ContentionMemory}): they would have to wait for the keeper's next idle
 * check. Exception: users that ask again at once, time after time, are a loop; their lock lingers until another process wants it, and then for the rest of
 * the slice.
 *
 * <p><b>Threads of this JVM</b>: see {@link EventualFairness}.
 */
final class FairnessPolicy {
    // Plain numbers: a constant that is computed would need an initializer, and a class whose initializer finds no memory is unusable for good.
    /** How long this JVM may go on while another process waits. */
    static final long TIME_SLICE_NANOS = 5_000_000;
    /** How long this JVM stays away at least, so that another process can take the lock. */
    static final long AWAY_NANOS = 1_000_000;
    /** A user that holds the lock for longer than this isn't part of a loop of brief users. */
    static final long BRIEF_NANOS = 100_000;
    /** Re-acquiring sooner than this does not count as yielding: other processes need longer to wake. */
    static final long YIELDED_NANOS = 200_000;
    /** How many more of the last users must have asked again at once than not, for them to count as a loop. */
    static final int LOOP = 6;
    /** After so many spins in vain no more follow. */
    static final int MOST_SPINS = 4;
    /** Then one of so many occasions is used to see whether spinning pays again. */
    static final int SPIN_AGAIN = 32;
    private static final long LONG_AGO = Long.MIN_VALUE / 2;

    /** Another process is known to have had the lock since this JVM gave it back. */
    @GuardedBy("LocalLock.engineLock")
    private boolean othersHadIt;
    @GuardedBy("LocalLock.engineLock")
    private byte spinsLeft = MOST_SPINS;
    @GuardedBy("LocalLock.engineLock")
    private byte spinsSkipped;
    /** When this JVM gave the lock back, whoever has had it since. */
    @GuardedBy("LocalLock.engineLock")
    private long gaveBackAt = LONG_AGO;
    /** Since when this JVM has used the lock without leaving it to others. Written under the engine lock. */
    private volatile long sliceStart;
    /** How many more users asked again at once than not; 0 to twice {@link #LOOP}. Written under the engine lock. */
    private volatile int askedAgain;
    /** Until when this JVM leaves the lock to other processes, by the machine's clock: whatever clock leases run by, this is about the CPU. */
    private volatile long awayUntil;
    /** Null until another process was seen: most locks never meet one. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable ContentionMemory contention;

    /** @param machineNow the machine's clock */
    FairnessPolicy(long machineNow) {
        awayUntil = machineNow;
    }

    // ---- spinning; under the engine lock ----

    /** {@return whether to wait for another process for a moment without sleeping} If that was in vain the last few times, it is tried now and then only. */
    boolean maySpin() {
        if (spinsLeft == 0) {
            spinsSkipped++;
            spinsLeft = spinsSkipped % SPIN_AGAIN == 0 ? (byte) 1 : 0;
        }
        return spinsLeft > 0;
    }

    /** A thread has spun. */
    void spun(boolean gotIt) {
        spinsLeft = (byte) (gotIt ? MOST_SPINS : spinsLeft - 1);
    }

    // ---- what happened; under the engine lock ----

    /** This JVM has taken the lock. */
    void taken(long now) {
        if (othersHadIt || now - gaveBackAt > YIELDED_NANOS) {
            sliceStart = now;
        }
    }

    /** A try has found that another process has the lock. */
    void foundTaken() {
        othersHadIt = true;
    }

    /** A user has got the lock, by a take. */
    void granted(long askedAt) {
        askedAgain = askedAt - gaveBackAt < YIELDED_NANOS ? Math.min(askedAgain + 1, 2 * LOOP) : Math.max(askedAgain - 1, 0);
    }

    /** Users who asked again at once, time after time, do so no more. */
    void loopEnded() {
        askedAgain = 0;
    }

    /** This JVM has given the lock back. */
    void gaveBack(long now) {
        othersHadIt = false;
        gaveBackAt = now;
    }

    /**
     * The next slice is another process's.
     *
     * @param machineNow the machine's clock
     * @param jitter 0 to {@link #AWAY_NANOS}, so that processes don't come back at the same moment
     */
    void stayAway(long machineNow, long jitter) {
        awayUntil = machineNow + AWAY_NANOS + jitter;
    }

    // ---- what happened; under the state lock ----

    /** Another process wants the lock, or has had it. */
    void othersSeen(long now) {
        contention = contention == null ? new ContentionMemory() : contention;
        contention.seen(now);
    }

    // ---- who goes next ----

    /** {@return for how many nanoseconds this JVM leaves the lock to others; 0 or less if it may try now} */
    long awayNanos(long machineNow) {
        return awayUntil - machineNow;
    }

    /** {@return whether this JVM has had its time slice} */
    boolean isSliceOver(long now) {
        return now - sliceStart >= TIME_SLICE_NANOS;
    }

    /** {@return whether this JVM may use the lock again though another process waits, as a user that acquired it then closes it now} */
    boolean mayGoOn(long acquiredAt, long now) {
        return now - acquiredAt < BRIEF_NANOS && !isSliceOver(now);
    }

    /** Under the state lock. Returns whether users here ask again at once, time after time, may go on, and other processes use the lock, too. */
    boolean isLoopInItsSlice(long acquiredAt, long now) {
        return contention != null && askedAgain >= LOOP && mayGoOn(acquiredAt, now) && contention.counts(acquiredAt);
    }

    /**
     * Under the state lock. Returns whether the lock should be found free by other processes, since they use it, too.
     *
     * @param acquiredAt when its last user here acquired it
     */
    boolean isShared(long acquiredAt) {
        return contention != null && contention.counts(acquiredAt) && askedAgain < LOOP;
    }
}
