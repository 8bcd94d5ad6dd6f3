package dev.sessionlock.spi;

import dev.sessionlock.LockException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One lock, seen by the engine that excludes other processes: take, renew, release, inspect. The layer above orders the threads of this JVM, and
 * calls one method at a time. Exceptions: any thread may call {@link #inspect} and the methods that use memory only, and {@link #awaitKernel} blocks
 * a thread of its own.
 *
 * <p><b>What an engine must have.</b> Six methods: {@link #name}, {@link #take}, {@link #renew}, {@link #check}, {@link #release} and {@link #inspect}.
 * Add {@link #tidy} if {@code take} or {@code release} can leave something behind. Add {@link #askForRelease} and {@link #withdrawAsking} if an operator
 * may ask a holder to release the lock. All other methods have defaults. {@link LeaseHold} is a hold for leases that run on this machine's clock.
 *
 * <p><b>When a method throws.</b> Any method may throw anything: a {@link StackOverflowError}, an {@link OutOfMemoryError}, a
 * {@link RuntimeException} of a driver. What it had begun must then be finished or undone. So the caller goes on, one method at a time as always:
 * <ul>
 *   <li>after {@link #take}: the caller has no hold. It calls {@link #tidy} until that returns true, or {@code take} again;
 *   <li>after {@link #handOver}, {@link #renew} or {@link #check}: the hold that was given is as it was, or is lost. {@link #release} of it gives
 *       back all that was taken for it;
 *   <li>after {@link #release}: the same call again. A further call, after one that has succeeded, does nothing: what belonged to the hold may
 *       serve another hold already;
 *   <li>after {@link #acceptAwaited}, {@link #declineAwaited} or {@link #declineAllAwaited}: the same call again; after {@link #awaitKernel}:
 *       {@link #declineAwaited}, and then {@link #tidy};
 *   <li>after {@link #clear} or {@link #tidy}: {@code tidy} until it returns true.
 * </ul>
 * When {@code tidy} returns true and no hold is out, this process has nothing of the lock any more: others can take it. What {@link #awaitKernel}
 * acquired stays until it is accepted or declined. What was accepted stays until {@code take} uses it or it is given back.
 */
public interface EngineLock {
    /** A waiter mark older than this counts for nobody, nanoseconds. A waiting process sets it again after half of this time. */
    long WAITER_MARK_NANOS = 200_000_000;

    /** {@return the lock's name} */
    String name();

    /** {@return the file that is locked; null if the engine locks names} */
    default @Nullable Path target() {
        return null;
    }

    /** {@return where the record lies while the lock is held; null if the engine has no files} */
    default @Nullable Path lockFile() {
        return null;
    }

    /**
     * One try to take the lock. It never waits. A try that fails leaves nothing behind.
     *
     * @throws dev.sessionlock.NotALockFileException if what lies in the lock's place will never make room
     * @throws IOException if taking the lock fails for a reason that will not pass by itself; for a reason that will, the result is a {@link Busy}
     *     with {@link Busy#failure}
     */
    AcquireResult take(Terms terms) throws IOException;

    /**
     * Extends the lease of a hold from now, and updates the record with its present user. The keeper calls this for one hold after the other and must
     * not be kept waiting. So an engine only begins here what may take long, and finishes it on a thread of its own.
     *
     * @param holdUntilMillis when the hold ends at the latest unless its user makes progress, wall clock; negative if never
     * @return false if the renewal came too late: the lease had run out, and somebody else may hold the lock
     */
    boolean renew(Hold hold, long holdUntilMillis) throws IOException;

    // ---- optional: leases that ran out while the machine slept ----

    /** {@return whether {@link #renewLate} may succeed} Memory only, any thread. */
    default boolean mayRenewLate() {
        return false;
    }

    /**
     * Extends the lease of a hold whose deadline has passed, if certainly nobody else has had the lock since it was acquired, nor may come in any more. For an
     * engine whose clock goes on while the machine sleeps: there all leases may be over when it wakes. Until this returns true the hold is not valid.
     *
     * @param holdUntilMillis as for {@link #renew}
     * @return false if the hold is lost: then it has to be released
     */
    default boolean renewLate(Hold hold, long holdUntilMillis) throws IOException {
        return false;
    }

    /** What a check has found out about a hold. */
    enum HoldStatus {
        /** All is well. */
        INTACT,
        /** Its record was removed by hand. */
        REMOVED,
        /** Somebody asked its holder to release the lock. */
        REQUESTED,
        /** The kernel lock is gone, or the directory was replaced, and the engine could not get the lock back. */
        LOST
    }

    /**
     * Looks whether somebody has removed the record or asked for the release, and repairs what can be repaired. Like {@link #renew}, it must not keep
     * the keeper waiting.
     *
     * @param deeply also compares with what the kernel says, as it was last read
     */
    HoldStatus check(Hold hold, boolean deeply) throws IOException;

    /** Reads anew what a deep {@link #check} compares with. For an engine whose check may otherwise use data that is some seconds old. */
    default void lookAfresh() throws IOException {
    }

    /**
     * Gives a hold back. What could not be deleted or freed is no failure: {@link #tidy} tries it again. For a hold that has been given back already
     * this does nothing.
     */
    void release(Hold hold);

    /** Marks a hold as over but keeps others out, for the last moments of the process. By default the end of the process, or of its lease, lets others in. */
    default void abandon(Hold hold) {
    }

    /**
     * Retries what {@link #release} could not delete or free, and finishes what a throwable interrupted. Called only while this process has no hold
     * of the lock.
     *
     * @return whether nothing is left to retry
     */
    default boolean tidy() {
        return true;
    }

    /**
     * {@return what can be seen of the lock; disturbs nobody} Facts are enough: {@link LockReport#LockReport(String, java.nio.file.Path,
     * LockReport.State, dev.sessionlock.LockOwner, LockReport.Facts)} puts them into words.
     */
    LockReport inspect() throws IOException;

    // ---- optional: what happened, and who waits ----

    /** {@return whether the engine keeps a history, so that {@link #note} has a purpose} Memory only, any thread. */
    default boolean keepsHistory() {
        return false;
    }

    /**
     * A hold has ended: keeps that for {@link LockEngine#history}. Memory only, any thread; brief, since the caller may hold a lock. The engine writes it later,
     * at {@link Maintainable#record}. By default nothing is kept.
     *
     * @param ended the hold, or several that are summed up
     */
    default void note(PastHold ended) {
    }

    /**
     * Some waiters of this JVM have waited for a while: keeps that for {@link #inspect} of other processes. Called at each of the keeper's rounds for as long as
     * they wait, before {@link Maintainable#record}. Memory only. By default other processes do not see them.
     *
     * @param waiters in the order of the queue, not empty
     */
    default void showWaiters(List<LockReport.Waiter> waiters) {
    }

    // ---- clearing, for an operator ----

    /** The result of a {@link #clear}. */
    enum ClearOutcome {
        /** The leftovers of a dead owner were removed. */
        REMOVED,
        /** There was nothing to remove. */
        NOTHING,
        /** The lock is held, or may be, or is not a lock: nothing was touched. */
        KEPT
    }

    /**
     * The result of a {@link #clear}.
     *
     * @param outcome what was done
     * @param why one clause in words
     */
    record Cleared(ClearOutcome outcome, String why) {
    }

    /**
     * Removes what an owner left behind whose death is proven, and nothing else but a
     * torn or emptied record that is old. An expired lease proves nothing. Never waits, takes the lock for
     * nobody, draws no token. By default it removes nothing: the next {@link #take} takes over from a dead owner.
     *
     * @param takeForeign whether another program's lock may be removed when its process is gone
     */
    default Cleared clear(boolean takeForeign) throws IOException {
        return new Cleared(ClearOutcome.KEPT, "this engine clears nothing; the next acquisition takes over from a dead owner");
    }

    /**
     * Asks the holder of a token to release the lock. Its next {@link #check} returns {@link HoldStatus#REQUESTED}.
     *
     * @throws LockException if the engine cannot ask, as by default
     */
    default void askForRelease(long token) throws IOException {
        throw new LockException("cannot ask the holder of " + name() + " to release it: this engine does not carry such requests");
    }

    /** Takes back the request of {@link #askForRelease}. Returns whether the holder had not seen it yet. */
    default boolean withdrawAsking(long token) throws IOException {
        return false;
    }

    // ---- optional: sharing with other processes ----
    // An engine that knows nothing of modes takes the lock exclusively for terms that say SHARED. Then readers of this JVM still share the hold, and processes take turns.

    /**
     * {@return whether a further user of this JVM may share a hold in mode {@link LockMode#SHARED}, whose other users have it now} The caller looks at the clock
     * afterwards, as for {@link #reuse}. Memory only, any thread; brief, since this is all that a further reader costs. By default not while another process waits:
     * readers that come and go would keep it waiting for ever.
     */
    default boolean mayShare(Hold hold) {
        return !othersWait(hold, WAITER_MARK_NANOS);
    }

    // ---- waiting ----

    /**
     * Tells other processes that this one wants the lock.
     *
     * @param mode in which mode
     * @param waits true if it waits for the lock, false if it only tried once
     */
    default void setWaiterMark(LockMode mode, boolean waits) {
    }

    /**
     * {@return whether another process has said within the last {@code nanos} that it wants this lock, even if it only tried once} If so, a lingering
     * hold is given back. Memory only, any thread.
     */
    default boolean othersTryOrWait(Hold hold, long nanos) {
        return othersWait(hold, nanos);
    }

    /** {@return whether another process has said within the last {@code nanos} that it waits for this lock} Memory only, any thread. */
    default boolean othersWait(Hold hold, long nanos) {
        return false;
    }

    /**
     * Registers what to run when the engine learns by itself that the lock may be free, such as by a notification of a database. Whoever waits in this JVM then
     * tries at once, even before {@link Busy#retryAt}. By default an engine learns nothing, and whoever waits tries again at that time.
     *
     * @param wake what to run; brief, and memory only. It may run on any thread, at any time, and for no reason
     */
    default void onFreed(Runnable wake) {
    }

    // ---- optional: handing over within this JVM ----
    // Without these methods each close() releases the lock and each acquire() takes it, even if both are in this JVM. The keeper waits for a release.

    /**
     * Hands a hold over to another thread of this JVM, without giving the lock back in between: a new token, a new record.
     *
     * @return null if it cannot be handed over; then the hold is as it was and must be released
     */
    default @Nullable Hold handOver(Hold from, Terms terms) throws IOException {
        return null;
    }

    /**
     * {@return whether a hold may linger when its user has closed it, so that {@link #reuse} can give it to the next user of this JVM} Memory only.
     */
    default boolean isReusable(Hold hold) {
        return false;
    }

    /**
     * Gives a hold that nobody uses any more to a further user of this JVM, on the same terms. The token is new, but only in memory, so the record is
     * out of date until the next {@link #renew}. The user has the lock only if the clock, read after this call, is still below {@link Hold#deadline}:
     * a thread that slept before this call would otherwise have a token newer than that of a successor.
     *
     * @param thread the name of the user's thread
     * @return false if the hold cannot be used again, and has to be given back
     */
    default boolean reuse(Hold hold, String thread) {
        return false;
    }

    /**
     * {@return whether another process had the lock between this process's last hold and this one, as far as is known} If so, the lock should be free
     * for others whenever nobody uses it here. Memory only, asked right after {@link #take}.
     */
    default boolean wasOthers(Hold hold) {
        return false;
    }

    /** Like {@link #release}, for the keeper, which must not be kept waiting. The engine may do it later, but soon. */
    default void releaseSoon(Hold hold) {
        release(hold);
    }

    // ---- optional: spinning ----

    /**
     * Waits without sleeping until what was in the way of a {@link #take} seems to be gone. For an engine that sees in memory what other processes do: they often
     * have a lock for a few microseconds only.
     *
     * @param busy what was in the way
     * @param nanos for how long at most
     * @return whether it is worth while to call {@code take} again now
     */
    default boolean spin(Busy busy, long nanos) {
        return false;
    }

    // ---- optional: waiting in the kernel ----
    // Called only after a Busy that names something to wait for. Without these methods waiting threads try again at Busy.retryAt.

    /**
     * Blocks until what {@link Busy#waitFor} named is free, and then keeps it for {@link #acceptAwaited} or {@link #declineAwaited}. The wait cannot
     * be interrupted, so it needs a thread of its own. Meanwhile every {@link #take} of this JVM finds the lock busy.
     *
     * @throws IOException if the kernel refuses. It does so when it sees a deadlock between processes (EDEADLK); it knows nothing of threads, so
     *     there may be none
     */
    default void awaitKernel(int what) throws IOException {
        throw new LockException("cannot wait for " + name() + " in the kernel: this engine has nothing to wait for");
    }

    /** Keeps what {@link #awaitKernel} acquired for the next {@link #take}. */
    default void acceptAwaited(int what) {
    }

    /** Gives back what {@link #awaitKernel} acquired, if anything. It may have acquired something even if it threw. */
    default void declineAwaited(int what) {
    }

    /** Gives back what {@link #acceptAwaited} kept, if no {@link #take} has used it. */
    default void declineAllAwaited() {
    }
}
