package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ReportSentences;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

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
 * <p>A program decides by {@link #state}, {@link #facts} and {@link Remedy#kind}. The sentences are for a person. They may be shown and logged as they
 * are: they can contain text from file names and records, but that text cannot move a cursor or begin a line. Control characters and the like are
 * escaped, such as <code>&#92;u001b</code>. Name, file and owner are data and are not escaped.
 *
 * <p>An engine makes its reports from facts alone, and the library puts them into words. It may write its own sentences instead.
 *
 * @param name the lock's name: the file name of the target, or the name that is locked
 * @param lockFile the path where the record lies or would lie; null if the engine has no files
 * @param state the verdict
 * @param owner who holds the lock or left it behind; null if nobody did, or if the file does not say
 * @param facts what a program needs to decide
 * @param sentences the facts behind the verdict, in words, the most important first, each with its topic
 * @param remedy what a person can do
 */
public record LockReport(
        String name,
        @Nullable Path lockFile,
        State state,
        @Nullable LockOwner owner,
        Facts facts,
        List<Sentence> sentences,
        Remedy remedy) {

    /**
     * What a program needs to decide. A person reads the evidence and the advice instead.
     *
     * @param process the state of the process that holds the lock or left it behind
     * @param needsPerson whether a person has to act before others can get the lock
     * @param since since when the lock is held. It may be known without a record, or although the record does not say; null if unknown
     * @param seenAt when the engine looked, by the clock that {@code since} is of; null if it does not say, or does not
     *     know since when
     * @param proof one clause that says how the engine knows the state of the process, such as {@code pid 30522 does not exist}; null if it does not
     *     say
     * @param kernelLock whether a process has the kernel's lock, which may be without a record, or another process than the record names
     * @param kernelPid the process that has it; null if there is none, or if it is of another pid namespace
     * @param lease how long the holder keeps others out; null if it has no lease, or one that cannot be compared
     * @param waitedFor whether another process waits for the lock; null if a look at this lock does not tell
     * @param waiters who is known to wait for the lock, see {@link LockReport#waiters()}; never null
     * @param readers who is known to hold it in mode {@link LockMode#SHARED}, see {@link LockReport#readers()}; never null
     */
    public record Facts(
            ProcessState process,
            boolean needsPerson,
            @Nullable Instant since,
            @Nullable Instant seenAt,
            @Nullable String proof,
            KernelLockState kernelLock,
            @Nullable Long kernelPid,
            @Nullable Lease lease,
            @Nullable Boolean waitedFor,
            List<Waiter> waiters,
            List<LockOwner> readers) {

        /** Refuses a null state, and copies the lists. */
        public Facts {
            Objects.requireNonNull(process, "process");
            Objects.requireNonNull(kernelLock, "kernelLock");
            waiters = List.copyOf(waiters);
            readers = List.copyOf(readers);
        }

        /** Facts without readers. */
        public Facts(
                ProcessState process,
                boolean needsPerson,
                @Nullable Instant since,
                @Nullable Instant seenAt,
                @Nullable String proof,
                KernelLockState kernelLock,
                @Nullable Long kernelPid,
                @Nullable Lease lease,
                @Nullable Boolean waitedFor,
                List<Waiter> waiters) {
            this(process, needsPerson, since, seenAt, proof, kernelLock, kernelPid, lease, waitedFor, waiters, List.of());
        }

        /** Facts without waiters and readers. */
        public Facts(
                ProcessState process,
                boolean needsPerson,
                @Nullable Instant since,
                @Nullable Instant seenAt,
                @Nullable String proof,
                KernelLockState kernelLock,
                @Nullable Long kernelPid,
                @Nullable Lease lease,
                @Nullable Boolean waitedFor) {
            this(process, needsPerson, since, seenAt, proof, kernelLock, kernelPid, lease, waitedFor, List.of());
        }

        /** The facts that every engine has. */
        public Facts(ProcessState process, boolean needsPerson, @Nullable Instant since) {
            this(process, needsPerson, since, null, null, KernelLockState.UNKNOWN, null, null, null, List.of());
        }

        /** {@return these facts, and how the engine knows the state of the process} */
        public Facts withProof(@Nullable String clause) {
            return new Facts(process, needsPerson, since, seenAt, clause, kernelLock, kernelPid, lease, waitedFor, waiters, readers);
        }

        /** {@return these facts, and when the engine looked} */
        public Facts withSeenAt(@Nullable Instant moment) {
            return new Facts(process, needsPerson, since, moment, proof, kernelLock, kernelPid, lease, waitedFor, waiters, readers);
        }

        /** {@return these facts, and who has the kernel's lock} */
        public Facts withKernelLock(KernelLockState seen, @Nullable Long pid) {
            return new Facts(process, needsPerson, since, seenAt, proof, seen, pid, lease, waitedFor, waiters, readers);
        }

        /** {@return these facts, and the holder's lease} */
        public Facts withLease(@Nullable Lease running) {
            return new Facts(process, needsPerson, since, seenAt, proof, kernelLock, kernelPid, running, waitedFor, waiters, readers);
        }

        /** {@return these facts, and whether another process waits for the lock} */
        public Facts withWaitedFor(@Nullable Boolean waits) {
            return new Facts(process, needsPerson, since, seenAt, proof, kernelLock, kernelPid, lease, waits, waiters, readers);
        }

        /** {@return these facts, and who is known to wait} */
        public Facts withWaiters(List<Waiter> known) {
            return new Facts(process, needsPerson, since, seenAt, proof, kernelLock, kernelPid, lease, waitedFor, known, readers);
        }

        /** {@return these facts, and who is known to hold the lock in mode {@link LockMode#SHARED}} */
        public Facts withReaders(List<LockOwner> known) {
            return new Facts(process, needsPerson, since, seenAt, proof, kernelLock, kernelPid, lease, waitedFor, waiters, known);
        }

        /** {@return whether a signal or a debugger has stopped the process} */
        public boolean isStopped() {
            return process == ProcessState.STOPPED;
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
        UNKNOWN;

        /** {@return whether the process is known to live, stopped or not} */
        public boolean isAlive() {
            return this == ALIVE || this == STOPPED;
        }
    }

    /** Whether a process has the kernel's lock. */
    public enum KernelLockState {
        /** A process has it. */
        HELD,
        /** Nobody has it, as far as the kernel shows. It hides the locks of other pid namespaces. */
        FREE,
        /** The kernel does not tell, nobody has asked it, or the engine has no kernel lock. */
        UNKNOWN
    }

    /**
     * How long a holder keeps others out.
     *
     * @param renewedAgo how long ago it was renewed; null if it is not, or if that is not known
     * @param left in what time it runs out unless it is renewed, not positive if it has; null if it never does
     * @param takeover whether others take over once it is over. If not, they wait as long as the process lives
     * @param end when the hold ends at the latest ({@code maxHold}); null if it may be held without limit
     */
    public record Lease(@Nullable Duration renewedAgo, @Nullable Duration left, boolean takeover, @Nullable Instant end) {

        /** {@return whether it has run out} */
        public boolean isOver() {
            return left != null && (left.isNegative() || left.isZero());
        }
    }

    /**
     * A thread that waits for a lock, or a process of which no more is known. Name, host, thread and purpose are data and are not escaped.
     *
     * @param pid the process, as its own pid namespace numbers it; null if it is unknown
     * @param host the host of the process; null if it is this machine, or unknown
     * @param thread the thread that waits; empty if none does ({@link SessionLocks#acquireAsync}) or if it has no name; null if unknown
     * @param purpose what it wants the lock for; null if it did not say, or if that is unknown
     * @param since since when it waits, by the wall clock of its machine; null if unknown
     * @param where where it waits
     */
    public record Waiter(
            @Nullable Long pid,
            @Nullable String host,
            @Nullable String thread,
            @Nullable String purpose,
            @Nullable Instant since,
            WaiterPlace where) {

        /** Refuses a null place. */
        public Waiter {
            Objects.requireNonNull(where, "where");
        }

        /** A process of which only its number is known. */
        public Waiter(long pid) {
            this(pid, null, null, null, null, WaiterPlace.OTHER_PROCESS);
        }
    }

    /** Where a waiter waits. */
    public enum WaiterPlace {
        /** In the queue of the process that has the lock. It gets the lock when its turn in this queue comes. */
        PROCESS_OF_HOLDER,
        /** In another process. The kernel, not the library, decides which process gets the lock next. */
        OTHER_PROCESS
    }

    /** What a sentence of the evidence is about. */
    public enum Topic {
        /** What was done about the lock, and why; the first one of a {@link ClearReport}. */
        ACTION,
        /** The process that holds the lock or left it behind, and whether it lives. */
        PROCESS,
        /** The kernel's lock. */
        KERNEL,
        /** The lease. */
        LEASE,
        /** For how long the lock has been held. */
        AGE,
        /** The processes that wait for it. */
        WAITERS,
        /** Something else. */
        OTHER
    }

    /**
     * One sentence of the evidence.
     *
     * @param topic what it is about
     * @param text what it says. The text of a {@link Topic#LEASE} lacks the word {@code lease} that the evidence begins with
     */
    public record Sentence(Topic topic, String text) {

        /** Makes it printable. */
        public Sentence {
            Objects.requireNonNull(topic, "topic");
            text = Printable.text(text);
        }

        /** {@return the whole sentence} */
        public String inWords() {
            return topic == Topic.LEASE ? "lease " + text : text;
        }
    }

    /**
     * What a person can do.
     *
     * @param kind what it is
     * @param step the next command for a person to run, or what to do; empty if there is nothing to do
     * @param remark what the command does, or what else can be done; empty if the step says it all
     */
    public record Remedy(RemedyKind kind, String step, String remark) {
        /** Makes it printable. */
        public Remedy {
            Objects.requireNonNull(kind, "kind");
            step = Printable.text(step);
            remark = Printable.text(remark);
        }

        /** One without a remark. */
        public Remedy(RemedyKind kind, String step) {
            this(kind, step, "");
        }

        // No constant: a class whose initializer finds no memory is unusable for good, and timeouts are reported even then.
        /** {@return that there is nothing to do} */
        public static Remedy none() {
            return new Remedy(RemedyKind.NONE, "");
        }

        /** {@return the step, and the remark as a comment behind it} */
        public String inWords() {
            return remark.isEmpty() ? step : step + "   # " + remark;
        }

        /** {@return the same without the remark where a command alone says it all: to ask a holder} */
        public String inBrief() {
            return kind == RemedyKind.ASK ? step : inWords();
        }
    }

    /** What a person can do about a lock. */
    public enum RemedyKind {
        /** There is nothing to do and nothing to say. */
        NONE,
        /** Nothing: the next acquisition gets in. */
        NOTHING,
        /** Wait for its holder. */
        WAIT,
        /** Ask its holder to release it. */
        ASK,
        /** Clear what its owner has left. Nobody has to: the next acquisition does it, too. */
        CLEAR,
        /** Wake its process, which is stopped. */
        WAKE,
        /** End its process, which cannot be asked. */
        END,
        /** Look closer: what is known from here does not say what helps. */
        LOOK,
        /** Move away what lies in the lock's place. */
        MOVE,
        /** Take the lock once as another user, who may remove what is in the way. */
        TAKE_AS_OWNER,
        /** What the engine says in its own words. */
        OTHER
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

    /** Copies the sentences, so the report cannot change. */
    public LockReport {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(state, "state");
        Objects.requireNonNull(facts, "facts");
        Objects.requireNonNull(remedy, "remedy");
        sentences = List.copyOf(sentences);
    }

    /** Makes a report from facts alone. The library puts them into words. */
    public LockReport(
            String name, @Nullable Path lockFile, State state, @Nullable LockOwner owner, Facts facts) {
        this(name, lockFile, state, owner, facts, ReportSentences.evidence(state, owner, facts), ReportSentences.remedy(state, owner, facts));
    }

    /** Makes a report with evidence and advice in the engine's own words. */
    public LockReport(
            String name,
            @Nullable Path lockFile,
            State state,
            @Nullable LockOwner owner,
            List<String> evidence,
            String advice,
            Facts facts) {
        this(name, lockFile, state, owner, facts, ReportSentences.ofUnknownTopic(evidence), ReportSentences.ofUnknownKind(advice));
    }

    /**
     * Makes a report with evidence and advice in the engine's own words, whose facts follow from its state and its owner: nobody is called. An engine
     * that knows more gives facts.
     */
    public LockReport(
            String name,
            @Nullable Path lockFile,
            State state,
            @Nullable LockOwner owner,
            List<String> evidence,
            String advice) {
        this(name, lockFile, state, owner, evidence, advice, new Facts(state == State.STALE ? ProcessState.DEAD : ProcessState.UNKNOWN, false,
                owner == null ? null : owner.since()));
    }

    /** {@return the facts behind the verdict, in words, the most important first} */
    public List<String> evidence() {
        List<String> words = new ArrayList<>(sentences.size());
        for (Sentence sentence : sentences) {
            words.add(sentence.inWords());
        }
        return List.copyOf(words);
    }

    /**
     * {@return the next command for a person to run, or what to do} Empty if there is nothing to do. It begins with {@code nothing} if the lock needs no
     * person.
     */
    public String advice() {
        return remedy.inWords();
    }

    /**
     * {@return who is known to wait for the lock; empty if nobody is}
     *
     * <p>Waiters of one process are in the order of its queue. There is no queue across processes: the kernel wakes any of them. So the process whose first
     * waiter has waited for the longest time comes first, and this says nothing about which of them gets the lock next.
     *
     * <p>The threads of this JVM are known at once, those of another one after it has waited for one to two seconds. Before that, and where another version
     * of the library waits, only the process is known, without thread, purpose and time. A process of another pid namespace may then be missing;
     * {@link Facts#waitedFor} tells whether any process waits.
     */
    public List<Waiter> waiters() {
        return facts.waiters();
    }

    /**
     * {@return the processes that are known to hold the lock in mode {@link LockMode#SHARED}; empty if it is held exclusively, or not at all} One of them is
     * {@link #owner()}, whose record stands for all. Threads of one process share what it holds, so each process is here once, with the thread and purpose of one of them.
     */
    public List<LockOwner> readers() {
        return facts.readers();
    }

    /** {@return this report, with these waiters instead of those it has} */
    public LockReport withWaiters(List<Waiter> known) {
        return new LockReport(name, lockFile, state, owner, facts.withWaiters(known), sentences, remedy);
    }

    /** {@return the process that has the lock, as far as a pid tells; null if nobody has it, or if the process is unknown} */
    public @Nullable Long holderPid() {
        boolean held = state == State.HELD || state == State.EXPIRED;
        return !held ? null : facts.kernelPid() != null ? facts.kernelPid() : owner == null ? null : (Long) owner.pid();
    }

    /** {@return whether the owner of what lies there is gone, so that nobody holds the lock} The state of a foreign lock does not tell. */
    public boolean isOwnerGone() {
        return state == State.STALE || state == State.FOREIGN && facts.process() == ProcessState.DEAD;
    }

    /** {@return the whole report, on one line that may be shown and logged} */
    @Override
    public String toString() {
        return Printable.text("LockReport[name=" + name + ", lockFile=" + lockFile + ", state=" + state + ", owner=" + owner + ", evidence=" + evidence()
                + ", advice=" + advice() + ", facts=" + facts + "]");
    }
}
