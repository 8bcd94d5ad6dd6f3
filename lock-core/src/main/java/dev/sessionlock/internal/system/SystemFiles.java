package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The seam to the operating system: all that the library does with files, and that Windows does in another way than POSIX. The floors above ask here, and
 * never which system it is. PROTOCOL.md, "The seam to the operating system", has a table of what differs, and of the test that shows it.
 *
 * <p>One implementation for each of the two, chosen once, when the class is loaded. A test starts a JVM with another {@code os.name}, or asks an
 * implementation itself.
 */
public interface SystemFiles {
    /** The one of this JVM. A constant: the JVM compiles calls to it as direct ones, and the cycle pays nothing for the choice. */
    SystemFiles OF_THIS_PROCESS = of(OperatingSystem.current());

    /** {@return the one of an operating system} */
    static SystemFiles of(OperatingSystem system) {
        return system.isWindows() ? new WindowsFiles() : new PosixFiles(system.isMac());
    }

    // ---- which file is it? ----

    /**
     * {@return what tells a file from all others that have had its name, or will have it, and is the same under all names of the file} It stays the same while
     * the file is open, is renamed, or is rewritten in place. It has {@code equals}, {@code hashCode} and a text.
     *
     * @param path the file; a link is not followed
     * @param attributes of that file, just read
     * @throws IOException if it cannot be determined, or if the file is gone by now
     */
    Object identity(Path path, BasicFileAttributes attributes) throws IOException;

    /** Gives a file or directory that this process has just created the identity that it keeps, where the system gives it none. */
    void giveIdentity(Path created) throws IOException;

    /**
     * Waits, for a moment only, until whoever has just created a file or directory has given it its identity. Nothing is waited for if it is older than that
     * moment, or is not there.
     *
     * @return whether it has one that it keeps; if not, it was copied there by a tool that left it out, or its creator was killed before it gave one
     */
    boolean awaitIdentity(Path existing) throws IOException;

    /**
     * {@return whether a file has another name than this one} False if it is gone.
     *
     * @param folders where the other name may be; nothing is looked up there if the system counts the names
     */
    boolean hasOtherName(Path file, Path... folders) throws IOException;

    /** What {@link #inodeOf} answers where files have no inodes that the kernel shows its locks by. */
    long NO_INODES = -2;

    /** {@return the inode of a file, by which {@code /proc/locks} names it; {@link #NO_INODES}; or -1 if there is no such file} */
    long inodeOf(Path file);

    // ---- opening ----

    /**
     * Opens a file so that others may still read, write, rename and delete it.
     *
     * @param file it exists; on POSIX it is created otherwise, so look first where that would harm
     */
    OpenFile open(Path file, boolean readOnly) throws IOException;

    /**
     * As {@link #open}, for a caller that needs a channel: for one that carries kernel bytes, is appended to, or is read once.
     *
     * <p>An interrupt closes a channel, and with it the kernel bytes on it. On POSIX there is no way around that for guard files: only a channel can be locked, and
     * a second descriptor would drop the bytes of the first when it is closed. So they are opened once, and only threads of the library do I/O on them. If one
     * is closed all the same, the file is opened again, and what was held through it is taken again.
     */
    FileChannel openChannel(Path file, Set<? extends OpenOption> how) throws IOException;

    // ---- kernel bytes ----

    /**
     * {@return the channel on which a thread waits for a byte of a file}
     *
     * @param open a channel of that file, through which bytes are requested without waiting
     * @param file its path
     */
    FileChannel channelToWaitOn(FileChannel open, Path file) throws IOException;

    /**
     * {@return whether the kernel gives a byte once more to the process that has it} Then requesting one tells that no other process has it. Otherwise a byte that
     * an error has left taken is freed by closing its channel alone.
     */
    boolean givesByteAgain();

    // ---- names ----

    /**
     * {@return the name of a file in its directory, one for all ways in which it may be written} Upper and lower case and the forms of Unicode do not count here: the
     * file system decides about them.
     *
     * @param absolute the file, which need not exist
     * @throws FileSystemException if no file can have that name, and the system opens something else by it
     */
    String nameOf(Path absolute) throws IOException;

    /**
     * {@return what to call the network on which a directory lies; null if its path does not tell} Most systems name the type of each file system; that is judged elsewhere.
     *
     * @param home its real path
     */
    @Nullable String networkOf(Path home);

    /** {@return whether file systems here may take two names for one though a look at a name in ASCII does not show it} */
    boolean mayFoldUnseen();

    /** Deletes what lies at a name: a file, a link, or a directory that is empty. */
    FileAnswer remove(Path path);

    /** Renames a file, in one step. What lay at the new name is gone then. */
    FileAnswer rename(Path from, Path to);

    /**
     * Renames a file or directory to a name that nothing has. On POSIX the look and the rename are two steps: what comes to the name in between is gone then.
     *
     * @return {@link FileAnswer.Kind#NAME_TAKEN} if something is there
     */
    FileAnswer renameToFree(Path from, Path to);

    /** What must be true at the moment of an operation. */
    interface Condition {
        /** Throws if it is not. */
        void require() throws IOException;
    }

    /** As above, if a condition holds. It is looked at again before each try; what it throws is the reason of the answer. */
    FileAnswer renameIf(Condition condition, Path from, Path to);

    /**
     * {@return whether a file can be deleted, or another renamed over it, while a process has it mapped} Here and in other processes; what is mapped stays so until the
     * garbage collector finds that nobody uses it.
     */
    boolean mayReplaceMapped();

    /** {@return whether a rename replaces a file that a process has open} Otherwise the file is moved away first, and for a moment nothing has its name. */
    boolean mayReplaceOpen();

    /** Gives a file one name more, in one step. */
    FileAnswer link(Path name, Path existing);

    // ---- what a machine that sleeps leaves ----

    /** {@return whether the monotonic clock counts the time for which the machine sleeps} Then every lease may be over when it wakes, though its holder lives. */
    boolean clockCountsSleep();

    // ---- what a power cut leaves ----

    /** Returns once the disk has the content of a file. An interrupt is put off meanwhile. */
    void force(Path file) throws IOException;

    /** Returns once the disk has the names in a directory, where a program can ask for that. An interrupt is put off meanwhile. */
    void forceNames(Path directory) throws IOException;
}
