package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Windows, on a file system with hard links and named streams (NTFS, ReFS).
 *
 * <p><b>Which file is it?</b> Java has no file keys here: it knows the file's index, and compares two files by it that are both there now ({@code
 * Files.isSameFile}), but does not show it. So it cannot be remembered. The time of creation does not tell either: a file that is created, or renamed, to
 * a name that was free for less than 15 s gets the time of the file that had the name before ("tunneling"). So each file that the library creates gets a random
 * number in a named stream ({@link UserDefinedFileAttributeView}). A stream belongs to the file, as an inode does: all hard links show it, a rename keeps it,
 * writing the content does not touch it, and a new file has none.
 *
 * <p>A copy that takes the streams along has the number, too; its time of creation is another one, so that is part of the identity. A tool that copies
 * both makes a file that looks the same; it cannot be put in the place of a file that is open and mapped.
 *
 * <p>Files of other programs have no number. What is judged of them is their content and their age. So for these two files are the same if their size and their times
 * of creation and change are.
 */
final class WindowsFiles implements SystemFiles {
    /** The stream. Processes of all versions must agree on it. */
    static final String ID = "sessionlock.id";

    private static final int ID_BYTES = 32;
    private static final Set<String> DEVICES = Set.of("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$");
    private static final long WAIT_MILLIS = 1_000;
    /** For how long a file that is in use is asked for again. A virus scanner or an indexer reads a new file for some ten milliseconds. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final Set<OpenOption> READ = Set.of(StandardOpenOption.READ);
    private static final Set<OpenOption> WRITTEN = Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE);

    private final long patience;
    private final SharingViolations violations;

    WindowsFiles() {
        this(PATIENCE_NANOS, new SharingViolations());
    }

    /**
     * @param patience for how long a file that is in use is asked for again, nanoseconds
     * @param violations by what it is known that a file is in use
     */
    WindowsFiles(long patience, SharingViolations violations) {
        this.patience = patience;
        this.violations = violations;
    }

    // ---- which file is it? ----

    /** {@return the identity of the file at a path} */
    Object identity(Path path) throws IOException {
        return identity(path, Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    }

    @Override
    public Object identity(Path path, BasicFileAttributes attributes) throws IOException {
        String id = attributes.isRegularFile() || attributes.isDirectory() ? idOf(path) : null;
        if (id == null) {
            id = attributes.isDirectory() ? "directory" : attributes.lastModifiedTime() + "/" + attributes.size();
        }
        return attributes.creationTime() + "/" + id;
    }

    /** {@return the number that a file was given; null if it has none} */
    private @Nullable String idOf(Path path) throws IOException {
        UserDefinedFileAttributeView streams = streamsOf(path);
        try {
            return onStreams(() -> {
                if (!streams.list().contains(ID) || streams.size(ID) != ID_BYTES) {
                    return null; // or it is just being given
                }
                ByteBuffer id = ByteBuffer.allocate(ID_BYTES);
                streams.read(ID, id);
                return new String(id.array(), StandardCharsets.US_ASCII);
            });
        } catch (NoSuchFileException e) {
            throw e;
        } catch (FileSystemException e) {
            if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                throw new NoSuchFileException(path.toString());
            }
            throw e;
        }
    }

