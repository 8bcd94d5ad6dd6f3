package dev.sessionlock.internal.seats;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.seats.InspectionResult.Finding;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ReportSentences;
import dev.sessionlock.internal.system.RunningProgram;
import dev.sessionlock.internal.system.RunningProgram.Container;
import dev.sessionlock.internal.system.RunningProgram.Service;
import dev.sessionlock.internal.system.ToolCommand;
import dev.sessionlock.internal.system.WallClock;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Puts what an inspection of a lock on files found into words: the evidence, and the advice. No code decides by these words. */
public final class InspectionSentences {
    private final InspectionResult result;
    private final LockSnapshot seen;

    private InspectionSentences(InspectionResult result) {
        this.result = result;
        this.seen = result.seen();
    }

    /** {@return the report on what was found} */
    static LockReport report(InspectionResult result) {
        InspectionSentences words = new InspectionSentences(result);
        List<Sentence> evidence = new ArrayList<>();
        for (Finding finding : result.findings()) {
            evidence.add(words.sentence(finding));
        }
        return new LockReport(words.name(), words.lockFile(), result.state(), result.holder(), result.facts(), evidence, words.remedy());
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

    private String name() {
        return seen.target().getFileName().toString();
    }

    private Path lockFile() {
        return Inspector.lockFile(seen);
    }

    // ---- evidence ----

    private Sentence sentence(Finding finding) {
        return switch (finding) {
            case PROCESS -> ReportSentences.process(result.process());
            case FOREIGN_PROCESS -> ReportSentences.process(new Liveness(result.process().verdict(),
                    result.process().evidence() + ", if it shares our pid namespace"));
            case KERNEL_LOCK -> ReportSentences.kernelLock(result.facts().kernelLock(), result.facts().kernelPid());
            case LEASE -> ReportSentences.lease(result.facts().lease(), condition(), ending(result.facts().lease()));
            case LEASE_OF_ANOTHER_CLOCK -> new Sentence(Topic.LEASE, "of another time namespace: it cannot be compared");
            case AGE -> new Sentence(Topic.AGE, ReportSentences.taken(Duration.ofMillis(System.currentTimeMillis() - result.takenAt().toEpochMilli())));
            case MACHINE_RESTARTED -> new Sentence(Topic.PROCESS, "the machine has been restarted since (boot " + result.record().boot() + " then, "
                    + seen.self().boot() + " now): dead");
            case ANOTHER_MACHINE -> new Sentence(Topic.PROCESS, "it was taken on another machine or boot (" + result.record().host() + ", boot "
                    + result.record().boot() + "): unknown");
            default -> ReportSentences.other(circumstance(finding));
        };
    }

    private String circumstance(Finding finding) {
        return switch (finding) {
            case SUCCESSOR_OF_A_FROZEN_HOLDER -> "it sits on the second seat: the holder before it is frozen past its lease";
            case SUCCESSOR_BESIDE_A_HELD_BYTE -> "it sits on the second seat: another process has the first one's kernel lock without holding the lock";
            case PASSED_OVER -> "its lease ran out, and others take over: the process " + condition();
            case NO_LOCK_FILE -> "there is no lock file: it was removed by hand, or the holder is just taking or releasing the lock";
            case RECORD_WITHOUT_BYTE -> "its record is there but the kernel lock is not: it is just being released, or code of its process closed a guard "
                    + "file";
            case GIVEN_BACK -> "the last holder (pid " + result.record().pid() + ") has given it back; its file goes with the next acquisition";
            case ANOTHER_PROGRAM -> "another program's lock (its record is not ours)";
            case TORN_RECORD -> "the lock file holds a torn record: " + (result.content() instanceof LockContent.Torn torn ? torn.why() : "");
            case EMPTY_FILE -> "the lock file is empty";
            case WRITTEN -> "written " + Durations.inWords(Duration.ofMillis(seen.record() == null ? 0 : seen.record().ageMillis()))
                    + " ago; the next acquisition replaces it once it is " + StaleLockPolicy.TORN_MILLIS / 1000 + " s old";
            case UNEXPLAINED -> "the lock file is empty, and nothing tells whose it is: no " + name() + " lies beside it, none of our record files is linked "
                    + "to it, and this lock was never taken here";
            case IN_THE_WAY -> "as long as it lies there, nobody can lock " + name();
            case NOT_A_LOCK -> "in the lock's place lies "
                    + (result.content() instanceof LockContent.NotALock other ? other.what() : "an empty file without a target beside it");
            default -> throw new IllegalArgumentException(finding.name());
        };
    }

    /** Frozen, or merely too busy to renew: each needs another remedy. */
    private String condition() {
        char state = result.process() == null ? 0 : result.process().state();
        return switch (state) {
            case 'T' -> "is stopped";
            case 't' -> "is held by a debugger";
            case 'D' -> "waits for a disk";
            case 'R' -> "runs and does not renew, so it is starved (of CPU, or by its garbage collection)";
            case 'S', 'I' -> "is not stopped and does not renew: starved, hung, or paused with its container";
            default -> "is frozen or starved";
        };
    }

    private static String ending(Lease lease) {
        return ReportSentences.ending(lease.end() == null ? null : WallClock.time(lease.end()));
    }

    // ---- advice: a line that a shell takes as it is, or that begins with "nothing", "wait" or "look" ----

    private Remedy remedy() {
        if (result.kept() != null) {
            return new Remedy(RemedyKind.TAKE_AS_OWNER, takeOnce(result.kept().fileOwner(), seen.target()), result.kept().inWords());
        }
        LockOwner holder = result.holder();
        return switch (result.state()) {
            case FREE -> Remedy.none();
            case HELD -> holder == null ? new Remedy(RemedyKind.WAIT, "wait: its holder will write its lock file or be gone")
                    : holder.token() == null ? unrecorded(holder.pid()) : held(holder);
            case EXPIRED -> holder == null ? Remedy.none() : expired(holder.pid());
            case STALE -> clearDead();
            case FOREIGN -> result.isOfAnotherProgram() && holder != null ? foreign(holder.pid())
                    : new Remedy(RemedyKind.NOTHING, "nothing: the next acquisition replaces it; on a network file system only if it is not renewed for its whole "
                            + "lease");
            case TORN -> Inspector.isReplaceable(seen) ? new Remedy(RemedyKind.NOTHING, "nothing: the next acquisition replaces it once it is old enough")
                    : new Remedy(RemedyKind.LOOK, "look whether a program needs it; if none does: rm " + Printable.shellWord(lockFile().toString()));
            case NOT_A_LOCK -> notALock();
        };
    }

    private String clear(String token) {
        return ToolCommand.words() + " clear" + token + " --yes " + Printable.shellWord(seen.target().toString());
    }

    private Remedy clearDead() {
        return new Remedy(RemedyKind.CLEAR, clear(""), "or nothing: the next acquisition replaces it");
    }

    private static Remedy wake(long pid, String remark) {
        return new Remedy(RemedyKind.WAKE, "kill -CONT " + pid, remark);
    }

    private Remedy notALock() {
        String move = "mv " + Printable.shellWord(lockFile().toString()) + " " + Printable.shellWord(lockFile() + ".moved");
        return seen.wasTaken()
                ? new Remedy(RemedyKind.MOVE, move, "as long as it lies there, nobody can lock " + name() + ", which was locked before")
                : new Remedy(RemedyKind.NOTHING, "nothing, unless " + name() + " is to be locked: then " + move);
    }

    private Remedy unrecorded(long pid) {
        if (result.isStopped()) {
            return wake(pid, "it is stopped; woken, it sees that its lock file was removed, and lets go");
        }
        return new Remedy(RemedyKind.WAIT, "wait: its holder will write its lock file, or see that it was removed and let go"
                + (result.isAlive() ? "; if it stays: " + end(pid, "has it").inWords() : ""));
    }

    private Remedy held(LockOwner holder) {
        String letGo = clear(" --token " + holder.token());
        if (result.isStopped()) {
            return wake(holder.pid(), "it is stopped; woken, it may be asked to let go: " + letGo);
        }
        Instant leaseUntil = holder.leaseUntil();
        return new Remedy(RemedyKind.ASK, letGo, "asks it to let go" + (result.isByteFree() && leaseUntil != null
                ? ", if it lives; else the next acquisition replaces its record once its lease is over (" + WallClock.time(leaseUntil) + ")"
                : result.isAlive() ? "; what it is busy with: jstack " + holder.pid() : ""));
    }

    private Remedy expired(long pid) {
        if (!result.isAlive()) {
            return new Remedy(RemedyKind.LOOK, "look where " + (pid > 0 ? "pid " + pid : "its process") + " can be seen (in its container, or on the host) whether "
                    + "it is stopped, and wake it there; others take over meanwhile");
        } else if (result.isStopped()) {
            return wake(pid, "it is stopped; others take over meanwhile");
        }
        return new Remedy(RemedyKind.LOOK, "jstack " + pid, "not stopped, yet it does not renew: what keeps it? (paused with its container: docker unpause; "
                + "else kill -CONT " + pid + "); others take over meanwhile");
    }

    private Remedy foreign(long pid) {
        if (result.isDead()) {
            return clearDead();
        } else if (result.isStopped()) {
            return wake(pid, "the program that made it is stopped");
        } else if (!result.isAlive()) {
            return new Remedy(RemedyKind.LOOK, "look where /proc shows its process, mostly on the host: ps -p " + pid
                    + "; if that is not the program that made it: rm " + Printable.shellWord(lockFile().toString()));
        }
        Remedy end = end(pid, "made it");
        return result.isTooLong() ? end
                : new Remedy(RemedyKind.WAIT, "wait: another program has it, which cannot be asked to let go; if it stays: " + end.inWords());
    }

    /** How to end a process that cannot be asked, what that costs, and that nothing remains to be done. */
    private static Remedy end(long pid, String did) {
        RunningProgram program = RunningProgram.of(pid);
        String costs = program.inWords() + " " + did + "; what it has not written yet is lost; then nothing: the next acquisition gets in";
        if (program.supervisor() instanceof Service service) {
            return new Remedy(RemedyKind.END, "systemctl " + (service.ofUser() == null ? "" : "--user --machine=" + service.ofUser() + "@ ") + "restart "
                    + Printable.shellWord(service.unit()), costs);
        } else if (program.supervisor() instanceof Container container) {
            return new Remedy(RemedyKind.END, container.engine() + " restart " + container.id(), costs);
        }
        return new Remedy(RemedyKind.END, "kill " + pid, costs + ". If it does not end: kill -9 " + pid + ". Then start it again");
    }
}
