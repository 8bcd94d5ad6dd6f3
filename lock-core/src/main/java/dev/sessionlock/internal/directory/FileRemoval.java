package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.FileAnswer;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Path;

/**
 * Deletes files at names where others may put theirs at any moment. The JDK deletes whatever lies at a name, so a look before it is not enough where the
 * file is not ours.
 */
final class FileRemoval {
    private static final Log log = Loggers.LIBRARY;
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;

    private FileRemoval() {
    }

    /**
     * Deletes the file at a path if it has this key. Between a look and an unlink, another program may put its own lock there by a rename. So the
     * file is first moved aside, whatever it is, and looked at where nobody else changes it. If it is the wrong one, it is put back.
     *
     * @param folder where it is moved to
     */
    static void deleteOnly(Path path, Object key, Path folder) throws IOException {
        Path aside = folder.resolve(OldFiles.asideName());
        if (!FILES.rename(path, aside).done()) {
            return;
        }
        if (!key.equals(FileKey.ofOrNull(aside))) {
            if (!isLinkedBack(path, aside)) {
                putBack(path, aside);
                return;
            }
        }
        FileAnswer gone = FILES.remove(aside);
        if (gone.kind() == FileAnswer.Kind.DONE || gone.kind() == FileAnswer.Kind.NOT_THERE) {
            return;
        } else if (gone.reason() instanceof DirectoryNotEmptyException) {
            putBack(path, aside);
            throw gone.reason();
        }
        // Nothing of it is at the path, which is what counts. On Windows another program may have it open, or mapped.
        log.debug("{} stays for now, and is swept later", aside, gone.reason());
    }

    /** {@return false if it cannot be linked: it is a directory, or there are no links here} */
    private static boolean isLinkedBack(Path path, Path aside) throws IOException {
        FileAnswer back = FILES.link(path, aside);
        if (back.kind() == FileAnswer.Kind.NAME_TAKEN) {
            throw taken(path, aside, back);
        }
        return back.kind() == FileAnswer.Kind.DONE;
    }

    private static void putBack(Path path, Path aside) throws IOException {
        FileAnswer back = FILES.renameToFree(aside, path);
        if (back.kind() == FileAnswer.Kind.NAME_TAKEN) {
            throw taken(path, aside, back);
        }
        back.requireDone();
    }

    private static IOException taken(Path path, Path aside, FileAnswer answer) {
        return new IOException("two other programs have replaced " + path.getFileName() + " at the same time; what the first one put there is "
                + aside + " now, for ten minutes", answer.reason());
    }

    /** Deletes a file of ours, with as few system calls as possible: this is part of every release. */
    static void unlink(Path path) throws IOException {
        // File.delete is one system call; Files.delete is two, since it looks first whether this is a directory.
        if (!isOfTheJdk(path) || !FileNames.isText(path) || !path.toFile().delete()) {
            FILES.remove(path).done();
        }
    }

    /** {@return whether nobody stands between the JDK and the disk} Crash labs do, by a file system provider: what goes round it, they cannot undo. */
    private static boolean isOfTheJdk(Path path) {
        return path.getFileSystem().provider().getClass().getModule() == Object.class.getModule();
    }
}
