package dev.sessionlock.internal.seats;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.StickyDirectory;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.seats.InspectionResult.Finding;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessTable;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Judges what was seen of a lock. It finds facts, and {@link InspectionSentences} puts them into words. */
public final class Inspector {
    /** A foreign lock that states no limit of its own is left alone for this long: as long as one of ours by default. */
    private static final Duration FOREIGN_HOLD = LockOptions.defaults().maxHold();

    private final LockSnapshot seen;
    private final ProcessTable processes;
    private final Function<Path, @Nullable StickyDirectory> keeping;
    private final List<Finding> findings = new ArrayList<>();
    /** Whether the process that the record names lives; null if it names none, or one that cannot be judged. */
    private @Nullable Liveness owner;
    /** The record of ours that is judged; null if none is. */
    private @Nullable LockRecord record;
    /** The seat whose kernel lock was looked at. */
    private int seat;
    private @Nullable Lease lease;
    /** The lease in its record is over. */
    private boolean ranOut;
    /** When it was taken, if its record says so. */
    private @Nullable Instant takenAt;
    /** Since when it is held, if no record says so. */
    private @Nullable Instant since;

    private Inspector(LockSnapshot seen, ProcessTable processes, Function<Path, @Nullable StickyDirectory> keeping) {
        this.seen = seen;
        this.processes = processes;
        this.keeping = keeping;
    }

    /** {@return the judgement of what was seen} */
    public static LockReport report(LockSnapshot seen) {
        return report(seen, new ProcessTable());
    }

    /** {@return the judgement of what was seen} If many locks were seen, those of one process share one look at the process. */
    static LockReport report(LockSnapshot seen, ProcessTable processes) {
        return report(seen, processes, StickyDirectory::keeping);
    }

    /**
     * {@return the judgement of what was seen}
     *
     * @param keeping tells what keeps this process from removing a file; null if nothing does
     */
    static LockReport report(LockSnapshot seen, ProcessTable processes, Function<Path, @Nullable StickyDirectory> keeping) {
        return InspectionSentences.report(new Inspector(seen, processes, keeping).judge());
    }

    /** {@return whether the file is torn, and old enough to be replaced} */
    static boolean isReplaceableNow(LockSnapshot seen) {
        Found torn = seen.record();
        return torn != null && isReplaceable(seen) && Math.max(torn.ageMillis(), torn.watchedMillis()) >= StaleLockPolicy.TORN_MILLIS;
    }

    /** {@return whether the file is torn but known to be a lock, so that it is replaced once it is old enough} */
    static boolean isReplaceable(LockSnapshot seen) {
        LockContent content = seen.record() == null ? null : seen.record().content();
        return content instanceof LockContent.Torn || content instanceof LockContent.Empty && (seen.targetExists() || seen.wasTaken());
    }

    static boolean isOfAnotherProgram(LockSnapshot seen) {
        return seen.record() != null && seen.record().content() instanceof LockContent.Foreign;
    }

    static Path lockFile(LockSnapshot seen) {
        return seen.target().resolveSibling(seen.target().getFileName() + ".lock");
    }

    private InspectionResult judge() {
        LockRecord successor = oursIn(seen.takeover());
        if (successor != null && isHeld(1)) {
            living(successor);
            kernelLock(1);
            findings.add(seen.expiries().get(0) != 0 ? Finding.SUCCESSOR_OF_A_FROZEN_HOLDER : Finding.SUCCESSOR_BESIDE_A_HELD_BYTE);
            lease(successor);
            age(Instant.ofEpochMilli(successor.createdAt()));
            return verdict(State.HELD, owner(successor));
        }
        LockContent content = seen.record() == null ? null : seen.record().content();
        if (content == null) {
            return noRecord();
        } else if (content instanceof LockContent.Ours ours) {
            return ours(ours.record());
        } else if (content instanceof LockContent.Foreign foreign) {
            return foreignRecord(foreign);
        } else if (content instanceof LockContent.Torn) {
            return torn(Finding.TORN_RECORD);
        } else if (content instanceof LockContent.Empty) {
            return isReplaceable(seen) ? torn(Finding.EMPTY_FILE) : seen.used() ? unexplained() : notALock();
        }
        return notALock();
    }

