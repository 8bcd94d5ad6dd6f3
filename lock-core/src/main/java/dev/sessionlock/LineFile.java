package dev.sessionlock;

import dev.sessionlock.internal.directory.TargetFile;
import dev.sessionlock.internal.system.Printable;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a {@link SessionFile}: lines in UTF-8, each ended by a line feed. A writer may be frozen between any two of these operations, lose its
 * lock to another, and wake an hour later. What it still does then must harm nobody:
 * <ul>
 *   <li><b>An append is one write at the end</b> ({@code O_APPEND}), and nothing else: no cut, no position. The kernel lets only one
 *       process at a time write to a file, so a late line stands whole between others' lines. Nobody has acknowledged it.
 *   <li><b>A short write is not continued.</b> The rest could land behind others' lines. The last line is torn then, as after a kill, and
 *       is cut off before the next append.
 *   <li><b>Cutting the tail needs a lock that nobody takes over</b>, as a compaction does: done an hour late, it would cut off an hour of
 *       lines. A late line may land behind the torn one, between the look and the cut; it is cut off, too. Its writer has lost the lock.
 *   <li><b>A compaction renames a new file over the old one.</b> A writer that has opened the old one appends to a file that has no name
 *       any more, and has lost the lock.
 * </ul>
 * So a writer that still holds the lock after its write knows that nothing acknowledged was harmed, with one exception. A late writer that is killed,
 * or meets a full disk, <em>while</em> it writes late leaves half a line, and our line may be glued to that half. The file is then longer than it
 * should be. So our line is looked for behind the old end, and is written once more if it does not stand there by itself.
 *
 * <p>Bytes up to a line feed never change in place. So a reader without a lock looks for the last line feed first, and reads only up to there.
 *
 * <p>An interrupt closes a {@link FileChannel}, and does not tell whether the write was done. So interrupts are put off until the work is done; work
 * that an interrupt has cut short is checked and repeated.
 */
final class LineFile {
    private static final int CHUNK = 64 * 1024;

