package dev.sessionlock.internal.seats;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.StickyDirectory;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ProcessTable;
import dev.sessionlock.internal.system.RunningProgram;
import dev.sessionlock.internal.system.RunningProgram.Container;
import dev.sessionlock.internal.system.RunningProgram.Service;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.ToolCommand;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.WallClock;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jetbrains.annotations.Nullable;

/** Judges what was seen of a lock, and gives the evidence in words for a person. */
public final class Inspector {
    /** Begins the remark on a command that asks a holder to release. */
    private static final String ASKS = "   # asks it to let go";
    /** A foreign lock that states no limit of its own is left alone for this long: as long as one of ours by default. */
    private static final Duration FOREIGN_HOLD = LockOptions.defaults().maxHold();

    private final LockSnapshot seen;
    private final ProcessTable processes;
    private final List<String> evidence = new ArrayList<>();
    /** Whether the process that the record names lives; null if it names none, or one that cannot be judged. */
    private @Nullable Liveness owner;
    /** The lease in its record is over. */
    private boolean ranOut;
    /** Since when it is held, if no record says so. */
    private @Nullable Instant since;

    private Inspector(LockSnapshot seen, ProcessTable processes) {
        this.seen = seen;
        this.processes = processes;
    }

    /** {@return the judgement of what was seen} */
    public static LockReport report(LockSnapshot seen) {
        return report(seen, new ProcessTable());
    }

    /** {@return the judgement of what was seen} If many locks were seen, those of one process share one look at the process. */
    static LockReport report(LockSnapshot seen, ProcessTable processes) {
        return new Inspector(seen, processes).report();
    }

    /**
     * {@return whether a report says that a foreign lock, or another machine's, was left by an owner that is gone} The state does not tell: it is
     * foreign in either case.
     */
    public static boolean ownerIsGone(LockReport report) {
        return report.state() == State.STALE || report.state() == State.FOREIGN && report.facts().process() == ProcessState.DEAD;
    }

    /** {@return the advice of a report, without the remark where a command alone says it all} */
    public static String command(LockReport report) {
        int remark = report.state() == State.HELD ? report.advice().lastIndexOf(ASKS) : -1;
        return remark < 0 ? report.advice() : report.advice().substring(0, remark);
    }

    /**
     * {@return the command that takes a lock as another user, and gives it back} That replaces the file in the way, even if nobody can prove that its
     * owner is dead.
     */
    public static String takeOnce(String user, Path target) {
        String known = user.matches("\\d+") ? "#" + user : user; // a user id without a name
        return "sudo -u " + Printable.shellWord(known) + " " + ToolCommand.words() + " run " + Printable.shellWord(target.toString()) + " -- true";
    }

    /** {@return the command that shows the lock of a file} */
    public static String statusOf(Path target) {
        return ToolCommand.words() + " status " + Printable.shellWord(target.toString());
    }

    /** {@return whether the file is torn, and old enough to be replaced} */
    static boolean isReplaceableNow(LockSnapshot seen) {
        Found torn = seen.record();
        return torn != null && isReplaceable(seen) && Math.max(torn.ageMillis(), torn.watchedMillis()) >= StaleLockPolicy.TORN_MILLIS;
    }

    /** {@return whether the file is torn but known to be a lock, so that it is replaced once it is old enough} */
    private static boolean isReplaceable(LockSnapshot seen) {
        LockContent content = seen.record() == null ? null : seen.record().content();
        return content instanceof LockContent.Torn || content instanceof LockContent.Empty && (seen.targetExists() || seen.wasTaken());
    }

    private LockReport report() {
        LockRecord successor = oursIn(seen.takeover());
        if (successor != null && isHeld(1)) {
            living(successor);
            kernel(1);
            evidence.add(seen.expiries().get(0) != 0 ? "it sits on the second seat: the holder before it is frozen past its lease"
                    : "it sits on the second seat: another process has the first one's kernel lock without holding the lock");
            lease(successor);
            age(successor.createdAt());
            return verdict(State.HELD, owner(successor));
        }
        LockContent content = seen.record() == null ? null : seen.record().content();
        if (content == null) {
            return noRecord();
        } else if (content instanceof LockContent.Ours ours) {
            return ours(ours.record());
        } else if (content instanceof LockContent.Foreign foreign) {
            return foreignRecord(foreign);
        } else if (content instanceof LockContent.Torn torn) {
            return torn("the lock file holds a torn record: " + torn.why());
        } else if (content instanceof LockContent.Empty) {
            return isReplaceable(seen) ? torn("the lock file is empty") : seen.used() ? unexplained() : notALock("an empty file without a target beside it");
        }
        return notALock(((LockContent.NotALock) content).what());
    }