    private static UserDefinedFileAttributeView streamsOf(Path path) throws IOException {
        UserDefinedFileAttributeView streams = Files.getFileAttributeView(path, UserDefinedFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
        if (streams == null) {
            throw withoutStreams(path, null);
        }
        return streams;
    }

    private static IOException withoutStreams(Path path, @Nullable Throwable cause) {
        return new IOException(path + " lies on a file system without named streams, by which files are told apart here: use NTFS or ReFS", cause);
    }

    @Override
    public void giveIdentity(Path created) throws IOException {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        String id = String.format(Locale.ROOT, "%016x%016x", random.nextLong(), random.nextLong());
        UserDefinedFileAttributeView streams = streamsOf(created);
        try {
            onStreams(() -> streams.write(ID, ByteBuffer.wrap(id.getBytes(StandardCharsets.US_ASCII))));
        } catch (FileSystemException e) {
            throw Files.getFileStore(created).supportsFileAttributeView(UserDefinedFileAttributeView.class) ? e : withoutStreams(created, e);
        }
    }

    /** A stream is read through a channel, which an interrupt closes: an interrupted thread must not take its own file for another one. */
    private <T> T onStreams(Step<T> step) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try {
                    return patiently(step);
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

    @Override
    public boolean awaitIdentity(Path existing) throws IOException {
        boolean interrupted = false;
        try {
            for (long start = System.nanoTime(); ; ) {
                BasicFileAttributes there = Files.readAttributes(existing, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                long age = System.currentTimeMillis() - there.creationTime().toMillis();
                if (idOf(existing) != null) {
                    return true;
                } else if (Math.abs(age) > WAIT_MILLIS || System.nanoTime() - start > TimeUnit.MILLISECONDS.toNanos(WAIT_MILLIS)) {
                    return false;
                }
                LockSupport.parkNanos(1_000_000);
                interrupted |= Thread.interrupted(); // else parkNanos would return at once, for ever
            }
        } catch (NoSuchFileException e) {
            return false; // nobody gives it one any more
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Java does not tell how many names a file has here. Only the library's files are asked for, and these have a number. */
    @Override
    public boolean hasOtherName(Path file, Path... folders) throws IOException {
        String id = idOrNull(file);
        for (Path folder : id == null ? new Path[0] : folders) {
            try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
                for (Path other : all) {
                    if (!other.equals(file) && id.equals(idOrNull(other))) {
                        return true;
                    }
                }
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            } catch (NoSuchFileException e) {
                continue; // no file is there
            }
        }
        return false;
    }

    private @Nullable String idOrNull(Path file) throws IOException {
        try {
            return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) ? idOf(file) : null;
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    @Override
    public long inodeOf(Path file) {
        return NO_INODES;
    }

    // ---- opening ----

    @Override
    public OpenFile open(Path file, boolean readOnly) throws IOException {
        return new WindowsOpenFile(this, file, readOnly);
    }

    FileChannel openToWrite(Path file, boolean readOnly) throws IOException {
        return openChannel(file, readOnly ? READ : WRITTEN);
    }

    /** A channel shares its file for reading, writing, renaming and deleting (sun.nio.fs.WindowsChannelFactory). */
    @Override
    public FileChannel openChannel(Path file, Set<? extends OpenOption> how) throws IOException {
        return patiently(() -> FileChannel.open(file, how));
    }

    // ---- kernel bytes ----

    /**
     * Another one: while {@code LockFileEx} waits on a handle that is not asynchronous, each other call on that handle waits, too. Bytes belong to the handle, so
     * closing this one frees no byte of the other.
     */
    @Override
    public FileChannel channelToWaitOn(FileChannel open, Path file) throws IOException {
        return openToWrite(file, false);
    }

    @Override
    public boolean givesByteAgain() {
        return false;
    }

    // ---- names ----

    /**
     * Windows opens one file by several names: dots and spaces at the end do not count, and a file with a long name has a short one as well, such as {@code
     * SESSIO~1.JSO}. It opens no file at all by the name of a device, whatever follows after a dot. (Java itself refuses names with a colon, such as {@code
     * x.jsonl::$DATA}, and with a space at the end.)
     */
    @Override
    public String nameOf(Path absolute) throws IOException {
        String name = withoutEnd(absolute.getFileName().toString());
        int dot = name.indexOf('.');
        String device = withoutEnd(dot < 0 ? name : name.substring(0, dot)).toUpperCase(Locale.ROOT);
        if (name.isEmpty() || name.indexOf(':') >= 0 || DEVICES.contains(device) || device.matches("(COM|LPT)[0-9¹²³]")) {
            throw new FileSystemException(absolute.toString(), null, "Windows opens no file by this name but a device or a stream; choose another name");
        }
        if (name.indexOf('~') < 0) {
            return name;
        }
        try {
            return withoutEnd(absolute.toRealPath(LinkOption.NOFOLLOW_LINKS).getFileName().toString());
        } catch (NoSuchFileException e) {
            return name; // no file has it as its short name
        }
    }

    private static String withoutEnd(String name) {
        int end = name.length();
        while (end > 0 && (name.charAt(end - 1) == '.' || name.charAt(end - 1) == ' ')) {
            end--;
        }
        return name.substring(0, end);
    }

    /** The type of a share is that of the server's own disk, such as NTFS. The real path of a directory on a mapped drive begins with the server's name, as well. */
    @Override
    public @Nullable String networkOf(Path home) {
        return home.toString().startsWith("\\\\") ? "a share of another machine" : null;
    }

    /** Case is folded, which is seen at any name. NTFS keeps the forms of Unicode apart. */
    @Override
    public boolean mayFoldUnseen() {
        return false;
    }

    @Override
    public FileAnswer remove(Path path) {
        return answer(() -> {
            Files.delete(path);
            return null;
        });
    }

    @Override
    public FileAnswer rename(Path from, Path to) {
        return answer(() -> Files.move(from, to, StandardCopyOption.ATOMIC_MOVE));
    }

    @Override
    public FileAnswer renameToFree(Path from, Path to) {
        return answer(() -> Files.move(from, to));
    }

    @Override
    public FileAnswer renameIf(Condition condition, Path from, Path to) {
        return answer(() -> {
            condition.require();
            return Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        });
    }

    /** {@code ERROR_USER_MAPPED_FILE}, or {@code ERROR_ACCESS_DENIED}; nor can it be cut. */
    @Override
    public boolean mayReplaceMapped() {
        return false;
    }

    /**
     * {@code ERROR_ACCESS_DENIED}, even if whoever has it open shares it for deletion: {@code MoveFileEx}, which the JDK calls, does not ask for {@code
     * FILE_RENAME_POSIX_SEMANTICS}. Renaming the open file itself is allowed.
     */
    @Override
    public boolean mayReplaceOpen() {
        return false;
    }

    /** {@code QueryPerformanceCounter}, which goes on "while the system is in standby, hibernate, or connected standby". */
    @Override
    public boolean clockCountsSleep() {
        return true;
    }

    @Override
    public FileAnswer link(Path name, Path existing) {
        return answer(() -> Files.createLink(name, existing));
    }

    private FileAnswer answer(Step<?> step) {
        try {
            patiently(step);
            return FileAnswer.DONE;
        } catch (NoSuchFileException e) {
            return new FileAnswer(FileAnswer.Kind.NOT_THERE, e);
        } catch (FileAlreadyExistsException e) {
            return new FileAnswer(FileAnswer.Kind.NAME_TAKEN, e);
        } catch (IOException e) {
            return new FileAnswer(violations.include(e) ? FileAnswer.Kind.IN_USE : FileAnswer.Kind.REFUSED, e);
        }
    }

    // ---- what a power cut leaves ----

    /** {@code FlushFileBuffers} wants a handle that may write; for any other the JDK says that it is done. */
    @Override
    public void force(Path file) throws IOException {
        try (OpenFile open = open(file, false)) {
            open.force();
        }
    }

    /** A directory cannot be opened. NTFS writes names to its journal by itself, in the order in which they were changed; nobody can wait for that here. */
    @Override
    public void forceNames(Path directory) {
        // nothing to wait for
    }

    /** Something that touches a file. It may be done again after it has failed. */
    private interface Step<T> {
        T run() throws IOException;
    }

    /**
     * Does something again and again, for a second, while the file may be in use. An interrupt ends the waiting, and stays pending: whoever is interrupted gets the
     * answer of that moment, as if the second were over.
     */
    private <T> T patiently(Step<T> step) throws IOException {
        long pause = 500_000;
        for (long start = System.nanoTime(); ; ) {
            try {
                return step.run();
            } catch (FileSystemException e) {
                boolean mayPass = e instanceof AccessDeniedException || violations.include(e); // denied: also what is deleted and still open
                if (!mayPass || System.nanoTime() - start >= patience || Thread.currentThread().isInterrupted()) {
                    throw e;
                }
            }
            LockSupport.parkNanos(this, pause);
            pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
    }
}
