package dev.sessionlock.internal.threads;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.WaiterPlace;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The {@link WaitQueue}s of this JVM, for those who look: who waits, what for and since when. Memory only; made for one look. */
public final class WaitingThreads {
    /** Other processes are told of those who wait for longer than this. */
    private static final long SHOWN_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final List<LocalLock> waitedFor = new ArrayList<>();

    /**
     * Looks at the queues of all locks of an engine.
     *
     * @param locks its locks
     */
    public WaitingThreads(LocalLocks locks) {
        for (LocalLock lock : locks.all()) {
            if (lock.isContended() && lock.isWaitedFor()) {
                waitedFor.add(lock);
            }
        }
    }

    /**
     * {@return a report with those who wait in this JVM, instead of what others know of them}
     *
     * @param seen what the engine says
     * @param parent the real path of the lock's directory; null if the engine locks names
     */
    public LockReport in(LockReport seen, @Nullable Path parent) {
        long self = ProcessIdentity.current().pid();
        Long holder = seen.holderPid();
        List<LockReport.Waiter> all = new ArrayList<>();
        for (LocalLock lock : waitedFor) {
            if (isThat(lock, seen.name(), parent)) {
                all.addAll(of(lock, null, 0, holder == null || holder != self ? WaiterPlace.OTHER_PROCESS : WaiterPlace.PROCESS_OF_HOLDER));
            }
        }
        boolean any = !all.isEmpty();
        List<LockReport.Waiter> others = seen.waiters().stream().filter(waiter -> !Objects.equals(waiter.pid(), self)).toList();
        if (!any && others.size() == seen.waiters().size()) {
            return seen;
        }
        Instant since = any ? all.get(0).since() : null;
        int at = 0;
        while (any && at < others.size() && isBefore(others.get(at).since(), since)) {
            at++;
        }
        all.addAll(0, others.subList(0, at));
        all.addAll(others.subList(at, others.size()));
        return seen.withWaiters(all);
    }

    private static boolean isBefore(@Nullable Instant one, @Nullable Instant other) {
        return Objects.compare(one, other, Comparator.nullsLast(Comparator.naturalOrder())) < 0;
    }

    private static boolean isThat(LocalLock lock, String name, @Nullable Path parent) {
        Path target = lock.engine().target();
        return parent == null || target == null ? lock.engine().name().equals(name)
                : lock.key().namespace().key(name).equals(lock.key().name()) && parent.equals(target.getParent());
    }

    /**
     * {@return who waits for a lock here, in order; nobody if somebody keeps the state lock for long}
     *
     * @param except one who is about to give up
     */
    static List<LockReport.Waiter> of(LocalLock lock, Waiter except) {
        Grant held = lock.grantIfAtOnce();
        return of(lock, except, 0, held != null && held.hasUser() ? WaiterPlace.PROCESS_OF_HOLDER : WaiterPlace.OTHER_PROCESS);
    }

    /** Has the engine show other processes who has waited here for a while. */
    static void show(LocalLock lock) {
        if (lock.isContended()) {
            List<LockReport.Waiter> waiters = of(lock, null, SHOWN_NANOS, WaiterPlace.OTHER_PROCESS);
            if (!waiters.isEmpty()) {
                lock.engine().showWaiters(waiters);
            }
        }
    }

    private static List<LockReport.Waiter> of(LocalLock lock, @Nullable Waiter except, long least, WaiterPlace place) {
        List<Waiter> queue;
        if (!lock.stateLock().tryLock()) {
            return List.of();
        }
        try {
            queue = lock.queue().all();
        } finally {
            lock.stateLock().unlock();
        }
        long pid = ProcessIdentity.current().pid();
        long now = lock.clock().nanos();
        Instant wall = lock.clock().instant();
        List<LockReport.Waiter> waiters = new ArrayList<>();
        for (Waiter waiter : queue) {
            long waited = now - waiter.since();
            if (waiter != except && waited >= least) {
                String purpose = waiter.request().options().purpose();
                Instant since = waiter.sinceAsTold;
                if (since == null) {
                    since = wall.minusNanos(TimeUnit.MICROSECONDS.toNanos(TimeUnit.NANOSECONDS.toMicros(waited)));
                    waiter.sinceAsTold = since;
                }
                waiters.add(new LockReport.Waiter(pid, null, waiter.ownerName(), purpose, since, place));
            }
        }
        return waiters;
    }
}
