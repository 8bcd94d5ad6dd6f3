package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.Errno;

/** An error by which the system answers a file operation in a {@link CrashLab}. The JDK throws the usual exception for it. */
public enum CrashFault {
    /**
     * No space left on device, for operations that create files, entries or content, and for forcing them. The fault occurs once; or for good from
     * there on (deleting still works); and, for a write, also after half of it, as a short write whose rest fails.
     */
    ENOSPC(Errno.ENOSPC),
    /** Input/output error, for reading, writing (also after half of it), truncating, forcing, listing a directory. Once. */
    EIO(Errno.EIO),
    /**
     * Permission denied ({@link java.nio.file.AccessDeniedException}), for opening, creating, renaming, deleting, listing, setting attributes. Once.
     */
    EACCES(Errno.EACCES);

    private final Errno errno;

    CrashFault(Errno errno) {
        this.errno = errno;
    }

    Errno errno() {
        return errno;
    }
}
