package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Deletes files at names where others may put theirs at any moment. The JDK deletes whatever lies at a name, so a look before it is not enough where the
 * file is not ours.
 */
final class FileRemoval {

    private FileRemoval() {
    }

    /**
     * Deletes the file at a path if it has this key. Between a look and an unlink, another program may put its own lock there by a rename. So the
     * file is first moved aside, whatever it is, and looked at where nobody else changes it. If it is the wrong one, it is put back.
     *
     * @param folder where it is moved to
     */
    static void deleteOnly(Path path, Object key, Path folder) throws IOException {
        Path aside = folder.resolve(LockDirectory.ASIDE + Long.toHexString(ThreadLocalRandom.current().nextLong()));
        try {
            Files.move(path, aside, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return;
        }
        if (!key.equals(FileKey.ofOrNull(aside))) {
            try {
                Files.createLink(path, aside);
            } catch (FileAlreadyExistsException e) {
                throw new IOException("two other programs have replaced " + path.getFileName() + " at the same time; what the first one put there is "
                        + aside + " now", e);
            } catch (FileSystemException | UnsupportedOperationException e) { // a directory, or no links here
                Files.move(aside, path);
                return;
            }
        }
        try {
            Files.deleteIfExists(aside);
        } catch (DirectoryNotEmptyException e) {
            Files.move(aside, path);
            throw e;
        }
    }

    /** Deletes a file of ours, with as few system calls as possible: this is part of every release. */
    static void unlink(Path path) throws IOException {
        // File.delete is one system call; Files.delete is two, since it looks first whether this is a directory.
        if (!isOfTheJdk(path) || !FileNames.isText(path) || !path.toFile().delete()) {
            Files.deleteIfExists(path);
        }
    }

    /** {@return whether nobody stands between the JDK and the disk} Crash labs do, by a file system provider: what goes round it, they cannot undo. */
    private static boolean isOfTheJdk(Path path) {
        return path.getFileSystem().provider().getClass().getModule() == Object.class.getModule();
    }
}