    private LockReport noRecord() {
        int seat = isHeld(1) ? 1 : 0;
        if (!isHeld(seat)) {
            return verdict(State.FREE, null);
        }
        kernel(seat);
        evidence.add("there is no lock file: it was removed by hand, or the holder is just taking or releasing the lock");
        return withoutRecord(seat);
    }

    /**
     * A process has the byte, and no record describes it: the table does. Its expiry is 0 only while the lock is being taken or given back. After
     * that the token that was drawn last is the holder's own, and tells when it was taken.
     */
    private LockReport withoutRecord(int seat) {
        Long pid = kernelOwner(seat);
        owner = pid == null || pid <= 0 ? null : processes.judge(pid, -1, null);
        if (owner != null) {
            evidence.add(owner.inWords());
        }
        long expiry = seen.expiries().get(seat);
        long now = System.currentTimeMillis();
        since = expiry == 0 && seen.wasTaken() ? Instant.ofEpochMilli(now)
                : seen.wasTaken() ? Instant.ofEpochMilli(Math.min(now, TimeUnit.MICROSECONDS.toMillis(seen.lastToken()))) : null;
        ranOut = expiry != 0 && TableEntry.isPast(expiry, seen.now(), seen.comparable());
        if (ranOut) {
            evidence.add("its lease ran out, and others take over: the process " + condition());
        }
        return verdict(ranOut && pid != null ? State.EXPIRED : State.HELD, pid == null ? null : unnamed(pid));
    }

    /** A holder that the kernel shows and no record describes. */
    private LockOwner unnamed(long pid) {
        return new LockOwner(pid, seen.self().host(), null, null, null, null, null, null);
    }

    private LockReport ours(LockRecord record) {
        if (differ(record.boot(), seen.self().boot())) {
            boolean here = record.host() == null || record.host().equals(seen.self().host());
            evidence.add(here
                    ? "the machine has been restarted since (boot " + record.boot() + " then, " + seen.self().boot() + " now): dead"
                    : "it was taken on another machine or boot (" + record.host() + ", boot " + record.boot() + "): unknown");
            age(record.createdAt());
            return verdict(here ? State.STALE : State.FOREIGN, owner(record));
        }
        if (record.isGivenBack()) {
            return givenBack(record);
        }
        Liveness liveness = living(record);
        boolean byteHeld = kernel(0);
        if (liveness.verdict() == Liveness.Verdict.DEAD && !byteHeld) {
            age(record.createdAt());
            return verdict(State.STALE, owner(record));
        }
        boolean expired = lease(record);
        if (!byteHeld && seen.owners() != null && isOfOurNamespace(record)) {
            evidence.add("its record is there but the kernel lock is not: it is just being released, or code of its process closed a guard file");
        }
        age(record.createdAt());
        return verdict(expired && record.takeover() ? State.EXPIRED : State.HELD, owner(record));
    }

    /**
     * A successor has given the lock back while the frozen owner that it took over from is still there. Its file remains, since only the holder of
     * byte 0 deletes it. The process that has this byte is the one to wake.
     */
    private LockReport givenBack(LockRecord record) {
        evidence.add("the last holder (pid " + record.pid() + ") has given it back; its file goes with the next acquisition");
        Long pid = kernel(0) ? kernelOwner(0) : null;
        if (pid == null || pid <= 0) {
            return verdict(State.FREE, null);
        }
        owner = processes.judge(pid, -1, null);
        evidence.add(owner.inWords());
        boolean past = seen.comparable() && seen.expiries().get(0) <= seen.now();
        since = past ? null : Instant.ofEpochMilli(System.currentTimeMillis());
        if (past) {
            evidence.add("its lease ran out, and others take over: the process " + condition());
        }
        return verdict(past ? State.EXPIRED : State.HELD, unnamed(pid));
    }

