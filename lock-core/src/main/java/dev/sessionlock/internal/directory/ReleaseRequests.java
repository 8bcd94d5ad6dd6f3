package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.FileAnswer;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

/** Requests to the holders of a token that they release the lock: files {@code release-<token>}. What nobody drops is swept once it is old. */
final class ReleaseRequests {
    private final LockDirectory directory;

    ReleaseRequests(LockDirectory directory) {
        this.directory = directory;
    }

    boolean isThere(long token) throws IOException {
        try {
            return directory.changes().hasRequests() && Files.exists(file(token), LinkOption.NOFOLLOW_LINKS);
        } catch (NoSuchFileException | NotDirectoryException e) {
            return false; // the directory is gone, or something lies in its place: the deep check says so, and the lock is lost
        }
    }

    /** {@return whether it is there, and was made at that time or later} By wall clock, milliseconds since 1970. */
    boolean isThereSince(long token, long millis) throws IOException {
        try {
            return isThere(token) && Files.getLastModifiedTime(file(token), LinkOption.NOFOLLOW_LINKS).toMillis() >= millis;
        } catch (NoSuchFileException e) {
            return false; // it was taken back
        }
    }

    void make(long token) throws IOException {
        directory.mode().createIfMissing(file(token));
        directory.changes().forgetRequests();
    }

    void drop(long token) {
        FileAnswer answer = SystemFiles.OF_THIS_PROCESS.remove(file(token));
        if (answer.kind() != FileAnswer.Kind.DONE && answer.kind() != FileAnswer.Kind.NOT_THERE) {
            directory.log().debug("a release request stays in {}; it is swept later", directory.inner(), answer.reason());
        }
    }

    private Path file(long token) {
        return directory.mode().inner().resolve("release-" + token);
    }
}
