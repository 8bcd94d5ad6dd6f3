package dev.sessionlock.spi;

import dev.sessionlock.LockReport;
import java.io.IOException;
import java.nio.file.Path;
import org.jetbrains.annotations.Nullable;

/**
 * One lock, as whatever excludes other processes knows it: take, renew, release, look. The threads of this JVM stand above it and
 * call one method at a time, but for {@link #inspect} and those that are memory only, which any thread may call, and {@link #awaitKernel}, which
 * blocks one of its own.
 *
 * <p><b>When a throwable comes out.</b> Any method may throw anything: a {@link StackOverflowError}, an {@link OutOfMemoryError}, the
 * {@link RuntimeException} of a driver. Nothing may be left behind then that nobody finishes. So the caller goes on, one method at a time as always:
 * <ul>
 *   <li>after {@link #take}: it has no hold, and calls {@link #tidy} until that returns true, or {@code take} again;
 *   <li>after {@link #handOver}, {@link #renew} or {@link #check}: the hold that was given is as it was, or is lost; {@link #release} of it gives back all
 *       that was taken for it;
 *   <li>after {@link #release}: the same call again. A further one, after one that has succeeded, does nothing: what belonged to the hold may serve another
 *       by then;
 *   <li>after {@link #acceptAwaited}, {@link #declineAwaited} or {@link #declineAllAwaited}: the same call again; after {@link #awaitKernel}: {@link #declineAwaited}, and
 *       then {@link #tidy};
 *   <li>after {@link #clear} or {@link #tidy}: {@code tidy} until it returns true.
 * </ul>
 * When {@code tidy} returns true and no hold is out, this process has nothing of the lock any more: others can take it. What {@link #awaitKernel} got stays until
 * it is accepted or declined, what was accepted until it is used or put back.
 */
public interface EngineLock {
    /** A raised hand older than this is nobody's, nanoseconds; who waits raises it again at half of it. */
    long WAITER_MARK_NANOS = 200_000_000;

    /** {@return the lock's name} */
    String name();

    /** {@return the file that is locked; null if what is locked is a name} */
    @Nullable Path target();

    /** {@return where the record lies while the lock is held; null if the engine has no files} */
    @Nullable Path lockFile();

    /**
     * One try to take the lock; never waits. Nothing is left behind by one that fails.
     *
     * @throws dev.sessionlock.NotALockFileException if what lies in the lock's place will never make room
     * @throws IOException if whatever keeps the lock refuses for good; what will pass by itself is a {@link Busy#trouble}
     */
    AcquireResult take(Terms terms) throws IOException;

    /**
     * {@return whether another process had the lock between this process's last hold and this one, as far as is known} So its users should find it free when
     * nobody uses it. Memory only, asked right after {@link #take}.
     */
    default boolean wasOthers(Hold hold) {
        return false;
    }

    /**
     * Passes a hold on to another taker of this JVM, without giving the lock back in between: a new token, a new record.
     *
     * @return null if it cannot be passed on: then it is as it was and must be released
     */
    @Nullable Hold handOver(Hold from, Terms terms) throws IOException;

    /**
     * {@return whether a hold may stay for a while when its user has gone, so that {@link #reuse} gives it to the next one of this JVM}
     * Memory only.
     */
    default boolean isReusable(Hold hold) {
        return false;
    }

    /**
     * Gives a hold that nobody uses any more to a further user of this JVM, on the same terms: a new token, in memory alone, so that its
     * record is out of date until the next {@link #renew}. The user has it only if the clock, read after this call, still is below
     * {@link Hold#deadline}: one who slept before would have a token newer than that of a successor.
     *
     * @param thread its name
     * @return false if it cannot be used again, and has to be given back
     */
    default boolean reuse(Hold hold, String thread) {
        return false;
    }

    /**
     * Extends the lease of a hold from now, and has the record tell who has it. The keeper calls it, for one hold after the other, and must
     * not be kept waiting: what may take long is begun here, and done by a thread of the engine's own.
     *
     * @param holdUntilMillis when it ends at the latest unless its user makes progress, wall clock; negative if never
     * @return false if it came too late: the lease had run out, and somebody else may hold the lock
     */
    boolean renew(Hold hold, long holdUntilMillis) throws IOException;

