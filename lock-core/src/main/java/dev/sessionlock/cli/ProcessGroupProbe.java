package dev.sessionlock.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Tells whether a signal was sent to our whole process group, as a terminal's Ctrl-C is, or to us alone. A signal does not say so. But if a process
 * of our group that does nothing dies of it, the group had it. We need to know because the job is in our group, or it could not read from the
 * terminal. After Ctrl-C the job has had the signal, and to many jobs a second one means "die without clean-up".
 */
final class ProcessGroupProbe {
    private static final int LOOKS = 10;
    private static final long LOOK_MILLIS = 10;

    private @Nullable Process process;
    private long bornAt;

    ProcessGroupProbe() {
        revive();
    }

    private void revive() {
        try {
            process = ParentDeathGuard.helper(List.of("cat")).start(); // cat ends with us, at the end of its input
        } catch (IOException e) {
            process = null;
        }
        bornAt = System.nanoTime();
    }

    /**
     * {@return whether the whole group received the signal}
     *
     * @param arrived when the signal came to us, monotonic nanoseconds
     */
    synchronized boolean saw(long arrived) {
        if (bornAt - arrived > 0) {
            return true; // this process is the successor of one that has died since
        }
        boolean struck = process != null && isStruck(process);
        if (struck) {
            revive();
        }
        return struck;
    }

    private static boolean isStruck(Process probe) {
        for (int look = 0; look < LOOKS; look++) {
            if (!probe.isAlive() || isDying(probe.pid())) {
                return true;
            }
            try {
                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return false;
    }

    /** On a busy machine it may not have had the time to die, but the signal is pending. */
    private static boolean isDying(long pid) {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"), StandardCharsets.ISO_8859_1)) {
                boolean pending = line.startsWith("SigPnd:") || line.startsWith("ShdPnd:");
                if (pending && !line.substring("SigPnd:".length()).trim().matches("0+")) {
                    return true;
                }
            }
            return false;
        } catch (IOException e) {
            return false;
        }
    }

    synchronized void dismiss() {
        if (process != null) {
            process.destroyForcibly();
        }
    }
}
