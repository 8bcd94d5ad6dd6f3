package dev.sessionlock.testkit.disk;

/**
 * One way in which the files of an operating system behave unlike those of Linux. {@link SystemRules} says which of them are in force, and {@code LabSystem} which
 * system has which.
 */
public enum SystemRule {
    /**
     * {@code BasicFileAttributes.fileKey()} is null, and a new file has the time of creation of the file that had its name before. The first is in the Javadoc of
     * the JDK, which has no key on Windows. The second is "file system tunneling" (Microsoft, "File Times"), for names that were free for less than 15 s.
     */
    NO_FILE_KEYS,
    /** No owners and modes: there are no views {@code posix} and {@code unix} (JDK, {@code WindowsFileSystem.supportedFileAttributeViews}). */
    NO_MODES,
    /** A directory cannot be opened by a channel, so it cannot be forced ({@code CreateFile} wants {@code FILE_FLAG_BACKUP_SEMANTICS}; the JDK does not give it). */
    NO_OPEN_DIRECTORIES,
    /** Only a channel that may write forces its file; any other returns at once ({@code FlushFileBuffers} wants {@code GENERIC_WRITE}; the JDK hides the error). */
    FORCED_BY_WRITERS_ONLY,
    /**
     * A lock belongs to the handle on which it was taken: it ends with it, and with nothing else. While a call waits for a lock, all other calls on the handle wait.
     * ({@code LockFileEx}, {@code UnlockFile}, "Synchronous and Asynchronous I/O".)
     */
    LOCKS_OF_HANDLES,
    /** Nobody writes to a range that another handle has locked, and nobody reads it if the lock is exclusive ({@code LockFileEx}). Mapped memory is not concerned. */
    MANDATORY_LOCKS,
    /**
     * Whoever opens a file says what it shares with others: reading, writing, deleting ({@code CreateFile}, {@code dwShareMode}). Channels of the JDK share all of it,
     * unless they are opened with {@code NOSHARE_READ}, {@code NOSHARE_WRITE} or {@code NOSHARE_DELETE}. Seen within one JVM.
     */
    SHARE_MODES,
    /**
     * No rename replaces a file that anybody has open, however it is shared. {@code MoveFileEx}, which the JDK calls, does not ask for
     * {@code FILE_RENAME_POSIX_SEMANTICS}, which would allow it ({@code FILE_RENAME_INFORMATION}). Deleting is allowed (since Windows 10 1809 the name is free at once).
     */
    OPEN_FILES_ARE_NOT_REPLACED,
    /** A file that is mapped is neither cut, nor deleted, nor replaced ({@code ERROR_USER_MAPPED_FILE}, {@code ERROR_ACCESS_DENIED}). It can be renamed. */
    MAPPED_FILES_STAY,
    /** Dots and spaces at the end of a name do not count, and a long name has a short one, such as {@code SESSIO~1.JSO} (Microsoft, "Naming Files, Paths, and Namespaces"). */
    OTHER_SPELLINGS,
    /** Upper and lower case are one name, which is kept as it was written first (NTFS as Windows opens it; APFS and HFS+ as macOS formats them). */
    CASE_FOLDS,
    /** Names that differ only in their Unicode form (NFC, NFD) are one name (Apple, "APFS: frequently asked questions": normalization-insensitive). */
    FORMS_FOLD,
    /** There is no {@code /proc}, so nobody sees who has which lock, and what else a process is. */
    NO_PROC,
    /** Hard links are refused. No system is without them, but file systems are: FAT, exFAT, many network shares. */
    NO_HARD_LINKS
}
