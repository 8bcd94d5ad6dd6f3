package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CurrentUser;
import dev.sessionlock.internal.system.Loggers;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
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
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.annotations.Nullable;

/**
 * How the library's files are created and opened in a directory: with which mode and owner, and by which path.
 *
 * <p><b>Modes.</b> Whoever may write to the directory must be able to open the library's files in it. So their modes follow the directory's mode, not
 * the umask of the process that came first; so does their owner, where we may change it.
 *
 * <p><b>Names that others may change.</b> A user who is neither this process's nor root may be able to replace a file that was just created or looked
 * at, by a link or another file: the owner of the directory, a user who may write to it, or the owner of a directory above. Then nothing is opened,
 * created, linked, renamed or removed by a path that could lead elsewhere. The directory and {@code .session-locks} are opened once, and all paths
 * begin at the open directory ({@link DescriptorPath}). A file is created by {@code O_CREAT | O_EXCL}, and its mode and owner are changed through the
 * open file. An existing file is opened without following a link, and the open file is examined before anything is written to it. Where nobody else
 * can change names, which is the rule, plain paths do.
 */
final class FileMode implements TableFile.Access {
    private static final int READ_WRITE = 0666;
    private static final int ALL = 07777;
    private static final int WRITABLE_BY_OTHERS = 022;
    private static final int STICKY = 01000;
    private static final int OWNER_READ = 0400;
    private static final String ATTRIBUTES = "unix:mode,uid,gid,nlink,fileKey,isRegularFile";