    /** What has become of a hold. */
    enum HoldStatus {
        /** All is well. */
        INTACT,
        /** Its record was removed by hand. */
        REMOVED,
        /** Somebody asked its holder to let go. */
        REQUESTED,
        /** The kernel lost the lock, or the directory was replaced, and it could not be had back. */
        LOST
    }

    /**
     * Looks at what hands have done to a hold, and mends what can be mended. Like {@link #renew}, it must not keep the keeper waiting.
     *
     * @param deeply also at what the kernel says, as far as it was read of late
     */
    HoldStatus check(Hold hold, boolean deeply) throws IOException;

    /** Reads anew what a deep {@link #check} judges by, for an engine whose check may otherwise use what is some seconds old. */
    default void lookAfresh() throws IOException {
    }

    /**
     * Gives a hold back. What could not be deleted or freed is no failure: it is tried again by {@link #tidy}. A hold that has been given back already is
     * left alone.
     */
    void release(Hold hold);

    /** As {@link #release}, for the keeper, whom nothing may keep waiting: at the engine's leisure, but soon. */
    default void releaseSoon(Hold hold) {
        release(hold);
    }

    /** Marks a hold as over but keeps others out, for the last moments of the process. */
    void abandon(Hold hold);

    /**
     * Retries what {@link #release} could not delete or free, and ends what a throwable broke off. Called only by one who has no hold.
     *
     * @return whether nothing is left to retry
     */
    boolean tidy();

    /**
     * {@return what can be seen of the lock; disturbs nobody} Facts are enough: {@link LockReport#LockReport(String, java.nio.file.Path,
     * LockReport.State, dev.sessionlock.LockOwner, LockReport.Facts)} puts them into words.
     */
    LockReport inspect() throws IOException;

    // ---- for a person who wants it free ----

    /** What a {@link #clear} has come to. */
    enum ClearOutcome {
        /** What a dead owner left was taken away. */
        REMOVED,
        /** There was nothing to take away. */
        NOTHING,
        /** It is held, or may be, or is not a lock: nothing was touched. */
        KEPT
    }

    /**
     * What a {@link #clear} has come to.
     *
     * @param outcome the verdict
     * @param why one clause in words
     */
    record Cleared(ClearOutcome outcome, String why) {
    }

    /**
     * Takes away what an owner has left who is dead by evidence, and nothing else; a lease that is over is no evidence. Never waits,
     * takes the lock for nobody, draws no token.
     *
     * @param takeStrangers whether another program's lock may be taken away when its process is gone
     */
    Cleared clear(boolean takeStrangers) throws IOException;

    /** Asks the holder of a token to let go: its {@link #check} will say so. */
    void askForRelease(long token) throws IOException;

    /** Takes back what {@link #askForRelease} asked. Tells whether the holder had not heard it yet. */
    boolean withdrawAsking(long token) throws IOException;

    // ---- waiting ----

    /**
     * Tells other processes that this one wants the lock.
     *
     * @param waits whether it waits for it; else it has but tried once
     */
    default void setWaiterMark(boolean waits) {
    }

    /**
     * {@return whether another process said within the last {@code nanos} that it wants what is held, if only by trying once} So what nobody
     * uses is given back. Memory only, any thread.
     */
    default boolean othersTryOrWait(Hold hold, long nanos) {
        return othersWait(hold, nanos);
    }

    /** {@return whether another process said within the last {@code nanos} that it waits for what is held} Memory only, any thread. */
    default boolean othersWait(Hold hold, long nanos) {
        return false;
    }

    /**
     * Blocks until what {@link Busy#waitFor} named is free, and holds it then for {@link #acceptAwaited} or {@link #declineAwaited}. Cannot be
     * broken off, so it needs a thread of its own; every {@link #take} of this JVM finds the lock busy meanwhile.
     *
     * @throws IOException if the kernel refuses, as it does when it sees a deadlock between processes (EDEADLK), which it judges
     *     without knowing of threads
     */
    default void awaitKernel(int what) throws IOException {
        throw new UnsupportedOperationException("nothing rings here");
    }

    /** Keeps what {@link #awaitKernel} got for the next {@link #take}. */
    default void acceptAwaited(int what) {
    }

    /** Gives back what {@link #awaitKernel} got, if anything: it may have thrown and got it all the same. */
    default void declineAwaited(int what) {
    }

    /** Gives back what {@link #acceptAwaited} kept, if no {@link #take} has used it. */
    default void declineAllAwaited() {
    }
}