    private InspectionResult noRecord() {
        int held = isHeld(1) ? 1 : 0;
        if (!isHeld(held)) {
            return verdict(State.FREE, null);
        }
        kernelLock(held);
        findings.add(Finding.NO_LOCK_FILE);
        return withoutRecord(held);
    }

    /**
     * A process has the byte, and no record describes it: the table does. Its expiry is 0 only while the lock is being taken or given back. After
     * that the token that was drawn last is the holder's own, and tells when it was taken.
     */
    private InspectionResult withoutRecord(int held) {
        Long pid = kernelOwner(held);
        owner = pid == null || pid <= 0 ? null : processes.judge(pid, -1, null);
        if (owner != null) {
            findings.add(Finding.PROCESS);
        }
        long expiry = seen.expiries().get(held);
        long now = System.currentTimeMillis();
        since = expiry == 0 && seen.wasTaken() ? Instant.ofEpochMilli(now)
                : seen.wasTaken() ? Instant.ofEpochMilli(Math.min(now, TimeUnit.MICROSECONDS.toMillis(seen.lastToken()))) : null;
        ranOut = expiry != 0 && TableEntry.isPast(expiry, seen.now(), seen.comparable());
        if (ranOut) {
            findings.add(Finding.PASSED_OVER);
        }
        return verdict(ranOut && pid != null ? State.EXPIRED : State.HELD, pid == null ? null : unnamed(pid));
    }

    /** A holder that the kernel shows and no record describes. */
    private LockOwner unnamed(long pid) {
        return new LockOwner(pid, seen.self().host(), null, null, null, null, null, null);
    }

    private InspectionResult ours(LockRecord judged) {
        record = judged;
        Instant createdAt = Instant.ofEpochMilli(judged.createdAt());
        if (differ(judged.boot(), seen.self().boot())) {
            boolean here = judged.host() == null || judged.host().equals(seen.self().host());
            findings.add(here ? Finding.MACHINE_RESTARTED : Finding.ANOTHER_MACHINE);
            age(createdAt);
            return verdict(here ? State.STALE : State.FOREIGN, owner(judged));
        }
        if (judged.isGivenBack()) {
            return givenBack();
        }
        Liveness liveness = living(judged);
        boolean byteHeld = kernelLock(0);
        if (liveness.verdict() == Liveness.Verdict.DEAD && !byteHeld) {
            age(createdAt);
            return verdict(State.STALE, owner(judged));
        }
        boolean expired = lease(judged);
        if (!byteHeld && seen.owners() != null && isOfOurNamespace(judged)) {
            findings.add(Finding.RECORD_WITHOUT_BYTE);
        }
        age(createdAt);
        return verdict(expired && judged.takeover() ? State.EXPIRED : State.HELD, owner(judged));
    }

    /**
     * A successor has given the lock back while the frozen owner that it took over from is still there. Its file remains, since only the holder of
     * byte 0 deletes it. The process that has this byte is the one to wake.
     */
    private InspectionResult givenBack() {
        findings.add(Finding.GIVEN_BACK);
        Long pid = kernelLock(0) ? kernelOwner(0) : null;
        if (pid == null) {
            return verdict(State.FREE, null);
        }
        if (pid > 0) { // else it is in a pid namespace that cannot be seen from here
            owner = processes.judge(pid, -1, null);
            findings.add(Finding.PROCESS);
        }
        boolean past = seen.comparable() && seen.expiries().get(0) <= seen.now();
        since = past ? null : Instant.ofEpochMilli(System.currentTimeMillis());
        if (past) {
            findings.add(Finding.PASSED_OVER);
        }
        return verdict(past ? State.EXPIRED : State.HELD, unnamed(pid));
    }

