package dev.sessionlock.testkit.disk;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * One file operation beneath the lab's directory.
 *
 * @param type its kind
 * @param path the file, as the program named it
 * @param other the second file of a rename or link
 * @param position where it writes; negative if that does not apply
 * @param length how much it writes
 * @param onChannel whether it works on an open channel, and not on a path
 */
record Operation(OperationType type, Path path, @Nullable Path other, long position, long length, boolean onChannel) {

    static Operation on(OperationType type, Path path) {
        return new Operation(type, path, null, -1, 0, false);
    }

    static Operation on(OperationType type, Path path, Path other) {
        return new Operation(type, path, other, -1, 0, false);
    }

    static Operation onChannel(OperationType type, Path path) {
        return new Operation(type, path, null, -1, 0, true);
    }

    static Operation write(Path path, long position, long length) {
        return new Operation(OperationType.WRITE, path, null, position, length, true);
    }

    static Operation truncate(Path path, long size) {
        return new Operation(OperationType.TRUNCATE, path, null, size, 0, true);
    }

    /** {@return the operation in words, with paths relative to a directory} */
    String describe(Path root) {
        StringBuilder text = new StringBuilder(type.toString()).append(' ').append(relative(root, path));
        if (other != null) {
            text.append(" -> ").append(relative(root, other));
        }
        if (type == OperationType.WRITE) {
            text.append(", ").append(length).append(length == 1 ? " byte at " : " bytes at ").append(position);
        } else if (type == OperationType.TRUNCATE && position >= 0) {
            text.append(" to ").append(position).append(position == 1 ? " byte" : " bytes");
        }
        return text.toString();
    }

    /** {@return a write that was done in part, in words} */
    String describe(Path root, int done) {
        return new StringBuilder(describe(root)).append(", ").append(done).append(done == 1 ? " byte done" : " bytes done").toString();
    }

    private static String relative(Path root, Path path) {
        Path plain = path.toAbsolutePath().normalize();
        if (!plain.startsWith(root)) {
            return path.toString();
        }
        Path relative = root.relativize(plain);
        return relative.toString().isEmpty() ? "." : relative.toString();
    }
}
