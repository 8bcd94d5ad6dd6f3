package dev.sessionlock.testkit.disk;

import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Attributes of a file without its key, and with the time of creation of whatever had its name before. */
record KeylessAttributes(BasicFileAttributes real) implements BasicFileAttributes {
    /** The name was never free for more than 15 s. */
    static final FileTime CREATED = FileTime.from(Instant.parse("2026-01-01T00:00:00Z"));

    @Override
    public FileTime lastModifiedTime() {
        return real.lastModifiedTime();
    }

    @Override
    public FileTime lastAccessTime() {
        return real.lastAccessTime();
    }

    @Override
    public FileTime creationTime() {
        return CREATED;
    }

    @Override
    public boolean isRegularFile() {
        return real.isRegularFile();
    }

    @Override
    public boolean isDirectory() {
        return real.isDirectory();
    }

    @Override
    public boolean isSymbolicLink() {
        return real.isSymbolicLink();
    }

    @Override
    public boolean isOther() {
        return real.isOther();
    }

    @Override
    public long size() {
        return real.size();
    }

    @Override
    public @Nullable Object fileKey() {
        return null;
    }
}
