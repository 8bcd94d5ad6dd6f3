package dev.sessionlock;

/** Who else may hold a lock at the same time. */
public enum LockMode {
    /** Nobody else holds the lock: for whoever writes the file. */
    EXCLUSIVE,
    /** Others may hold the lock in this mode, too, and nobody holds it exclusively: for whoever reads the file and wants it to stay as it is. */
    SHARED
}
