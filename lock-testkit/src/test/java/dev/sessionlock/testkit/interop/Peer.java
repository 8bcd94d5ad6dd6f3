package dev.sessionlock.testkit.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** A Node process that holds OpenClaw's locks on command; see {@code peer.mjs}. */
final class Peer implements AutoCloseable {
    /** Much longer than anything takes that works: the machine is noisy. */
    static final Duration PATIENCE = Duration.ofSeconds(90);

    private final Process process;
    private final Writer down;
    private final Map<String, CompletableFuture<Reply>> calls = new ConcurrentHashMap<>();
    private final AtomicLong count = new AtomicLong();
    private final CompletableFuture<Void> up = new CompletableFuture<>();
    private final StringBuffer output = new StringBuffer();

    /** The result of a command. */
    record Reply(boolean ok, List<String> words) {
        String text() {
            return String.join(" ", words);
        }
    }

    private Peer(Process process) {
        this.process = process;
        this.down = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8);
        Thread ear = new Thread(this::listen, "hears-openclaw");
        ear.setDaemon(true);
        ear.start();
    }

    static Peer start(List<String> command) throws IOException, InterruptedException {
        Peer peer = new Peer(new ProcessBuilder(command).redirectErrorStream(true).start());
        try {
            await(peer.up, peer);
            return peer;
        } catch (AssertionError | InterruptedException e) {
            peer.close();
            throw e;
        }
    }

    private void listen() {
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                hear(line);
            }
        } catch (IOException e) {
            output.append(e).append('\n'); // it was destroyed during the read
        }
        AssertionError ended = new AssertionError("OpenClaw's process has ended: " + output);
        up.completeExceptionally(ended);
        calls.values().forEach(call -> call.completeExceptionally(ended));
    }

    private void hear(String line) {
        List<String> words = Stream.of(line.split(" ")).map(word -> URLDecoder.decode(word, StandardCharsets.UTF_8)).toList();
        CompletableFuture<Reply> call = words.size() < 2 ? null : calls.get(words.get(0));
        if (line.equals("up")) {
            up.complete(null);
        } else if (call != null) {
            call.complete(new Reply(words.get(1).equals("ok"), words.subList(2, words.size())));
        } else {
            output.append(line).append('\n');
        }
    }

    long pid() {
        return process.pid();
    }

    // ---- commands ----

    CompletableFuture<Reply> begin(Object... command) throws IOException {
        String id = "call-" + count.incrementAndGet();
        CompletableFuture<Reply> call = new CompletableFuture<>();
        calls.put(id, call);
        StringBuilder line = new StringBuilder(id);
        for (Object word : command) {
            line.append(' ').append(URLEncoder.encode(String.valueOf(word), StandardCharsets.UTF_8).replace("+", "%20"));
        }
        down.write(line.append('\n').toString());
        down.flush();
        return call;
    }

    Reply ask(Object... command) throws IOException, InterruptedException {
        return await(begin(command), this);
    }

    Reply tell(Object... command) throws IOException, InterruptedException {
        return mustSucceed(begin(command));
    }

    Reply mustSucceed(CompletableFuture<Reply> call) throws InterruptedException {
        Reply reply = await(call, this);
        if (!reply.ok()) {
            throw new AssertionError("OpenClaw: " + reply.text() + "\n" + output);
        }
        return reply;
    }

    /**
     * Waits for a call that takes a lock whose owner dies meanwhile. If the owner dies between two looks of one try, OpenClaw gives up ("session file
     * lock stale (dead-pid)"), and leaves it to its callers to try again.
     */
    Reply mustSucceedAtLast(CompletableFuture<Reply> call, Object... command) throws IOException, InterruptedException {
        Reply reply = await(call, this);
        return !reply.ok() && reply.text().contains("SessionWriteLockStaleError") ? tell(command) : mustSucceed(call);
    }

    /** Takes the lock of a session, and must get it. */
    void acquire(String handle, Path session) throws IOException, InterruptedException {
        tell("acquire", handle, session, 60_000);
    }

    private static <T> T await(CompletableFuture<T> future, Peer peer) throws InterruptedException {
        try {
            return future.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause().getMessage(), e.getCause());
        } catch (TimeoutException e) {
            throw new AssertionError("OpenClaw's process (pid " + peer.pid() + ") does not answer: " + peer.output, e);
        }
    }

    // ---- signals ----

    void wake() throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -CONT " + pid()).inheritIO().start();
        if (kill.waitFor() != 0) {
            throw new AssertionError("could not wake pid " + pid());
        }
    }

    /** {@return the state letter of proc(5)} */
    char state() throws IOException {
        String stat = Files.readString(Path.of("/proc", Long.toString(pid()), "stat"), StandardCharsets.ISO_8859_1);
        return stat.charAt(stat.lastIndexOf(')') + 2);
    }

    /** Sends SIGKILL; the process is reaped when this returns. */
    void kill() throws InterruptedException {
        process.toHandle().destroyForcibly();
        process.waitFor();
    }

    @Override
    public void close() {
        process.destroyForcibly();
        boolean interrupted = Thread.interrupted();
        try {
            process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
