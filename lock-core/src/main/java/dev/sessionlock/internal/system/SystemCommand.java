package dev.sessionlock.internal.system;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Asks a program of the operating system for what Java does not tell. Never throws, and never waits longer than it was told: whoever asks must be able to do
 * without the answer.
 *
 * <p>It takes some milliseconds and a process, so it is nothing for a path that is taken often. The program is named by its absolute path, and gets none of
 * our environment: neither a user's search path nor another library's variables decide what runs.
 */
final class SystemCommand {
    /** More than anybody asks for. */
    private static final int MOST_BYTES = 4_096;

    private final List<String> command;
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile @Nullable Process process;
    private volatile boolean givenUp;
    private volatile @Nullable String output;

    private SystemCommand(List<String> command) {
        this.command = command;
    }

    /**
     * {@return what a program prints; null if it cannot be run, or has not ended in time} Its exit code does not matter: a program that is asked for two things
     * may know one of them. An interrupt does not cut the question short, and stays pending.
     *
     * @param patienceMillis for how long to wait for it
     * @param command the absolute path of the program, and its arguments
     */
    static @Nullable String output(long patienceMillis, String... command) {
        try {
            return new SystemCommand(List.of(command)).run(TimeUnit.MILLISECONDS.toNanos(patienceMillis));
        } catch (Throwable e) {
            return null; // no thread, or no memory: it is as if the program did not know
        }
    }

    private @Nullable String run(long patienceNanos) {
        // On a thread of its own: neither the start of a process nor reading what it prints can be limited.
        Thread thread = new Thread(null, this::read, "sessionlock-asks-the-system", 0, false);
        thread.setDaemon(true);
        thread.setContextClassLoader(null); // not that of whoever asks first
        thread.start();
        long end = System.nanoTime() + patienceNanos;
        boolean interrupted = false;
        try {
            for (long left = patienceNanos; left > 0; left = end - System.nanoTime()) {
                try {
                    if (ended.await(left, TimeUnit.NANOSECONDS)) {
                        return output;
                    }
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            return null;
        } finally {
            giveUp();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void giveUp() {
        givenUp = true;
        Process running = process;
        if (running != null) {
            running.descendants().forEach(ProcessHandle::destroyForcibly);
            running.destroyForcibly();
        }
    }

    private void read() {
        try {
            ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD)
                    .redirectInput(new File("/dev/null"));
            builder.environment().clear();
            builder.environment().put("LC_ALL", "C");
            Process running = builder.start();
            process = running;
            if (givenUp) {
                running.destroyForcibly();
            }
            output = new String(running.getInputStream().readNBytes(MOST_BYTES), StandardCharsets.UTF_8);
        } catch (IOException | RuntimeException | Error e) {
            output = null;
        } finally {
            ended.countDown();
        }
    }
}