    private LockReport foreignRecord(LockContent.Foreign foreign) {
        evidence.add("another program's lock (its record is not ours)");
        Liveness liveness = processes.judge(foreign.pid(), foreign.startTicks(), null);
        owner = liveness;
        evidence.add(new Liveness(liveness.verdict(), liveness.evidence() + ", if it shares our pid namespace").inWords());
        if (foreign.createdAt() != null) {
            age(foreign.createdAt().toEpochMilli());
        } else {
            since = Instant.ofEpochMilli(System.currentTimeMillis() - seen.record().ageMillis()); // for a pid file: the file's own age
        }
        return verdict(State.FOREIGN,
                new LockOwner(foreign.pid(), null, null, foreign.createdAt(), null, null, null, null));
    }

    private LockReport torn(String what) {
        evidence.add(what);
        if (seen.owners() != null && isHeld(0)) { // edited while it is held, or just being replaced
            kernel(0);
            return withoutRecord(0);
        }
        long age = seen.record() == null ? 0 : seen.record().ageMillis();
        evidence.add("written " + Durations.inWords(Duration.ofMillis(age)) + " ago; the next acquisition replaces it once it is " + StaleLockPolicy.TORN_MILLIS / 1000 + " s old");
        return verdict(State.TORN, null);
    }

    /** Perhaps a lock that a power cut has emptied, together with the directory's files; perhaps a program that locks its own empty file. */
    private LockReport unexplained() {
        Path target = seen.target().getFileName();
        evidence.add("the lock file is empty, and nothing tells whose it is: no " + target + " lies beside it, none of our record files is linked to it, "
                + "and this lock was never taken here");
        evidence.add("as long as it lies there, nobody can lock " + target);
        return verdict(State.TORN, null);
    }

    private LockReport notALock(String what) {
        evidence.add("in the lock's place lies " + what);
        return verdict(State.NOT_A_LOCK, null);
    }

    // ---- evidence ----

    /** Adds whether the process of a record lives, and what proves it. {@return the judgement} */
    private Liveness living(LockRecord record) {
        Liveness liveness = isOfOurNamespace(record)
                ? judge(record)
                : StaleLockPolicy.ofOtherPids(record, seen.self());
        owner = liveness;
        evidence.add(liveness.inWords());
        return liveness;
    }

    private Liveness judge(LockRecord record) {
        return StaleLockPolicy.hasOurTimes(record, seen.self()) ? processes.judge(record.pid(), record.starttime(), StaleLockPolicy.started(record))
                : StaleLockPolicy.ofAnotherClock(processes.judge(record.pid(), -1, null));
    }

    private boolean isOfOurNamespace(LockRecord record) {
        return StaleLockPolicy.hasOurPids(record, seen.self());
    }

    private void age(long sinceMillis) {
        evidence.add("taken " + Durations.inWords(Duration.ofMillis(System.currentTimeMillis() - sinceMillis)) + " ago");
    }

    private @Nullable Long kernelOwner(int seat) {
        List<List<Long>> owners = seen.owners();
        return owners == null || owners.get(seat).isEmpty() ? null : owners.get(seat).get(0);
    }

    private boolean isHeld(int seat) {
        if (seen.owners() != null) {
            return kernelOwner(seat) != null;
        }
        long expiry = seen.expiries().get(seat);
        return expiry > seen.now();
    }

    private boolean kernel(int seat) {
        Long pid = kernelOwner(seat);
        evidence.add(seen.owners() == null ? "the kernel does not tell who holds its lock (no /proc/locks)"
                : pid == null ? "the kernel lock is free, as far as /proc/locks shows it"
                : "the kernel lock is held by pid " + (pid > 0 ? pid : "of another namespace"));
        return pid != null;
    }

    /** Adds the sentence on the lease. {@return whether it has run out} */
    private boolean lease(LockRecord record) {
        if (!seen.comparable() || differ(record.timens(), seen.self().timeNamespace())) {
            evidence.add("lease of another time namespace: it cannot be compared");
            return false;
        }
        long left = record.leaseUntilNanos() - seen.now();
        String renewed = "lease renewed " + seconds(record.leaseNanos() - left) + " ago";
        if (left <= 0 || left > TableEntry.LONGEST_NANOS) { // further away than any lease: of another boot, or somebody wrote it there
            evidence.add("lease ran out " + seconds(-left) + " ago: the process " + condition() + kept(record));
            ranOut = true;
            return true;
        }
        evidence.add(renewed + (record.takeover() ? "; if the process freezes it runs out in " + seconds(left) : kept(record)) + ending(record));
        return false;
    }

