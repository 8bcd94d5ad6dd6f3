package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What {@code /proc/<pid>/stat} says (proc(5)).
 *
 * @param pid field 1, in the pid namespace that this /proc was mounted for
 * @param state field 3: R running, S sleeping, D uninterruptible, T stopped, t traced, Z zombie, X dead
 * @param startTicks field 22: when the process started, in clock ticks since boot; not moved by steps of the wall clock
 */
record ProcessStat(long pid, char state, long startTicks) {
    private static final int START_TIME = 22;

    /** Reads a stat file; throws {@link java.io.FileNotFoundException} if there is no such process or it may not be looked at. */
    static ProcessStat read(Path stat) throws IOException {
        ProcessStat parsed = parse(ProcFile.text(stat));
        if (parsed == null) {
            throw new IOException(stat + " is not what proc(5) says");
        }
        return parsed;
    }

    /** {@return null if it is not what proc(5) says} */
    static @Nullable ProcessStat parse(String line) {
        // The second field is the command in parentheses, and may hold spaces and parentheses itself.
        int open = line.indexOf('(');
        int close = line.lastIndexOf(')');
        if (open < 1 || close < open) {
            return null;
        }
        String[] fields = line.substring(close + 1).trim().split(" "); // fields are separated by one space; no regular expression
        try {
            long pid = Long.parseLong(line.substring(0, open).trim());
            return new ProcessStat(pid, fields[0].charAt(0), Long.parseLong(fields[START_TIME - 3]));
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            return null;
        }
    }
}
