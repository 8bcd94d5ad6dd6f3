package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * What is known about one lock at one moment: who holds it, why the library thinks so, and what a person can do. {@link SessionLocks#inspect} makes
 * it without disturbing the lock. A {@link LockTimeoutException} has one, too.
 *
 * <pre>{@code
 * LockReport report = locks.inspect(Path.of("session.jsonl"));
 * if (report.state() == LockReport.State.STALE) {
 *     log.warn("{}: {} {}", report.name(), report.evidence(), report.advice());
 * }
 * }</pre>
 *
 * <p>Evidence and advice may be shown and logged as they are. They can contain text from file names and records, but that text cannot move a cursor or
 * begin a line: control characters and the like are escaped, such as <code>&#92;u001b</code>. Name, file and owner are data and are not escaped.
 *
 * @param name the lock's name: the file name of the target, or the name that is locked
 * @param lockFile the path where the record lies or would lie; null if the engine has no files
 * @param state the verdict
 * @param owner who holds the lock or left it behind; null if nobody did, or if the file does not say
 * @param evidence the facts behind the verdict, in words, the most important first
 * @param advice the next command for a person to run, or what to do. Empty if there is nothing to do. It begins with {@code nothing} if the lock
 *     needs no person
 * @param facts what a program needs to decide
 */
public record LockReport(
        @NotNull String name,
        @Nullable Path lockFile,
        @NotNull State state,
        @Nullable LockOwner owner,
        @NotNull List<String> evidence,
        @NotNull String advice,
        @NotNull Facts facts) {

    /**
     * What a program needs to decide. A person reads the evidence and the advice instead.
     *
     * @param process the state of the process that holds the lock or left it behind
     * @param needsPerson whether a person has to act before others can get the lock
     * @param since since when the lock is held. It may be known without a record, or although the record does not say; null if unknown
     */
    public record Facts(@NotNull ProcessState process, boolean needsPerson, @Nullable Instant since) {

        /** Refuses a null state. */
        public Facts {
            Objects.requireNonNull(process, "process");
        }
    }

    /** The state of a process. */
    public enum ProcessState {
        /** It lives, and is not stopped. It may still be hung, starved, or paused with its container. */
        ALIVE,
        /** It lives, but a signal or a debugger has stopped it. */
        STOPPED,
        /** It is provably gone. */
        DEAD,
        /** Nobody can tell, or there is no process. */
        UNKNOWN
    }

    /** The verdict on a lock. */
    public enum State {
        /** Nobody holds it and nothing lies in its place. */
        FREE,
        /** A living process holds it, and its lease runs. */
        HELD,
        /** Its process lives, but is frozen or starved, and did not renew its lease. Others take the lock over. */
        EXPIRED,
        /** Its process is gone. The next acquisition replaces it. */
        STALE,
        /** A lock of another program or of another machine, whether its owner lives or not. */
        FOREIGN,
        /**
         * The torn beginning of a lock record, or an empty file where locks are taken. If it is known to be a lock, the next acquisition replaces it when it
         * is old enough. Otherwise a person has to look.
         */
        TORN,
        /** Something that is not a lock lies in its place, such as {@code yarn.lock}. It is never touched. */
        NOT_A_LOCK
    }

    /** Copies the evidence, so the report cannot change, and makes all sentences printable. */
    public LockReport {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(state, "state");
        Objects.requireNonNull(advice, "advice");
        Objects.requireNonNull(facts, "facts");
        List<String> printable = new ArrayList<>(evidence.size());
        for (String fact : evidence) {
            printable.add(Printable.text(fact));
        }
        evidence = List.copyOf(printable);
        advice = Printable.text(advice);
    }

    /** {@return the whole report, on one line that may be shown and logged} */
    @Override
    public @NotNull String toString() {
        return Printable.text("LockReport[name=" + name + ", lockFile=" + lockFile + ", state=" + state + ", owner=" + owner + ", evidence=" + evidence
                + ", advice=" + advice + ", facts=" + facts + "]");
    }

    /** Makes a report whose facts follow from its state, its advice and its owner. */
    public LockReport(
            @NotNull String name,
            @Nullable Path lockFile,
            @NotNull State state,
            @Nullable LockOwner owner,
            @NotNull List<String> evidence,
            @NotNull String advice) {
        this(name, lockFile, state, owner, evidence, advice, new Facts(
                state == State.STALE ? ProcessState.DEAD : ProcessState.UNKNOWN,
                (state == State.EXPIRED || state == State.TORN || state == State.NOT_A_LOCK) && !advice.isEmpty() && !advice.startsWith("nothing"),
                owner == null ? null : owner.since()));
    }
}
