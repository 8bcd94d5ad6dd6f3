package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongPredicate;

/**
 * The locks that the kernel shows in {@code /proc/locks} (proc(5)). Its lines:
 *
 * <pre>
 * 1: POSIX  ADVISORY  WRITE 30522 fe:00:1048 2305843009213693952 2305843009213693952
 * 1: -&gt; POSIX  ADVISORY  WRITE 30523 fe:00:1048 2305843009213693952 2305843009213693952
 * </pre>
 *
 * The second one is a process that waits. Holders of other pid namespaces are not shown, or with a pid of 0 or less.
 */
public final class KernelLocks {

    /**
     * One POSIX lock.
     *
     * @param pid whose it is
     * @param inode of the file
     * @param start the first byte
     * @param end the last byte; {@link Long#MAX_VALUE} for the end of the file
     * @param waiting whether the process waits for it
     */
    public record KernelLock(long pid, long inode, long start, long end, boolean waiting) {

        /** {@return whether a byte is locked by this one} The kernel joins neighbouring locks of one process into one. */
        public boolean covers(long position) {
            return start <= position && position <= end;
        }
    }

    private final Path proc;
    private final long self;

    /** The locks of this machine. */
    public KernelLocks() {
        this(Path.of("/proc"), ProcessIdentity.current().pid());
    }

    /**
     * @param proc where the proc file system is
     * @param self our own id
     */
    KernelLocks(Path proc, long self) {
        this.proc = proc;
        this.self = self;
    }

    /**
     * Reads the locks on some files. By inode alone: for the same file btrfs and overlayfs show another device here than stat(2) does, and nobody
     * else locks bytes at such positions.
     *
     * @return what the kernel says; empty if it does not say, or if {@code /proc} shows another pid namespace now: there a lock of ours has another number,
     *     and would seem to be lost
     */
    public Optional<List<KernelLock>> read(LongPredicate inode) {
        byte[] text;
        try {
            text = ProcFile.bytes(proc.resolve("locks"));
        } catch (IOException e) {
            return Optional.empty();
        }
        if (!ProcessIdentity.isShownAs(self, proc)) {
            return Optional.empty();
        }
        List<KernelLock> entries = new ArrayList<>();
        for (int from = 0; from < text.length; ) {
            int to = from;
            while (to < text.length && text[to] != '\n') {
                to++;
            }
            new LineReader(text, from, to).addTo(entries, inode);
            from = to + 1;
        }
        return Optional.of(entries);
    }

    /** Parses one line without a regular expression: the file may have ten thousand lines, and is read a few times a minute. */
    private static final class LineReader {
        private final byte[] text;
        private final int end;
        private int at;

        LineReader(byte[] text, int from, int end) {
            this.text = text;
            this.at = from;
            this.end = end;
        }

        void addTo(List<KernelLock> entries, LongPredicate inode) {
            word(); // the number of the lock
            int kind = word();
            boolean waiting = is(kind, "->");
            if (waiting) {
                kind = word();
            }
            if (!is(kind, "POSIX")) {
                return;
            }
            word(); // ADVISORY
            word(); // WRITE
            long pid = number(word());
            int file = word();
            int colon = at - 1;
            while (colon > file && text[colon] != ':') {
                colon--;
            }
            long number = number(colon + 1);
            if (inode.test(number)) {
                long first = number(word());
                int last = word();
                entries.add(new KernelLock(pid, number, first, is(last, "EOF") ? Long.MAX_VALUE : number(last), waiting));
            }
        }

        /** Moves behind the next field. Returns where it begins. */
        private int word() {
            while (at < end && text[at] == ' ') {
                at++;
            }
            int start = at;
            while (at < end && text[at] != ' ') {
                at++;
            }
            return start;
        }

        private boolean is(int start, String word) {
            if (at - start != word.length()) {
                return false;
            }
            for (int i = 0; i < word.length(); i++) {
                if (text[start + i] != word.charAt(i)) {
                    return false;
                }
            }
            return true;
        }

        /** {@return the decimal number between a place and the end of the field; -1 if it is none} */
        private long number(int start) {
            boolean negative = start < at && text[start] == '-';
            long value = 0;
            for (int i = negative ? start + 1 : start; i < at; i++) {
                if (text[i] < '0' || text[i] > '9') {
                    return -1;
                }
                value = value * 10 + text[i] - '0';
            }
            return negative ? -value : value;
        }
    }
}