    private InspectionResult foreignRecord(LockContent.Foreign foreign) {
        findings.add(Finding.ANOTHER_PROGRAM);
        owner = processes.judge(foreign.pid(), foreign.startTicks(), null);
        findings.add(Finding.FOREIGN_PROCESS);
        if (foreign.createdAt() != null) {
            age(foreign.createdAt());
        } else {
            since = Instant.ofEpochMilli(System.currentTimeMillis() - seen.record().ageMillis()); // for a pid file: the file's own age
        }
        return verdict(State.FOREIGN,
                new LockOwner(foreign.pid(), null, null, foreign.createdAt(), null, null, null, null));
    }

    private InspectionResult torn(Finding what) {
        findings.add(what);
        if (seen.owners() != null && isHeld(0)) { // edited while it is held, or just being replaced
            kernelLock(0);
            return withoutRecord(0);
        }
        findings.add(Finding.WRITTEN);
        return verdict(State.TORN, null);
    }

    /** Perhaps a lock that a power cut has emptied, together with the directory's files; perhaps a program that locks its own empty file. */
    private InspectionResult unexplained() {
        findings.add(Finding.UNEXPLAINED);
        findings.add(Finding.IN_THE_WAY);
        return verdict(State.TORN, null);
    }

    private InspectionResult notALock() {
        findings.add(Finding.NOT_A_LOCK);
        return verdict(State.NOT_A_LOCK, null);
    }

    // ---- evidence ----

    /** Finds out whether the process of a record lives, and what proves it. Returns the judgement. */
    private Liveness living(LockRecord judged) {
        Liveness liveness = isOfOurNamespace(judged)
                ? ofOurNamespace(judged)
                : StaleLockPolicy.ofOtherPids(judged, seen.self());
        owner = liveness;
        findings.add(Finding.PROCESS);
        return liveness;
    }

    private Liveness ofOurNamespace(LockRecord judged) {
        return StaleLockPolicy.hasOurTimes(judged, seen.self()) ? processes.judge(judged.pid(), judged.starttime(), StaleLockPolicy.started(judged))
                : StaleLockPolicy.ofAnotherClock(processes.judge(judged.pid(), -1, null));
    }

    private boolean isOfOurNamespace(LockRecord judged) {
        return StaleLockPolicy.hasOurPids(judged, seen.self());
    }

    private void age(Instant createdAt) {
        takenAt = createdAt;
        findings.add(Finding.AGE);
    }

    private @Nullable Long kernelOwner(int of) {
        List<List<Long>> owners = seen.owners();
        return owners == null || owners.get(of).isEmpty() ? null : owners.get(of).get(0);
    }

    private boolean isHeld(int of) {
        if (seen.owners() != null) {
            return kernelOwner(of) != null;
        }
        long expiry = seen.expiries().get(of);
        return expiry > seen.now();
    }

    /** {@return whether the kernel shows a holder of that seat's byte} */
    private boolean kernelLock(int of) {
        seat = of;
        findings.add(Finding.KERNEL_LOCK);
        return kernelOwner(of) != null;
    }

    /** {@return whether the lease has run out} */
    private boolean lease(LockRecord judged) {
        if (!seen.comparable() || differ(judged.timens(), seen.self().timeNamespace())) {
            findings.add(Finding.LEASE_OF_ANOTHER_CLOCK);
            return false;
        }
        long left = judged.leaseUntilNanos() - seen.now();
        long ago = judged.leaseNanos() - left;
        if (left > TableEntry.LONGEST_NANOS) { // further away than any lease: of another boot, or somebody wrote it there
            left = 0;
        }
        lease = new Lease(Duration.ofNanos(ago), Duration.ofNanos(left), judged.takeover(), endOf(judged));
        findings.add(Finding.LEASE);
        ranOut = lease.isOver();
        return ranOut;
    }

    /** {@return when a hold ends at the latest; null if it may last without limit} */
    private static @Nullable Instant endOf(LockRecord judged) {
        return judged.maxHoldMs() < 0 || judged.maxHoldMs() > Long.MAX_VALUE - Math.max(0, judged.createdAt()) ? null
                : Instant.ofEpochMilli(judged.createdAt() + judged.maxHoldMs());
    }

    private static boolean differ(@Nullable String one, @Nullable String other) {
        return one != null && other != null && !one.equals(other);
    }

