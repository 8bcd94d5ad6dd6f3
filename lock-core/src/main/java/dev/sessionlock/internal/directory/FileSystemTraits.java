package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a directory's file system is like.
 *
 * @param network its type, if kernel locks or mapped pages may not be shared by all who use it; null if it is local
 * @param foldsNames whether two names that differ in case or Unicode form are one file
 */
public record FileSystemTraits(@Nullable String network, boolean foldsNames) {
    /** Types whose locks or mapped pages are not shared by all machines, or (FUSE) depend on a program that may not share them. */
    private static final Set<String> NETWORK = Set.of(
            "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "afpfs", "webdav", "davfs", "ncpfs", "9p", "ceph", "glusterfs",
            "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "coda", "fuse", "acfs", "moosefs", "macfuse", "osxfuse");

    /**
     * Types by which a virtual machine or a container shares a directory with its host: Docker Desktop (the first three), VirtualBox, Parallels, VMware, WSL,
     * and what macOS calls virtiofs in a guest of its own. A lock may stay within the machine, or even within the container: on Docker Desktop's fakeowner two
     * containers both get an exclusive one.
     */
    private static final Set<String> SHARED_WITH_HOST = Set.of(
            "fakeowner", "osxfs", "grpcfuse", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "applevirtiofs");

    /**
     * Types that write every change of a file to a new block. On a full disk they cannot even change an existing file. XFS does so for files that
     * share blocks with a copy, at the first change only; there the table is a file of its own.
     */
    private static final Set<String> COPY_ON_WRITE = Set.of("btrfs", "zfs", "bcachefs", "nilfs2", "f2fs");

    /** The folder may be replaced between two looks. */
    private static final int LOOKS = 3;

    /**
     * {@return what the file system of a directory is like} Whether it folds names is tested with {@code .session-locks} there.
     *
     * @param home the real path of the directory
     */
    public static FileSystemTraits of(Path home) throws IOException {
        String type = type(home);
        return new FileSystemTraits(isNetwork(type) ? type : SystemFiles.OF_THIS_PROCESS.networkOf(home), foldsNames(home));
    }

    void refuseNetwork(Path home, boolean allowed) throws NetworkFileSystemException {
        if (network != null && !allowed) {
            throw new NetworkFileSystemException(home, network);
        }
    }

    /** {@return the type of a directory's file system as the mount table names it, or "unknown"} */
    public static String type(Path home) {
        try {
            return Files.getFileStore(home).type();
        } catch (IOException | SecurityException e) {
            return "unknown"; // a mount table without it: containers do that with local directories
        }
    }

    /** {@return whether kernel locks or mapped pages may not be shared by all who use a file system of this type} */
    public static boolean isNetwork(String type) {
        String known = type.toLowerCase(Locale.ROOT);
        // fuseblk is a local disk (ntfs-3g, exfat); fuse.<program> is whatever the program makes of it.
        return NETWORK.contains(known) || known.startsWith("fuse.") || isSharedWithHost(type);
    }

    /** {@return whether a virtual machine or a container shares a file system of this type with its host} Then there is a local disk to go to, as a rule. */
    public static boolean isSharedWithHost(String type) {
        String known = type.toLowerCase(Locale.ROOT);
        return SHARED_WITH_HOST.contains(known.startsWith("fuse.") ? known.substring("fuse.".length()) : known);
    }

    /** {@return whether a file system of this type writes every change to a new block, and so may be unable to change a file on a full disk} */
    static boolean copiesOnWrite(String type) {
        return COPY_ON_WRITE.contains(type.toLowerCase(Locale.ROOT));
    }

    /**
     * Asks the file system itself, without writing: does {@code .session-locks} also exist under its name in capitals? If that cannot be determined,
     * it fails: with a wrong "no", two names of one file would be two locks.
     */
    private static boolean foldsNames(Path home) throws IOException {
        for (int looks = 0; looks < LOOKS; looks++) {
            Path capitals = home.resolve(LockDirectory.INNER.toUpperCase(Locale.ROOT));
            Object key = keyOf(capitals);
            if (key == null) {
                return SystemFiles.OF_THIS_PROCESS.mayFoldUnseen();
            } else if (key.equals(keyOf(home.resolve(LockDirectory.INNER)))) {
                return true;
            } else if (isListed(capitals)) {
                return false; // two folders
            }
        }
        // exfat-fuse does so. Kernel locks and mapped pages belong to the inode: by two spellings of a folder's name, two processes would share neither.
        throw new IOException(home + " lies on a file system (" + type(home) + ") that takes names for one that differ in case, and has another inode for each spelling, so"
                + " no lock holds there: keep the files on another disk, or mount this one with the kernel's own driver (for exFAT: mount -t exfat)");
    }

    private static boolean isListed(Path file) throws IOException {
        try (DirectoryStream<Path> all = FolderStream.open(file.getParent(), file.getFileName().toString())) {
            for (Path each : all) {
                if (each.getFileName().equals(file.getFileName())) {
                    return true;
                }
            }
            return false;
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    private static @Nullable Object keyOf(Path path) throws IOException {
        try {
            return FileKey.of(path);
        } catch (NoSuchFileException e) {
            return null;
        } catch (AccessDeniedException e) { // only its directory can refuse; a name that nobody uses would puzzle whoever reads the message
            throw new AccessDeniedException(String.valueOf(path.getParent()), null, e.getReason());
        }
    }
}
