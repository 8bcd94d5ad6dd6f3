package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.nio.file.Path;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The layout of the shared table's files: their names, sizes, and the place of each word. {@link SharedTable} shows it in a picture. All processes of a
 * directory depend on it, so another layout needs another {@link #VERSION}.
 */
final class TableLayout {
    static final String FILE = "board";
    static final long MAGIC = 0x5345_5353_4c4f_434bL; // "SESSLOCK"
    static final long VERSION = 1;
    /** The bytes of an entry, and of the header. */
    static final int ENTRY = 64;
    static final int FIRST_ENTRIES = 256;
    static final int MOST_FILES = 13; // two million locks, 128 MiB
    /** 16,128 entries, 1 MiB: room enough for locks that come and go. */
    static final int ROOMY_FILES = 6;

    // in an entry; its first word is h
    static final int EXPIRY = 8;
    static final int TOKEN = 24;
    static final int WAITER = 32;
    static final int READERS = 40;
    static final int WRITER = 48;

    // in the header; its first word is MAGIC
    static final int HEAD_VERSION = 8;
    static final int HEAD_ENTRIES = 16;
    static final int HEAD_FILES = 24;
    static final int HEAD_BOOT = 32;
    static final int HEAD_TIMENS = 48;
    static final int HEAD_HIGH_WATER = 56;

    /** Stands for the one clock of a system that has no time namespaces. */
    private static final long NO_NAMESPACES = 1;

    private TableLayout() {
    }

    static Path file(Path dir, int fileIndex) {
        return dir.resolve(fileIndex == 0 ? FILE : FILE + "-" + fileIndex);
    }

    static int sizeOf(int entries) {
        return (entries + 1) * ENTRY;
    }

    /** {@return where the i-th slot of the window of {@code h} is} */
    static int slot(TableWords page, long h, int i) {
        int entries = page.size() / ENTRY - 1;
        int from = (int) Long.remainderUnsigned(h >>> 6, entries); // the low six bits chose the guard
        return ENTRY + (from + i) % entries * ENTRY;
    }

    /**
     * {@return a number for the time namespace of a process; 0, as if unknown, if it does not know its boot} That is so where {@code /proc} shows
     * processes alone ({@code subset=pid}), or where macOS did not tell in time: such a process may have come before the one that clears the table after a
     * boot. A process that knows its boot has another number also on a system without time namespaces. Else nobody could tell it from that one.
     */
    static long namespaceNumber(ProcessIdentity process) {
        if (process.boot() == null) {
            return 0;
        }
        return GuardLayout.namespaceNumber(process.timeNamespace() == null ? NO_NAMESPACES : number(process.timeNamespace()));
    }

    /**
     * A table that names no boot may be of this one, and a process that does not know its own (no {@code /proc}) cannot tell. Clearing the expiries
     * of living processes would mean two holders; what dead processes of another boot left only costs a wait.
     */
    static boolean isOfThisBoot(TableWords first, ProcessIdentity self) {
        long most = first.get(HEAD_BOOT);
        long least = first.get(HEAD_BOOT + 8);
        return self.boot() == null || most == 0 && least == 0 || most == bootWord(self, true) && least == bootWord(self, false);
    }

    static long bootWord(ProcessIdentity self, boolean most) {
        if (self.boot() == null) {
            return 0; // no boot id on this system: expiries of an earlier boot are recognized as further away than any lease
        }
        try {
            UUID id = UUID.fromString(self.boot());
            return most ? id.getMostSignificantBits() : id.getLeastSignificantBits();
        } catch (IllegalArgumentException e) {
            return self.boot().hashCode();
        }
    }

    static long number(@Nullable String namespace) {
        try {
            return namespace == null ? 0 : Long.parseLong(namespace);
        } catch (NumberFormatException e) {
            return namespace.hashCode();
        }
    }
}
