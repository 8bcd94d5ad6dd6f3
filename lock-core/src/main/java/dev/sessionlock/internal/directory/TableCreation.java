package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.FileAnswer;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Creates the files of the shared table, and says whether they are whole. A file is written out under another name and then renamed: so nobody ever opens
 * one that still grows, and a file that others may have mapped stays as it is. Whoever creates holds the setup byte ({@link SetupByte}).
 */
final class TableCreation {
    private static final Log log = Loggers.LIBRARY;
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    /** In the name of a file that is still being written. */
    private static final String UNFINISHED = ".new-";

    private TableCreation() {
    }

    /**
     * Creates a file of the table, or replaces one that was cut short. It is written out in full: touching a mapped page that has no block behind it
     * is a fault on a full disk. It is written under another name and then renamed: so nobody ever opens one that still grows, and a file that others
     * may have mapped stays as it is. The caller holds the setup byte.
     */
    static void write(Path file, int entries, FileMode mode, @Nullable ProcessIdentity self, long highWater) throws IOException {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file + " is not an ordinary file; somebody put it there: remove it");
        }
        sweepUnfinished(file.getParent());
        Path fresh = file.resolveSibling(file.getFileName() + UNFINISHED + Long.toHexString(ThreadLocalRandom.current().nextLong()));
        try {
            try (OpenFile out = mode.create(fresh).file()) {
                out.write(header(entries, self, highWater));
                byte[] zeros = new byte[Math.min(64 * 1024, entries * TableLayout.ENTRY)];
                for (int left = entries * TableLayout.ENTRY; left > 0; left -= zeros.length) {
                    out.write(zeros, Math.min(left, zeros.length));
                }
                if (highWater != 0) {
                    out.force(); // a power cut must not take the tokens that the replaced file still had
                }
            }
            put(fresh, file);
        } catch (IOException | RuntimeException e) {
            FILES.remove(fresh).done();
            throw e;
        }
    }

    private static void put(Path fresh, Path file) throws IOException {
        FileAnswer answer = FILES.rename(fresh, file);
        if (answer.kind() != FileAnswer.Kind.DONE && !FILES.mayReplaceMapped() && Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file + " is not a whole table any more, and Windows does not replace a file that a process has mapped: end all "
                    + "processes that lock files in " + file.getParent().getParent() + ", and start them again", answer.reason());
        }
        answer.requireDone();
    }

    private static byte[] header(int entries, @Nullable ProcessIdentity self, long highWater) {
        ByteBuffer head = ByteBuffer.allocate(TableLayout.ENTRY).order(ByteOrder.nativeOrder());
        head.putLong(0, TableLayout.MAGIC).putLong(TableLayout.HEAD_VERSION, TableLayout.VERSION).putLong(TableLayout.HEAD_ENTRIES, entries)
                .putLong(TableLayout.HEAD_FILES, 1).putLong(TableLayout.HEAD_HIGH_WATER, highWater);
        if (self != null) {
            head.putLong(TableLayout.HEAD_BOOT, TableLayout.bootWord(self, true)).putLong(TableLayout.HEAD_BOOT + 8, TableLayout.bootWord(self, false));
            head.putLong(TableLayout.HEAD_TIMENS, TableLayout.number(self.timeNamespace()));
        }
        return head.array();
    }

    /** Deletes what killed processes left while they created a table. */
    private static void sweepUnfinished(Path dir) throws IOException {
        try (DirectoryStream<Path> left = FolderStream.open(dir, TableLayout.FILE)) {
            for (Path path : left) {
                if (path.getFileName().toString().contains(UNFINISHED)) {
                    deleteIfAllowed(path);
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    static void deleteIfAllowed(Path file) {
        FileAnswer answer = FILES.remove(file);
        if (answer.kind() == FileAnswer.Kind.REFUSED || answer.kind() == FileAnswer.Kind.IN_USE) {
            log.debug("{} stays", file, answer.reason());
        }
    }

    /** {@return whether all files that the first one counts are there, and as long as they were created} A table of another version is left alone. */
    static boolean isWhole(Path dir) throws IOException {
        ByteBuffer head = headOf(dir.resolve(TableLayout.FILE), TableLayout.FIRST_ENTRIES);
        if (head == null || head.getLong(TableLayout.HEAD_VERSION) != TableLayout.VERSION) {
            return head != null;
        }
        long count = Math.min(head.getLong(TableLayout.HEAD_FILES), TableLayout.MOST_FILES);
        for (int i = 1; i < count; i++) {
            if (!isWhole(TableLayout.file(dir, i), TableLayout.FIRST_ENTRIES << i)) {
                return false;
            }
        }
        return true;
    }

    static boolean isWhole(Path file, int entries) throws IOException {
        return headOf(file, entries) != null;
    }

    /** {@return the header of a file of a table; null if it is none, or shorter than it was created} */
    private static @Nullable ByteBuffer headOf(Path file, int entries) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) || Files.size(file) < TableLayout.sizeOf(entries)) {
            return null;
        }
        if (!FILES.awaitIdentity(file)) {
            return null; // a copy: another copy in its place would be taken for the same file
        }
        byte[] head = new byte[TableLayout.ENTRY];
        try (OpenFile in = FileReading.openToLook(file)) {
            in.readFully(head);
        } catch (EOFException e) {
            return null; // it was cut short meanwhile
        }
        ByteBuffer words = ByteBuffer.wrap(head).order(ByteOrder.nativeOrder());
        return words.getLong(0) == TableLayout.MAGIC && words.getLong(TableLayout.HEAD_ENTRIES) == entries ? words : null;
    }
}
