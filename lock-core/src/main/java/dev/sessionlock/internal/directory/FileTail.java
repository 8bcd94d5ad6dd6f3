package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Reads lines of a file that others may have put there: no link is followed, nothing is opened that could block, and no more is read than was asked for. Whatever the
 * file is, a block of it and one line are in memory at a time.
 */
final class FileTail {
    private static final int BLOCK = 64 * 1024;

    private final Consumer<byte[]> lines;
    private final ByteBuffer block = ByteBuffer.allocate(BLOCK);
    private final byte[] line = new byte[CheckedLine.LONGEST];
    /** How long the present line is so far; more than {@link CheckedLine#LONGEST} if it is too long. */
    private int length;
    private long at = -1;
    private long end;

    private FileTail(Consumer<byte[]> lines) {
        this.lines = lines;
    }

    /**
     * Reads the last lines of a file, in their order, without those that are empty or too long to be one of ours. If there is no ordinary file, there are none.
     *
     * @param most how many bytes at most; before that, the file is cut in the middle of a line
     * @param lines is given each line
     */
    static void read(Path file, long most, Consumer<byte[]> lines) throws IOException {
        BasicFileAttributes attributes = LockFileReader.attributesOf(file);
        if (attributes == null || !attributes.isRegularFile()) {
            return;
        }
        FileTail tail = new FileTail(lines);
        boolean interrupted = Thread.interrupted(); // else it would close the channel
        try {
            while (true) {
                try (FileChannel open = FileReading.openToRead(file)) {
                    tail.read(open, most);
                    return;
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted(); // it goes on where it was
                } catch (NoSuchFileException e) {
                    return;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void read(FileChannel open, long most) throws IOException {
        if (at < 0) {
            end = open.size();
            at = Math.max(0, end - most);
        }
        while (at < end) {
            block.clear().limit((int) Math.min(BLOCK, end - at));
            int read = open.read(block, at);
            if (read < 0) {
                break; // it was cut short meanwhile
            }
            at += read;
            for (int i = 0; i < read; i++) {
                add(block.get(i));
            }
        }
        add((byte) '\n');
    }

    private void add(byte next) {
        if (next != '\n') {
            if (length < line.length) {
                line[length] = next;
            }
            length = Math.min(length + 1, line.length + 1);
            return;
        }
        if (length > 0 && length <= line.length) {
            lines.accept(Arrays.copyOf(line, length));
        }
        length = 0;
    }
}
