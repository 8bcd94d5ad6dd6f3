package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Terms;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What to do about a record that is in the way of a process that has byte 0 and has looked (PROTOCOL.md, section 4). According to bytes and table, no
 * process of ours holds the lock; the record is the second witness. "Gone" needs evidence.
 */
final class StaleLockPolicy {
    /** Another program may be between creating its lock file and writing it. */
    static final long TORN_MILLIS = 30_000;
    /** An empty file younger than this may be the lock of a program that creates its session only once it has the lock. */
    private static final long YOUNG_MILLIS = 5_000;

    /** What to do. */
    sealed interface Judgement permits Replace, WaitFor, Refuse {
    }

    /** Its owner is gone: delete it and go on. The evidence is one clause in words. */
    record Replace(String evidence, long token) implements Judgement {
    }

    /** It may be alive: withdraw, and try again after so many nanoseconds. */
    record WaitFor(String why, long nanos) implements Judgement {
    }

    /** It is not ours to touch. */
    record Refuse(String what) implements Judgement {
    }

    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final long LOOK_AGAIN_SOON_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final LockStore store;

    StaleLockPolicy(LockStore store) {
        this.store = store;
    }

    Judgement judge(LockStore.Found found, Terms terms) {
        LockContent content = found.content();
        if (content instanceof LockContent.Ours ours) {
            return ours(found, ours.record());
        } else if (content instanceof LockContent.Foreign foreign) {
            return foreign(foreign, terms);
        } else if (content instanceof LockContent.Torn torn) {
            return torn(found, "a torn lock record (" + torn.why() + ")");
        } else if (content instanceof LockContent.Empty) {
            return store.targetExists() || store.wasTaken() ? torn(found, "an empty lock file") : emptyAlone(found);
        }
        return new Refuse(((LockContent.NotALock) content).what());
    }

    /**
     * As {@link #judge}, for a caller that does not want the lock: only what is proven dead is replaced. If the lease of our record is over but its
     * process may live, it is left to a process that waits for the lock.
     */
    Judgement judgeDead(LockStore.Found found, boolean takeForeign) {
        if (found.content() instanceof LockContent.Ours ours) {
            LockRecord record = ours.record();
            if (otherBoot(record)) {
                return store.shared() ? new Replace("the machine has been restarted since", record.token())
                        : new WaitFor("another machine's record, " + record.host() + ": whether it lives cannot be seen from here", 0);
            }
            Liveness liveness = liveness(record);
            return liveness.verdict() == Liveness.Verdict.DEAD ? new Replace(liveness.evidence(), record.token())
                    : new WaitFor(liveness.inWords(), 0);
        }
        return judge(found, new Terms(0, true, 0, null, null, takeForeign));
    }

    private Judgement ours(LockStore.Found found, LockRecord record) {
        ProcessIdentity self = store.self();
        boolean otherBoot = record.boot() != null && self.boot() != null && !record.boot().equals(self.boot());
        if (otherBoot) {
            return otherBoot(found, record);
        }
        Liveness liveness = liveness(record);
        if (liveness.verdict() == Liveness.Verdict.DEAD) {
            return new Replace(liveness.evidence(), record.token());
        }
        long left = leaseLeft(found, record);
        boolean provablyAlive = liveness.verdict() == Liveness.Verdict.ALIVE;
        if (provablyAlive && !record.takeover()) {
            return new WaitFor(disagree(liveness) + ", and it excludes takeover", lookAgain(found));
        }
        return left <= 0
                ? new Replace("its lease had run out; " + liveness.evidence(), record.token())
                : new WaitFor(disagree(liveness) + ", and its lease runs", Math.min(left, lookAgain(found)));
    }

    /** Soon at first: the kernel frees the bytes of a killed process a moment before the process looks dead. */
    private static long lookAgain(LockStore.Found found) {
        long watched = TimeUnit.MILLISECONDS.toNanos(found.watchedMillis());
        return Math.max(LOOK_AGAIN_SOON_NANOS, Math.min(LOOK_AGAIN_NANOS, watched / 4));
    }

