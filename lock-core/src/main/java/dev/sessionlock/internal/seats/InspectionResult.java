package dev.sessionlock.internal.seats;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.StickyDirectory;
import dev.sessionlock.internal.system.Liveness;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an inspection found out about one lock: all that {@link InspectionSentences} needs, without a word of it.
 *
 * @param seen what was seen
 * @param state the verdict
 * @param holder who has the lock or left it behind
 * @param facts what a program needs to decide
 * @param findings what the evidence consists of, the most important first
 * @param process whether the process of the holder lives; null if there is none, or none that can be judged
 * @param record the record of ours that was judged
 * @param takenAt when the lock was taken, if a record says so
 * @param isTooLong whether another program holds it for longer than it says itself
 * @param isByteFree whether the kernel shows that nobody has either byte
 * @param kept the sticky directory that keeps us from removing what lies in the way
 */
record InspectionResult(
        LockSnapshot seen,
        State state,
        @Nullable LockOwner holder,
        Facts facts,
        List<Finding> findings,
        @Nullable Liveness process,
        @Nullable LockRecord record,
        @Nullable Instant takenAt,
        boolean isTooLong,
        boolean isByteFree,
        @Nullable StickyDirectory kept) {

    /** One piece of evidence. */
    enum Finding {
        /** Whether the process of the holder lives. */
        PROCESS,
        /** The same for a foreign lock, whose pid may be of another namespace. */
        FOREIGN_PROCESS,
        /** Who has the kernel's lock. */
        KERNEL_LOCK,
        /** The holder sits on the second seat, as the one before is frozen. */
        SUCCESSOR_OF_A_FROZEN_HOLDER,
        /** The holder sits on the second seat, as a process has the first byte without the lock. */
        SUCCESSOR_BESIDE_A_HELD_BYTE,
        /** The state of the lease. */
        LEASE,
        /** The lease is of a clock that does not compare with ours. */
        LEASE_OF_ANOTHER_CLOCK,
        /** The table says that the lease of a holder without a record is over. */
        PASSED_OVER,
        /** How long ago it was taken. */
        AGE,
        /** The kernel's lock is held, and there is no lock file. */
        NO_LOCK_FILE,
        /** The record is of an earlier boot of this machine. */
        MACHINE_RESTARTED,
        /** The record is of another machine, or of another boot that may be. */
        ANOTHER_MACHINE,
        /** The record is there, and nobody has the kernel's lock. */
        RECORD_WITHOUT_BYTE,
        /** A successor has given the lock back, and its file is still there. */
        GIVEN_BACK,
        /** The record is not ours. */
        ANOTHER_PROGRAM,
        /** The record is torn. */
        TORN_RECORD,
        /** The lock file is empty. */
        EMPTY_FILE,
        /** How old a torn record is, and from what age on it is replaced. */
        WRITTEN,
        /** The lock file is empty, and nothing tells whose it is. */
        UNEXPLAINED,
        /** What lies there keeps everybody out. */
        IN_THE_WAY,
        /** What lies there is something else. */
        NOT_A_LOCK
    }

    boolean isStopped() {
        return process != null && process.isStopped();
    }

    boolean isDead() {
        return process != null && process.verdict() == Liveness.Verdict.DEAD;
    }

    boolean isAlive() {
        return process != null && process.verdict() == Liveness.Verdict.ALIVE;
    }

    boolean isOfAnotherProgram() {
        return Inspector.isOfAnotherProgram(seen);
    }

    /** {@return what is in the lock's place, if it can be judged at all} */
    @Nullable LockContent content() {
        return seen.record() == null ? null : seen.record().content();
    }
}
