package dev.sessionlock.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A JVM that a test starts, talks to, and kills, freezes and wakes. It runs with the test's own classes. Its output is captured, and appears in the
 * message of every failure.
 *
 * <pre>{@code
 * try (ChildJvm holder = ChildJvm.of(Holder.class).args(session.toString()).start()) {
 *     holder.awaitMark("held", Duration.ofSeconds(10));
 *     holder.freeze();                                    // SIGSTOP: its lease runs out
 *     try (SessionLock lock = locks.acquire(session)) {   // and we take over
 *         holder.wake();
 *         holder.awaitMark("lost", Duration.ofSeconds(10));
 *     }
 *     holder.kill();                                      // SIGKILL
 * }
 * }</pre>
 *
 * <p>It runs a {@link ChildScenario}, as a class or a {@linkplain #running lambda}, or any class with a {@code main} method. The test can kill it
 * ({@link #kill}), end it in good order ({@link #terminate}, {@link #exit}), freeze and wake it ({@link #freeze}, {@link #wake}), and make it find
 * what it has leaked ({@link #collectGarbage}).
 *
 * <p>Nothing is left behind. {@link #close} kills the child, frozen or not, and all that it has started. If the test's JVM dies, the child ends by
 * itself; a frozen child is killed by a small shell that waits for this.
 *
 * <p>The child runs on the class path, even if the test runs on the module path, so its classes need not be exported or opened. On the class path,
 * classes belong to no named module. Of services, only those are found that {@code META-INF/services} names, not those that only a
 * {@code module-info} provides.
 *
 * <p>For Unix systems: a shell sends signals with {@code kill}. Thread-safe.
 */
public final class ChildJvm implements AutoCloseable {
    /** How long a child may take to start, or to end once it was killed. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final int MOST_OUTPUT = 64 * 1024;
    private static final Path PROC = Path.of("/proc");

    private final String name;
    private final Process process;
    private final Writer down;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();
    // guarded by the lock
    private final Deque<Mark> marks = new ArrayDeque<>();
    private final StringBuilder output = new StringBuilder();
    private final Set<ProcessHandle> family = new HashSet<>();
    private boolean silent;
    private @Nullable Process guard;

    private volatile @Nullable ProcessHandle jvm;

    /**
     * Something that a child has reported.
     *
     * @param name the first word
     * @param details the words after it
     */
    public record Mark(String name, List<String> details) {

        /**
         * {@return one of the details}
         *
         * @param index its index, from 0
         */
        public String detail(int index) {
            return details.get(index);
        }

        /**
         * {@return one of the details as a number}
         *
         * @param index its index, from 0
         */
        public long number(int index) {
            return Long.parseLong(details.get(index));
        }

        /** {@return the details in one line} */
        public String text() {
            return String.join(" ", details);
        }
    }

    private ChildJvm(String name, Process process) {
        this.name = name;
        this.process = process;
        this.down = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8);
        Thread ear = new Thread(this::listen, "hears-" + name);
        ear.setDaemon(true);
        ear.start();
    }

    /**
     * Begins the description of a child.
     *
     * @param what a {@link ChildScenario}, or a class with a {@code main} method
     * @return the description, to be completed and started
     */
    public static Builder of(Class<?> what) {
        return new Builder(what.getName(), what.getSimpleName());
    }

    /**
     * Begins the description of a child that runs a lambda of the test, with the values that it has captured.
     *
     * <pre>{@code
     * String file = session.toString();
     * try (ChildJvm holder = ChildJvm.running(parent -> {
     *     try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(Path.of(file))) {
     *         parent.mark("held", lock.token());
     *         parent.awaitLine();
     *     }
     * }).start()) {
     *     holder.awaitMark("held", Duration.ofSeconds(10));
     * }
     * }</pre>
     *
     * @param what the lambda; its parameter is the child's parent
     * @return the description, to be completed and started
     * @throws IllegalArgumentException if it has captured something that is not {@link java.io.Serializable}, such as the test itself
     */
    public static Builder running(ChildScenario.Portable what) {
        return new Builder(ChildMain.pack(what), "child");
    }

    // ---- talking ----

    private void listen() {
        try (BufferedReader up = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = up.readLine(); line != null; line = up.readLine()) {
                hear(line);
            }
        } catch (IOException e) {
            hear("(the rest of the output is lost: " + e + ")"); // the process was destroyed during the read
        } finally {
            lock.lock();
            try {
                silent = true;
                news.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    private void hear(String line) {
        lock.lock();
        try {
            if (line.startsWith(ParentJvm.MARK)) {
                String[] words = line.substring(ParentJvm.MARK.length()).split(" ");
                marks.add(new Mark(words[0], List.of(Arrays.copyOfRange(words, 1, words.length))));
                news.signalAll();
            } else if (!line.isEmpty()) {
                output.append(line).append(System.lineSeparator());
                if (output.length() > 2 * MOST_OUTPUT) {
                    output.delete(0, output.length() - MOST_OUTPUT);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until the child has reported this mark, and takes it: the next call waits for the next one. Marks of other names stay until somebody
     * waits for them.
     *
     * @param mark the mark's name
     * @param patience for how long to wait
     * @return the mark with its details
     * @throws AssertionError if the child does not report it in time, or ends before; with its output
     * @throws InterruptedException if interrupted
     */
    public Mark awaitMark(String mark, Duration patience) throws InterruptedException {
        long left = patience.toNanos();
        lock.lock();
        try {
            while (true) {
                Mark found = take(mark);
                if (found != null) {
                    return found;
                } else if (silent) {
                    throw new AssertionError(name + " ended " + ending() + "and had not said \"" + mark + "\"" + soFar());
                } else if (left <= 0) {
                    throw new AssertionError(name + " (pid " + pid() + ") did not say \"" + mark + "\" within " + patience.toMillis() + " ms"
                            + soFar());
                }
                left = news.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * {@return the mark, if the child has reported it already; taken, as by {@link #awaitMark}}
     *
     * @param mark the mark's name
     */
    public Optional<Mark> pollMark(String mark) {
        lock.lock();
        try {
            return Optional.ofNullable(take(mark));
        } finally {
            lock.unlock();
        }
    }

    /** {@return whether the child has reported this mark} Does not take it. */
    boolean hasMark(String mark) {
        lock.lock();
        try {
            return marks.stream().anyMatch(said -> said.name().equals(mark));
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Mark take(String mark) {
        for (Iterator<Mark> i = marks.iterator(); i.hasNext(); ) {
            Mark next = i.next();
            if (next.name().equals(mark)) {
                i.remove();
                return next;
            }
        }
        return null;
    }

    private String ending() {
        return process.isAlive() ? "" : "with status " + process.exitValue() + " ";
    }

    private String soFar() {
        List<String> said = marks.stream().map(m -> m.name() + " " + m.text()).toList();
        return System.lineSeparator() + "  other marks: " + said + System.lineSeparator() + "  its output:" + System.lineSeparator() + output;
    }

    /**
     * Sends a line to the child, where {@link ParentJvm#awaitLine()} returns it.
     *
     * @param line the line, without its end
     * @throws AssertionError if the child has ended; with its output
     */
    public void send(String line) {
        synchronized (down) {
            try {
                down.write(line + "\n");
                down.flush();
            } catch (IOException e) {
                throw new AssertionError("could not send \"" + line + "\" to " + name + ", which has ended? " + output(), e);
            }
        }
    }

    /** {@return what the child has printed so far, without marks; the last 64 K characters of it} */
    public String output() {
        lock.lock();
        try {
            return output.toString();
        } finally {
            lock.unlock();
        }
    }

    // ---- signals ----

    /** {@return the process id of the JVM itself, as the test's own process sees it, even if a wrapper has started it} */
    public long pid() {
        ProcessHandle known = jvm;
        return known == null ? process.pid() : known.pid();
    }

    /** {@return whether the JVM runs or is frozen; a zombie does not count} */
    public boolean isAlive() {
        ProcessHandle known = jvm;
        return known == null || known.pid() == process.pid() ? process.isAlive() : lives(known);
    }

    private static boolean isZombie(long pid) {
        char state = state(PROC.resolve(Long.toString(pid)));
        return state == 'Z' || state == 'X';
    }

    /**
     * Ends the JVM with SIGKILL, frozen or not, and waits until it has ended; the kernel has then freed its locks. Processes that it has started live
     * on, until {@link #close}.
     */
    public void kill() {
        ProcessHandle known = jvm;
        remember(process.descendants());
        // By handle: the process object would close our end of its output, and what was not read yet would be lost.
        (known == null ? process.toHandle() : known).destroyForcibly();
        awaitEnd();
        unguard();
    }

    /**
     * Makes the JVM call {@link System#exit}, so its shutdown hooks run. Does not wait for its end.
     *
     * @param status the exit status
     * @throws AssertionError if it has ended; with its output
     */
    public void exit(int status) {
        send(ParentJvm.EXIT + status);
    }

    /**
     * Makes the JVM collect its garbage, so that it finds what it has leaked: handles that were never closed, and that nothing refers to any more.
     * Returns when that is done.
     *
     * @throws AssertionError if it has ended; with its output
     * @throws InterruptedException if interrupted
     */
    public void collectGarbage() throws InterruptedException {
        send(ParentJvm.COLLECT_GARBAGE);
        awaitMark(ParentJvm.COLLECTED, PATIENCE);
    }

    /** Asks the JVM to end, with SIGTERM, so its shutdown hooks run. Does not wait for its end. */
    public void terminate() {
        signal("TERM");
    }

    /** Freezes the whole process with SIGSTOP, and waits until all its threads are stopped. */
    public void freeze() {
        guard();
        signal("STOP");
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!isFrozen()) {
            if (!isAlive() || System.nanoTime() > end) {
                throw new AssertionError(name + " (pid " + pid() + ") did not freeze " + ending() + output());
            }
            pause();
        }
    }

    /** Wakes the process with SIGCONT. */
    public void wake() {
        signal("CONT");
        unguard();
    }

    /** {@return whether every thread of it is stopped; always true where there is no {@code /proc}} */
    public boolean isFrozen() {
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

    /** {@return the state letter of proc(5); X if there is no such process} */
    private static char state(Path process) {
        try {
            String stat = Files.readString(process.resolve("stat"), StandardCharsets.ISO_8859_1);
            return stat.charAt(stat.lastIndexOf(')') + 2);
        } catch (IOException e) {
            return 'X';
        }
    }

    private void signal(String signal) {
        try {
            Process kill = new ProcessBuilder("/bin/sh", "-c", "kill -" + signal + " " + pid()).redirectErrorStream(true).start();
            String said = new String(kill.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
            if (kill.waitFor() != 0) {
                throw new AssertionError("could not send SIG" + signal + " to " + name + ": " + said + " " + ending() + output());
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

    /**
     * Waits for the JVM to end by itself.
     *
     * @param patience for how long to wait
     * @return its exit status; 128 + n if signal n ended it
     * @throws AssertionError if it does not end in time; with its output
     * @throws InterruptedException if interrupted
     */
    public int awaitExit(Duration patience) throws InterruptedException {
        if (!process.waitFor(patience.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new AssertionError(name + " (pid " + pid() + ") did not end within " + patience.toMillis() + " ms. " + output());
        }
        return process.exitValue();
    }

    private void awaitEnd() {
        long end = System.nanoTime() + PATIENCE.toNanos();
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

    /** Kills the process, frozen or not, even inside a wrapper, and waits until it has ended. Idempotent. */
    @Override
    public void close() {
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
        long end = System.nanoTime() + PATIENCE.toNanos();
        while ((process.isAlive() || all.stream().anyMatch(ChildJvm::lives)) && System.nanoTime() < end) {
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

    /** A process that was orphaned and killed may stay a zombie until somebody reaps it. It counts as ended. */
    private static boolean lives(ProcessHandle process) {
        return process.isAlive() && !isZombie(process.pid());
    }

    /** {@return its name, its process id and whether it lives} */
    @Override
    public String toString() {
        return name + "[pid " + pid() + (isAlive() ? "]" : ", ended]");
    }

    private void awaitStart() throws InterruptedException {
        long own = awaitMark(ParentJvm.STARTED, PATIENCE).number(0);
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

    /** Describes a child JVM. Not thread-safe. */
    public static final class Builder {
        private final String what;
        private final List<String> jvmArgs = new ArrayList<>();
        private final Map<String, String> environment = new HashMap<>();
        private List<String> args = List.of();
        private List<String> wrapper = List.of();
        private String name;
        private String classPath = TestClassPath.get();
        private Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        private @Nullable Path directory;

        private Builder(String what, String name) {
            this.what = what;
            this.name = name;
        }

        /** Sets the arguments that the scenario, or the main method, gets. */
        public Builder args(String... args) {
            this.args = List.of(args);
            return this;
        }

        /** Adds arguments of the JVM, such as {@code -Xmx64m}, to those given before. */
        public Builder jvmArgs(String... jvmArgs) {
            Collections.addAll(this.jvmArgs, jvmArgs);
            return this;
        }

        /** Sets a variable of its environment. */
        public Builder environment(String variable, String value) {
            environment.put(variable, value);
            return this;
        }

        /** Sets its name in messages. The default is the class's name, or {@code child} for a lambda. */
        public Builder name(String name) {
            this.name = Objects.requireNonNull(name, "name");
            return this;
        }

        /** Sets its class path. The default is all that the test's own JVM loads classes from, class path and module path. */
        public Builder classPath(String classPath) {
            this.classPath = Objects.requireNonNull(classPath, "classPath");
            return this;
        }

        /** Sets the {@code java} that runs it. The default is the test's own. */
        public Builder java(Path java) {
            this.java = Objects.requireNonNull(java, "java");
            return this;
        }

        /** Sets its working directory. The default is the test's own. */
        public Builder directory(Path directory) {
            this.directory = Objects.requireNonNull(directory, "directory");
            return this;
        }

        /** Sets a command that starts the JVM, such as {@code unshare --mount} or {@code setpriv …}. The JVM's command line is appended to it. */
        public Builder wrappedBy(String... command) {
            this.wrapper = List.of(command);
            return this;
        }

        /**
         * Starts it, and waits until it is ready.
         *
         * @return the child, to be closed
         * @throws IOException if the process cannot be started
         * @throws InterruptedException if interrupted
         * @throws AssertionError if the JVM does not start; with its output
         */
        public ChildJvm start() throws IOException, InterruptedException {
            List<String> command = new ArrayList<>(wrapper);
            command.add(java.toString());
            command.addAll(jvmArgs);
            Collections.addAll(command, "-cp", classPath, ChildMain.class.getName(), what);
            command.addAll(args);
            ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
            builder.environment().putAll(environment);
            if (directory != null) {
                builder.directory(directory.toFile());
            }
            ChildJvm child = new ChildJvm(name, builder.start());
            try {
                child.awaitStart();
                return child;
            } catch (Throwable e) {
                child.close();
                throw e;
            }
        }
    }
}