    private static String disagree(Liveness liveness) {
        return "a record without a kernel lock (its bytes were lost, or its holder is in another pid namespace): " + liveness.evidence();
    }

    /** On a local disk another boot id means a reboot; on a network file system it may be another machine, alive. */
    private Judgement otherBoot(LockStore.Found found, LockRecord record) {
        if (store.shared()) {
            return new Replace("the machine has been restarted since", record.token());
        }
        long left = watchedLeft(found, record);
        return left <= 0
                ? new Replace("its record on " + record.host() + " was not renewed for its whole lease", record.token())
                : new WaitFor("another machine's record, " + record.host() + ", whose lease may run", Math.min(left, LOOK_AGAIN_NANOS * 5));
    }

    /** {@return whether the process of a record of this boot lives; unknown if its pid is not known to be of our namespace} */
    private Liveness liveness(LockRecord record) {
        if (!hasOurPids(record, store.self())) {
            return ofOtherPids(record, store.self());
        }
        return hasOurTimes(record, store.self()) ? store.judge(record.pid(), record.starttime(), started(record))
                : ofAnotherClock(store.judge(record.pid(), -1, null));
    }

    /**
     * {@return whether a record's pid means the same process here} It does only in the same namespace. An unknown namespace is not equal: the process
     * had no {@code /proc}, as in a container, or we have none. Both are unknown only where there are no namespaces.
     */
    static boolean hasOurPids(LockRecord record, ProcessIdentity self) {
        return Objects.equals(self.pidNamespace(), record.pidns());
    }

    /** {@return that a record's process cannot be judged, and why} */
    static Liveness ofOtherPids(LockRecord record, ProcessIdentity self) {
        String why = self.pidNamespace() == null ? "cannot be seen, since our own pid namespace is not known (no /proc)"
                : record.pidns() == null ? "is of an unknown pid namespace (its process has no /proc), so it cannot be seen"
                : "is of another pid namespace, so it cannot be seen";
        return new Liveness(Liveness.Verdict.UNKNOWN, "pid " + record.pid() + " " + why);
    }

    /** {@return whether start times can be compared} /proc shows them by the clock of the reader's time namespace. */
    static boolean hasOurTimes(LockRecord record, ProcessIdentity self) {
        return Objects.equals(self.timeNamespace(), record.timens());
    }

    /** A process of that pid lives. Whether it is the holder, nobody can tell: only its absence is evidence. */
    static Liveness ofAnotherClock(Liveness liveness) {
        return liveness.verdict() != Liveness.Verdict.ALIVE ? liveness
                : new Liveness(Liveness.Verdict.UNKNOWN, liveness.evidence() + "; the holder is of another time namespace, whose times do not compare");
    }

    static @Nullable Instant started(LockRecord record) {
        return record.started() < 0 ? null : Instant.ofEpochMilli(record.started());
    }

    /** {@return for how many nanoseconds the lease of a record of this boot still counts, grace included; 0 or less if it is over} */
    private long leaseLeft(LockStore.Found found, LockRecord record) {
        String mine = store.self().timeNamespace();
        boolean sameClock = mine == null ? record.timens() == null : mine.equals(record.timens());
        if (!sameClock) {
            return watchedLeft(found, record);
        }
        long left = record.leaseUntilNanos() - store.clock().nanos() + grace(record);
        return left > TableEntry.LONGEST_NANOS ? 0 : left; // further away than any lease: not of this boot
    }

    private static long watchedLeft(LockStore.Found found, LockRecord record) {
        return record.leaseNanos() + grace(record) - TimeUnit.MILLISECONDS.toNanos(found.watchedMillis());
    }

    private static long grace(LockRecord record) {
        return Terms.grace(record.leaseNanos());
    }

