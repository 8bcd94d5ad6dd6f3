package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Reads lines of a file that others may have put there: no link is followed, nothing is opened that could block, and no more is read than was asked for. */
final class FileTail {

    private FileTail() {
    }

    /**
     * {@return the last bytes of a file; none if there is no ordinary file}
     *
     * @param most how many at most; before that, the file is cut in the middle of a line
     */
    static byte[] read(Path file, int most) throws IOException {
        BasicFileAttributes attributes = LockFileReader.attributesOf(file);
        if (attributes == null || !attributes.isRegularFile()) {
            return new byte[0];
        }
        boolean interrupted = Thread.interrupted(); // else it would close the channel
        try {
            while (true) {
                try (FileChannel open = FileReading.openToRead(file)) {
                    return read(open, most);
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                } catch (NoSuchFileException e) {
                    return new byte[0];
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static byte[] read(FileChannel open, int most) throws IOException {
        long size = open.size();
        long at = Math.max(0, size - most);
        ByteBuffer bytes = ByteBuffer.allocate((int) (size - at));
        while (bytes.hasRemaining()) {
            int read = open.read(bytes, at + bytes.position());
            if (read < 0) {
                break; // it was cut short meanwhile
            }
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    /** {@return the lines of a text, without those that are empty or too long to be one of ours} */
    static List<byte[]> lines(byte[] text) {
        List<byte[]> lines = new ArrayList<>();
        int begin = 0;
        for (int at = 0; at <= text.length; at++) {
            if (at == text.length || text[at] == '\n') {
                if (at > begin && at - begin <= CheckedLine.LONGEST) {
                    lines.add(Arrays.copyOfRange(text, begin, at));
                }
                begin = at + 1;
            }
        }
        return lines;
    }
}
