package dev.sessionlock.cli;

import dev.sessionlock.internal.system.SystemReason;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Writes a page to a file, as a whole: first to a file beside it, which is then renamed. So nobody ever reads half a page, and a full disk leaves the old one. It
 * replaces an earlier page of the same user, and nothing else unless that is asked for. Only its writer can read it.
 *
 * <p>The directory is opened once, and all that follows happens in that very directory and follows no link. So another user who may change names there cannot have root
 * write elsewhere.
 *
 * @param file where the page goes
 * @param beginning how each page begins
 */
record PageFile(Path file, String beginning) {
    private static final Set<OpenOption> MADE = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
    private static final Set<OpenOption> CHECKED = Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
    /** A page shows what the directory of the lock may keep from others. */
    private static final FileAttribute<?> FOR_ITS_WRITER = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    /**
     * Writes it.
     *
     * @param force whether to replace any other file, or a link
     * @throws IOException if something else is there, with a message for a person
     */
    void write(String page, boolean force) throws IOException {
        Path name = file.getFileName();
        if (name == null || !page.startsWith(beginning)) {
            throw new IOException(file + " cannot be a page");
        }
        Path home = file.toAbsolutePath().getParent();
        if (!Files.isDirectory(home)) {
            throw new IOException("cannot write " + file + ": the directory " + home + " does not exist; make it first");
        }
        try {
            write(page, force, home, name);
        } catch (AccessDeniedException e) {
            throw new IOException("cannot write " + file + ": no permission", e);
        } catch (FileSystemException e) {
            String reason = SystemReason.of(e);
            throw new IOException("cannot write " + file + ": " + (reason.isEmpty() ? e.getClass().getSimpleName() : reason), e);
        }
    }

    private void write(String page, boolean force, Path home, Path name) throws IOException {
        try (DirectoryStream<Path> open = Files.newDirectoryStream(home)) {
            if (!(open instanceof SecureDirectoryStream<Path> directory)) {
                throw new IOException("cannot write " + file + ": this system has no way to do it without following links");
            }
            Path beside = Path.of(".sessionlock-why-" + ProcessHandle.current().pid() + "-" + Long.toHexString(System.nanoTime()));
            boolean done = false;
            try {
                try (OutputStream out = Channels.newOutputStream(directory.newByteChannel(beside, MADE, FOR_ITS_WRITER))) {
                    out.write(page.getBytes(StandardCharsets.UTF_8));
                }
                requireReplaceable(directory, name, beside, force); // last of all, so that others have the least time to put something there
                directory.move(beside, directory, name);
                done = true;
            } finally {
                if (!done) {
                    removeIfThere(directory, beside);
                }
            }
        }
    }

    private static void removeIfThere(SecureDirectoryStream<Path> directory, Path name) throws IOException {
        try {
            directory.deleteFile(name);
        } catch (NoSuchFileException e) {
            // it could not be made
        }
    }

    /** @param ours a file that this process has made */
    private void requireReplaceable(SecureDirectoryStream<Path> directory, Path name, Path ours, boolean force) throws IOException {
        PosixFileAttributes there = attributes(directory, name);
        if (there == null) {
            return;
        } else if (there.isDirectory()) {
            throw new IOException("cannot write " + file + ": it is a directory; name a file in it");
        } else if (there.isOther()) {
            throw new IOException(file + " is a device, a FIFO or a socket, and stays as it is; name another file");
        } else if (force) {
            return;
        } else if (!there.isRegularFile() || !isPage(directory, name)) {
            throw new IOException(file + " is something else than a report of this tool, and stays as it is; --force replaces it"
                    + (there.isSymbolicLink() ? " (the link, not what it leads to)" : ""));
        }
        PosixFileAttributes own = attributes(directory, ours);
        if (own == null || !there.owner().equals(own.owner())) {
            throw new IOException(file + " is a report that belongs to another user, and stays as it is; --force replaces it");
        }
    }

    private static @Nullable PosixFileAttributes attributes(SecureDirectoryStream<Path> directory, Path name) throws IOException {
        try {
            return directory.getFileAttributeView(name, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS).readAttributes();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** It is opened for writing, too, and nothing is written: then a FIFO that somebody puts there in this instant does not block (fifo(7)). It has no size. */
    private boolean isPage(SecureDirectoryStream<Path> directory, Path name) throws IOException {
        byte[] expected = beginning.getBytes(StandardCharsets.UTF_8);
        ByteBuffer read = ByteBuffer.allocate(expected.length);
        try (SeekableByteChannel in = directory.newByteChannel(name, CHECKED)) {
            while (in.size() >= expected.length && read.hasRemaining() && in.read(read) >= 0) {
                // until it is full, or the file is over
            }
        }
        return !read.hasRemaining() && Arrays.equals(read.array(), expected);
    }
}