    // ---- the judgement ----

    private InspectionResult verdict(State state, @Nullable LockOwner holder) {
        boolean isToBeReplaced = state == State.STALE || state == State.FOREIGN && isDead() || state == State.TORN && isReplaceableNow(seen)
                || state == State.EXPIRED && !isAlive() && seen.record() != null;
        StickyDirectory kept = isToBeReplaced ? keeping.apply(lockFile(seen)) : null;
        Instant from = holder != null && holder.since() != null ? holder.since() : since;
        boolean isTooLong = state == State.FOREIGN && isOfAnotherProgram(seen) && isLong(from);
        boolean isByteFree = seen.owners() != null && kernelOwner(0) == null && kernelOwner(1) == null;
        return new InspectionResult(seen, state, holder, facts(state, from, kept != null || needsPerson(state, holder, isTooLong)), findings, owner, record,
                takenAt, isTooLong, isByteFree, kept);
    }

    private Facts facts(State state, @Nullable Instant from, boolean needsPerson) {
        Long pid = kernelOwner(seat);
        KernelLockState kernelLock = seen.owners() == null ? KernelLockState.UNKNOWN : pid == null ? KernelLockState.FREE : KernelLockState.HELD;
        return new Facts(process(state), needsPerson, from, from == null ? null : Instant.now(), owner == null ? null : owner.evidence(), kernelLock,
                pid != null && pid > 0 ? pid : null, lease, null).withReaders(seen.readers().stream().map(Inspector::owner).toList());
    }

    private ProcessState process(State state) {
        if (state == State.STALE) {
            return ProcessState.DEAD;
        }
        return owner == null ? ProcessState.UNKNOWN : owner.processState();
    }

    /** {@return whether the lock does not recover without a person} */
    private boolean needsPerson(State state, @Nullable LockOwner holder, boolean isTooLong) {
        return switch (state) {
            case FREE, STALE -> false;
            case HELD -> holder != null && (isStopped() || ranOut) && isKeptFrozen(holder);
            case EXPIRED -> holder != null;
            case FOREIGN -> isOfAnotherProgram(seen) && (isStopped() || !isDead() && isTooLong);
            case TORN -> !isReplaceable(seen);
            case NOT_A_LOCK -> seen.wasTaken();
        };
    }

    /** {@return whether nobody takes over from a holder, however long it is frozen} */
    private boolean isKeptFrozen(LockOwner holder) {
        if (holder.token() != null) {
            return holder.leaseUntil() == null;
        }
        long expiry = seen.expiries().get(kernelOwner(1) != null ? 1 : 0);
        return expiry == 0 || TableEntry.isNever(expiry);
    }

    /**
     * Nobody takes over a foreign lock, and its holder cannot be asked to release. It is stuck once it is older than it says itself, or than ours may
     * get by default.
     */
    private boolean isLong(@Nullable Instant from) {
        LockContent.Foreign foreign = (LockContent.Foreign) seen.record().content();
        Duration most = foreign.maxHoldMs() < 0 ? FOREIGN_HOLD : Duration.ofMillis(foreign.maxHoldMs());
        return from != null && Duration.between(from, Instant.now()).compareTo(most) > 0;
    }

    private boolean isStopped() {
        return owner != null && owner.isStopped();
    }

    private boolean isDead() {
        return owner != null && owner.verdict() == Liveness.Verdict.DEAD;
    }

    private boolean isAlive() {
        return owner != null && owner.verdict() == Liveness.Verdict.ALIVE;
    }

    private static LockOwner owner(LockRecord judged) {
        return new LockOwner(judged.pid(), judged.host(), StaleLockPolicy.started(judged), Instant.ofEpochMilli(judged.createdAt()),
                judged.thread(), judged.purpose(), judged.token(),
                judged.takeover() ? Instant.ofEpochMilli(judged.leaseUntil()) : null);
    }

    private static @Nullable LockRecord oursIn(@Nullable Found found) {
        return found != null && found.content() instanceof LockContent.Ours ours ? ours.record() : null;
    }
}
