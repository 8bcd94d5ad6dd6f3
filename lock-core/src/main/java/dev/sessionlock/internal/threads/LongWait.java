package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.RareLog;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One wait that is logged because it takes long, in two lines: who waits for whom, and later what came of it. The first line is written by a thread that
 * {@link LongWaits} starts, the second one by the thread that waited. So the two could come in the wrong order; {@link State} sees to it that they don't, and that
 * there is no second line without a first.
 *
 * <pre>
 *  ---> NOTICED ----> TELLING ----> TOLD
 *          |             |           |
 *          '-------------+-----------'----> ENDED
 * </pre>
 *
 * <p>It does not refer to its {@link Waiter}, which has the handle: a handle that its user forgets must be found.
 */
final class LongWait {
    private static final Log log = Loggers.EVENTS;
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "a long wait for a lock could not be logged");

    private enum State {
        /** Nothing has been logged. If it ends now, nothing will be. */
        NOTICED,
        /** The first line is being written. If it ends now, the same thread writes the second one. */
        TELLING,
        /** The first line was written. */
        TOLD,
        /** It waits no more. */
        ENDED
    }

    private final LocalLock lock;
    private final AcquireRequest request;
    private final String thread;
    private final long since;
    private final List<Queued> first;
    private final int queued;
    private final AtomicReference<State> state = new AtomicReference<>(State.NOTICED);
    /** Set before it is {@link State#ENDED}. */
    private volatile @Nullable String end;

    /**
     * One who waits in this JVM.
     *
     * @param thread the thread's name, or that of the thread that asked
     * @param since monotonic nanoseconds
     */
    record Queued(String thread, long since) {
    }

    /**
     * @param first those who wait, in order of arrival, or the first of them
     * @param queued how many wait
     */
    LongWait(LocalLock lock, Waiter waiter, List<Queued> first, int queued) {
        this.lock = lock;
        this.request = waiter.request();
        this.thread = waiter.askedBy();
        this.since = waiter.since();
        this.first = first;
        this.queued = queued;
    }

    LocalLock lock() {
        return lock;
    }

    // ---- on a thread of its own ----

    /** Writes the first line. This may look at the disk or ask a database. */
    void tell() {
        if (!state.compareAndSet(State.NOTICED, State.TELLING)) {
            return; // it waits no more
        }
        log.warn("still waiting for {} after {} ms: {}; {}; {}", lock.shown(request), millisSince(since), waiter(), holder(), queue());
        if (!state.compareAndSet(State.TELLING, State.TOLD)) {
            tellEnd();
        }
    }

    private String waiter() {
        String purpose = request.options().purpose();
        return "thread \"" + thread + "\"" + (purpose == null ? "" : ", purpose \"" + purpose + "\"");
    }

    private String holder() {
        Instant now = lock.clock().instant();
        Grant grant = lock.grant();
        if (grant != null && grant.hasUser()) {
            LockOwner user = new LockOwner(ProcessIdentity.current().pid(), null, null, grant.acquiredAt(), grant.thread(), grant.options().purpose(),
                    grant.token(), null);
            return "held in this JVM by " + TimeoutMessage.heldBy(user, now)
                    + (grant.lost() == null ? "" : ", which has lost it (" + grant.lost().reason() + ") and not closed it yet");
        }
        try {
            LockReport report = lock.engine().inspect();
            String state = report.state() == LockReport.State.HELD ? "" : ", state " + report.state();
            return report.owner() == null ? "nobody is known to hold it" + state : "held by " + TimeoutMessage.heldBy(report.owner(), now) + state;
        } catch (IOException | RuntimeException | Error e) {
            return TimeoutMessage.untold(e);
        }
    }

    private String queue() {
        StringBuilder text = new StringBuilder("queue of this JVM: ");
        String comma = "";
        for (Queued one : first) {
            text.append(comma).append('"').append(one.thread()).append("\" ").append(millisSince(one.since())).append(" ms");
            comma = ", ";
        }
        return queued <= first.size() ? text.toString() : text + " and " + (queued - first.size()) + " more";
    }

    private long millisSince(long nanos) {
        return TimeUnit.NANOSECONDS.toMillis(lock.clock().nanos() - nanos);
    }

    // ---- on the thread that waited ----

    /**
     * It waits no more. Under no lock: this may write the second line. Never throws: the thread may have the lock, and its user has no handle yet.
     *
     * @param acquired whether it has the lock
     * @param inTime whether its timeout was not over yet
     */
    void ended(boolean acquired, boolean inTime) {
        try {
            String waited = " after " + millisSince(since) + " ms: ";
            end = acquired ? "acquired " + lock.shown(request) + waited
                    : "gave up waiting for " + lock.shown(request) + (inTime ? " before its timeout (interrupted, cancelled or refused)" : " at its timeout") + waited;
            if (state.getAndSet(State.ENDED) == State.TOLD) {
                tellEnd();
            }
        } catch (RuntimeException | Error e) {
            trouble.warn("how it ended is not told", e);
        }
    }

    private void tellEnd() {
        log.warn("{}{}", end, waiter());
    }
}
