package dev.sessionlock;

import dev.sessionlock.internal.directory.StickyDirectory;
import dev.sessionlock.internal.seats.InspectionSentences;
import dev.sessionlock.internal.system.OpenFiles;
import dev.sessionlock.internal.system.SystemReason;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Puts errors of the system into words for the person who has to act. */
final class ErrorMessages {
    private static final String DENIED = "Permission denied";
    private static final String LOOK = "look at";

    private ErrorMessages() {
    }

    static LockException explain(IOException e, LockTarget subject) {
        return explain(e, "lock", subject.shown(), subject.file());
    }

    static LockException explain(IOException e, String what, Path target) {
        return explain(e, what, target.toString(), target);
    }

    /**
     * Puts an error into words.
     *
     * @param what what cannot be done
     * @param shown the user's name for the lock
     * @param target the file that is meant; null if it is a name
     */
    static LockException explain(IOException e, String what, String shown, @Nullable Path target) {
        if (e instanceof LockException known) {
            return known;
        } else if (target == null) {
            return new LockException("cannot " + what + " " + shown + ": " + (e.getMessage() == null ? e : e.getMessage()), e);
        }
        Path parent = target.toAbsolutePath().getParent();
        String cannot = "cannot " + what + " " + target + ": ";
        if (parent != null && !Files.exists(parent)) {
            return new LockException(cannot + "the directory " + parent + " does not exist; " + (what.equals(LOOK) ? "check the path" : "make it first"), e);
        } else if (e instanceof NotDirectoryException || parent != null && !Files.isDirectory(parent)) {
            return new LockException(cannot + parent + " is not a directory", e);
        } else if (e instanceof AccessDeniedException || saysPermission(e)) {
            return new LockException(cannot + "no permission for " + file(e, parent) + (what.equals(LOOK) ? ""
                    : "; to lock a file or clear its lock one must be able to write to its directory and to .session-locks in it, and to read and write "
                            + "the files there (chmod)"), e);
        }
        StickyDirectory kept = keptBySticky(e);
        if (kept != null) {
            return new LockException(cannot + "what user " + kept.fileOwner() + " has left there must be removed first, and " + kept.inWords()
                    + ". As that user, take it once: " + InspectionSentences.takeOnce(kept.fileOwner(), target.toAbsolutePath())
                    + "; or share the directory by its group, without the sticky bit: chgrp GROUP " + kept.path() + " && chmod 2770 " + kept.path(), e);
        }
        return new LockException(cannot + reason(e, parent), e);
    }

    /** {@return the sticky bit that prevented an unlink or a rename; null if it was something else} */
    private static @Nullable StickyDirectory keptBySticky(IOException e) {
        if (!(e instanceof FileSystemException known) || !SystemReason.of(e).contains("Operation not permitted")) {
            return null;
        }
        StickyDirectory kept = known.getOtherFile() == null ? null : StickyDirectory.keeping(Path.of(known.getOtherFile()));
        return kept != null || known.getFile() == null ? kept : StickyDirectory.keeping(Path.of(known.getFile()));
    }

    private static boolean saysPermission(IOException e) {
        return e instanceof FileNotFoundException && SystemReason.of(e).equals(DENIED);
    }

    private static String usedUp(IOException e) {
        long limit = OpenFiles.limit();
        return "too many open files: this process has used up its " + (limit < 0 ? "" : limit + " ") + "descriptors (ulimit -n) and could not open "
                + e.getMessage() + ". What it holds stays held. See what it has open (ls -l /proc/" + ProcessHandle.current().pid()
                + "/fd), close what leaks, or raise the limit (ulimit -n, or LimitNOFILE= of its service)";
    }

    private static Object file(IOException e, Path parent) {
        if (saysPermission(e)) { // it tells its file in its text alone
            return e.getMessage().substring(0, e.getMessage().length() - " ()".length() - DENIED.length());
        }
        return e instanceof FileSystemException known && known.getFile() != null ? known.getFile() : parent;
    }

    private static String reason(IOException e, Path parent) {
        if (OpenFiles.ranOut(e)) {
            return usedUp(e);
        }
        String said = SystemReason.of(e).toLowerCase(Locale.ROOT);
        if (said.contains("no space left")) {
            return "the disk of " + parent + " is full (space or inodes); free some and try again";
        } else if (said.contains("quota exceeded")) {
            return "the disk quota for " + parent + " is used up; free some and try again";
        } else if (said.contains("read-only file system")) {
            return parent + " is on a read-only file system, and a lock must be written";
        } else if (e instanceof NoSuchFileException) {
            return "the directory " + parent + " was removed or replaced meanwhile; try again";
        }
        return e.getMessage() == null ? e.toString() : e.getMessage();
    }
}