    /** Frozen, or merely too busy to renew: each needs another remedy. */
    private String condition() {
        char state = owner == null ? 0 : owner.state();
        return switch (state) {
            case 'T' -> "is stopped";
            case 't' -> "is held by a debugger";
            case 'D' -> "waits for a disk";
            case 'R' -> "runs and does not renew, so it is starved (of CPU, or by its garbage collection)";
            case 'S', 'I' -> "is not stopped and does not renew: starved, hung, or paused with its container";
            default -> "is frozen or starved";
        };
    }

    private static String kept(LockRecord record) {
        return record.takeover() ? "" : "; it excludes takeover while its process lives";
    }

    private static String ending(LockRecord record) {
        return record.maxHoldMs() < 0 || record.maxHoldMs() > Long.MAX_VALUE - Math.max(0, record.createdAt()) ? "; it may be held without limit"
                : "; it ends at the latest at " + WallClock.time(Instant.ofEpochMilli(record.createdAt() + record.maxHoldMs())) + " (maxHold)";
    }

    private static String seconds(long nanos) {
        return Math.max(0, TimeUnit.NANOSECONDS.toSeconds(nanos)) + " s";
    }

    private static boolean differ(@Nullable String one, @Nullable String other) {
        return one != null && other != null && !one.equals(other);
    }

    // ---- the judgement ----

    private LockReport verdict(State state, @Nullable LockOwner holder) {
        Path lockFile = lockFile();
        boolean isToBeReplaced = state == State.STALE || state == State.FOREIGN && isDead() || state == State.TORN && isReplaceableNow(seen)
                || state == State.EXPIRED && !isAlive() && seen.record() != null;
        StickyDirectory kept = isToBeReplaced ? StickyDirectory.keeping(lockFile) : null;
        String advice = kept == null ? advice(state, holder)
                : takeOnce(kept.fileOwner(), seen.target()) + "   # " + kept.inWords();
        Instant from = holder != null && holder.since() != null ? holder.since() : since;
        Facts facts = new Facts(process(state), kept != null || needsPerson(state, holder, from), from);
        return new LockReport(seen.target().getFileName().toString(), lockFile, state, holder, evidence, advice, facts);
    }

    private ProcessState process(State state) {
        if (state == State.STALE) {
            return ProcessState.DEAD;
        }
        return owner == null ? ProcessState.UNKNOWN : owner.processState();
    }

