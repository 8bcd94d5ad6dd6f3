package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel lets this process do with the files of other users, according to {@code /proc/self/status}.
 *
 * @param user the number of the user that it acts as
 * @param removesAnothersFiles whether a sticky bit does not bind it (CAP_FOWNER)
 */
public record Rights(int user, boolean removesAnothersFiles) {
    private static final long CAP_FOWNER = 1L << 3;

    /** {@return ours; null if unknown} */
    public static @Nullable Rights current() {
        try {
            return parse(ProcFile.text(Path.of("/proc/self/status")));
        } catch (IOException | NumberFormatException e) {
            return null;
        }
    }

    static @Nullable Rights parse(String status) {
        Integer user = null;
        Long capabilities = null;
        for (String line : status.split("\n")) {
            String[] words = line.split("\t"); // no pattern, which would slow down the first acquisition
            if (words[0].equals("Uid:") && words.length > 2) {
                user = (int) Long.parseLong(words[2]);
            } else if (words[0].equals("CapEff:") && words.length > 1) {
                capabilities = Long.parseUnsignedLong(words[1], 16);
            }
        }
        return user == null || capabilities == null ? null : new Rights(user, (capabilities & CAP_FOWNER) != 0);
    }

    /** {@return whether it acts as a user, given by the number in a file's attributes} */
    public boolean isUser(@Nullable Object uid) {
        return uid instanceof Integer number && number == user;
    }
}
