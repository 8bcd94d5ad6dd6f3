package dev.sessionlock.testkit;

import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The processes of one {@link ChildJvm}: the one that was started, the JVM itself if that was started by a wrapper, and all that the JVM has started.
 * It sends signals, sees by {@code /proc} what has come of them, and leaves no process behind. Thread-safe.
 */
final class ChildProcess {
    private static final Path PROC = Path.of("/proc");

    private final String name;
    private final Process process;
    private final ChildMessages messages;
    private final ReentrantLock lock = new ReentrantLock();
    // guarded by the lock
    private final Set<ProcessHandle> family = new HashSet<>();
    private @Nullable Process guard;

    private volatile @Nullable ProcessHandle jvm;

    ChildProcess(String name, Process process, ChildMessages messages) {
        this.name = name;
        this.process = process;
        this.messages = messages;
    }

    // ---- which process ----

    /** Learns which process the JVM is, by the id that it has told of itself. */
    void found(long own) {
        if (own == innermostPid(process.pid())) {
            jvm = process.toHandle();
            return;
        }
        // A wrapper that forks is not the JVM itself. Nor are processes that the JVM may have started meanwhile.
        try (Stream<ProcessHandle> descendants = process.descendants()) {
            jvm = descendants.filter(descendant -> innermostPid(descendant.pid()) == own).findFirst().orElse(process.toHandle());
        }
    }

    /** {@return the id by which a process knows itself: another one if it runs in a pid namespace of its own} */
    private static long innermostPid(long pid) {
        try (Stream<String> status = Files.lines(PROC.resolve(Long.toString(pid)).resolve("status"), StandardCharsets.ISO_8859_1)) {
            String[] words = status.filter(line -> line.startsWith("NSpid:")).findFirst().orElse("").split("\\s+");
            return words.length < 2 ? pid : Long.parseLong(words[words.length - 1]);
        } catch (IOException | UncheckedIOException e) {
            return pid; // there is no /proc, or the process has ended
        }
    }

    long pid() {
        ProcessHandle known = jvm;
        return known == null ? process.pid() : known.pid();
    }

    boolean isAlive() {
        ProcessHandle known = jvm;
        return known == null || known.pid() == process.pid() ? process.isAlive() : lives(known);
    }

    /** A process that was orphaned and killed may stay a zombie until somebody reaps it. It counts as ended. */
    private static boolean lives(ProcessHandle process) {
        return process.isAlive() && !isZombie(process.pid());
    }

    private static boolean isZombie(long pid) {
        char state = state(PROC.resolve(Long.toString(pid)));
        return state == 'Z' || state == 'X';
    }

    /** {@return the state letter of proc(5); X if there is no such process} */
    private static char state(Path process) {
        try {
            String stat = Files.readString(process.resolve("stat"), StandardCharsets.ISO_8859_1);
            return stat.charAt(stat.lastIndexOf(')') + 2);
        } catch (IOException e) {
            return 'X';
        }
    }

    // ---- freezing ----

    void freeze() {
        guard();
        signal("STOP");
        long end = System.nanoTime() + ChildJvm.PATIENCE.toNanos();
        while (!isFrozen()) {
            if (!isAlive() || System.nanoTime() > end) {
                throw new AssertionError(name + " (pid " + pid() + ") did not freeze " + messages.ending() + messages.output());
            }
            pause();
        }
    }

    void wake() {
        signal("CONT");
        unguard();
    }

    /** {@return whether every thread of it is stopped; always true where there is no {@code /proc}} */
    boolean isFrozen() {
        Path process = PROC.resolve(Long.toString(pid()));
        if (!Files.isDirectory(PROC.resolve("self"))) {
            return true;
        }
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(process.resolve("task"))) {
            boolean any = false;
            for (Path thread : threads) {
                any = true;
                char state = state(thread);
                if (state != 'T' && state != 't' && state != 'X' && state != 'Z') {
                    return false;
                }
            }
            return any && state(process) == 'T';
        } catch (IOException e) {
            return false; // it has ended
        }
    }

    void signal(String signal) {
        try {
            Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -" + signal + " " + pid()).redirectErrorStream(true).start();
            String said = new String(kill.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
            if (kill.waitFor() != 0) {
                throw new AssertionError("could not send SIG" + signal + " to " + name + ": " + said + " " + messages.ending() + messages.output());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("could not run kill", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while SIG" + signal + " was sent to " + name, e);
        }
    }

    /** A frozen child cannot see that its parent has died. This shell can: its input ends, and it kills the child. */
    private void guard() {
        lock.lock();
        try {
            if (guard == null) {
                guard = new ProcessBuilder("/bin/sh", "-c", "read -r all_well || kill -KILL \"$0\"", Long.toString(pid()))
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("could not start a shell", e);
        } finally {
            lock.unlock();
        }
    }

    private void unguard() {
        lock.lock();
        try {
            if (guard != null) {
                try (Writer word = new OutputStreamWriter(guard.getOutputStream(), StandardCharsets.UTF_8)) {
                    word.write("yes\n");
                } catch (IOException e) {
                    // the shell has ended by itself after it killed the child: somebody closed our end of its pipe
                }
                guard = null;
            }
        } finally {
            lock.unlock();
        }
    }

    // ---- the end ----

    void kill() {
        ProcessHandle known = jvm;
        remember(process.descendants());
        // By handle: the process object would close our end of its output, and what was not read yet would be lost.
        (known == null ? process.toHandle() : known).destroyForcibly();
        awaitEnd();
        unguard();
    }

    int awaitExit(Duration patience) throws InterruptedException {
        if (!process.waitFor(patience.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new AssertionError(name + " (pid " + pid() + ") did not end within " + patience.toMillis() + " ms. " + messages.output());
        }
        return process.exitValue();
    }

    private void awaitEnd() {
        long end = System.nanoTime() + ChildJvm.PATIENCE.toNanos();
        while (isAlive()) {
            if (System.nanoTime() > end) {
                throw new AssertionError(name + " (pid " + pid() + ") was killed and did not end");
            }
            pause();
        }
    }

    private static void pause() {
        LockSupport.parkNanos(200_000);
        if (Thread.interrupted()) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while waiting for a child JVM");
        }
    }

    void close() {
        remember(process.descendants()); // before its wrapper is gone: then nobody would be their parent
        List<ProcessHandle> all = new ArrayList<>(remembered());
        all.add(process.toHandle());
        ProcessHandle known = jvm;
        if (known != null) {
            all.add(known);
        }
        all.forEach(ProcessHandle::destroyForcibly);
        unguard();
        boolean interrupted = Thread.interrupted();
        long end = System.nanoTime() + ChildJvm.PATIENCE.toNanos();
        while ((process.isAlive() || all.stream().anyMatch(ChildProcess::lives)) && System.nanoTime() < end) {
            LockSupport.parkNanos(200_000);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void remember(Stream<ProcessHandle> descendants) {
        lock.lock();
        try {
            descendants.forEach(family::add);
        } finally {
            lock.unlock();
        }
    }

    private List<ProcessHandle> remembered() {
        lock.lock();
        try {
            return List.copyOf(family);
        } finally {
            lock.unlock();
        }
    }
}
