package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/** Linux, macOS and whatever else Java takes for a Unix. */
final class PosixFiles implements SystemFiles {

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
}
