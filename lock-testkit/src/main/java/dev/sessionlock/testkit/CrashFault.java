package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.Errno;
import org.jetbrains.annotations.NotNull;

/** An error with which the system answers a file operation in a {@link CrashLab}; thrown as the JDK throws it. */
public enum CrashFault {
    /**
     * No space left on device: what makes files, entries or content, and forcing them. Once; for good from there on (deleting still
     * works); and for a write also after half of it, as a short write whose rest fails.
     */
    ENOSPC(Errno.ENOSPC),
    /** Input/output error: reading, writing (also after half of it), truncating, forcing, listing a directory. Once. */
    EIO(Errno.EIO),
    /**
     * Permission denied ({@link java.nio.file.AccessDeniedException}): opening, making, renaming, deleting, listing, setting
     * attributes. Once.
     */
    EACCES(Errno.EACCES);

    private final Errno errno;

    CrashFault(Errno errno) {
        this.errno = errno;
    }

    @NotNull Errno errno() {
        return errno;
    }
}
