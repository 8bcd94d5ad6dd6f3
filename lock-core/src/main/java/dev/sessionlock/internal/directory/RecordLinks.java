package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.FileAnswer;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Puts a record file in a lock's place, whole and in one step: by a hard link, which fails if something is there, or by a rename, which replaces it.
 * {@code link(2)} takes what lies at a name, and that need not be the file that is open (PROTOCOL.md, trap 19). So what was linked is looked at before
 * it counts.
 */
final class RecordLinks {
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;

    private RecordLinks() {
    }

    /** {@return false if a file is there} */
    static boolean link(LockDirectory directory, RecordFilePool.PooledFile file, Path path) throws IOException {
        requireInPlace(directory);
        FileAnswer answer = FILES.link(path, file.path());
        if (answer.kind() == FileAnswer.Kind.DONE) {
            file.rest();
            return true;
        } else if (answer.kind() == FileAnswer.Kind.NAME_TAKEN) {
            return false;
        } else if (answer.kind() == FileAnswer.Kind.NOT_THERE) {
            // The directory is gone or was moved, or somebody swept it: our other spare record files are gone, too.
            directory.recordFiles().giveUpSwept(file);
        } else if (answer.kind() == FileAnswer.Kind.REFUSED && answer.reason() instanceof FileSystemException && !(answer.reason() instanceof AccessDeniedException)) {
            if (!file.isInPlace()) { // a directory lies at its name by now: that says nothing about links
                directory.recordFiles().giveUpSwept(file);
                throw file.replaced();
            }
            directory.noteLinkRefused(file.path(), answer.reason());
            throw answer.reason();
        }
        throw directory.mode().named(answer.reason());
    }

    /**
     * The link took whatever was at the record file's name. If somebody has put another file there, a FIFO or a link, it would pass for a record, or
     * keep everybody out for ever.
     */
    static void requireLinked(RecordFilePool.PooledFile file, Path path) throws IOException {
        Object linked = FileKey.ofOrNull(path);
        if (!file.key().equals(linked)) {
            if (FileKey.equal(linked, FileKey.ofOrNull(file.path()))) { // else somebody has replaced our record in this instant
                FILES.remove(path).done();
            }
            throw file.replaced();
        }
    }

    /**
     * Puts it in the place of the record that is there; readers find the one or the other. Its owner is frozen, and has it open: where that keeps it from being
     * replaced, it is removed first, and for a moment readers find none.
     *
     * @param key of the record that is there
     * @return false if another one has come in between
     */
    static boolean cover(LockDirectory directory, RecordFilePool.PooledFile file, Path record, Object key) throws IOException {
        requireInPlace(directory);
        if (!FILES.mayReplaceOpen()) {
            FileRemoval.deleteOnly(record, key, directory.mode().inner());
            return link(directory, file, record);
        }
        return rename(directory, file, record, cover -> {
            FILES.link(cover, file.path()).requireDone();
            requireLinked(file, cover);
            return true;
        });
    }

    /**
     * As {@link #cover}, with a record file that may be another process's.
     *
     * @param file one of ours, whose name is used in between
     * @param path where the other record lies
     * @param its the key of the file that is to be found there
     * @return false if another file is there
     */
    static boolean coverBy(LockDirectory directory, RecordFilePool.PooledFile file, Path path, Object its, Path record, Object key) throws IOException {
        requireInPlace(directory);
        if (!FILES.mayReplaceOpen()) {
            FileRemoval.deleteOnly(record, key, directory.mode().inner());
            FileAnswer linked = FILES.link(record, path);
            if (linked.kind() == FileAnswer.Kind.NOT_THERE || linked.kind() == FileAnswer.Kind.NAME_TAKEN) {
                return false;
            }
            linked.requireDone();
            return its.equals(FileKey.ofOrNull(record));
        }
        return rename(directory, file, record, cover -> {
            FileAnswer linked = FILES.link(cover, path);
            if (linked.kind() == FileAnswer.Kind.NOT_THERE) {
                return false;
            }
            linked.requireDone();
            return its.equals(FileKey.ofOrNull(cover));
        });
    }

    /** Makes the file that is to be renamed. */
    private interface Making {
        /** {@return false if it cannot be made any more} */
        boolean make(Path cover) throws IOException;
    }

    private static boolean rename(LockDirectory directory, RecordFilePool.PooledFile file, Path record, Making making) throws IOException {
        Path cover = directory.mode().inner().resolve(file.path().getFileName() + RecordFilePool.LINK_PROBE); // a name that only this process uses
        FILES.remove(cover).done();
        boolean covered = false;
        try {
            if (making.make(cover)) {
                FILES.rename(cover, record).requireDone();
                covered = true;
            }
            return covered;
        } finally {
            if (!covered) {
                FILES.remove(cover).done();
            }
        }
    }

    /** Where names are looked up in an open directory, a link does not tell that the directory was replaced. */
    private static void requireInPlace(LockDirectory directory) throws NoSuchFileException {
        if (directory.mode().isShared() && !directory.isInPlace()) {
            throw new NoSuchFileException(directory.inner().toString()); // what a link by the whole path would have thrown
        }
    }
}
