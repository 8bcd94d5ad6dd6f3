package dev.sessionlock.internal.system;

import org.jspecify.annotations.Nullable;

/**
 * The states of processes as ps(1) tells them, for systems without {@code /proc}: which one is stopped, and which one has ended and was not reaped. Only the
 * operator's tool asks. It takes a process for each question, and an acquisition does without: it waits until the lease is over.
 */
public final class PsStates {
    private static final String PS = "/bin/ps";
    private static final long PATIENCE_MILLIS = 2_000;

    private static volatile boolean asked;

    private PsStates() {
    }

    /** From now on this JVM asks. For the tool, as it starts. */
    public static void enable() {
        asked = true;
    }

    /** {@return the state of a process, as proc(5) has it; 0 if it is not known, or if this JVM does not ask} */
    static char of(long pid) {
        return asked ? of(pid, PS, PATIENCE_MILLIS) : 0;
    }

    /**
     * {@return the state of a process; 0 if it is not known}
     *
     * @param ps the path of ps(1)
     * @param patienceMillis for how long it is waited for
     */
    static char of(long pid, String ps, long patienceMillis) {
        return parse(SystemCommand.output(patienceMillis, ps, "-o", "state=", "-p", Long.toString(pid)));
    }

    /** Reads a line such as {@code Ss+}: of macOS and the BSDs, whose first letters are those of proc(5), but for U, an uninterruptible wait. */
    static char parse(@Nullable String output) {
        String state = output == null ? "" : output.strip();
        return !state.matches("[RSITZU][-+<>ALNSVWXElns]*") ? 0 : state.charAt(0) == 'U' ? 'D' : state.charAt(0);
    }
}
