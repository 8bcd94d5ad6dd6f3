package dev.sessionlock;

import dev.sessionlock.internal.system.Printable;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A hold that has ended, or several of the same kind summed up: who had the lock, for how long, and how it ended. {@link SessionLocks#history} reads it.
 *
 * <p>Several holds become one entry if they followed each other in one thread, with the same purpose, and all were {@linkplain Ending#RELEASED released}. Otherwise
 * a busy session would push everything else out of its directory's history.
 *
 * <p>Times are by the wall clock of the machine that wrote the entry. Name, host, thread and purpose are data and are not escaped; {@link #toString} is.
 *
 * @param name the lock's name: the file name of the target, or the name that was locked
 * @param token the fencing token, of the last hold if there are several; null if it is unknown
 * @param pid the process, as its own pid namespace numbers it
 * @param host its host; null if unknown
 * @param thread the thread that took the lock; empty if it belonged to no thread ({@link SessionLocks#acquireAsync}) or to one without a name; null if unknown, or if
 *     several threads are summed up
 * @param purpose what it was held for; null if not given
 * @param since when it was taken, the first of several; null if unknown
 * @param until when it ended, the last of several. If the holder could not say, when somebody else found out
 * @param ending how it ended
 * @param count how many holds this is, at least 1
 * @param longest how long the longest of them lasted; null if unknown
 * @param waited how long the taker waited for the lock, at most among several; zero if that was less than
 *     a millisecond, null if unknown
 * @param longestWaitBehind how long another thread of the holder's JVM had waited for the lock at the end of the hold, at most; zero if none did. Null if it is
 *     unknown. Waiting threads of other processes do not count
 * @param process which of the processes that have had this pid it was; null if unknown, as in what an earlier version wrote
 */
public record PastHold(
        String name,
        @Nullable Long token,
        long pid,
        @Nullable String host,
        @Nullable String thread,
        @Nullable String purpose,
        @Nullable Instant since,
        Instant until,
        Ending ending,
        long count,
        @Nullable Duration longest,
        @Nullable Duration waited,
        @Nullable Duration longestWaitBehind,
        @Nullable HolderProcess process) {

    /**
     * What tells a process from others that have the same pid: later ones, and those of other containers. Facts as its own host and container number them, to be compared with
     * those of a living process. For example, the process {@code p} that has the pid now is another one if {@code p} started at another tick of the same boot:
     *
     * <pre>{@code
     * HolderProcess process = hold.process();
     * boolean comparable = process != null && process.boot() != null && bootId.startsWith(process.boot()) && pidNamespace.equals(process.pidNamespace());
     * boolean another = comparable && process.startTicks() != null && process.startTicks() != ticksInProcStat; // a long: field 22 of /proc/<pid>/stat
     * }</pre>
     *
     * @param startTicks when it started, in clock ticks since boot, as field 22 of {@code /proc/<pid>/stat} has it; null where there is no {@code /proc}
     * @param started when it started, by wall clock; null if unknown, and where the ticks are known
     * @param boot the first 8 characters of the boot id of its kernel; null if unknown
     * @param pidNamespace the number of its pid namespace; null if unknown, and where there is none
     * @param timeNamespace the number of its time namespace; null if unknown, and if it is the machine's first one, by whose clock almost everybody reads ticks
     */
    public record HolderProcess(@Nullable Long startTicks, @Nullable Instant started, @Nullable String boot, @Nullable String pidNamespace,
            @Nullable String timeNamespace) {
    }

    /** How a hold ended. */
    public enum Ending {
        /** Its holder closed it. */
        RELEASED,
        /** The program dropped the last reference to the handle without closing it. */
        LEAKED,
        /** It was held for longer than {@link LockOptions#maxHold()} without {@link SessionLock#renew()}. */
        MAX_HOLD,
        /** Its process was frozen or starved for longer than the lease. The process says so when it wakes, or a successor that took the lock over. */
        LEASE_EXPIRED,
        /** Somebody removed the lock file by hand. */
        REMOVED,
        /** Somebody asked the holder to release it, with {@code clear --token}. */
        ASKED_TO_RELEASE,
        /** Its process ended without giving the lock back. Whoever found that out wrote the entry: the next holder, or the command {@code clear}. */
        PROCESS_DIED,
        /** Its JVM shut down, and the grace for open handles was over. */
        JVM_ENDED,
        /** The kernel had dropped the lock, or the directory was replaced, and the lock could not be acquired again. */
        LOST,
        /** In a way that a later version of the library knows, and this one does not. */
        UNKNOWN;

        /** {@return how a hold ends that was lost for this reason} */
        public static Ending of(LockLostException.Reason reason) {
            return switch (reason) {
                case LEASE_EXPIRED -> LEASE_EXPIRED;
                case MAX_HOLD -> MAX_HOLD;
                case REMOVED_BY_HAND -> REMOVED;
                case RELEASE_REQUESTED -> ASKED_TO_RELEASE;
                case KERNEL_LOCK_LOST -> LOST;
                case SHUTDOWN -> JVM_ENDED;
                case LEAKED -> LEAKED;
            };
        }

        /** {@return whether the holder closed it, as it should} */
        public boolean isOrdinary() {
            return this == RELEASED;
        }
    }

    /** An entry of which it is not known which process it was. */
    public PastHold(String name, @Nullable Long token, long pid, @Nullable String host, @Nullable String thread, @Nullable String purpose, @Nullable Instant since,
            Instant until, Ending ending, long count, @Nullable Duration longest, @Nullable Duration waited, @Nullable Duration longestWaitBehind) {
        this(name, token, pid, host, thread, purpose, since, until, ending, count, longest, waited, longestWaitBehind, null);
    }

    /** Refuses null where it means nothing, and a count below 1. */
    public PastHold {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(until, "until");
        Objects.requireNonNull(ending, "ending");
        if (count < 1) {
            throw new IllegalArgumentException("count must be at least 1: " + count);
        }
    }

    /** {@return the entry on one line that may be shown and logged} */
    @Override
    public String toString() {
        return Printable.text("PastHold[name=" + name + ", token=" + token + ", pid=" + pid + ", host=" + host + ", thread=" + thread + ", purpose=" + purpose
                + ", since=" + since + ", until=" + until + ", ending=" + ending + ", count=" + count + ", longest=" + longest + ", waited=" + waited
                + ", longestWaitBehind=" + longestWaitBehind + ", process=" + process + "]");
    }
}
