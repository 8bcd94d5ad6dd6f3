package dev.sessionlock.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * The doctor's check of what several users of one directory can do to each other's files. The directory's sticky bit limits it, and so do further
 * settings of the kernel (proc_sys_fs(5)).
 */
final class OtherUsers {
    static final String NAME = "other-users";

    private static final int GROUP_WRITES = 0020;
    private static final int OTHERS_WRITE = 0002;
    private static final int STICKY = 01000;
    private static final int ALL = 07777;
    private static final Path SETTINGS = Path.of("/proc/sys/fs");

    private OtherUsers() {
    }

    static ProbeResult check(Path directory) {
        int mode;
        try {
            Map<String, Object> attributes = Files.readAttributes(directory, "unix:mode");
            mode = (int) attributes.get("mode") & ALL;
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return ProbeResult.unknown(NAME, "the file system tells no modes", "");
        }
        return check(directory, mode, setting("protected_regular"), setting("protected_hardlinks"));
    }

    private static int setting(String name) {
        try {
            return Integer.parseInt(Files.readString(SETTINGS.resolve(name)).strip());
        } catch (IOException | NumberFormatException e) {
            return 0; // a kernel without this setting does not protect
        }
    }

    /**
     * Judges a directory.
     *
     * @param mode its mode
     * @param regular {@code fs.protected_regular}: 1 protects in directories that everybody may write to, 2 also in those that a group may
     * @param hardLinks {@code fs.protected_hardlinks}
     */
    static ProbeResult check(Path directory, int mode, int regular, int hardLinks) {
        String links = hardLinks == 0 ? "" : "; fs.protected_hardlinks=" + hardLinks + " does no harm, each user links record files of its own";
        if ((mode & (GROUP_WRITES | OTHERS_WRITE)) == 0) {
            return ProbeResult.ok(NAME, "only its owner may lock here");
        }
        String who = (mode & OTHERS_WRITE) != 0 ? "everybody" : "its group";
        if ((mode & STICKY) == 0) {
            return ProbeResult.ok(NAME, who + " may lock here, and replace what a killed process of another user has left" + links);
        }
        boolean unopened = regular >= 2 || regular == 1 && (mode & OTHERS_WRITE) != 0;
        return ProbeResult.notOk(NAME, who + " may lock here, but it is sticky: what a killed process has left can be removed only by its own user, the owner of the "
                + "directory, or root; other users cannot take that lock before"
                + (unopened ? "; fs.protected_regular=" + regular + ": a file of .session-locks may be refused to all but the user who made it" : "") + links,
                "chmod -t " + quoted(directory) + "   # or share it by a group: chgrp GROUP " + quoted(directory) + " && chmod 2770 " + quoted(directory)
                        + "; if one user runs all that locks here, the bit does no harm");
    }

    private static String quoted(Path path) {
        return "'" + path.toString().replace("'", "'\\''") + "'";
    }
}