    /** {@return whether the lock does not recover without a person} */
    private boolean needsPerson(State state, @Nullable LockOwner holder, @Nullable Instant from) {
        return switch (state) {
            case FREE, STALE -> false;
            case HELD -> holder != null && (isStopped() || ranOut) && isKeptFrozen(holder);
            case EXPIRED -> holder != null;
            case FOREIGN -> isOfAnotherProgram() && (isStopped() || !isDead() && isLong(from));
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

    private boolean isOfAnotherProgram() {
        return seen.record() != null && seen.record().content() instanceof LockContent.Foreign;
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

    // ---- advice: a line that a shell takes as it is, or that begins with "nothing", "wait" or "look" ----

    private Path lockFile() {
        return seen.target().resolveSibling(seen.target().getFileName() + ".lock");
    }

    private String clear(String token) {
        return ToolCommand.words() + " clear" + token + " --yes " + Printable.shellWord(seen.target().toString());
    }

    private String advice(State state, @Nullable LockOwner holder) {
        return switch (state) {
            case FREE -> "";
            case HELD -> holder == null ? "wait: its holder will write its lock file or be gone"
                    : holder.token() == null ? unrecorded(holder.pid()) : held(holder);
            case EXPIRED -> holder == null ? "" : expired(holder.pid());
            case STALE -> clear("") + "   # or nothing: the next acquisition replaces it";
            case FOREIGN -> isOfAnotherProgram() && holder != null ? foreign(holder.pid(), holder.since() == null ? since : holder.since())
                    : "nothing: the next acquisition replaces it; on a network file system only if it is not renewed for its whole lease";
            case TORN -> isReplaceable(seen) ? "nothing: the next acquisition replaces it once it is old enough"
                    : "look whether a program needs it; if none does: rm " + Printable.shellWord(lockFile().toString());
            case NOT_A_LOCK -> notALock();
        };
    }

    private String notALock() {
        String move = "mv " + Printable.shellWord(lockFile().toString()) + " " + Printable.shellWord(lockFile() + ".moved");
        Path name = seen.target().getFileName();
        return seen.wasTaken() ? move + "   # as long as it lies there, nobody can lock " + name + ", which was locked before"
                : "nothing, unless " + name + " is to be locked: then " + move;
    }

    private String unrecorded(long pid) {
        if (isStopped()) {
            return "kill -CONT " + pid + "   # it is stopped; woken, it sees that its lock file was removed, and lets go";
        }
        return "wait: its holder will write its lock file, or see that it was removed and let go" + (isAlive() ? "; if it stays: " + end(pid, "has it") : "");
    }

    private String held(LockOwner holder) {
        String letGo = clear(" --token " + holder.token());
        if (isStopped()) {
            return "kill -CONT " + holder.pid() + "   # it is stopped; woken, it may be asked to let go: " + letGo;
        }
        boolean withoutByte = seen.owners() != null && kernelOwner(0) == null && kernelOwner(1) == null && holder.leaseUntil() != null;
        return letGo + ASKS + (withoutByte ? ", if it lives; else the next acquisition replaces its record once its lease is over ("
                + WallClock.time(holder.leaseUntil()) + ")" : isAlive() ? "; what it is busy with: jstack " + holder.pid() : "");
    }

    private String expired(long pid) {
        if (!isAlive()) {
            return "look where " + (pid > 0 ? "pid " + pid : "its process") + " can be seen (in its container, or on the host) whether it is "
                    + "stopped, and wake it there; others take over meanwhile";
        } else if (isStopped()) {
            return "kill -CONT " + pid + "   # it is stopped; others take over meanwhile";
        }
        return "jstack " + pid + "   # not stopped, yet it does not renew: what keeps it? (paused with its container: docker unpause; "
                + "else kill -CONT " + pid + "); others take over meanwhile";
    }

    private String foreign(long pid, @Nullable Instant from) {
        if (isDead()) {
            return clear("") + "   # or nothing: the next acquisition replaces it";
        } else if (isStopped()) {
            return "kill -CONT " + pid + "   # the program that made it is stopped";
        } else if (!isAlive()) {
            return "look where /proc shows its process, mostly on the host: ps -p " + pid + "; if that is not the program that made it: rm "
                    + Printable.shellWord(lockFile().toString());
        }
        String end = end(pid, "made it");
        return isLong(from) ? end : "wait: another program has it, which cannot be asked to let go; if it stays: " + end;
    }

    /** How to end a process that cannot be asked, what that costs, and that nothing remains to be done. */
    private static String end(long pid, String did) {
        RunningProgram program = RunningProgram.of(pid);
        String costs = program.inWords() + " " + did + "; what it has not written yet is lost; then nothing: the next acquisition gets in";
        if (program.supervisor() instanceof Service service) {
            return "systemctl " + (service.ofUser() == null ? "" : "--user --machine=" + service.ofUser() + "@ ") + "restart "
                    + Printable.shellWord(service.unit()) + "   # " + costs;
        } else if (program.supervisor() instanceof Container container) {
            return container.engine() + " restart " + container.id() + "   # " + costs;
        }
        return "kill " + pid + "   # " + costs + ". If it does not end: kill -9 " + pid + ". Then start it again";
    }

    private static LockOwner owner(LockRecord record) {
        return new LockOwner(record.pid(), record.host(), StaleLockPolicy.started(record), Instant.ofEpochMilli(record.createdAt()),
                record.thread(), record.purpose(), record.token(),
                record.takeover() ? Instant.ofEpochMilli(record.leaseUntil()) : null);
    }

    private static @Nullable LockRecord oursIn(@Nullable Found found) {
        return found != null && found.content() instanceof LockContent.Ours ours ? ours.record() : null;
    }
}
