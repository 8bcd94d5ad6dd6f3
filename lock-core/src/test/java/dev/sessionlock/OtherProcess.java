package dev.sessionlock;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A living process that does nothing; and facts about dead processes. */
final class OtherProcess implements AutoCloseable {
    /** Beyond any process id. */
    static final long NOBODY = 4_000_000_000L;

    private final Process process;

    OtherProcess() {
        try {
            process = new ProcessBuilder("sleep", "100").start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@return the id of a process that has ended} */
    static long ended() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("true").start();
        process.waitFor();
        return process.pid();
    }

    /** {@return a lock of another program, in OpenClaw's format} */
    static String foreignLock(long pid) {
        return "{\"pid\":" + pid + ",\"createdAt\":\"2026-02-09T06:32:23.123Z\"}";
    }

    long pid() {
        return process.pid();
    }

    /** {@return when it started, in the form of a record} */
    long startTicks() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/" + pid() + "/stat")).split("\\) ")[1].split(" ")[19]);
    }

    void end() {
        process.destroyForcibly().onExit().join();
    }

    @Override
    public void close() {
        end();
    }
}
