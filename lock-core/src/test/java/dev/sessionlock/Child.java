package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM that holds {@code session.jsonl} of a directory, or waits for it, until something happens to it. */
final class Child implements AutoCloseable {
    private final Process process;
    private final BufferedReader said;

    private Child(Process process) {
        this.process = process;
        this.said = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    /** Starts a program of the tests; its errors go to the log of the test. */
    static Process start(Class<?> program, List<String> options, String... args) throws IOException {
        return start(List.of(), program, options, args);
    }

    /** @param wrapper a command that runs it */
    static Process start(List<String> wrapper, Class<?> program, List<String> options, String... args) throws IOException {
        List<String> command = new ArrayList<>(wrapper);
        command.addAll(SmallJvm.command(options.toArray(String[]::new)));
        command.add(program.getName());
        command.addAll(List.of(args));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    }

    static Child holding(Path dir) throws IOException {
        Child child = new Child(start(HolderMain.class, List.of(), dir.toString(), "1"));
        assertThat(child.said.readLine()).isEqualTo("held");
        return child;
    }

    /** Several threads of it wait, named {@code waiter-0} and so on. */
    static Child waiting(Path dir, int threads) throws IOException {
        return waiting(dir, threads, "");
    }

    /** Another thread of it holds the lock. */
    static Child holdingAndWaiting(Path dir, int threads) throws IOException {
        return waiting(dir, threads, "holds");
    }

    private static Child waiting(Path dir, int threads, String how) throws IOException {
        Child child = new Child(start(WaiterMain.class, List.of(), dir.toString(), String.valueOf(threads), how));
        assertThat(child.said.readLine()).isEqualTo("waits");
        return child;
    }

    long pid() {
        return process.pid();
    }

    void signal(String name) throws Exception {
        assertThat(new ProcessBuilder("kill", "-" + name, String.valueOf(pid())).start().waitFor()).isZero();
    }

    void kill() {
        process.destroyForcibly().onExit().join();
    }

    void ended() throws InterruptedException {
        assertThat(process.waitFor(Patience.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }

    @Override
    public void close() {
        kill();
    }

    /** Holds the lock. */
    static final class HolderMain {
        public static void main(String... args) throws Exception {
            SessionLocks locks = SessionLocks.builder().shutdownGrace(Duration.ZERO).build();
            SessionLock lock = locks.acquire(Path.of(args[0], "session.jsonl"),
                    LockOptions.defaults().withPurpose("child").withLease(Duration.ofSeconds(1)));
            System.out.println("held");
            while (true) {
                Thread.sleep(1_000);
                if (lock.token() == 0) {
                    throw new AssertionError("keeps the handle reachable");
                }
            }
        }
    }

    /** Waits for the lock. */
    static final class WaiterMain {
        public static void main(String... args) throws Exception {
            SessionLocks locks = SessionLocks.create();
            SessionLock held = args[2].isEmpty() ? null : locks.acquire(Path.of(args[0], "session.jsonl"));
            for (int i = 0; i < Integer.parseInt(args[1]); i++) {
                int number = i;
                new Thread(() -> {
                    try {
                        locks.acquire(Path.of(args[0], "session.jsonl"), LockOptions.defaults().withPurpose("wait " + number).withTimeout(Duration.ofMinutes(5)));
                    } catch (LockException | InterruptedException e) {
                        throw new AssertionError(e);
                    }
                }, "waiter-" + number).start();
                while (locks.stats().waiting() <= i) {
                    Thread.sleep(1);
                }
            }
            System.out.println("waits");
            Thread.sleep(Duration.ofMinutes(5).toMillis());
            if (held != null) {
                held.close();
            }
        }
    }
}
