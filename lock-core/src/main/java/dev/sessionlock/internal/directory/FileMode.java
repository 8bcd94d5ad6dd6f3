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
 * How the library's files are made and opened in a directory: with which mode and owner, and by which path.
 *
 * <p><b>Modes.</b> Whoever may write to the directory must be able to open what the library makes in it, so the modes of files follow the
 * directory's own and not the umask of whichever process came first; so does their owner, as far as we may say so.
 *
 * <p><b>Names that others may change.</b> Another user than this process's and root may be able to put a link, or another file, in the place of one that was just
 * made or looked at: the owner of the directory, whoever may write to it, or the owner of a directory above. Then nothing is opened, made, linked,
 * renamed or removed by a path that could lead elsewhere. The directory and {@code .session-locks} are opened once, and all paths begin at what is open
 * ({@link DescriptorPath}). A file is made by {@code O_CREAT | O_EXCL}, and its mode and owner are changed through the open file. One that is there is opened
 * without following a link, and what was opened is looked at before anything is written to it. Where nobody else can change names, which is the rule,
 * plain paths do.
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
    /** Who keeps them open: a directory, and its guards, which another path of the same directory may use as well. */
    private final AtomicInteger users = new AtomicInteger(1);

    private FileMode(Path home, Map<String, Object> unix, @Nullable DescriptorPath anchor) {
        this.home = home;
        this.directory = (int) unix.get("mode") & ALL;
        this.uid = unix.get("uid");
        this.gid = unix.get("gid");
        this.anchor = anchor;
    }

    /** Where files have neither modes nor owners. */
    private FileMode(Path home) {
        this.home = home;
        this.directory = -1;
        this.uid = 0;
        this.gid = 0;
        this.anchor = null;
    }

    /**
     * {@return how files are made in a directory}
     *
     * @param home its real path
     * @throws IOException also if others may change names there, and this system gives no way to be safe from that
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
                return new FileMode(home, unix, null); // no Linux, or no /proc: as good as plain paths that follow no link are
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

    /** {@return whether another user than ours and root could put something else in the place of what we make there, or of the directory itself} */
    private static boolean othersChangeNames(Path home, Map<String, Object> unix) throws IOException {
        if (!isOurs(unix, false) || othersRenameOurs(home.getParent())) {
            return true;
        }
        try {
            return !isOurs(Files.readAttributes(home.resolve(LockDirectory.INNER), "unix:mode,uid", LinkOption.NOFOLLOW_LINKS), false);
        } catch (NoSuchFileException e) {
            return false; // it will be made as the directory is
        }
    }

    /** {@return whether another user than ours and root could rename what is ours in a directory, or the directory itself} */
    static boolean othersRenameOurs(@Nullable Path home) throws IOException {
        for (Path dir = home; dir != null; dir = dir.getParent()) {
            if (!isOurs(Files.readAttributes(dir, "unix:mode,uid"), true)) {
                return true;
            }
        }
        return false;
    }

    /** @param holdsOurs what lies there and is ours cannot be renamed by others where the sticky bit is set */
    private static boolean isOurs(Map<String, Object> unix, boolean holdsOurs) {
        int mode = (int) unix.get("mode");
        return CurrentUser.trusts(unix.get("uid")) && ((mode & WRITABLE_BY_OTHERS) == 0 || holdsOurs && (mode & STICKY) != 0);
    }

    /** Counts one more user in; the first is whoever made this. */
    FileMode shared() {
        users.incrementAndGet();
        return this;
    }

    /** Counts a user out. With the last one, what is open is closed. */
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

    /** {@return whether others may change names here, so that names are looked up in what is open, and not by the whole path} */
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

    /** {@return what is to be told of something that failed on a path by which a file was reached, with the path that a person knows} */
    IOException named(IOException e) {
        if (anchor == null || e.getMessage() == null) {
            return e;
        } else if (e instanceof FileSystemException known && known.getFile() != null) {
            return named(known, Path.of(known.getFile()));
        }
        String told = e.getMessage().replace(inner() + "/", home.resolve(LockDirectory.INNER) + "/").replace(home() + "/", home + "/");
        return told.equals(e.getMessage()) ? e : new IOException(told, e);
    }

    // ---- making ----

    /**
     * A file that was just made, open.
     *
     * @param file for writing
     * @param key its inode, as Java tells it
     */
    record Made(RandomAccessFile file, Object key) {
    }

    /**
     * Makes an empty file, with the mode and owner that it has to have.
     *
     * @throws FileAlreadyExistsException if anything lies there
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
                Files.deleteIfExists(file); // in the place of a lock it would keep others out
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

    /** Where others may change names: makes a file, and gives the very one that was made its mode and owner. */
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

    /** Makes an empty file unless something is there; never follows or opens what is there. */
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

    /** {@return what to tell a person of a file or a link in the place of our folder} */
    static IOException notADirectory(Path dir, @Nullable Throwable cause) {
        return new IOException(dir + " is not a directory; somebody put it there: remove it", cause);
    }

    /** Makes a directory unless one is there, and where others may change names, holds it open from now on. */
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
     * Only one that is ours and holds nothing but what other threads and processes have made in it since: another directory of ours might have been put in
     * the place of the one that was made.
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

    /** Root may use the tool in the gateway's directory; the gateway must be able to open what root made. Others may not do this. */
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
     * Opens a file to read it, by one who only looks. Not by a link, which could lead to a device that does something when it is opened. Root opens it for
     * writing, too, and writes nothing: then a FIFO that somebody puts there in the instant of the look keeps nobody waiting (fifo(7)). Others may not
     * open every file so; nor may root on a disk that is read-only.
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

    /** As {@link #openToRead}, for one whose reading no interrupt may break off. */
    static RandomAccessFile openToLook(Path file) throws IOException {
        try (FileChannel open = openToRead(file)) {
            Path its = DescriptorPath.isToBeHad() ? DescriptorPath.pathOf(open) : file; // without /proc, or where it was hidden since, a look goes on
            return new RandomAccessFile(its.toFile(), "r");
        }
    }

    /** {@return a guard that is there, open; nothing is closed by this, unless it is not to be trusted} */
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
     * @param key which one it has to be
     * @throws NoSuchFileException if it is not there any more
     */
    RandomAccessFile openRecord(Path path, Object key) throws IOException {
        if (!key.equals(FileKey.ofOrNull(reached(path)))) {
            throw new NoSuchFileException(path.toString(), null, "somebody removed it"); // opening would make another file
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

    /** Looks before it opens, since closing a guard drops bytes; and then at what was opened, which may be another. */
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

    /** Nobody's file but ours may be harmed by what we write. */
    private void requireFileToTrust(Path file, Map<String, Object> unix, @Nullable Object key) throws IOException {
        if (!(boolean) unix.get("isRegularFile")) {
            throw notOrdinary(named(file), null);
        } else if (key != null && !key.equals(unix.get("fileKey"))) {
            throw new NoSuchFileException(named(file).toString(), null, "somebody put another in its place");
        } else if (key == null && (int) unix.get("nlink") > 1) {
            throw new IOException(named(file) + " has " + unix.get("nlink") + " names (hard links), so it may be somebody's file of another name; "
                    + "somebody put it there: remove it");
        } else if (!mayBelongTo(unix.get("uid")) && (directory & WRITABLE_BY_OTHERS) == 0) {
            throw stranger(named(file), unix.get("uid"));
        }
    }

    private void requireFolderToTrust(Path dir, Map<String, Object> unix) throws IOException {
        int mode = (int) unix.get("mode");
        boolean shared = (directory & WRITABLE_BY_OTHERS) != 0 && ((directory & STICKY) == 0 || (mode & STICKY) != 0);
        if (!mayBelongTo(unix.get("uid")) && !shared) {
            throw stranger(dir, unix.get("uid"));
        }
    }

    private boolean mayBelongTo(Object user) {
        return CurrentUser.trusts(user) || user.equals(uid);
    }

    private IOException stranger(Path path, Object user) {
        return new IOException(path + " belongs to user " + user + ", who is neither the user of this process, nor root, nor the owner of the directory (user "
                + uid + "), and could put other files in the place of ours; remove it, or give it to one of these: chown " + uid + " " + path);
    }
}
