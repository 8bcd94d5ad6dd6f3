package dev.sessionlock.cli;

/** Why a lock is stuck, or was. */
enum Cause {
    /** It is not, or nobody can tell. */
    NONE,
    /** Its handle was dropped without being closed. */
    LEAKED_HANDLE,
    /** The thread that has it waits for something and does not come back, or did so until its time was over. */
    HUNG_THREAD,
    /** It is held for an unusually long time; the thread works, or nobody can see what it does. */
    LONG_HOLD,
    /** Its process is stopped, or stood still for longer than its lease. */
    PROCESS_STOPPED,
    /** Its process lives and is not stopped, and did not renew its lease: starved, or paused with its container. */
    PROCESS_SILENT,
    /** Its process ended without giving it back. */
    PROCESS_DIED,
    /** Its JVM shut down before it was given back. */
    JVM_ENDED,
    /** Its holder waits for another lock. */
    WAITS_FOR_ANOTHER_LOCK,
    /** Its holder waits for another lock, whose holder waits for this one. */
    DEADLOCK,
    /** Another program has it, which cannot be asked. */
    OTHER_PROGRAM,
    /** What lies in its place keeps others out. */
    IN_THE_WAY,
    /** Somebody had to free it: by {@code clear --token}, or by removing its file. */
    FREED_BY_HAND,
    /** The kernel had dropped it. */
    KERNEL_LOCK_LOST
}
