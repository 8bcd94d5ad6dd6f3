package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.file.Path;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * What the kernel lets this process do with the files of others, as {@code /proc/self/status} tells.
 *
 * @param user the number of the user that it acts as
 * @param removesAnothersFiles whether a sticky bit does not bind it (CAP_FOWNER)
 */
public record Rights(int user, boolean removesAnothersFiles) {
    private static final long CAP_FOWNER = 1L << 3;

    /** {@return ours; null where it is not told} */
    public static @Nullable Rights current() {
        try {
            return parse(ProcFile.text(Path.of("/proc/self/status")));
        } catch (IOException | NumberFormatException e) {
            return null;
        }
    }

    static @Nullable Rights parse(@NotNull String status) {
        Integer user = null;
        Long capabilities = null;
        for (String line : status.split("\n")) {
            String[] words = line.split("\t"); // no pattern, which would cost the first acquisition
            if (words[0].equals("Uid:") && words.length > 2) {
                user = (int) Long.parseLong(words[2]);
            } else if (words[0].equals("CapEff:") && words.length > 1) {
                capabilities = Long.parseUnsignedLong(words[1], 16);
            }
        }
        return user == null || capabilities == null ? null : new Rights(user, (capabilities & CAP_FOWNER) != 0);
    }

    /** {@return whether it acts as a user, whose number is as a file's attributes have it} */
    public boolean isUser(@Nullable Object uid) {
        return uid instanceof Integer number && number == user;
    }
}
