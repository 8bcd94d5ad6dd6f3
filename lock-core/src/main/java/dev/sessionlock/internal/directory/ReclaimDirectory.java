package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.FileAnswer;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The directory {@code x.lock.reclaim}, by which programs tell each other that a dead lock is about to be replaced (PROTOCOL.md, section 4). OpenClaw's
 * locks expect it. It decides nothing between our own processes. One that was left behind by a killed process is removed once it is old.
 */
final class ReclaimDirectory {
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    private static final long OLD_RECLAIM_MILLIS = 30_000;

    private final FileMode mode;
    private final String name;
    /** What lies there is ours. */
    private boolean ours;
    /** The one of another process that was seen last, and since when. */
    private @Nullable Object seen;
    private long seenSince;

    /** @param name the target's file name */
    ReclaimDirectory(FileMode mode, String name) {
        this.mode = mode;
        this.name = name;
    }

    /** {@return false if another process has begun, which was less than half a minute ago} */
    boolean begin() throws IOException {
        Path reclaim = path();
        for (int tries = 0; tries < 2; tries++) {
            try {
                Files.createDirectory(reclaim);
                ours = true;
                return true;
            } catch (FileAlreadyExistsException e) {
                if (!sweepOld(reclaim)) {
                    return false;
                }
            }
        }
        return false;
    }

    /** Old by the wall clock, or seen from here for as long: the clock may have been set back. */
    private boolean sweepOld(Path reclaim) throws IOException {
        try {
            BasicFileAttributes attributes = Files.readAttributes(reclaim, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            Object key = FileKey.of(reclaim, attributes);
            if (!key.equals(seen)) {
                seen = key;
                seenSince = Clock.SYSTEM.nanos();
            }
            long watched = TimeUnit.NANOSECONDS.toMillis(Clock.SYSTEM.nanos() - seenSince);
            long age = Math.max(watched, System.currentTimeMillis() - attributes.lastModifiedTime().toMillis());
            if (!attributes.isDirectory() || age < OLD_RECLAIM_MILLIS) {
                return false;
            }
            FileAnswer answer = FILES.remove(reclaim);
            if (answer.kind() == FileAnswer.Kind.REFUSED && answer.reason() instanceof DirectoryNotEmptyException) {
                return false;
            }
            answer.done();
            return true;
        } catch (NoSuchFileException e) {
            return true;
        }
    }

    /** Removes it, if it is ours. */
    void end() throws IOException {
        if (ours) {
            FILES.remove(path()).done();
            ours = false;
        }
    }

    private Path path() {
        return mode.home().resolve(name + ".lock.reclaim");
    }
}
