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
 * What is known of one lock at one moment: who holds it, why it is judged so, and what a person can do. Made by
 * {@link SessionLocks#inspect} without disturbing the lock, and carried by {@link LockTimeoutException}.
 *
 * <pre>{@code
 * LockReport report = locks.inspect(Path.of("session.jsonl"));
 * if (report.state() == LockReport.State.STALE) {
 *     log.warn("{}: {} {}", report.name(), report.evidence(), report.advice());
 * }
 * }</pre>
 *
 * <p>Evidence and advice may be shown and logged as they are: what file names and records have put into them cannot move a cursor or begin a line, since
 * control characters and the like are escapes there, such as <code>&#92;u001b</code>. Name, file and owner are data, and are what they are.
 *
 * @param name the lock's name: the target's file name, or the name that is locked
 * @param lockFile where the record lies or would lie; null if the engine has no files
 * @param state the verdict
 * @param owner who holds it or left it behind; null if nobody, or if the file does not say
 * @param evidence the facts behind the verdict, in words, the weightiest first
 * @param advice the next command for a person to run, or what to do; empty if there is nothing to do, and beginning with {@code nothing}
 *     if it gets well by itself
 * @param facts what a program decides by
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
     * What a program decides by, where a person reads the evidence and the advice.
     *
     * @param process what became of the process that holds the lock or left it
     * @param needsPerson whether it does not get well by itself
     * @param since since when it is held, as far as that is known: also without a record, or of a record that does not say; null if not
     */
    public record Facts(@NotNull ProcessState process, boolean needsPerson, @Nullable Instant since) {

        /** Refuses a null state. */
        public Facts {
            Objects.requireNonNull(process, "process");
        }
    }

    /** What became of a process. */
    public enum ProcessState {
        /** It lives, and is not stopped. It may be hung, starved, or paused with its container all the same. */
        ALIVE,
        /** It lives, and is stopped, by a signal or by a debugger. */
        STOPPED,
        /** It is gone, by evidence. */
        DEAD,
        /** It cannot be told, or there is none. */
        UNKNOWN
    }

    /** The verdict on a lock. */
    public enum State {
        /** Nobody holds it and nothing lies in its place. */
        FREE,
        /** A living process holds it, and its lease runs. */
        HELD,
        /** Its process lives but has let its lease run out: frozen, or starved. Others pass it over. */
        EXPIRED,
        /** Its process is gone. The next acquisition replaces it by itself. */
        STALE,
        /** Another program's lock, or another machine's, whatever its health. */
        FOREIGN,
        /**
         * The torn beginning of a lock record, or an empty file where locks are taken: the next acquisition replaces it once it is old enough, if it
         * is known to be a lock, and else a person has to look.
         */
        TORN,
        /** Something that is not a lock lies in its place, such as {@code yarn.lock}. It is never touched. */
        NOT_A_LOCK
    }

    /** Copies the evidence, so that the report cannot change, and makes all sentences printable. */
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

    /** {@return all of it, on one line that may be shown and logged} */
    @Override
    public @NotNull String toString() {
        return Printable.text("LockReport[name=" + name + ", lockFile=" + lockFile + ", state=" + state + ", owner=" + owner + ", evidence=" + evidence
                + ", advice=" + advice + ", facts=" + facts + "]");
    }

    /** One of which no more is known than its verdict and its advice say. */
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
