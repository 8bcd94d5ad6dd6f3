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
    private static final Pattern ASIDE_NAME = Pattern.compile(ASIDE + "(?:([0-9a-f]{1,12})-)?[0-9a-f]{1,16}");

    private OldFiles() {
    }

    /** When a file has come to where it lies. */
    private interface Since {
        long millis(Path path) throws IOException;
    }

    /** {@return a name for a file that is moved aside now} It says when that was, for systems where no time stamp of the file does. */
    static String asideName() {
        return asideName(System.currentTimeMillis());
    }

    static String asideName(long millis) {
        return ASIDE + Long.toHexString(millis) + "-" + Long.toHexString(ThreadLocalRandom.current().nextLong());
    }

    /** Deletes what was moved aside long ago: a moment after that it is put back, or deleted. */
    static void sweepAside(Path dir) throws IOException {
        sweep(dir, ASIDE, OldFiles::movedAsideAt);
    }

    /**
     * The kernel sets the time of change as it renames. Windows does not show it, and FAT has none, so there the name tells: a process that was stopped for ten minutes just
     * after it chose the name moves a file that looks old at once.
     */
    private static long movedAsideAt(Path path) throws IOException {
        Matcher name = ASIDE_NAME.matcher(path.getFileName().toString());
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

    /** Deletes requests to release that nobody has answered. */
    static void sweepRequests(Path dir) throws IOException {
        sweep(dir, REQUEST, path -> Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS).toMillis());
    }

    private static void sweep(Path dir, String prefix, Since since) throws IOException {
        try (DirectoryStream<Path> left = FolderStream.open(dir, prefix)) {
            Failures failures = new Failures();
            for (Path path : left) {
                failures.close(() -> sweepIfOld(path, since));
            }
            failures.throwFirst();
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    private static void sweepIfOld(Path path, Since since) throws IOException {
        try {
            long millis = since.millis(path);
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