    private Judgement foreign(LockContent.Foreign foreign, Terms terms) {
        Liveness liveness = store.judge(foreign.pid(), foreign.startTicks(), null);
        if (liveness.verdict() == Liveness.Verdict.DEAD && terms.takeForeign()) {
            return new Replace("another program's lock, if it shares our pid namespace: " + liveness.evidence(), 0);
        }
        return new WaitFor("another program's lock: " + liveness.evidence(), LOOK_AGAIN_NANOS);
    }

    private static Judgement torn(LockStore.Found found, String what) {
        long old = Math.max(found.ageMillis(), found.watchedMillis());
        return old >= TORN_MILLIS
                ? new Replace(what + ", " + old / 1000 + " s old", 0)
                : new WaitFor(what + ", perhaps still being written", LOOK_AGAIN_NANOS);
    }

    private Judgement emptyAlone(LockStore.Found found) {
        return Math.max(found.ageMillis(), found.watchedMillis()) < YOUNG_MILLIS
                ? new WaitFor("a new and empty file, perhaps a lock that is being written", LOOK_AGAIN_NANOS)
                : new Refuse("an empty file, and no " + store.name() + " beside it (another program's, or a lock that a power cut has emptied)");
    }

    /**
     * {@return why a record speaks against a takeover, though its owner's byte is held and its expiry past; null if it does not} Somebody may have
     * replaced the table by hand, and then its expiries say nothing.
     */
    @Nullable String objection(LockStore.@Nullable Found found) {
        if (found == null) {
            return null;
        }
        if (found.content() instanceof LockContent.Foreign foreign) {
            Liveness liveness = store.judge(foreign.pid(), foreign.startTicks(), null);
            return liveness.verdict() == Liveness.Verdict.DEAD ? null : "another program's lock: " + liveness.evidence();
        }
        if (!(found.content() instanceof LockContent.Ours ours) || otherBoot(ours.record())) {
            return null;
        }
        Liveness liveness = liveness(ours.record());
        if (liveness.verdict() == Liveness.Verdict.DEAD) {
            return null;
        }
        boolean kept = liveness.verdict() == Liveness.Verdict.ALIVE && !ours.record().takeover();
        return kept || leaseLeft(found, ours.record()) > 0 ? "its record says that its lease runs" : null;
    }

    /** {@return whether the owner of a record asked not to be taken over, which counts while its byte is held} */
    boolean asksToBeWaitedFor(LockStore.Found found) {
        return found.content() instanceof LockContent.Ours ours && !ours.record().takeover() && !otherBoot(ours.record());
    }

    /** {@return in words why an owner without an objection is taken over, though its byte was held: it may have died since} */
    String whyTakenOver(LockStore.@Nullable Found found) {
        if (found != null && found.content() instanceof LockContent.Ours ours && !otherBoot(ours.record())) {
            Liveness liveness = liveness(ours.record());
            if (liveness.verdict() == Liveness.Verdict.DEAD) {
                return liveness.evidence();
            }
        }
        return "its holder is frozen past its lease";
    }

    /** {@return whether a record says that it was given back, and its process lives} */
    boolean isGivenBackByTheLiving(LockStore.Found found) {
        return found.content() instanceof LockContent.Ours ours && ours.record().isGivenBack() && !otherBoot(ours.record())
                && liveness(ours.record()).verdict() == Liveness.Verdict.ALIVE;
    }

    /** {@return whether the process of a record is gone; false if it lives, or if nobody can tell} */
    boolean hasDied(LockStore.Found found) {
        if (found.content() instanceof LockContent.Ours ours) {
            return otherBoot(ours.record()) || liveness(ours.record()).verdict() == Liveness.Verdict.DEAD;
        }
        return found.content() instanceof LockContent.Foreign foreign
                && store.judge(foreign.pid(), foreign.startTicks(), null).verdict() == Liveness.Verdict.DEAD;
    }

    private boolean otherBoot(LockRecord record) {
        return record.boot() != null && store.self().boot() != null && !record.boot().equals(store.self().boot());
    }
}
