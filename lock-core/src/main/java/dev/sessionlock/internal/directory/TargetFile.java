package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.CurrentUser;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributes;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * A user's own file, the target of a lock, opened to be read and written.
 *
 * <p>Where a user who is neither this process's nor root may change names ({@link FileMode}), that user could replace the target by a link, and have
 * us append to any file of ours, truncate it, or give it away. There no link is followed, owner and mode are changed through the open file, and a
 * file of ours that has another name as well is refused. Elsewhere plain paths do.
 */
public final class TargetFile {
    private final Path path;
    private volatile boolean looked;
    private volatile boolean amongOthers;

    /** @param path the file; nothing is looked at yet */
    public TargetFile(Path path) {
        this.path = path;
    }

    /** {@return the file, or one that is created beside it, open} */
    public FileChannel open(Path file, Set<? extends OpenOption> how, FileAttribute<?>... made) throws IOException {
        if (!isAmongOthers()) {
            return made.length == 0 ? SystemFiles.OF_THIS_PROCESS.openChannel(file, how) : FileChannel.open(file, how, made);
        }
        Set<OpenOption> noLink = new HashSet<>(how);
        noLink.add(LinkOption.NOFOLLOW_LINKS);
        try (DescriptorPath directory = DescriptorPath.of(parent().toRealPath())) {
            Path reached = directory.path().resolve(file.getFileName());
            if (Files.exists(reached, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(reached, LinkOption.NOFOLLOW_LINKS)) {
                throw OwnerTrust.notOrdinary(file, null);
            }
            FileChannel open = FileChannel.open(reached, noLink, made);
            boolean trusted = false;
            try {
                requireNoOtherName(file, Files.readAttributes(DescriptorPath.pathOf(open), "unix:uid,nlink"), Files.getAttribute(directory.path(), "unix:uid"));
                trusted = true;
                return open;
            } finally {
                if (!trusted) {
                    open.close();
                }
            }
        }
    }

    private static void requireNoOtherName(Path file, Map<String, Object> unix, Object ownerOfDirectory) throws IOException {
        Object owner = unix.get("uid");
        if ((int) unix.get("nlink") > 1 && !owner.equals(ownerOfDirectory) && CurrentUser.trusts(owner)) {
            throw new IOException(file + " has " + unix.get("nlink") + " names (hard links) and belongs to user " + owner + ", so it may be somebody's file of "
                    + "another name; nothing was written to it");
        }
    }

    /**
     * Sets the permissions of a file that was just created and written beside this one, and is still open; also owner and group where this process
     * may.
     */
    public void giveAs(Path made, FileChannel open, PosixFileAttributes old) throws IOException {
        Path reached = isAmongOthers() ? DescriptorPath.pathOf(open) : made;
        try {
            PosixFileAttributes now = Files.readAttributes(reached, PosixFileAttributes.class);
            for (String principal : List.of("group", "owner")) { // the group first: afterwards it may not be ours any more
                Object wanted = principal.equals("group") ? old.group() : old.owner();
                if (!wanted.equals(principal.equals("group") ? now.group() : now.owner())) {
                    Files.setAttribute(reached, "posix:" + principal, wanted);
                }
            }
        } catch (IOException | UnsupportedOperationException e) {
            // only root may give files away
        }
        Files.setPosixFilePermissions(reached, old.permissions());
    }

    private Path parent() {
        return Objects.requireNonNull(path.toAbsolutePath().getParent(), "parent");
    }

    /** Looked at once: for others to be able to change names later, the directory's owner or root would have to change its mode. */
    private boolean isAmongOthers() throws IOException {
        if (!looked) {
            amongOthers = CurrentUser.isKnown() && OwnerTrust.othersChangeNames(parent().toRealPath());
            looked = true;
        }
        return amongOthers;
    }
}
