package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import java.lang.ref.ReferenceQueue;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One hold in shared mode, for all readers of this JVM: the engine knows this hold alone, and the keeper renews it once. Its life is that of any {@link Grant}: HELD
 * while somebody reads, then LINGERING or ENDING. It has no handles; each reader has those of its {@link ReaderGrant}.
 *
 * <p><b>Who may join</b>, all of it under the state lock: its state says that it may be had, nobody has lost it, and the engine allows one more
 * ({@link EngineLock#mayShare}, or {@link EngineLock#reuse} if it lingers). Last of all comes the clock. A thread that has slept before it asked the engine
 * finds the lease over then, and does not read beside a writer that has taken over.
 *
 * <p>What others want to know of its user, they are told of the eldest reader; of one that lingers, of the reader that left last.
 */
final class SharedGrant extends Grant {
    /** So many runs of readers are kept until the keeper's next tick. There are more only if many threads with different names read within a second. */
    private static final int MOST_RUNS = 64;
    /** Instead of the time at which a reader asked: it has not waited. */
    static final long NOT_WAITED = Long.MIN_VALUE;

    /** The readers, in the order in which they came. */
    @GuardedBy("LocalLock.stateLock")
    private @Nullable ReaderGrant first;
    @GuardedBy("LocalLock.stateLock")
    private @Nullable ReaderGrant last;
    /** The readers that belong to a thread. Never iterated over. */
    @GuardedBy("LocalLock.stateLock")
    private final Map<Thread, ReaderGrant> byThread = new IdentityHashMap<>(4);
    /** How many readers have joined. */
    @GuardedBy("LocalLock.stateLock")
    private long joined;
    /** The first of the readers, or the last one that left. Written under the state lock; null only until the first one joins. */
    private volatile @Nullable ReaderGrant eldest;
    /** The longest grace of those who have lost it, nanoseconds. Written under the state lock, before it is lost. */
    private volatile long graceNanos;
    /** What the readers that have left did since the keeper's last tick, by the names of their threads. */
    @GuardedBy("LocalLock.stateLock")
    private final Map<String, HoldRun> runs = new HashMap<>(4);

    /** @param request of the first reader, which is about to {@link #join} */
    SharedGrant(LocalLock lock, Hold hold, AcquireRequest request) {
        super(lock, hold, request, null, 0);
    }

    // ---- its readers; under the state lock ----

    /** {@return whether a reader with these options may have a share, as far as this JVM knows} The engine and the clock are still to be asked. */
    boolean isOpenTo(LockOptions options) {
        return (state() == State.HELD || state() == State.LINGERING) && lost() == null && options.mode() == hold().terms().mode()
                && options.takeover() == hold().terms().takeover();
    }

    /**
     * One more reader.
     *
     * @param owner the thread that it belongs to; null for an asynchronous acquisition
     * @param thread the name under which reports and histories show it
     * @param since when it asked, monotonic nanoseconds; {@link #NOT_WAITED} if a moment ago
     * @return its handle; null if it can't have a share now
     */
    @Nullable Handle join(EventPublisher publisher, LockOptions options, @Nullable Path target, @Nullable Thread owner, String thread, long since,
            @Nullable AcquisitionTrace acquiredHere, ReferenceQueue<Handle> forgotten) {
        if (!isOpenTo(options)) {
            return null;
        }
        EngineLock engine = lock().engine();
        if (state() == State.LINGERING ? !engine.reuse(hold(), thread) : !engine.mayShare(hold())) {
            return null;
        }
        long now = clock().nanos(); // last of all: if this process slept before, the lease is found to be over
        if (!hold().isValid(now)) {
            return null;
        }
        long waited = since == NOT_WAITED ? 0 : now - since;
        return add(new ReaderGrant(this, publisher, options, target, owner, thread, now, waited), acquiredHere, forgotten);
    }

    /** The first reader, of a hold that the engine has just given. Nobody else knows this grant yet. */
    Handle addFirst(AcquireRequest request, @Nullable Thread owner, String thread, long waitedNanos) {
        return add(new ReaderGrant(this, request.publisher(), request.options(), request.target(), owner, thread, acquiredAtFirst(), waitedNanos),
                request.acquiredHere(), lock().locks().forgotten());
    }

    /** What needs memory comes first: if there is none, nothing has changed. */
    private Handle add(ReaderGrant reader, @Nullable AcquisitionTrace acquiredHere, ReferenceQueue<Handle> forgotten) {
        Handle handle = new Handle(reader, forgotten, acquiredHere);
        Thread owner = reader.owner();
        if (owner != null) {
            byThread.put(owner, reader);
        }
        reader.previous = last;
        if (last == null) {
            first = reader;
            eldest = reader;
            hasUserAgain(reader.progressAt());
        } else {
            last.next = reader;
        }
        last = reader;
        joined++;
        return handle;
    }

    /** A reader leaves, whatever it has open. Returns false if it had left before. */
    boolean leave(ReaderGrant reader) {
        if (reader.state() == State.ENDED) {
            return false;
        }
        reader.detach();
        if (reader.previous == null) {
            first = reader.next;
        } else {
            reader.previous.next = reader.next;
        }
        if (reader.next == null) {
            last = reader.previous;
        } else {
            reader.next.previous = reader.previous;
        }
        eldest = first == null ? reader : first;
        reader.previous = null;
        reader.next = null;
        reader.ended();
        return true;
    }

    /** A reader belongs to no thread any more. */
    void detached(ReaderGrant reader) {
        Thread owner = reader.owner();
        if (owner != null && byThread.get(owner) == reader) {
            byThread.remove(owner);
        }
    }

    /** {@return whether nobody reads} */
    boolean isEmpty() {
        return first == null;
    }

    /** {@return its first reader; the others are {@link ReaderGrant#next}} */
    @Nullable ReaderGrant first() {
        return first;
    }

    /** {@return those who read now, in the order in which they came} */
    List<ReaderGrant> readers() {
        List<ReaderGrant> all = new ArrayList<>();
        for (ReaderGrant reader = first; reader != null; reader = reader.next) {
            all.add(reader);
        }
        return all;
    }

    /** As {@link #readers()}, for a caller without the state lock. Nobody, if it lingers. */
    @Override
    List<? extends Grant> users() {
        MemoryLock stateLock = lock().stateLock();
        stateLock.lock();
        try {
            return readers();
        } finally {
            stateLock.unlock();
        }
    }

    @Override
    @Nullable Grant ofThread(Thread thread) {
        ReaderGrant reader = byThread.get(thread);
        return reader != null && reader.isOpen() ? reader : null;
    }

    /** {@return how long the end of the JVM waits for the most patient of them} */
    @Override
    long shutdownGraceNanos() {
        long longest = 0;
        for (Grant reader : users()) {
            long grace = reader.shutdownGraceNanos();
            boolean isLonger = longest == Shutdown.WHILE_HOOKS_WORK ? grace == Shutdown.LEAVE_ALONE : grace == Shutdown.WHILE_HOOKS_WORK || grace > longest;
            longest = isLonger && longest != Shutdown.LEAVE_ALONE ? grace : longest;
        }
        return longest;
    }

    /** Takes the state lock. */
    @Override
    long longestHold(EventPublisher of, long now) {
        long longest = 0;
        for (Grant reader : users()) {
            longest = Math.max(longest, reader.longestHold(of, now));
        }
        return longest;
    }

    @Override
    boolean isOpen() {
        return !isEmpty();
    }

    @Override
    void ended() {
        super.ended();
        while (first != null) {
            leave(first); // they have lost it, and their grace is over
        }
    }

    // ---- what others are told ----

    @Override
    EventPublisher publisher() {
        ReaderGrant one = eldest;
        return one == null ? super.publisher() : one.publisher();
    }

    @Override
    LockOptions options() {
        ReaderGrant one = eldest;
        return one == null ? super.options() : one.options();
    }

    @Override
    long acquiredNanos() {
        ReaderGrant one = eldest;
        return one == null ? super.acquiredNanos() : one.acquiredNanos();
    }

    /** {@return when the engine gave it, monotonic nanoseconds} */
    private long acquiredAtFirst() {
        return super.acquiredNanos();
    }

    @Override
    @Nullable Thread owner() {
        ReaderGrant one = eldest;
        return one == null || !hasUser() ? null : one.owner();
    }

    @Override
    @Nullable String thread() {
        ReaderGrant one = eldest;
        return one == null ? super.thread() : one.thread();
    }

    // ---- its bounds; the lease alone bounds the whole ----

    @Override
    boolean isValid(long now) {
        return hold().isValid(now) && lost() == null;
    }

    @Override
    Reason expiry(long now) {
        return Reason.LEASE_EXPIRED;
    }

    /** {@return for how many nanoseconds the most patient reader may still have it} Takes the state lock, if somebody reads. */
    @Override
    long holdLeft(long now) {
        if (!hasUser()) {
            return eldest == null ? Long.MAX_VALUE : eldest.maxHoldNanos();
        }
        long longest = 0;
        MemoryLock stateLock = lock().stateLock();
        stateLock.lock();
        try {
            for (ReaderGrant reader = first; reader != null; reader = reader.next) {
                longest = reader.isLostAlone() ? longest : Math.max(longest, reader.holdLeft(now));
            }
        } finally {
            stateLock.unlock();
        }
        return longest;
    }

    /** Takes the state lock. */
    @Override
    void slept(long now) {
        MemoryLock stateLock = lock().stateLock();
        stateLock.lock();
        try {
            for (ReaderGrant reader = first; reader != null; reader = reader.next) {
                reader.slept(now);
            }
        } finally {
            stateLock.unlock();
        }
    }

    @Override
    long renewEvery() {
        long lease = hold().terms().leaseNanos() / 3;
        return hasUser() || eldest == null ? lease : Math.min(lease, eldest.maxHoldNanos() / 4);
    }

    @Override
    long graceLeft(long now) {
        return revokedAt() + graceNanos - now;
    }

    @Override
    boolean lose(LockLostException why) {
        long longest = 0;
        for (ReaderGrant reader = first; reader != null; reader = reader.next) {
            longest = Math.max(longest, reader.options().revokeGrace().toNanos());
        }
        graceNanos = lost() == null ? longest : graceNanos;
        return super.lose(why);
    }

    @Override
    long useNumber() {
        return joined;
    }

    // ---- the history; under the state lock ----

    /** {@return what is known of the readers of one thread name that have left; null if nothing} */
    @Nullable HoldRun run(String thread) {
        return runs.get(thread);
    }

    /** Keeps what is known of them until the keeper's next tick. */
    void keep(String thread, HoldRun run) {
        if (runs.size() >= MOST_RUNS) {
            HoldRun.write(this);
        }
        runs.put(thread, run);
    }

    /** {@return all that is known of readers that have left, in no order; nothing of it is known any more} */
    List<HoldRun> takeRuns() {
        if (runs.isEmpty()) {
            return List.of();
        }
        List<HoldRun> all = new ArrayList<>(runs.values());
        runs.clear();
        return all;
    }

    /** Forgets what is known of the readers of one thread name. */
    void forget(String thread) {
        runs.remove(thread);
    }
}
