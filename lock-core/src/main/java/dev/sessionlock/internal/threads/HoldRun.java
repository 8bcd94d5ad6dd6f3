package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.RareLog;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The holds of one thread that followed each other while the lock lingered in between, as one entry of the history; and what tells the engine of each hold that has
 * ended ({@link dev.sessionlock.spi.EngineLock#note}). Memory only, under the state lock. Nothing is thrown here: a lock is given back even if nobody is told.
 *
 * <p><b>What a warm cycle pays.</b> It takes 200 ns, and a look at the clock a tenth of that. So only the first hold of a run looks at the clock when it ends. How
 * long the others last is seen by the keeper's {@linkplain IdleLocks idle checks}, which come every millisecond: what is shorter is not seen, and is brief. A hold
 * that is so long that these checks have stopped looks at the clock again. A run is told at the keeper's tick, even if it goes on.
 *
 * <p><b>Readers.</b> The readers of one {@link SharedGrant} come and go independently. Those of one thread name and purpose are one run, however many there are between
 * two ticks of the keeper.
 */
final class HoldRun {
    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "it could not be noted how a hold ended");

    /** A shorter wait counts as none: it is the time that taking the lock took. */
    private static final long LEAST_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final @Nullable String thread;
    private final @Nullable String purpose;
    private final long since;
    /** When the last hold ended, of a run of readers, monotonic nanoseconds. */
    @GuardedBy("LocalLock.stateLock")
    private long until;
    @GuardedBy("LocalLock.stateLock")
    private long count;
    @GuardedBy("LocalLock.stateLock")
    private long longest;
    private final long waited;
    @GuardedBy("LocalLock.stateLock")
    private long behind;
    @GuardedBy("LocalLock.stateLock")
    private long token;

    private HoldRun(Grant first, long waited) {
        this.thread = first.thread();
        this.purpose = first.options().purpose();
        this.since = first.acquiredNanos();
        this.waited = waited;
    }

    /** {@return what remembers how long the first user of a grant has waited for it; null if that was no time, so that most held locks keep nothing} */
    static @Nullable HoldRun afterWaiting(Grant fresh, long waited) {
        return waited >= LEAST_WAIT_NANOS && fresh.lock().engine().keepsHistory() ? new HoldRun(fresh, waited) : null;
    }

    /** {@return what the present user of a grant belongs to} */
    private static HoldRun of(Grant held) {
        return held.run == null ? new HoldRun(held, 0) : held.run;
    }

    /** {@return whether a hold of that thread goes on with it} */
    boolean isOf(String next) {
        return next.equals(thread);
    }

    private void add(Grant held, long lasted) {
        count++;
        longest = Math.max(longest, lasted);
        token = held.token();
        if (held.lock().isContended()) {
            behind = Math.max(behind, held.lock().queue().longestWait(held.clock().nanos()));
        }
    }

    /** Its last user has closed it, and it is about to linger. */
    static void lingers(Grant held) {
        HoldRun run = held.run;
        try {
            if (run != null && run.count > 0) {
                run.add(held, held.idleChecked ? 0 : held.clock().nanos() - held.acquiredNanos());
            } else if (held.lock().engine().keepsHistory()) {
                run = of(held);
                run.add(held, held.clock().nanos() - held.acquiredNanos());
                held.run = run;
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(held.lock().engine().toString(), e);
        }
    }

    /** The keeper's idle check looks at it. */
    static void seen(Grant held, long now) {
        HoldRun run = held.run;
        if (run != null && held.hasUser()) {
            run.longest = Math.max(run.longest, now - held.acquiredNanos());
        }
    }

    /** A reader has closed it. */
    static void left(ReaderGrant reader) {
        try {
            if (reader.lock().engine().keepsHistory()) {
                long now = reader.clock().nanos();
                if (reader.isValid(now)) {
                    runFor(reader).addReader(reader, now);
                } else {
                    tellLost(reader, reader.expiry(now)); // its user may be faster than the keeper
                }
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(reader.lock().engine().toString(), e);
        }
    }

    private static HoldRun runFor(ReaderGrant reader) {
        SharedGrant whole = reader.whole();
        HoldRun run = whole.run(reader.thread());
        long waited = reader.waitedNanos() >= LEAST_WAIT_NANOS ? reader.waitedNanos() : 0;
        if (run != null && (waited > 0 || !Objects.equals(run.purpose, reader.options().purpose()))) {
            tellReaders(whole, reader.thread());
            run = null;
        }
        if (run == null) {
            run = new HoldRun(reader, waited);
            whole.keep(reader.thread(), run);
        }
        return run;
    }

    private void addReader(ReaderGrant reader, long now) {
        add(reader, now - reader.acquiredNanos());
        until = now;
    }

    /** Tells of those readers of one thread name that have left. */
    private static void tellReaders(SharedGrant whole, String thread) {
        HoldRun run = whole.run(thread);
        if (run != null) {
            whole.forget(thread);
            run.tell(whole, run.until);
        }
    }

    private static void tellLost(ReaderGrant reader, Reason reason) {
        tellReaders(reader.whole(), reader.thread());
        long now = reader.clock().nanos();
        HoldRun run = new HoldRun(reader, reader.waitedNanos() >= LEAST_WAIT_NANOS ? reader.waitedNanos() : 0);
        run.add(reader, now - reader.acquiredNanos());
        run.tell(reader, now, Ending.of(reason));
    }

    /** Its last user has closed it, and it is about to be given back, or handed over. */
    static void released(Grant held) {
        try {
            if (held.run != null || held.lock().engine().keepsHistory()) {
                long now = held.clock().nanos();
                HoldRun run = of(held);
                held.run = null;
                run.add(held, now - held.acquiredNanos());
                run.tell(held, now, held.isValid(now) ? Ending.RELEASED : Ending.of(held.expiry(now))); // its user may be faster than the keeper
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(held.lock().engine().toString(), e);
        }
    }

    /** It was just taken away from its user. */
    static void lost(Grant held, Reason reason) {
        try {
            if (held instanceof ReaderGrant reader) {
                if (held.lock().engine().keepsHistory()) {
                    tellLost(reader, reason);
                }
                return;
            }
            write(held);
            if (held.lock().engine().keepsHistory()) {
                long now = held.clock().nanos();
                HoldRun run = of(held);
                held.run = null;
                run.add(held, now - held.acquiredNanos());
                run.tell(held, now, Ending.of(reason));
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(held.lock().engine().toString(), e);
        }
    }

    /** Tells of its former users, if there are any. */
    static void write(Grant held) {
        if (held instanceof SharedGrant whole) {
            writeReaders(whole);
            return;
        }
        HoldRun run = held.run;
        if (run == null || run.count == 0) {
            return;
        }
        held.run = null;
        try {
            run.tell(held, held.lingers() ? held.idleSince(held.clock().nanos()) : held.acquiredNanos());
        } catch (RuntimeException | Error e) {
            trouble.warn(held.lock().engine().toString(), e);
        }
    }

    private static void writeReaders(SharedGrant whole) {
        try {
            for (HoldRun run : whole.takeRuns()) {
                run.tell(whole, run.until);
            }
        } catch (RuntimeException | Error e) {
            trouble.warn(whole.lock().engine().toString(), e);
        }
    }

    /** For the keeper: as {@link #write(Grant)}, unless somebody keeps the state lock for long. */
    static void write(LocalLock lock) {
        if (!lock.stateLock().tryLock()) {
            return;
        }
        try {
            Grant held = lock.current();
            if (held != null) {
                write(held);
            }
        } finally {
            lock.stateLock().unlock();
        }
    }

    private void tell(Grant held, long until) {
        tell(held, until, Ending.RELEASED);
    }

    private void tell(Grant held, long until, Ending ending) {
        ProcessIdentity self = ProcessIdentity.current();
        held.lock().engine().note(new PastHold(held.lock().engine().name(), token, self.pid(), self.host(), thread, purpose, held.at(since),
                held.at(until), ending, count, micros(longest), micros(waited), micros(behind),
                HolderProcesses.ofThis()));
    }

    /** As exact as it is written. */
    private static Duration micros(long nanos) {
        return Duration.ofNanos(TimeUnit.MICROSECONDS.toNanos(TimeUnit.NANOSECONDS.toMicros(Math.max(0, nanos))));
    }
}
