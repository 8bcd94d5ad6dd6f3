package dev.sessionlock.internal.directory;

import java.nio.file.DirectoryStream;
import java.nio.file.Path;

/**
 * The files of a directory whose names begin with a prefix. Not a glob: that is a regular expression, which costs a JVM's first acquisition some
 * milliseconds.
 *
 * @param prefix how the names begin
 */
record NamePrefix(String prefix) implements DirectoryStream.Filter<Path> {

    @Override
    public boolean accept(Path file) {
        return file.getFileName().toString().startsWith(prefix);
    }
}
