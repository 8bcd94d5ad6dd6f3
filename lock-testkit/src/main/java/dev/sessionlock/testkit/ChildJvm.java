package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.LabFileSystemProvider;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
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
    static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String name;
    private final ChildProcess process;
    private final ChildMessages messages;

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

    private ChildJvm(String name, Process started) {
        this.name = name;
        this.messages = new ChildMessages(name, started, this::pid);
        this.process = new ChildProcess(name, started, messages);
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
        return messages.awaitMark(mark, patience);
    }

    /**
     * {@return the mark, if the child has reported it already; taken, as by {@link #awaitMark}}
     *
     * @param mark the mark's name
     */
    public Optional<Mark> pollMark(String mark) {
        return messages.pollMark(mark);
    }

    /** {@return whether the child has reported this mark} Does not take it. */
    boolean hasMark(String mark) {
        return messages.hasMark(mark);
    }

    /**
     * Sends a line to the child, where {@link ParentJvm#awaitLine()} returns it.
     *
     * @param line the line, without its end
     * @throws AssertionError if the child has ended; with its output
     */
    public void send(String line) {
        messages.send(line);
    }

    /** {@return what the child has printed so far, without marks; the last 64 K characters of it} */
    public String output() {
        return messages.output();
    }

    // ---- signals ----

    /** {@return the process id of the JVM itself, as the test's own process sees it, even if a wrapper has started it} */
    public long pid() {
        return process.pid();
    }

    /** {@return whether the JVM runs or is frozen; a zombie does not count} */
    public boolean isAlive() {
        return process.isAlive();
    }

    /**
     * Ends the JVM with SIGKILL, frozen or not, and waits until it has ended; the kernel has then freed its locks. Processes that it has started live
     * on, until {@link #close}.
     */
    public void kill() {
        process.kill();
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
        process.signal("TERM");
    }

    /** Freezes the whole process with SIGSTOP, and waits until all its threads are stopped. */
    public void freeze() {
        process.freeze();
    }

    /** Wakes the process with SIGCONT. */
    public void wake() {
        process.wake();
    }

    /** {@return whether every thread of it is stopped; always true where there is no {@code /proc}} */
    public boolean isFrozen() {
        return process.isFrozen();
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
        return process.awaitExit(patience);
    }

    /** Kills the process, frozen or not, even inside a wrapper, and waits until it has ended. Idempotent. */
    @Override
    public void close() {
        process.close();
    }

    /** {@return its name, its process id and whether it lives} */
    @Override
    public String toString() {
        return name + "[pid " + pid() + (isAlive() ? "]" : ", ended]");
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

        /**
         * Makes the JVM believe that it runs on another system: {@code os.name}, and a default file system that behaves as {@link LabSystem} says.
         *
         * @param system the system
         */
        public Builder on(LabSystem system) {
            jvmArgs.addAll(system.jvmArgs(true));
            return jvmArgs(LabFileSystemProvider.AS_DEFAULT);
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
                child.process.found(child.awaitMark(ParentJvm.STARTED, PATIENCE).number(0));
                return child;
            } catch (Throwable e) {
                child.close();
                throw e;
            }
        }
    }
}