    private static final Set<OpenOption> MADE = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE,
            LinkOption.NOFOLLOW_LINKS);
    private static final Set<OpenOption> WRITTEN = Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
    private static final Set<OpenOption> READ = Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS);
    private static final FileAttribute<?>[] AS_UMASK_SAYS = {};

    private final Path home;
    /** The directory's mode; negative where the file system has none. */
    private final int directory;
    private final Object uid;
    private final Object gid;
    /** The directory, open, where others may change names; else null. */
    private final @Nullable DescriptorPath anchor;
    /** {@code .session-locks}, likewise. */
    private volatile @Nullable DescriptorPath inner;
    /** The users of the open directories: a {@link LockDirectory}, and its guard files, which another path of the same directory may use as well. */
    private final AtomicInteger users = new AtomicInteger(1);

    private FileMode(Path home, Map<String, Object> unix, @Nullable DescriptorPath anchor) {
        this.home = home;
        this.directory = (int) unix.get("mode") & ALL;
        this.uid = unix.get("uid");
        this.gid = unix.get("gid");
        this.anchor = anchor;
    }

    /** For file systems where files have neither modes nor owners. */
    private FileMode(Path home) {
        this.home = home;
        this.directory = -1;
        this.uid = 0;
        this.gid = 0;
        this.anchor = null;
    }

    /**
     * {@return how files are created in a directory}
     *
     * @param home its real path
     * @throws IOException also if others may change names there, and this system has no way to be safe from that
     */
    static FileMode of(Path home) throws IOException {
        Map<String, Object> unix;
        try {
            unix = Files.readAttributes(home, ATTRIBUTES);
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return new FileMode(home);
        }
        if (!othersChangeNames(home, unix)) {
            return new FileMode(home, unix, null);
        }
        DescriptorPath anchor;
        try {
            anchor = DescriptorPath.of(home);
        } catch (AccessDeniedException e) {
            throw e;
        } catch (IOException e) {
            if (!CurrentUser.isKnown() && !CurrentUser.isRoot()) {
                return new FileMode(home, unix, null); // no Linux, or no /proc: this is as good as plain paths that follow no link
            }
            throw new IOException(home + " is in the hands of others (it belongs to user " + unix.get("uid") + "), who may put other files in the place of ours, "
                    + "and this system does not let us see what we open (" + e.getMessage() + "); do this as the owner of the directory: sudo -u '#"
                    + unix.get("uid") + "' ...", e);
        }
        return new FileMode(home, Files.readAttributes(anchor.path(), ATTRIBUTES), anchor);
    }

    /** As below, by the real path of a directory; false where files have neither modes nor owners. */
    static boolean othersChangeNames(Path home) throws IOException {
        try {
            return othersChangeNames(home, Files.readAttributes(home, ATTRIBUTES));
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return false;
        }
    }

    /** {@return whether a user who is neither ours nor root could replace what we create there, or the directory itself} */
    private static boolean othersChangeNames(Path home, Map<String, Object> unix) throws IOException {
        if (!isOurs(unix, false) || othersRenameOurs(home.getParent())) {
            return true;
        }
        try {
            return !isOurs(Files.readAttributes(home.resolve(LockDirectory.INNER), "unix:mode,uid", LinkOption.NOFOLLOW_LINKS), false);
        } catch (NoSuchFileException e) {
            return false; // it will be created with the directory's mode
        }
    }

    /** {@return whether a user who is neither ours nor root could rename our files in a directory, or the directory itself} */
    static boolean othersRenameOurs(@Nullable Path home) throws IOException {
        for (Path dir = home; dir != null; dir = dir.getParent()) {
            if (!isOurs(Files.readAttributes(dir, "unix:mode,uid"), true)) {
                return true;
            }
        }
        return false;
    }

    /** @param holdsOurs our files in it cannot be renamed by others where the sticky bit is set */
    private static boolean isOurs(Map<String, Object> unix, boolean holdsOurs) {
        int mode = (int) unix.get("mode");
        return CurrentUser.trusts(unix.get("uid")) && ((mode & WRITABLE_BY_OTHERS) == 0 || holdsOurs && (mode & STICKY) != 0);
    }

    /** Adds a user; the first is whoever created this. */
    FileMode shared() {
        users.incrementAndGet();
        return this;
    }

    /** Removes a user. With the last one, what is open is closed. */
    void leave() throws IOException {
        if (users.decrementAndGet() == 0 && anchor != null) {
            DescriptorPath folder = inner;
            if (folder != null) {
                folder.close();
            }
            anchor.close();
        }
    }

    // ---- by which path ----

    /** {@return whether others may change names here, so that names are looked up in open directories, and not by the whole path} */
    boolean isShared() {
        return anchor != null;
    }

    /** {@return the path by which the directory is reached} */
    Path home() {
        DescriptorPath open = anchor;
        return open == null ? home : open.path();
    }

    /** {@return the path by which {@code .session-locks} is reached} */
    Path inner() {
        DescriptorPath open = inner;
        return open == null ? home.resolve(LockDirectory.INNER) : open.path();
    }

    private Path reached(Path named) {
        DescriptorPath folder = inner;
        Path parent = named.getParent();
        if (anchor == null || parent == null) {
            return named;
        } else if (parent.equals(home)) {
            return anchor.path().resolve(named.getFileName());
        }
        return folder != null && parent.equals(home.resolve(LockDirectory.INNER)) ? folder.path().resolve(named.getFileName()) : named;
    }

    /** {@return the path that a person knows} */
    private Path named(Path reached) {
        DescriptorPath folder = inner;
        Path parent = reached.getParent();
        if (anchor == null || parent == null) {
            return reached;
        } else if (parent.equals(anchor.path())) {
            return home.resolve(reached.getFileName());
        }
        return folder != null && parent.equals(folder.path()) ? home.resolve(LockDirectory.INNER).resolve(reached.getFileName()) : reached;
    }

    private FileSystemException named(FileSystemException e, Path file) {
        Path known = named(file);
        if (known.equals(file)) {
            return e;
        }
        FileSystemException told = e instanceof AccessDeniedException ? new AccessDeniedException(known.toString(), null, e.getReason())
                : e instanceof NoSuchFileException ? new NoSuchFileException(known.toString(), null, e.getReason())
                : e instanceof FileAlreadyExistsException ? new FileAlreadyExistsException(known.toString(), null, e.getReason())
                : new FileSystemException(known.toString(), null, e.getReason());
        told.initCause(e);
        return told;
    }

    /** {@return an exception with the path that a person knows, for a failure on the path that we used} */
    IOException named(IOException e) {
        if (anchor == null || e.getMessage() == null) {
            return e;
        } else if (e instanceof FileSystemException known && known.getFile() != null) {
            return named(known, Path.of(known.getFile()));
        }
        String told = e.getMessage().replace(inner() + "/", home.resolve(LockDirectory.INNER) + "/").replace(home() + "/", home + "/");
        return told.equals(e.getMessage()) ? e : new IOException(told, e);
    }

    // ---- creating ----

    /**
     * A file that was just created, open.
     *
     * @param file for writing
     * @param key its inode, as Java tells it
     */
    record Made(RandomAccessFile file, Object key) {
    }

    /**
     * Creates an empty file with the mode and owner that it must have.
     *
     * @throws FileAlreadyExistsException if anything is there
     */
    Made create(Path path) throws IOException {
        Path file = reached(path);
        try {
            return anchor == null ? make(file) : makeAmongOthers(file);
        } catch (FileSystemException e) {
            throw named(e, file);
        }
    }

    private Made make(Path file) throws IOException {
        Files.createFile(file);
        boolean done = false;
        try {
            apply(file, directory & READ_WRITE, LinkOption.NOFOLLOW_LINKS);
            Made made = new Made(new RandomAccessFile(file.toFile(), "rw"), FileKey.of(file));
            done = true;
            return made;
        } finally {
            if (!done) {
                Files.deleteIfExists(file); // at x.lock it would keep others out
            }
        }
    }

    private Made makeAmongOthers(Path file) throws IOException {
        FileChannel open = makeOpen(file);
        boolean done = false;
        try (open) {
            Path its = DescriptorPath.pathOf(open);
            Made made = new Made(new RandomAccessFile(its.toFile(), "rw"), Files.readAttributes(its, ATTRIBUTES).get("fileKey"));
            done = true;
            return made;
        } finally {
            if (!done) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** Where others may change names: creates a file, and gives mode and owner to the very one that was created. */
    private FileChannel makeOpen(Path file) throws IOException {
        FileChannel made = FileChannel.open(file, MADE, permissions(directory & READ_WRITE));
        boolean done = false;
        try {
            apply(DescriptorPath.pathOf(made), directory & READ_WRITE);
            done = true;
            return made;
        } finally {
            if (!done) {
                made.close();
                Files.deleteIfExists(file);
            }
        }
    }

    private static FileAttribute<?>[] permissions(int mode) {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        for (PosixFilePermission permission : PosixFilePermission.values()) {
            if ((mode & OWNER_READ >> permission.ordinal()) != 0) {
                permissions.add(permission);
            }
        }
        return new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(permissions)};
    }

    /** Creates an empty file unless something is there; never follows or opens what is there. */
    void createIfMissing(Path path) throws IOException {
        Path file = reached(path);
        try {
            if (anchor == null) {
                Files.createFile(file);
                apply(file, directory & READ_WRITE, LinkOption.NOFOLLOW_LINKS);
            } else {
                makeOpen(file).close();
            }
        } catch (FileAlreadyExistsException e) {
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                throw notOrdinary(named(file), e);
            }
        } catch (FileSystemException e) {
            throw named(e, file);
        }
    }

    static IOException notOrdinary(Path file, @Nullable Exception cause) {
        return new IOException(file + " is not an ordinary file; somebody put it there: remove it", cause);
    }

    /** {@return what to tell a person about a file or link in place of {@code .session-locks}} */
    static IOException notADirectory(Path dir, @Nullable Throwable cause) {
        return new IOException(dir + " is not a directory; somebody put it there: remove it", cause);
    }

    /** Creates a directory unless one is there, and where others may change names, keeps it open from now on. */
    void createDirectoryIfMissing(Path path) throws IOException {
        Path dir = reached(path);
        boolean made = false;
        try {
            Files.createDirectory(dir, anchor == null ? AS_UMASK_SAYS : permissions(directory & 0777));
            made = true;
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(dir, LinkOption.NOFOLLOW_LINKS)) {
                throw notADirectory(path, e);
            }
        } catch (FileSystemException e) {
            throw named(e, dir);
        }
        if (anchor == null) {
            if (made) {
                apply(dir, directory, LinkOption.NOFOLLOW_LINKS);
            }
            return;
        }
        DescriptorPath open;
        try {
            open = DescriptorPath.of(dir);
        } catch (FileSystemException e) {
            throw Files.isSymbolicLink(dir) ? notADirectory(path, e) : named(e, dir);
        }
        boolean trusted = false;
        try {
            if (made) {
                giveAway(open, path);
            } else {
                requireFolderToTrust(path, Files.readAttributes(open.path(), ATTRIBUTES));
            }
            trusted = true;
        } finally {
            if (!trusted) {
                open.close();
            }
        }
        DescriptorPath before = inner;
        inner = open;
        if (before != null) {
            before.close();
        }
    }

    /**
     * Only a directory that is ours and holds nothing but what other threads and processes have created in it since: another directory of ours might
     * have been put in place of the new one.
     */
    private void giveAway(DescriptorPath made, Path path) throws IOException {
        boolean ours = CurrentUser.is(Files.readAttributes(made.path(), ATTRIBUTES).get("uid"));
        try (DirectoryStream<Path> files = Files.newDirectoryStream(made.path())) {
            for (Path file : files) {
                ours &= LockDirectory.isNameOfOurs(file.getFileName().toString());
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        if (!ours) {
            throw new IOException("others have put another directory in the place of " + path + ", which was just made; try again");
        }
        apply(made.path(), directory);
    }

    private void apply(Path path, int mode, LinkOption... options) throws IOException {
        if (directory < 0) {
            return;
        }
        Map<String, Object> unix = Files.readAttributes(path, "unix:mode,uid,gid", options);
        if (!unix.get("uid").equals(uid) || !unix.get("gid").equals(gid)) {
            giveToOwner(path, options);
        }
        if (((int) unix.get("mode") & ALL) != mode) {
            Files.setAttribute(path, "unix:mode", mode, options);
        }
    }

    /** Root may use the tool in the gateway's directory; the gateway must be able to open what root created. Other users may not do this. */
    private void giveToOwner(Path path, LinkOption... options) {
        try {
            Files.setAttribute(path, "unix:gid", gid, options);
            Files.setAttribute(path, "unix:uid", uid, options);
        } catch (IOException e) {
            Loggers.LIBRARY.debug("{} stays ours", path, e);
        }
    }

    // ---- opening what is there ----

    /**
     * Opens a file for a caller that only reads it. Follows no link, which could lead to a device that does something when it is opened. Root opens
     * it for writing, too, and writes nothing: then a FIFO that somebody puts there in the instant of the look does not block (fifo(7)). Other users
     * may not open every file so; nor may root on a read-only disk.
     */
    static FileChannel openToRead(Path file) throws IOException {
        if (CurrentUser.isRoot()) {
            try {
                return FileChannel.open(file, WRITTEN);
            } catch (NoSuchFileException e) {
                throw e;
            } catch (FileSystemException e) {
                return FileChannel.open(file, READ);
            }
        }
        return FileChannel.open(file, READ);
    }

    /** As {@link #openToRead}, for a caller whose reading no interrupt may end. */
    static RandomAccessFile openToLook(Path file) throws IOException {
        try (FileChannel open = openToRead(file)) {
            Path its = DescriptorPath.isToBeHad() ? DescriptorPath.pathOf(open) : file; // without /proc, or if it was hidden since, reading goes on
            return new RandomAccessFile(its.toFile(), "r");
        }
    }

    /** {@return an existing guard file, open; nothing is closed by this, unless it is not to be trusted} */
    FileChannel openGuard(Path path) throws IOException {
        if (anchor == null) {
            return FileChannel.open(path, WRITTEN);
        }
        Path file = reached(path);
        try {
            return openTrusted(file, WRITTEN, null);
        } catch (FileSystemException e) {
            throw named(e, file);
        }
    }

    /** {@return a file of the table; not yet known to be one} */
    @Override
    public RandomAccessFile open(Path path, boolean readOnly) throws IOException {
        return open(path, readOnly ? "r" : "rw", null);
    }

    /**
     * {@return a record file, which may have another name, that of the lock, by now}
     *
     * @param key which one it must be
     * @throws NoSuchFileException if it is not there any more
     */
    RandomAccessFile openRecord(Path path, Object key) throws IOException {
        if (!key.equals(FileKey.ofOrNull(reached(path)))) {
            throw new NoSuchFileException(path.toString(), null, "somebody removed it"); // opening would create another file
        }
        return open(path, "rw", key);
    }

    private RandomAccessFile open(Path path, String how, @Nullable Object key) throws IOException {
        if (anchor == null) {
            return new RandomAccessFile(path.toFile(), how);
        }
        Path file = reached(path);
        try (FileChannel open = openTrusted(file, how.equals("r") ? READ : WRITTEN, key)) {
            return new RandomAccessFile(DescriptorPath.pathOf(open).toFile(), how);
        } catch (FileSystemException e) {
            throw named(e, file);
        }
    }

    /** Looks before it opens, since closing a guard file drops bytes; and then at the open file, which may be another. */
    private FileChannel openTrusted(Path file, Set<OpenOption> how, @Nullable Object key) throws IOException {
        requireFileToTrust(file, Files.readAttributes(file, ATTRIBUTES, LinkOption.NOFOLLOW_LINKS), key);
        FileChannel open = FileChannel.open(file, how);
        boolean trusted = false;
        try {
            requireFileToTrust(file, Files.readAttributes(DescriptorPath.pathOf(open), ATTRIBUTES), key);
            trusted = true;
            return open;
        } finally {
            if (!trusted) {
                open.close();
            }
        }
    }

    /** We must not write to a file that is not ours. */
    private void requireFileToTrust(Path file, Map<String, Object> unix, @Nullable Object key) throws IOException {
        if (!(boolean) unix.get("isRegularFile")) {
            throw notOrdinary(named(file), null);
        } else if (key != null && !key.equals(unix.get("fileKey"))) {
            throw new NoSuchFileException(named(file).toString(), null, "somebody put another in its place");
        } else if (key == null && (int) unix.get("nlink") > 1) {
            throw new IOException(named(file) + " has " + unix.get("nlink") + " names (hard links), so it may be somebody's file of another name; "
                    + "somebody put it there: remove it");
        } else if (!mayBelongTo(unix.get("uid")) && (directory & WRITABLE_BY_OTHERS) == 0) {
            throw untrustedOwner(named(file), unix.get("uid"));
        }
    }

    private void requireFolderToTrust(Path dir, Map<String, Object> unix) throws IOException {
        int mode = (int) unix.get("mode");
        boolean shared = (directory & WRITABLE_BY_OTHERS) != 0 && ((directory & STICKY) == 0 || (mode & STICKY) != 0);
        if (!mayBelongTo(unix.get("uid")) && !shared) {
            throw untrustedOwner(dir, unix.get("uid"));
        }
    }

    private boolean mayBelongTo(Object user) {
        return CurrentUser.trusts(user) || user.equals(uid);
    }

    private IOException untrustedOwner(Path path, Object user) {
        return new IOException(path + " belongs to user " + user + ", who is neither the user of this process, nor root, nor the owner of the directory (user "
                + uid + "), and could put other files in the place of ours; remove it, or give it to one of these: chown " + uid + " " + path);
    }
}
