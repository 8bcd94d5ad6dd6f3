package dev.sessionlock.testkit;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;

/**
 * The shared table of a directory as PROTOCOL.md describes it, read and written from outside. Tests use it to create states that processes leave
 * behind.
 */
public final class TableFileAccess {
    static final int WINDOW = 16;
    static final int BOOT = 4;
    static final int TIME_NAMESPACE = 6;
    private static final int ENTRIES = 256;
    private static final int ENTRY = 64;

    private final Path file;

    TableFileAccess(Path directory) {
        this.file = directory.resolve(".session-locks/board");
    }

    /** {@return the number of a lock} */
    public static long hash(Path target) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(target.getFileName().toString().getBytes(StandardCharsets.UTF_8));
            return ByteBuffer.wrap(digest).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** {@return the slot of an entry: the {@code i}th of a lock's window} */
    public static int slot(long h, int i) {
        return (int) ((Long.remainderUnsigned(h >>> 6, ENTRIES) + i) % ENTRIES) + 1;
    }

    /** {@return a file of the same directory whose lock has the same window} */
    static Path neighbour(Path target) {
        for (int i = 0; ; i++) {
            Path other = target.resolveSibling("neighbour-" + i);
            if (slot(hash(other), 0) == slot(hash(target), 0)) {
                return other;
            }
        }
    }

    /** {@return the slots that contain entries of a lock} */
    List<Integer> entriesOf(long h) throws IOException {
        List<Integer> slots = new ArrayList<>();
        for (int i = 0; i < WINDOW; i++) {
            if (word(slot(h, i), 0) == h) {
                slots.add(slot(h, i));
            }
        }
        return slots;
    }

    /** {@return a word of an entry; entry 0 is the header} */
    long word(int entry, int word) throws IOException {
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            in.seek((long) entry * ENTRY + word * 8);
            byte[] bytes = new byte[8];
            in.readFully(bytes);
            return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).getLong();
        }
    }

    /** Writes words of an entry, from the first one on. */
    void write(int entry, long... words) throws IOException {
        for (int i = 0; i < words.length; i++) {
            writeWord(entry, i, words[i]);
        }
    }

    void writeWord(int entry, int word, long value) throws IOException {
        try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
            out.seek((long) entry * ENTRY + word * 8);
            out.write(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value).array());
        }
    }
}
