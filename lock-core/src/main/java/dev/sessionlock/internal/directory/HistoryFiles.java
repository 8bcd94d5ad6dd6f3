package dev.sessionlock.internal.directory;

import dev.sessionlock.PastHold;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Predicate;

/**
 * The history of a directory on the disk: {@code history}, which all processes append to, and {@code history.old}, which it becomes when it has half of the size that
 * both may have together.
 *
 * <p><b>A kill in the middle of a write.</b> A batch of lines is one {@code write(2)} to a file that is open with {@code O_APPEND}: the kernel puts it behind what others
 * have written, in one piece. It begins with an end of line. So a batch that was cut short costs its own last line, and not the first one of the next batch.
 *
 * <p><b>What is kept.</b> With the old file, what it says is gone, except for the holds that ended in an unusual way: the latest of these begin the new
 * {@code history}, up to an eighth of the size. A directory that is used a thousand times a second still knows who was killed an hour ago.
 */
final class HistoryFiles {
    static final String NAME = "history";
    static final String OLD = "history.old";
    /** A batch is no larger, so that one process cannot exceed the size by much while another renames the file. */
    private static final int LARGEST_BATCH = 16 * 1024;
    /** The share of unusual endings that are kept. */
    private static final int KEPT_SHARE = 8;
    /** No more is read of a file, whatever somebody has put there: half of the greatest bound. */
    private static final int MOST_READ = 32 * 1024 * 1024;
    /** Nor are there more entries in a file of that size, unless somebody has written the shortest lines that there are. */
    static final int MOST_ENTRIES = 200_000;

    private final LockDirectory directory;
    private final Path file;
    private final Path old;
    private final long half;
    private final int largestBatch;
    private final int kept;

    /** @param bytes how large both may be together */
    HistoryFiles(LockDirectory directory, long bytes) {
        this.directory = directory;
        this.file = directory.inner().resolve(NAME);
        this.old = directory.inner().resolve(OLD);
        this.half = bytes / 2;
        this.largestBatch = (int) Math.min(LARGEST_BATCH, half / 4);
        this.kept = (int) Math.min(bytes / KEPT_SHARE, MOST_READ);
    }

    /** {@return whether the file lies there, or whatever has its name} */
    boolean isThere() {
        return Files.exists(directory.mode().inner().resolve(NAME), LinkOption.NOFOLLOW_LINKS);
    }

    // ---- writing ----

    /**
     * Appends lines. If it throws, some of them may have been written.
     *
     * @param lines what to append; those that were written are removed
     * @return false if the file is full and another process is just replacing it, or has been stopped while it did
     */
    boolean append(Deque<byte[]> lines) throws IOException {
        while (!lines.isEmpty()) {
            byte[] batch = batch(lines);
            try (FileChannel open = open()) {
                if (open.size() + batch.length <= half) {
                    writeAtOnce(open, batch);
                    removeWritten(lines, batch.length);
                    continue;
                }
            }
            if (!makeRoom(batch.length)) {
                return false;
            }
        }
        return true;
    }

    private byte[] batch(Deque<byte[]> lines) {
        ByteArrayOutputStream batch = new ByteArrayOutputStream(1024);
        batch.write('\n');
        for (byte[] line : lines) {
            if (batch.size() > 1 && batch.size() + line.length + 1 > largestBatch) {
                break;
            }
            batch.writeBytes(line);
            batch.write('\n');
        }
        return batch.toByteArray();
    }

    private static void removeWritten(Deque<byte[]> lines, int bytes) {
        int left = bytes - 1;
        while (left > 0) {
            left -= lines.removeFirst().length + 1;
        }
    }

    private FileChannel open() throws IOException {
        try {
            return directory.mode().openToAppend(file);
        } catch (NoSuchFileException e) {
            directory.mode().createIfMissing(file);
            return directory.mode().openToAppend(file);
        }
    }

    private static void writeAtOnce(FileChannel open, byte[] batch) throws IOException {
        int written = open.write(ByteBuffer.wrap(batch));
        if (written < batch.length) {
            throw new IOException("only " + written + " of " + batch.length + " bytes could be written; is the disk full?");
        }
    }

    /** The file is full: unless another process has done so meanwhile, it becomes the old one. */
    private boolean makeRoom(int needed) throws IOException {
        boolean[] done = new boolean[1];
        directory.setup().tryHolding(() -> {
            Path by = directory.mode().inner();
            BasicFileAttributes now = LockFileReader.attributesOf(by.resolve(NAME));
            if (now != null && now.size() + needed > half) {
                byte[] keep = unusualIn(by.resolve(OLD));
                SystemFiles.OF_THIS_PROCESS.rename(by.resolve(NAME), by.resolve(OLD)).requireDone();
                if (keep.length > 1) {
                    try (FileChannel open = open()) {
                        writeAtOnce(open, keep);
                    }
                }
            }
            done[0] = true;
        });
        return done[0];
    }

    private byte[] unusualIn(Path going) throws IOException {
        ArrayDeque<byte[]> keep = new ArrayDeque<>();
        int[] size = {1};
        FileTail.read(going, MOST_READ, line -> {
            PastHold hold = HistoryCodec.decode(line);
            if (hold != null && !hold.ending().isOrdinary()) {
                size[0] += line.length + 1;
                keep.addLast(line);
                while (size[0] > kept) {
                    size[0] -= keep.removeFirst().length + 1;
                }
            }
        });
        ByteArrayOutputStream all = new ByteArrayOutputStream(size[0]);
        all.write('\n');
        for (byte[] line : keep) {
            all.writeBytes(line);
            all.write('\n');
        }
        return all.toByteArray();
    }

    // ---- reading ----

    /**
     * {@return what is written in a directory, in the order in which it was}
     *
     * @param home the real path of the directory
     * @param wanted by name
     */
    static List<PastHold> read(Path home, Predicate<String> wanted) throws IOException {
        List<PastHold> holds = new ArrayList<>();
        Path inner = home.resolve(LockDirectory.INNER);
        if (isDirectory(inner)) {
            Deque<PastHold> newer = of(inner.resolve(NAME), wanted); // first: if it becomes the old one meanwhile, it is read twice, and not left out
            holds.addAll(of(inner.resolve(OLD), wanted));
            holds.addAll(newer);
        }
        return holds;
    }

    /** Unlike {@link Files#isDirectory}, fails if the directory around it may not be searched: then it is not known whether there is a history. */
    private static boolean isDirectory(Path inner) throws IOException {
        try {
            return Files.readAttributes(inner, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).isDirectory();
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static Deque<PastHold> of(Path file, Predicate<String> wanted) throws IOException {
        Deque<PastHold> holds = new ArrayDeque<>();
        FileTail.read(file, MOST_READ, line -> {
            PastHold hold = HistoryCodec.decode(line);
            if (hold != null && wanted.test(hold.name())) {
                if (holds.size() == MOST_ENTRIES) {
                    holds.removeFirst();
                }
                holds.addLast(hold);
            }
        });
        return holds;
    }
}
