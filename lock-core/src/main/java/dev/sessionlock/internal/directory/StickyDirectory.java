package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Rights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A directory whose sticky bit keeps us from removing a file of another user: only that user, the owner of the directory and root may.
 *
 * @param path the directory
 * @param mode its mode
 * @param fileOwner whose the file is
 */
public record StickyDirectory(Path path, int mode, String fileOwner) {
    private static final int STICKY = 01000;
    private static final int ALL = 07777;

    /** {@return what keeps this process from removing a file; null if no sticky bit does, or if that cannot be determined} */
    public static @Nullable StickyDirectory keeping(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        try {
            Map<String, Object> directory = Files.readAttributes(parent, "unix:mode,uid");
            int mode = (int) directory.get("mode") & ALL;
            if ((mode & STICKY) == 0) {
                return null;
            }
            Map<String, Object> own = Files.readAttributes(file, "unix:uid,owner", LinkOption.NOFOLLOW_LINKS);
            Rights rights = Rights.current();
            boolean may = rights == null || rights.removesAnothersFiles() || rights.isUser(own.get("uid")) || rights.isUser(directory.get("uid"));
            return may ? null : new StickyDirectory(parent, mode, own.get("owner").toString());
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return null;
        }
    }

    /** {@return the fact, in words} */
    public String inWords() {
        return path + " is sticky (mode " + Integer.toOctalString(mode) + "), so that only user " + fileOwner
                + ", the owner of the directory, or root may remove what is " + fileOwner + "'s";
    }
}
