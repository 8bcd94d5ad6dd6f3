package dev.sessionlock.testkit.faults;

import dev.sessionlock.testkit.Tools;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A tracer on one thread of another process: it records the thread's system calls, and makes one of them fail or take long. */
final class Strace implements AutoCloseable {
    /** The calls that act on files: what a thread does for memory, other threads and clocks has nothing to do with the lock. */
    static final List<String> CALLS = List.of("openat", "close", "fcntl", "read", "write", "lseek", "link", "unlink", "rename", "mkdir",
            "rmdir", "statx", "newfstatat", "readlink", "access", "getdents64", "ftruncate", "fsync", "mmap", "dup", "chmod", "fchmod", "chown",
            "statfs", "fstatfs");
    private static final Pattern CALL = Pattern.compile("(\\w+)\\((.*)");

    private final Process process;
    private final Path output;

    private Strace(Process process, Path output) {
        this.process = process;
        this.output = output;
    }

    /**
     * One system call of a sequence.
     *
     * @param name its name
     * @param occurrence its number among the calls of that name in the sequence, from 1
     * @param text strace's line for it
     */
    record Call(String name, int occurrence, String text) {
        @Override
        public String toString() {
            return name + " #" + occurrence + " " + text.substring(0, Math.min(text.length(), 160));
        }
    }

    /** Skips the test if there is no strace, or if it may not trace another process or inject errors. */
    static void require() throws IOException, InterruptedException {
        Tools.require("strace that injects faults", "strace", "-f", "-o", "/dev/null", "-e", "inject=getcwd:error=EIO:when=1", "true");
        Tools.require("the right to trace another process", "/bin/sh", "-c",
                "sleep 5 & strace -o /dev/null -p $! & tracer=$!; sleep 0.3; kill -0 $tracer && kill $tracer");
    }

    /**
     * Attaches to a thread, and returns once it is attached.
     *
     * @param inject in strace's form, such as {@code openat:error=EIO:when=1}; null to record only
     */
    static Strace attach(long thread, Path output, String inject) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("strace", "-y", "-s", "16", "-p", Long.toString(thread), "-o", output.toString(),
                "-e", "trace=" + String.join(",", CALLS)));
        if (inject != null) {
            command.addAll(List.of("-e", "inject=" + inject));
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        BufferedReader said = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = said.readLine();
        if (line == null || !line.contains("attached")) {
            process.destroy();
            throw new AssertionError("strace did not attach to thread " + thread + ": " + line);
        }
        return new Strace(process, output);
    }

    /** Detaches, and returns once everything is written down. */
    void detach() {
        process.destroy(); // SIGTERM
        try {
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        detach();
    }

    /** {@return what the thread has called so far, in order} */
    List<Call> calls() throws IOException {
        Map<String, Integer> counts = new HashMap<>();
        List<Call> calls = new ArrayList<>();
        for (String line : Files.readAllLines(output, StandardCharsets.ISO_8859_1)) {
            Matcher matcher = CALL.matcher(line);
            if (matcher.lookingAt()) {
                calls.add(new Call(matcher.group(1), counts.merge(matcher.group(1), 1, Integer::sum), line));
            }
        }
        return calls;
    }

    /** {@return the call that was changed; null if it was not made} */
    Call injected() throws IOException {
        return calls().stream().filter(call -> call.text().contains("(INJECTED)") || call.text().contains("(DELAYED)")).findFirst().orElse(null);
    }
}
