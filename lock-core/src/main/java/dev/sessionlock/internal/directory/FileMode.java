package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CurrentUser;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
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
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How the library's files are created and opened in a directory: with which mode and owner. By which path is the business of {@link AnchoredPaths}, and
 * which existing files may be used that of {@link OwnerTrust}.
 *
 * <p><b>Modes.</b> Whoever may write to the directory must be able to open the library's files in it. So their modes follow the directory's mode, not
 * the umask of the process that came first; so does their owner, where we may change it.
 *
 * <p><b>Names that others may change.</b> A file is created by {@code O_CREAT | O_EXCL}, and its mode and owner are changed through the open file. An
 * existing file is opened without following a link, and the open file is examined before anything is written to it. Without this, a user who may rename
 * could have root give a file of root's choice away, or have us write into one. Where nobody else can change names, which is the rule, plain paths do.
 */
final class FileMode implements TableFile.Access {
    private static final int READ_WRITE = 0666;
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    private static final int ALL = 07777;
    private static final int OWNER_READ = 0400;
    private static final String ATTRIBUTES = "unix:mode,uid,gid,nlink,fileKey,isRegularFile";

    private static final Set<OpenOption> MADE = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE,
            LinkOption.NOFOLLOW_LINKS);
    private static final Set<OpenOption> APPENDED = Set.of(StandardOpenOption.APPEND, LinkOption.NOFOLLOW_LINKS);
    private static final FileAttribute<?>[] AS_UMASK_SAYS = {};

    /** The directory's mode; negative where the file system has none. */
    private final int directory;
    private final Object uid;
    private final Object gid;
    private final AnchoredPaths paths;
    private final OwnerTrust trust;

    private FileMode(Path home, Map<String, Object> unix, @Nullable DescriptorPath anchor) {
        this.directory = (int) unix.get("mode") & ALL;
        this.uid = unix.get("uid");
        this.gid = unix.get("gid");
        this.paths = new AnchoredPaths(home, anchor);
        this.trust = new OwnerTrust(directory, uid);
    }

    /** For file systems where files have neither modes nor owners. */
    private FileMode(Path home) {
        this.directory = -1;
        this.uid = 0;
        this.gid = 0;
        this.paths = new AnchoredPaths(home, null);
        this.trust = new OwnerTrust(directory, uid);
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
        if (!OwnerTrust.othersChangeNames(home, unix)) {
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

    /** Adds a user; the first is whoever created this. */
    FileMode shared() {
        paths.enter();
        return this;
    }

    /** Removes a user. With the last one, what is open is closed. */
    void leave() throws IOException {
        paths.leave();
    }

    // ---- by which path ----

    /** {@return whether others may change names here, so that names are looked up in open directories, and not by the whole path} */
    boolean isShared() {
        return paths.areAnchored();
    }

    /** {@return the path by which the directory is reached} */
    Path home() {
        return paths.home();
    }

    /** {@return the path by which {@code .session-locks} is reached} */
    Path inner() {
        return paths.inner();
    }

    /** {@return an exception with the path that a person knows, for a failure on the path that we used} */
    IOException named(IOException e) {
        return paths.named(e);
    }

    // ---- creating ----

    /**
     * A file that was just created, open.
     *
     * @param file for writing
     * @param key its inode, as Java tells it
     */
    record Made(OpenFile file, Object key) {
    }

    /**
     * Creates an empty file with the mode and owner that it must have.
     *
     * @throws FileAlreadyExistsException if anything is there
     */
    Made create(Path path) throws IOException {
        Path file = paths.reached(path);
        try {
            return paths.areAnchored() ? makeAmongOthers(file) : make(file);
        } catch (FileSystemException e) {
            throw paths.named(e, file);
        }
    }

    private Made make(Path file) throws IOException {
        Files.createFile(file);
        boolean done = false;
        try {
            FILES.giveIdentity(file);
            apply(file, directory & READ_WRITE, LinkOption.NOFOLLOW_LINKS);
            Made made = new Made(FILES.open(file, false), FileKey.of(file));
            done = true;
            return made;
        } finally {
            if (!done) {
                FILES.remove(file).done(); // at x.lock it would keep others out
            }
        }
    }

    private Made makeAmongOthers(Path file) throws IOException {
        FileChannel open = makeOpen(file);
        boolean done = false;
        try (open) {
            Path its = DescriptorPath.pathOf(open);
            Made made = new Made(FILES.open(its, false), Files.readAttributes(its, ATTRIBUTES).get("fileKey"));
            done = true;
            return made;
        } finally {
            if (!done) {
                FILES.remove(file).done();
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
                FILES.remove(file).done();
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
        Path file = paths.reached(path);
        try {
            if (paths.areAnchored()) {
                makeOpen(file).close();
            } else {
                Files.createFile(file);
                FILES.giveIdentity(file);
                apply(file, directory & READ_WRITE, LinkOption.NOFOLLOW_LINKS);
            }
        } catch (FileAlreadyExistsException e) {
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                throw OwnerTrust.notOrdinary(paths.named(file), e);
            }
            FILES.awaitIdentity(file);
        } catch (FileSystemException e) {
            throw paths.named(e, file);
        }
    }

    /** Creates a directory unless one is there, and where others may change names, keeps it open from now on. */
    void createDirectoryIfMissing(Path path) throws IOException {
        Path dir = paths.reached(path);
        boolean made = false;
        try {
            Files.createDirectory(dir, paths.areAnchored() ? permissions(directory & 0777) : AS_UMASK_SAYS);
            made = true;
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(dir, LinkOption.NOFOLLOW_LINKS)) {
                throw OwnerTrust.notADirectory(path, e);
            }
        } catch (FileSystemException e) {
            throw paths.named(e, dir);
        }
        if (!paths.areAnchored()) {
            if (made) {
                FILES.giveIdentity(dir);
                apply(dir, directory, LinkOption.NOFOLLOW_LINKS);
            }
            return;
        }
        DescriptorPath open;
        try {
            open = DescriptorPath.of(dir);
        } catch (FileSystemException e) {
            throw Files.isSymbolicLink(dir) ? OwnerTrust.notADirectory(path, e) : paths.named(e, dir);
        }
        boolean trusted = false;
        try {
            if (made) {
                giveAway(open, path);
            } else {
                trust.requireFolder(path, Files.readAttributes(open.path(), ATTRIBUTES));
            }
            trusted = true;
        } finally {
            if (!trusted) {
                open.close();
            }
        }
        paths.enterInner(open);
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

    /** {@return an existing guard file, open; nothing is closed by this, unless it is not to be trusted} */
    FileChannel openGuard(Path path) throws IOException {
        if (!paths.areAnchored()) {
            return FILES.openChannel(path, FileReading.WRITTEN);
        }
        Path file = paths.reached(path);
        try {
            return openTrusted(file, FileReading.WRITTEN, null);
        } catch (FileSystemException e) {
            throw paths.named(e, file);
        }
    }

    /**
     * {@return an existing file, open to be appended to} Each write goes behind what others have written, in one piece.
     *
     * @throws NoSuchFileException if it is not there
     */
    FileChannel openToAppend(Path path) throws IOException {
        Path file = paths.reached(path);
        if (!paths.areAnchored()) {
            BasicFileAttributes there = LockFileReader.attributesOf(file);
            if (there == null) {
                throw new NoSuchFileException(path.toString());
            } else if (!there.isRegularFile()) {
                throw OwnerTrust.notOrdinary(path, null); // opening a FIFO would block
            }
            return FILES.openChannel(file, APPENDED);
        }
        try (FileChannel open = openTrusted(file, FileReading.WRITTEN, null)) {
            return FileChannel.open(DescriptorPath.pathOf(open), StandardOpenOption.APPEND);
        } catch (FileSystemException e) {
            throw paths.named(e, file);
        }
    }

    /** {@return a file of the table; not yet known to be one} */
    @Override
    public OpenFile open(Path path, boolean readOnly) throws IOException {
        return open(path, readOnly, null);
    }

    /**
     * {@return a record file, which may have another name, that of the lock, by now}
     *
     * @param key which one it must be
     * @throws NoSuchFileException if it is not there any more
     */
    OpenFile openRecord(Path path, Object key) throws IOException {
        if (!key.equals(FileKey.ofOrNull(paths.reached(path)))) {
            throw new NoSuchFileException(path.toString(), null, "somebody removed it"); // opening would create another file
        }
        return open(path, false, key);
    }

    private OpenFile open(Path path, boolean readOnly, @Nullable Object key) throws IOException {
        if (!paths.areAnchored()) {
            return FILES.open(path, readOnly);
        }
        Path file = paths.reached(path);
        try (FileChannel open = openTrusted(file, readOnly ? FileReading.READ : FileReading.WRITTEN, key)) {
            return FILES.open(DescriptorPath.pathOf(open), readOnly);
        } catch (FileSystemException e) {
            throw paths.named(e, file);
        }
    }

    /** Looks before it opens, since closing a guard file drops bytes; and then at the open file, which may be another. */
    private FileChannel openTrusted(Path file, Set<OpenOption> how, @Nullable Object key) throws IOException {
        trust.requireFile(paths.named(file), Files.readAttributes(file, ATTRIBUTES, LinkOption.NOFOLLOW_LINKS), key);
        FileChannel open = FileChannel.open(file, how);
        boolean trusted = false;
        try {
            trust.requireFile(paths.named(file), Files.readAttributes(DescriptorPath.pathOf(open), ATTRIBUTES), key);
            trusted = true;
            return open;
        } finally {
            if (!trusted) {
                open.close();
            }
        }
    }
}