    private static final Set<StandardOpenOption> READ = Set.of(StandardOpenOption.READ);
    private static final Set<StandardOpenOption> CUT = Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE);
    private static final Set<StandardOpenOption> APPENDED = Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND);

    private final Path path;
    private final TargetFile target;

    /** Its message says already what happened to which file. */
    private static final class ExplainedException extends IOException {
        private static final long serialVersionUID = 1L;

        ExplainedException(String message, @Nullable Throwable cause) {
            super(message, cause);
        }
    }

    LineFile(Path path) {
        this.path = path;
        this.target = new TargetFile(path);
    }

    /** {@return the file, and how it is opened} */
    TargetFile target() {
        return target;
    }

    /**
     * {@return lines as bytes, each with its line feed}
     *
     * @throws IllegalArgumentException if one contains a line break or cannot be encoded
     */
    static byte[] encode(List<String> lines) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (String line : lines) {
            if (line.indexOf('\n') >= 0 || line.indexOf('\r') >= 0) {
                throw new IllegalArgumentException("a line must not contain a line break (in JSON, escape it): " + shown(line));
            }
            try {
                ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(line));
                bytes.write(encoded.array(), encoded.arrayOffset(), encoded.remaining());
            } catch (CharacterCodingException e) {
                throw new IllegalArgumentException("a line contains half of a surrogate pair, which UTF-8 cannot express: " + shown(line), e);
            }
            bytes.write('\n');
        }
        return bytes.toByteArray();
    }

    private static String shown(String line) {
        String start = line.length() <= 60 ? line : line.substring(0, 60) + "...";
        return '"' + Printable.text(start.replace("\n", "\\n").replace("\r", "\\r")) + '"';
    }

    /** {@return the file's length, if it is empty or ends with a line feed; -1 if its last line is torn} */
    long wholeEnd() throws IOException {
        return explained("read " + path, this::lookAtEnd);
    }

    private long lookAtEnd() throws IOException {
        try (FileChannel file = target.open(path, READ)) {
            long size = file.size();
            ByteBuffer last = ByteBuffer.allocate(1);
            return size == 0 || file.read(last, size - 1) == 1 && last.get(0) == '\n' ? size : -1;
        } catch (NoSuchFileException e) {
            return 0;
        }
    }

    /**
     * Appends bytes, in one write. Returns when they stand in the file whole, as lines of their own.
     *
     * @param bytes lines, each with its line feed
     * @param end the file's end as {@link #wholeEnd} found it under the same lock
     * @param lock checked directly before each write
     * @throws LockLostException if the lock was lost before the write; nothing was written then
     * @throws IOException if the file could not be written; the message says what is there
     */
    void append(byte[] bytes, long end, SessionLock lock) throws IOException {
        explained("append to " + path, new Append(bytes, end, lock));
    }

    /** One append. It is run again if an interrupt has cut it short. */
    private final class Append implements Work<Void> {
        private final byte[] bytes;
        private final SessionLock lock;
        private long end;
        private boolean tried;

        Append(byte[] bytes, long end, SessionLock lock) {
            this.bytes = bytes;
            this.end = end;
            this.lock = lock;
        }

        @Override
        public @Nullable Void run() throws IOException {
            while (!(tried ? standsBehind(end, bytes) || again() : write())) {
                continue;
            }
            return null;
        }

        /** {@return whether the bytes are certainly in the file, since nobody else has written meanwhile} */
        private boolean write() throws IOException {
            try (FileChannel out = target.open(path, APPENDED)) {
                lock.ensureHeld();
                tried = true;
                int written = out.write(buffer(bytes));
                if (written < bytes.length) {
                    throw torn("the disk took only " + written + " of " + bytes.length + " bytes; is it full?");
                }
                return out.size() == end + written;
            }
        }

        private boolean again() throws IOException {
            end = lookAtEnd();
            if (end < 0) {
                throw torn("the write was cut short.");
            }
            return write();
        }
    }

    private IOException torn(String why) {
        return new ExplainedException("could not write all to " + path + ": " + why + " Its last line is torn: it is shown to no reader, and cut "
                + "off before the next append", null);
    }

    /** A large buffer is allocated directly: for any other, the JDK keeps a copy for as long as the thread lives. */
    private static ByteBuffer buffer(byte[] bytes) {
        return bytes.length <= CHUNK ? ByteBuffer.wrap(bytes) : ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    /** {@return whether the bytes stand behind the file's old end, at the beginning of a line} */
    private boolean standsBehind(long end, byte[] bytes) throws IOException {
        try (FileChannel file = target.open(path, READ)) {
            byte[] since = new byte[(int) Math.max(0, Math.min(Integer.MAX_VALUE - 8, file.size() - end))];
            ByteBuffer rest = ByteBuffer.wrap(since);
            while (rest.hasRemaining() && file.read(rest, end + rest.position()) > 0) {
                continue;
            }
            int got = rest.position();
            for (int start = 0; start + bytes.length <= got; start++) {
                if ((start == 0 || since[start - 1] == '\n') && Arrays.equals(since, start, start + bytes.length, bytes, 0, bytes.length)) {
                    return true;
                }
            }
            return false;
        }
    }

    /**
     * Cuts off a torn last line.
     *
     * @param lock one that nobody takes over
     * @throws LockLostException if it was lost; nothing was cut then
     */
    void cutTail(SessionLock lock) throws IOException {
        explained("cut off the torn last line of " + path, () -> {
            try (FileChannel file = target.open(path, CUT)) {
                long size = file.size();
                long end = endOfLastLine(file, size);
                lock.ensureHeld();
                if (end < size) {
                    file.truncate(end);
                }
            } catch (NoSuchFileException e) {
                // nothing is torn
            }
            return null;
        });
    }

    /** {@return where the last whole line ends, at or before {@code end}; searched backwards} */
    private static long endOfLastLine(FileChannel file, long end) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(CHUNK, end));
        for (long before = end; before > 0; ) {
            int length = (int) Math.min(bytes.capacity(), before);
            long start = before - length;
            bytes.clear().limit(length);
            while (bytes.hasRemaining() && file.read(bytes, start + bytes.position()) > 0) {
                continue;
            }
            for (int i = bytes.position() - 1; i >= 0; i--) {
                if (bytes.get(i) == '\n') {
                    return start + i + 1;
                }
            }
            before = start;
        }
        return 0;
    }

    /**
     * {@return the whole lines; none if there is no file}
     *
     * @param strict whether bytes that are not UTF-8 are an error; otherwise U+FFFD replaces them
     */
    List<String> lines(boolean strict) throws IOException {
        return explained("read " + path, () -> {
            List<String> lines = new ArrayList<>();
            scan(strict, lines::add);
            return lines;
        });
    }

    /** {@return whether one of the whole lines matches} */
    boolean has(Predicate<String> wanted) throws IOException {
        return explained("read " + path, () -> !scan(false, line -> !wanted.test(line)));
    }

    /** {@return whether it read all lines; it stops at the first for which {@code goOn} returns false} */
    private boolean scan(boolean strict, Predicate<String> goOn) throws IOException {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(strict ? CodingErrorAction.REPORT : CodingErrorAction.REPLACE);
        try (FileChannel file = target.open(path, READ)) {
            long left = endOfLastLine(file, file.size());
            ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(CHUNK, left));
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            int number = 1;
            while (left > 0) {
                chunk.clear().limit((int) Math.min(chunk.capacity(), left));
                int got = file.read(chunk);
                if (got <= 0) {
                    return true; // a program that does not ask for locks is cutting it just now
                }
                left -= got;
                int start = 0;
                for (int i = 0; i < got; i++) {
                    if (chunk.get(i) == '\n') {
                        line.write(chunk.array(), start, i - start);
                        if (!goOn.test(decode(decoder, line, number++))) {
                            return false;
                        }
                        line.reset();
                        start = i + 1;
                    }
                }
                line.write(chunk.array(), start, got - start);
            }
            return true;
        } catch (NoSuchFileException e) {
            return true;
        }
    }

    private String decode(CharsetDecoder decoder, ByteArrayOutputStream line, int number) throws IOException {
        try {
            return decoder.decode(ByteBuffer.wrap(line.toByteArray())).toString();
        } catch (CharacterCodingException e) {
            throw new ExplainedException("line " + number + " of " + path + " is not UTF-8; a rewrite would change it, so nothing was changed", e);
        }
    }

    /** {@return an exception that may be shown and logged as it is, whatever the name of the file} */
    static IOException failed(String what, IOException cause) {
        return new IOException(Printable.text(what), Printable.throwable(cause));
    }

    private static <T> T explained(String what, Work<T> work) throws IOException {
        try {
            return uninterrupted(work);
        } catch (LockException | ExplainedException e) {
            throw e;
        } catch (IOException e) {
            throw failed("could not " + what + " (" + e + "); nothing was acknowledged", e);
        }
    }

    /** Finishes I/O on channels, whatever interrupts the thread. The interrupt is pending afterwards. */
    static <T> T uninterrupted(Work<T> work) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try {
                    return work.run();
                } catch (ClosedByInterruptException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** I/O that may be repeated from its beginning. */
    interface Work<T> {
        T run() throws IOException;
    }
}
