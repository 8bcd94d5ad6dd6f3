package dev.sessionlock.internal.system;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Puts the facts of a report into words. These are the sentences that the engines have in common, and all those of an engine that gives facts alone.
 * What only the engine on files or the one on a database knows is worded beside it, in {@code InspectionSentences} and {@code RowSentences}. No code
 * decides by these words.
 */
public final class ReportSentences {

    private ReportSentences() {
    }

    // ---- of an engine that gives facts alone ----

    /** {@return the evidence of a report that is made from facts} */
    public static List<Sentence> evidence(State state, @Nullable LockOwner owner, Facts facts) {
        List<Sentence> sentences = new ArrayList<>();
        switch (state) {
            case FREE -> {
                return sentences;
            }
            case FOREIGN -> sentences.add(other("another program's lock"));
            case TORN -> sentences.add(other("its record is torn"));
            case NOT_A_LOCK -> sentences.add(other("in the lock's place lies something that is not a lock"));
            default -> {
                // Its process and its lease say it all.
            }
        }
        if (facts.proof() != null || owner != null) {
            sentences.add(process(facts.proof() == null ? proof(owner.pid(), facts.process()) : facts.proof(), facts.process()));
        }
        if (facts.kernelLock() != KernelLockState.UNKNOWN) {
            sentences.add(kernelLock(facts.kernelLock(), facts.kernelPid()));
        }
        if (facts.lease() != null && facts.process() != ProcessState.DEAD) {
            Instant end = facts.lease().end();
            sentences.add(lease(facts.lease(), null, ending(end == null ? null : WallClock.utcTime(end))));
        }
        if (facts.since() != null && facts.seenAt() != null) {
            sentences.add(new Sentence(Topic.AGE, taken(Duration.between(facts.since(), facts.seenAt()))));
        }
        if (Boolean.TRUE.equals(facts.waitedFor())) {
            sentences.add(waitedFor());
        }
        return sentences;
    }

    /**
     * {@return the advice of a report that is made from facts} It names no command of a shell: whether the holder's pid is one of this machine, only
     * its engine knows.
     */
    public static Remedy remedy(State state, @Nullable LockOwner owner, Facts facts) {
        return switch (state) {
            case FREE -> Remedy.none();
            case HELD -> owner == null || owner.token() == null ? new Remedy(RemedyKind.WAIT, "wait: its holder will release it or be gone")
                    : new Remedy(RemedyKind.WAIT, "wait, or ask it to let go: clear(target, ClearOptions.forReal().withToken(" + owner.token() + "L))");
            case EXPIRED -> facts.needsPerson() ? new Remedy(RemedyKind.LOOK, "look what keeps its process: nobody else gets in")
                    : new Remedy(RemedyKind.NOTHING, "nothing: others take over");
            case STALE -> replaced(facts, "look why it stays: its process is gone");
            case FOREIGN -> facts.process() == ProcessState.DEAD ? replaced(facts, "look why it stays: its process is gone")
                    : new Remedy(RemedyKind.LOOK, "ask the program that made it" + (owner == null ? "" : " (pid " + owner.pid() + ")"));
            case TORN -> replaced(facts, "look whether a program needs it; if none does, remove it");
            case NOT_A_LOCK -> facts.needsPerson() ? new Remedy(RemedyKind.MOVE, "move it away: nobody can take the lock as long as it lies there")
                    : new Remedy(RemedyKind.NOTHING, "nothing, unless this is to be locked: then move it away");
        };
    }

    private static Remedy replaced(Facts facts, String look) {
        return facts.needsPerson() ? new Remedy(RemedyKind.LOOK, look) : new Remedy(RemedyKind.NOTHING, "nothing: the next acquisition replaces it");
    }

    private static String proof(long pid, ProcessState process) {
        return "pid " + pid + switch (process) {
            case ALIVE -> " runs";
            case STOPPED -> " is stopped";
            case DEAD -> " does not exist";
            case UNKNOWN -> " cannot be seen";
        };
    }

    private static Sentence process(String proof, ProcessState process) {
        return new Sentence(Topic.PROCESS, proof + (process.isAlive() ? ": alive" : process == ProcessState.DEAD ? ": dead" : ": unknown"));
    }

    // ---- of an engine that has its own words ----

    /** {@return sentences of which nobody knows what they are about} */
    public static List<Sentence> ofUnknownTopic(List<String> evidence) {
        List<Sentence> sentences = new ArrayList<>(evidence.size());
        for (String each : evidence) {
            sentences.add(other(each));
        }
        return sentences;
    }

    /** {@return an advice of which nobody knows what it wants} */
    public static Remedy ofUnknownKind(String advice) {
        return advice.isEmpty() ? Remedy.none() : new Remedy(RemedyKind.OTHER, advice);
    }

    // ---- common to the engines ----

    /** {@return one about nothing in particular} */
    public static Sentence other(String text) {
        return new Sentence(Topic.OTHER, text);
    }

    /** {@return whether a process lives, and what proves it} */
    public static Sentence process(Liveness liveness) {
        return new Sentence(Topic.PROCESS, liveness.inWords());
    }

    /** {@return who has the kernel's lock} */
    public static Sentence kernelLock(KernelLockState state, @Nullable Long pid) {
        return new Sentence(Topic.KERNEL, switch (state) {
            case HELD -> "the kernel lock is held by pid " + (pid == null ? "of another namespace" : pid);
            case FREE -> "the kernel lock is free, as far as /proc/locks shows it";
            case UNKNOWN -> "the kernel does not tell who holds its lock (no /proc/locks)";
        });
    }

    /**
     * {@return the state of a lease}
     *
     * @param condition what its process does if it has run out; null if nobody knows
     * @param ending as {@link #ending}
     */
    public static Sentence lease(Lease lease, @Nullable String condition, String ending) {
        String kept = "it excludes takeover while its process lives";
        String text;
        if (lease.left() == null) {
            text = "without end" + (lease.takeover() ? "" : ": " + kept) + ending;
        } else if (lease.isOver()) {
            text = "ran out " + seconds(lease.left().negated()) + " ago" + (condition == null ? "" : ": the process " + condition)
                    + (lease.takeover() ? "" : "; " + kept);
        } else {
            String renewed = lease.renewedAgo() == null ? "runs" : "renewed " + seconds(lease.renewedAgo()) + " ago";
            text = renewed + "; " + (lease.takeover() ? "if the process freezes it runs out in " + seconds(lease.left()) : kept) + ending;
        }
        return new Sentence(Topic.LEASE, text);
    }

    /** {@return when a hold ends at the latest} It continues a sentence. */
    public static String ending(@Nullable String time) {
        return time == null ? "; it may be held without limit" : "; it ends at the latest at " + time + " (maxHold)";
    }

    /** {@return for how long a lock has been held} */
    public static String taken(Duration age) {
        return "taken " + Durations.inWords(age) + " ago";
    }

    /** {@return that somebody waits} */
    public static Sentence waitedFor() {
        return new Sentence(Topic.WAITERS, "another process waits for it");
    }

    /** {@return a span in whole seconds} */
    public static String seconds(Duration span) {
        return Math.max(0, span.toSeconds()) + " s";
    }
}
