package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Files that are only needed for a moment, and are deleted once they are old: ten minutes by the wall clock. A process that was killed has left them; or, on Windows, another
 * program has them open, and keeps them from being deleted for as long.
 */
final class OldFiles {
    /** Begins the name of a file that is looked at before it is deleted. */
    static final String ASIDE = "aside-";

    private static final Log log = Loggers.LIBRARY;
    private static final String REQUEST = "release-";
    private static final long UNKNOWN = Long.MIN_VALUE;
    private static final long OLD_MILLIS = TimeUnit.MINUTES.toMillis(10);
    /** Since when it lies there, and a random number; versions before December 2026 left out the time. Whatever else begins like this is not ours. */
    private static final String ASIDE_NAME = ASIDE + "(?:([0-9a-f]{1,12})-)?[0-9a-f]{1,16}";

    private OldFiles() {
    }

    /** {@return a name for a file that is moved aside now} It says when that was, for systems where no time stamp of the file does. */
    static String asideName() {
        return ASIDE + Long.toHexString(System.currentTimeMillis()) + "-" + Long.toHexString(ThreadLocalRandom.current().nextLong());
    }

    /** Deletes what was moved aside long ago, and requests to release that nobody has answered. */
    static void sweep(Path dir) throws IOException {
        try {
            sweep(dir, ASIDE);
        } finally {
            sweep(dir, REQUEST);
        }
    }

    /**
     * The kernel sets the time of change as it renames. Windows does not show it, and FAT has none, so there the name tells: a process that was stopped for ten minutes just
     * after it chose the name moves a file that looks old at once.
     */
    private static long movedAsideAt(Path path) throws IOException {
        Matcher name = Pattern.compile(ASIDE_NAME).matcher(path.getFileName().toString()); // here: few directories ever have such a file
        if (!name.matches()) {
            return UNKNOWN;
        }
        long named = name.group(1) == null ? UNKNOWN : Long.parseLong(name.group(1), 16);
        try {
            return Math.max(named, ((FileTime) Files.getAttribute(path, "unix:ctime", LinkOption.NOFOLLOW_LINKS)).toMillis());
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return named;
        }
    }

    /** {@return when a file has come to where it lies} */
    private static long since(Path path) throws IOException {
        return path.getFileName().toString().startsWith(ASIDE) ? movedAsideAt(path) : Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS).toMillis();
    }

    private static void sweep(Path dir, String prefix) throws IOException {
        try (DirectoryStream<Path> left = FolderStream.open(dir, prefix)) {
            Failures failures = new Failures();
            for (Path path : left) {
                failures.close(() -> sweepIfOld(path));
            }
            failures.throwFirst();
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    private static void sweepIfOld(Path path) throws IOException {
        try {
            long millis = since(path);
            // Also if the time is to come: then the clock was set back since, and may take years to get there again.
            boolean old = millis != UNKNOWN && Math.abs(System.currentTimeMillis() - millis) > OLD_MILLIS;
            if (old && Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS) && SystemFiles.OF_THIS_PROCESS.remove(path).done()) {
                log.debug("swept {}", path);
            }
        } catch (NoSuchFileException e) {
            log.debug("{} is gone", path);
        }
    }
}
