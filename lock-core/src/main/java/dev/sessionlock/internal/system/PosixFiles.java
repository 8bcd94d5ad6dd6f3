package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
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
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Linux, macOS and whatever else Java takes for a Unix. */
final class PosixFiles implements SystemFiles {
    private static final Set<OpenOption> READ = Set.of(StandardOpenOption.READ);

    private final boolean mac;

    PosixFiles(boolean mac) {
        this.mac = mac;
    }

    /** Device and inode. On a file system that has none, the path: there a file that is replaced is taken for the same. */
    @Override
    public Object identity(Path path, BasicFileAttributes attributes) {
        Object key = attributes.fileKey();
        return key != null ? key : path;
    }

    @Override
    public void giveIdentity(Path created) {
        // it has an inode
    }

    @Override
    public boolean awaitIdentity(Path existing) {
        return true;
    }

    @Override
    public boolean hasOtherName(Path file, Path... folders) throws IOException {
        try {
            return (int) Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS) > 1;
        } catch (NoSuchFileException | UnsupportedOperationException e) {
            return false;
        }
    }

    @Override
    public long inodeOf(Path file) {
        try {
            return ((Number) Files.getAttribute(file, "unix:ino", LinkOption.NOFOLLOW_LINKS)).longValue();
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return -1;
        }
    }

    @Override
    public OpenFile open(Path file, boolean readOnly) throws IOException {
        return new PosixOpenFile(file, readOnly);
    }

    @Override
    public FileChannel openChannel(Path file, Set<? extends OpenOption> how) throws IOException {
        return FileChannel.open(file, how);
    }

    /** The same: bytes belong to the process, which loses all of them when it closes another descriptor of the file. A call that waits delays no other. */
    @Override
    public FileChannel channelToWaitOn(FileChannel open, Path file) {
        return open;
    }

    @Override
    public boolean givesByteAgain() {
        return true;
    }

    @Override
    public String nameOf(Path absolute) {
        return absolute.getFileName().toString();
    }

    /** The mount table tells. */
    @Override
    public @Nullable String networkOf(Path home) {
        return null;
    }

    /** APFS folds the forms of Unicode even where it keeps upper and lower case apart. */
    @Override
    public boolean mayFoldUnseen() {
        return mac;
    }

    @Override
    public FileAnswer remove(Path path) {
        try {
            Files.delete(path);
            return FileAnswer.DONE;
        } catch (IOException e) {
            return refused(e);
        }
    }

    @Override
    public FileAnswer rename(Path from, Path to) {
        try {
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
            return FileAnswer.DONE;
        } catch (IOException e) {
            return refused(e);
        }
    }

    @Override
    public FileAnswer renameToFree(Path from, Path to) {
        try {
            Files.move(from, to);
            return FileAnswer.DONE;
        } catch (IOException e) {
            return refused(e);
        }
    }

    @Override
    public FileAnswer renameIf(Condition condition, Path from, Path to) {
        try {
            condition.require();
        } catch (IOException e) {
            return new FileAnswer(FileAnswer.Kind.REFUSED, e);
        }
        return rename(from, to);
    }

    /** Whoever has it mapped keeps what was there. */
    @Override
    public boolean mayReplaceMapped() {
        return true;
    }

    @Override
    public boolean mayReplaceOpen() {
        return true;
    }

    /** Linux: {@code CLOCK_MONOTONIC}. macOS: {@code mach_absolute_time}. */
    @Override
    public boolean clockCountsSleep() {
        return false;
    }

    @Override
    public FileAnswer link(Path name, Path existing) {
        try {
            Files.createLink(name, existing);
            return FileAnswer.DONE;
        } catch (IOException e) {
            return refused(e);
        } catch (UnsupportedOperationException e) {
            return refused(new FileSystemException(name.toString(), existing.toString(), e.toString()));
        }
    }

    @Override
    public void force(Path file) throws IOException {
        forceOpened(file);
    }

    @Override
    public void forceNames(Path directory) throws IOException {
        forceOpened(directory);
    }

    /** An interrupt closes the channel: then it is forced once more. */
    private static void forceOpened(Path path) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                try (FileChannel channel = FileChannel.open(path, READ)) {
                    channel.force(true);
                    return;
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

    private static FileAnswer refused(IOException e) {
        return new FileAnswer(e instanceof NoSuchFileException ? FileAnswer.Kind.NOT_THERE : e instanceof FileAlreadyExistsException ? FileAnswer.Kind.NAME_TAKEN
                : FileAnswer.Kind.REFUSED, e);
    }
}
