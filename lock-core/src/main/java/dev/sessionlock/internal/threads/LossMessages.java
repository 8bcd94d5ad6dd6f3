package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;

/** How a lock was lost, in words, for the person who has to act. */
final class LossMessages {

    private LossMessages() {
    }

    /** {@return the whole message of a {@link dev.sessionlock.LockLostException}} Never throws: its user must be told, if only that much. */
    static String message(Grant held, String how) {
        try {
            return inFull(held, how);
        } catch (RuntimeException | Error e) {
            return how;
        }
    }

    private static String inFull(Grant held, String how) {
        return "lost the lock " + held.lock().engine() + " (token " + held.token() + ", held by "
                + ThreadNames.inWords(held.thread()) + " since " + WallClock.iso(held.acquiredAt()) + "): " + how
                + ". Nothing may be written under it any more; acquire it again and look at what was written since";
    }

    /** {@return what its user wants the lock for, as part of a sentence; empty if not said} */
    static String purpose(Grant held) {
        String purpose = held.options().purpose();
        return purpose == null ? "" : " for \"" + purpose + "\"";
    }

    /** {@return how it was lost, as a clause} Never throws: the lock is lost even if nobody can say how. */
    static String of(Grant held, Reason reason) {
        try {
            String engines = held.hold().lossInWords(reason);
            Throwable renewing = reason == Reason.LEASE_EXPIRED ? held.renewalTrouble : null;
            return engines != null ? engines
                    : renewing != null ? "its lease could not be renewed, and has run out: " + renewing : inWords(reason);
        } catch (RuntimeException | Error e) {
            return reason.name();
        }
    }

    private static String inWords(Reason reason) {
        return switch (reason) {
            case LEASE_EXPIRED -> "its process did not run for a whole lease (frozen, suspended, or starved), so others may have taken it "
                    + "over";
            case MAX_HOLD -> "it was held for longer than maxHold without renew()";
            case REMOVED_BY_HAND -> "its lock file was removed by hand";
            case RELEASE_REQUESTED -> "somebody asked this holder to let go (clear --token)";
            case KERNEL_LOCK_LOST -> "the kernel no longer had its lock, or somebody replaced .session-locks";
            case SHUTDOWN -> "the JVM is shutting down and it was not closed in time";
            case LEAKED -> "its handle was never closed, and nobody refers to it any more";
        };
    }
}
