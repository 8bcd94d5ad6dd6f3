package dev.sessionlock.internal.seats;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.Glance;
import dev.sessionlock.internal.directory.Line;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockPlace.Found;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.Span;
import dev.sessionlock.internal.system.Vitality;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jetbrains.annotations.Nullable;

/** Turns what was seen of a lock into a verdict with its evidence, in words for a person. */
public final class Inspector {
    /** What the tool is called in advice. */
    private static final String TOOL = "java -jar sessionlock.jar";
    /** Begins the remark on the command that asks a holder to let go. */
    private static final String ASKS = "   # asks it to let go";
    /** Begins the fact that a lease is over. */
    private static final String RAN_OUT = "lease ran out ";
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault());

    private final Glance seen;
    private final List<String> evidence = new ArrayList<>();
    /** Of the process that the record names; null if it names none, or one that cannot be judged. */
    private @Nullable Vitality owner;

    private Inspector(Glance seen) {
        this.seen = seen;
    }

    /** {@return the verdict on what was seen} */
    public static LockReport report(Glance seen) {
        return new Inspector(seen).report();
    }

    /**
     * {@return whether a report says that another program's lock, or another machine's, was left by one that is gone} Its state does
     * not: it is foreign whatever its health.
     */
    public static boolean ownerIsGone(LockReport report) {
        return report.state() == State.STALE || report.state() == State.FOREIGN && report.evidence().stream().anyMatch(Inspector::saysDead);
    }

    /** {@return the advice of a report, without the remark where a command alone says it all} */
    public static String command(LockReport report) {
        int remark = report.state() == State.HELD ? report.advice().lastIndexOf(ASKS) : -1;
        return remark < 0 ? report.advice() : report.advice().substring(0, remark);
    }

    /** {@return whether a report says that its holder is stopped} */
    public static boolean isStopped(LockReport report) {
        return report.evidence().stream().anyMatch(fact -> fact.contains(" is stopped ") && fact.endsWith(": alive"));
    }

    /**
     * {@return whether a report's holder is frozen, and asked not to be passed over: others wait until somebody wakes or ends it} Such a one
     * counts as held, whatever has become of its lease.
     */
    public static boolean keepsOthersOutFrozen(LockReport report) {
        LockOwner holder = report.owner();
        return report.state() == State.HELD && holder != null && holder.token() != null && holder.leaseUntil() == null
                && (isStopped(report) || report.evidence().stream().anyMatch(fact -> fact.startsWith(RAN_OUT)));
    }

    /** {@return whether what lies there is torn, and old enough to be replaced} */
    static boolean isReplaceableNow(Glance seen) {
        Found torn = seen.record();
        return torn != null && isReplaceable(seen) && Math.max(torn.ageMillis(), torn.watchedMillis()) >= Residue.TORN_MILLIS;
    }

    /** {@return whether what lies there is torn, and known to be a lock, so that it is replaced once it is old enough} */
    private static boolean isReplaceable(Glance seen) {
        LockContent content = seen.record() == null ? null : seen.record().content();
        return content instanceof LockContent.Torn || content instanceof LockContent.Empty && (seen.targetExists() || seen.wasTaken());
    }

    /** As {@link Vitality#inWords} ends; what a record says stands in no fact's end. */
    private static boolean saysDead(String fact) {
        return fact.endsWith(": dead");
    }

    private LockReport report() {
        LockRecord successor = oursIn(seen.takeover());
        if (successor != null && isHeld(1)) {
            living(successor);
            kernel(1);
            evidence.add(seen.until().get(0) != 0 ? "it sits on the second seat: the holder before it is frozen past its lease"
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
        } else if (content instanceof LockContent.Stranger stranger) {
            return stranger(stranger);
        } else if (content instanceof LockContent.Torn torn) {
            return torn("the lock file holds a torn record: " + torn.why());
        } else if (content instanceof LockContent.Empty) {
            return isReplaceable(seen) ? torn("the lock file is empty") : seen.used() ? unexplained() : notALock("an empty file without a target beside it");
        }
        return notALock(((LockContent.Other) content).what());
    }

    private LockReport noRecord() {
        int seat = isHeld(1) ? 1 : 0;
        if (!isHeld(seat)) {
            return verdict(State.FREE, null);
        }
        kernel(seat);
        evidence.add("there is no lock file: it was removed by hand, or the holder is just taking or releasing the lock");
        Long pid = kernelOwner(seat);
        return verdict(State.HELD, pid == null ? null : unnamed(pid));
    }

    /** A holder of whom the kernel tells, and no record. */
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
        Vitality vitality = living(record);
        boolean byteHeld = kernel(0);
        if (vitality.verdict() == Vitality.Verdict.DEAD && !byteHeld) {
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
     * A successor has given the lock back while the process that it had passed over stayed frozen: its file is still there, since only
     * who has the first seat's byte deletes it. Whoever is seen to have that byte is the one to wake.
     */
    private LockReport givenBack(LockRecord record) {
        evidence.add("the last holder (pid " + record.pid() + ") has given it back; its file goes with the next acquisition");
        Long pid = kernel(0) ? kernelOwner(0) : null;
        if (pid == null || pid <= 0) {
            return verdict(State.FREE, null);
        }
        owner = seen.judge(pid, -1, null);
        evidence.add(owner.inWords());
        boolean past = seen.comparable() && seen.until().get(0) <= seen.now();
        if (past) {
            evidence.add("its lease ran out, and others pass it over: the process " + condition());
        }
        return verdict(past ? State.EXPIRED : State.HELD, unnamed(pid));
    }

    private LockReport stranger(LockContent.Stranger stranger) {
        evidence.add("another program's lock (its record is not ours)");
        Vitality vitality = seen.judge(stranger.pid(), stranger.startTicks(), null);
        owner = vitality;
        evidence.add(new Vitality(vitality.verdict(), vitality.evidence() + ", if it shares our pid namespace").inWords());
        if (stranger.createdAt() != null) {
            age(stranger.createdAt().toEpochMilli());
        }
        return verdict(State.FOREIGN,
                new LockOwner(stranger.pid(), null, null, stranger.createdAt(), null, null, null, null));
    }

    private LockReport torn(String what) {
        evidence.add(what);
        if (seen.owners() != null && isHeld(0)) { // edited while it is held, or somebody is just replacing it
            kernel(0);
            Long pid = kernelOwner(0);
            return verdict(State.HELD, pid == null ? null : unnamed(pid));
        }
        long age = seen.record() == null ? 0 : seen.record().ageMillis();
        evidence.add("written " + Span.inWords(Duration.ofMillis(age)) + " ago; the next acquisition replaces it once it is " + Residue.TORN_MILLIS / 1000 + " s old");
        return verdict(State.TORN, null);
    }

    /** Perhaps a lock that a power cut has emptied, in a directory that was lost with it; perhaps a program's that locks its own empty file. */
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

    /** Adds whether the process of a record lives, and by what it is known. {@return the judgement} */
    private Vitality living(LockRecord record) {
        Vitality vitality = isOfOurNamespace(record)
                ? judge(record)
                : Residue.ofOtherPids(record, seen.self());
        owner = vitality;
        evidence.add(vitality.inWords());
        return vitality;
    }

    private Vitality judge(LockRecord record) {
        return Residue.hasOurTimes(record, seen.self()) ? seen.judge(record.pid(), record.starttime(), Residue.started(record))
                : Residue.ofAnotherClock(seen.judge(record.pid(), -1, null));
    }

    private boolean isOfOurNamespace(LockRecord record) {
        return Residue.hasOurPids(record, seen.self());
    }

    private void age(long sinceMillis) {
        evidence.add("taken " + Span.inWords(Duration.ofMillis(System.currentTimeMillis() - sinceMillis)) + " ago");
    }

    private @Nullable Long kernelOwner(int seat) {
        List<List<Long>> owners = seen.owners();
        return owners == null || owners.get(seat).isEmpty() ? null : owners.get(seat).get(0);
    }

    private boolean isHeld(int seat) {
        if (seen.owners() != null) {
            return kernelOwner(seat) != null;
        }
        long until = seen.until().get(seat);
        return until > seen.now();
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
        if (left <= 0 || left > Line.LONGEST_NANOS) { // further away than any lease: of another boot, or somebody wrote it there
            evidence.add(RAN_OUT + seconds(-left) + " ago: the process " + condition() + kept(record));
            return true;
        }
        evidence.add(renewed + (record.takeover() ? "; if the process freezes it runs out in " + seconds(left) : kept(record)) + ending(record));
        return false;
    }

    /** Frozen, or merely too busy to renew: what helps is not the same. */
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
        return record.takeover() ? "" : "; it asked not to be passed over while its process lives";
    }

    private static String ending(LockRecord record) {
        return record.maxHoldMs() < 0 || record.maxHoldMs() > Long.MAX_VALUE - Math.max(0, record.createdAt()) ? "; it may be held without limit"
                : "; it ends at the latest at " + TIME.format(Instant.ofEpochMilli(record.createdAt() + record.maxHoldMs())) + " (maxHold)";
    }

    private static String seconds(long nanos) {
        return Math.max(0, TimeUnit.NANOSECONDS.toSeconds(nanos)) + " s";
    }

    private static boolean differ(@Nullable String one, @Nullable String other) {
        return one != null && other != null && !one.equals(other);
    }

    // ---- the verdict ----

    private LockReport verdict(State state, @Nullable LockOwner owner) {
        Path lockFile = seen.target().resolveSibling(seen.target().getFileName() + ".lock");
        return new LockReport(seen.target().getFileName().toString(), lockFile, state, owner, evidence, advice(state, owner));
    }

    private String advice(State state, @Nullable LockOwner holder) {
        String file = Printable.shellWord(seen.target().toString());
        String token = holder == null || holder.token() == null ? "" : " --token " + holder.token();
        String letGo = TOOL + " clear" + token + " --yes " + file;
        return switch (state) {
            case FREE -> "";
            case HELD -> holder == null || token.isEmpty() ? "wait: its holder will write its lock file or be gone" : held(holder.pid(), letGo);
            case EXPIRED -> holder == null ? "" : expired(holder.pid(), "; others pass it over" + (token.isEmpty() ? "" : ", or: " + letGo));
            case STALE -> TOOL + " clear --yes " + file + "   # or nothing: the next acquisition replaces it";
            case FOREIGN -> foreign(holder, TOOL + " clear --yes " + file);
            case TORN -> isReplaceable(seen) ? "nothing: the next acquisition replaces it once it is old enough"
                    : "if no program needs it: rm " + Printable.shellWord(seen.target() + ".lock");
            case NOT_A_LOCK -> seen.wasTaken()
                    ? "move it away: as long as it lies there, nobody can lock " + seen.target().getFileName() + ", which was locked before"
                    : "nothing, unless " + seen.target().getFileName() + " is to be locked: then move it away";
        };
    }

    private String held(long pid, String letGo) {
        if (owner != null && owner.isStopped()) {
            return "kill -CONT " + pid + "   # it is stopped; woken, it may be asked to let go: " + letGo;
        }
        boolean seenAlive = owner != null && owner.verdict() == Vitality.Verdict.ALIVE;
        return letGo + ASKS + (seenAlive ? "; what it is busy with: jstack " + pid : "");
    }

    private String expired(long pid, String others) {
        if (owner == null || owner.verdict() != Vitality.Verdict.ALIVE) {
            return "kill -CONT " + pid + "   # where its pid can be seen" + others;
        } else if (owner.isStopped()) {
            return "kill -CONT " + pid + "   # it is stopped" + others;
        }
        return "jstack " + pid + "   # not stopped, yet it does not renew: what keeps it? (paused with its container: docker unpause; "
                + "else kill -CONT " + pid + ")" + others;
    }

    private String foreign(@Nullable LockOwner holder, String clear) {
        if (owner != null && owner.verdict() == Vitality.Verdict.DEAD) {
            return clear + "   # or nothing: the next acquisition replaces it";
        } else if (owner != null && owner.isStopped() && holder != null) {
            return "kill -CONT " + holder.pid() + "   # the program that made it is stopped";
        }
        if (owner != null && owner.verdict() == Vitality.Verdict.UNKNOWN && holder != null) {
            return "look where /proc shows its process, mostly on the host: ps -p " + holder.pid() + "; if that is not the program that made it: rm "
                    + Printable.shellWord(seen.target() + ".lock");
        }
        String who = holder == null ? "" : " (pid " + holder.pid() + (holder.host() == null ? "" : " on " + holder.host()) + ")";
        return "ask the program that made it" + who + "; a dead one's is replaced by the next acquisition, or " + clear;
    }

    private static LockOwner owner(LockRecord record) {
        return new LockOwner(record.pid(), record.host(), Residue.started(record), Instant.ofEpochMilli(record.createdAt()),
                record.thread(), record.purpose(), record.token(),
                record.takeover() ? Instant.ofEpochMilli(record.leaseUntil()) : null);
    }

    private static @Nullable LockRecord oursIn(@Nullable Found found) {
        return found != null && found.content() instanceof LockContent.Ours ours ? ours.record() : null;
    }
}
