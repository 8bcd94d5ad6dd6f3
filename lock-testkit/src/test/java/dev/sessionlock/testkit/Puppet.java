package dev.sessionlock.testkit;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** A child JVM that takes, holds and closes locks on command. Each command runs on a thread of its own. */
public final class Puppet implements AutoCloseable {
    /** Much longer than anything takes that works: the machine is noisy. */
    public static final Duration PATIENCE = Duration.ofSeconds(60);

    /** A system property: for how many seconds the JVM's end waits for handles to be closed. */
    static final String SHUTDOWN_GRACE = "puppet.shutdownGrace";

    private final ChildJvm jvm;
    private final AtomicLong calls = new AtomicLong();

    private Puppet(ChildJvm jvm) {
        this.jvm = jvm;
    }

    public static Puppet start() throws IOException, InterruptedException {
        return start(child());
    }

    /** {@return a puppet to be configured further, and then {@linkplain #start(ChildJvm.Builder) started}} */
    public static ChildJvm.Builder child() {
        return SmallJvm.of(Strings.class);
    }

    public static Puppet wrappedBy(String... wrapper) throws IOException, InterruptedException {
        return start(child().wrappedBy(wrapper));
    }

    public static Puppet start(ChildJvm.Builder builder) throws IOException, InterruptedException {
        return new Puppet(builder.name("puppet").start());
    }

    public ChildJvm jvm() {
        return jvm;
    }

    @Override
    public void close() {
        jvm.close();
    }

    // ---- the parent's side ----

    /** The result of a command. */
    public record Reply(boolean ok, List<String> words) {
        public String text() {
            return String.join(" ", words);
        }

        public long number(int index) {
            return Long.parseLong(words.get(index));
        }
    }

    /** A command that was sent. */
    public final class Call {
        private final String id;
        private final String command;
        private Reply early;

        private Call(String id, String command) {
            this.id = id;
            this.command = command;
        }

        public boolean isDone() {
            if (early == null) {
                early = jvm.pollMark("reply-" + id).map(Puppet::reply).orElse(null);
            }
            return early != null;
        }

        public Reply reply() throws InterruptedException {
            if (early == null) {
                early = Puppet.reply(jvm.awaitMark("reply-" + id, PATIENCE));
            }
            return early;
        }

        public Reply mustSucceed() throws InterruptedException {
            Reply reply = reply();
            if (!reply.ok()) {
                throw new AssertionError(command + " failed in " + jvm + ": " + reply.text() + "\n" + jvm.output());
            }
            return reply;
        }
    }

    private static Reply reply(ChildJvm.Mark mark) {
        List<String> words = mark.details().stream().map(word -> URLDecoder.decode(word, StandardCharsets.UTF_8)).toList();
        return new Reply(words.get(0).equals("ok"), words.subList(1, words.size()));
    }

    public Call begin(Object... command) {
        String id = Long.toString(calls.incrementAndGet());
        StringBuilder line = new StringBuilder(id);
        for (Object word : command) {
            line.append(' ').append(encode(word));
        }
        jvm.send(line.toString());
        return new Call(id, List.of(command).toString());
    }

    private static String encode(Object word) {
        String text = URLEncoder.encode(String.valueOf(word), StandardCharsets.UTF_8);
        return text.isEmpty() ? "+" : text;
    }

    public Reply ask(Object... command) throws InterruptedException {
        return begin(command).reply();
    }

    public Reply tell(Object... command) throws InterruptedException {
        return begin(command).mustSucceed();
    }

    /** A lock that was acquired: its token, and the monotonic clock right after. */
    public record Held(long token, long nanos) {
    }

    /** Acquires, and must succeed. Options as {@code lease=1000 takeover=false}, times in milliseconds. */
    public Held acquire(String handle, Path file, String... options) throws InterruptedException {
        return held(beginAcquire(handle, file, options));
    }

    public Call beginAcquire(String handle, Path file, String... options) {
        return begin("acquire", handle, file, String.join(" ", options));
    }

    public static Held held(Call acquisition) throws InterruptedException {
        Reply reply = acquisition.mustSucceed();
        return new Held(reply.number(0), reply.number(1));
    }

    public boolean tryAcquire(String handle, Path file, String... options) throws InterruptedException {
        return tell("try", handle, file, String.join(" ", options)).words().get(0).equals("held");
    }

    /** {@return "held", or "lost" and why, or "closed"; from memory and clock} */
    public String ensure(String handle) throws InterruptedException {
        return tell("ensure", handle).text();
    }

    /** {@return the same as {@link #ensure}, from disk and kernel, too} */
    public String verify(String handle) throws InterruptedException {
        return tell("verify", handle).text();
    }

    /**
     * Acquires a lock, and freezes the puppet with it. Tries again if the lock was lost before, because the machine stood still for a whole lease.
     */
    public Held acquireAndFreeze(String handle, Path file, String... options) throws IOException, InterruptedException {
        while (true) {
            Held held = acquire(handle, file, options);
            jvm.freeze();
            if (!KernelTruth.seats(file.getParent(), jvm.pid()).isEmpty()) {
                return held;
            }
            jvm.wake();
            awaitLost(handle);
            close(handle);
        }
    }

    public void close(String handle) throws InterruptedException {
        tell("close", handle);
    }

    /** {@return why, and when by the monotonic clock} */
    public ChildJvm.Mark awaitLost(String handle) throws InterruptedException {
        return jvm.awaitMark("lost-" + handle, PATIENCE);
    }

    /** Makes the puppet check the handle all the time, until it is lost or closed. */
    public void watch(String handle) {
        begin("watch", handle);
    }

    /** {@return the last moment at which a handle that is watched was certainly held, monotonic nanoseconds} */
    public long heldTo(String handle) throws InterruptedException {
        return jvm.awaitMark("held-to-" + handle, PATIENCE).number(0);
    }

    /** Runs a shell command in the child's own namespaces and as its user. Returns what it printed. */
    public String shell(String command) throws InterruptedException {
        return tell("shell", command).text();
    }

    /** {@return the names in a directory and below, sorted, in one line} */
    public String list(Path directory) throws InterruptedException {
        return shell("cd '" + directory + "' && find . | sort | tr '\\n' ' '");
    }

    // ---- the child's side ----

    /** The child's program. */
    static final class Strings implements ChildScenario {
        private final SessionLocks locks = SessionLocks.builder().shutdownGrace(Duration.ofSeconds(Long.getLong(SHUTDOWN_GRACE, 1))).build();
        private final Map<String, SessionLock> handles = new ConcurrentHashMap<>();
        private final List<InputStream> filling = new ArrayList<>();
        private final ThreadGroup users = new ThreadGroup("users");
        private final CountDownLatch hooksMayEnd = new CountDownLatch(1);
        private ParentJvm parent;

        @Override
        public void run(ParentJvm parent) throws Exception {
            this.parent = parent;
            while (true) {
                List<String> words = Stream.of(parent.awaitLine().split(" "))
                        .map(word -> URLDecoder.decode(word, StandardCharsets.UTF_8)).map(word -> word.equals(" ") ? "" : word).toList();
                String id = words.get(0);
                if (words.get(1).equals("return")) {
                    return;
                }
                Thread thread = new Thread(users, () -> obey(id, words.get(1), words.subList(2, words.size())), words.get(1) + "-" + id);
                thread.setDaemon(true);
                thread.start();
            }
        }

        private void obey(String id, String command, List<String> args) {
            List<Object> reply = new ArrayList<>();
            try {
                reply.add("ok");
                reply.addAll(obey(command, args));
            } catch (Throwable e) {
                reply = List.of("failed", e.getClass().getSimpleName(), String.valueOf(e.getMessage()));
                e.printStackTrace(System.out);
            }
            parent.mark("reply-" + id, reply.stream().map(Puppet::encode).toArray());
        }

        private List<?> obey(String command, List<String> args) throws Exception {
            switch (command) {
                case "acquire" -> {
                    return keep(args.get(0), locks.acquire(Path.of(args.get(1)), options(args.get(2))), System.nanoTime());
                }
                case "try" -> {
                    SessionLock lock = locks.tryAcquire(Path.of(args.get(1)), options(args.get(2))).orElse(null);
                    if (lock == null) {
                        return List.of("busy");
                    }
                    keep(args.get(0), lock, 0);
                    return List.of("held");
                }
                case "ensure" -> {
                    return List.of(standing(args.get(0), false));
                }
                case "verify" -> {
                    return List.of(standing(args.get(0), true));
                }
                case "cycle" -> {
                    return cycle(Path.of(args.get(0)), options(args.get(1)), Long.parseLong(args.get(2)));
                }
                case "renew" -> handles.get(args.get(0)).renew();
                case "close" -> {
                    SessionLock lock = handles.get(args.get(0));
                    if (lock != null) {
                        lock.close();
                    }
                }
                case "forget" -> handles.remove(args.get(0));
                case "gc" -> collectGarbage();
                case "walk" -> {
                    return List.of(walk(Path.of(args.get(0))));
                }
                case "inspect" -> {
                    return List.of(locks.inspect(Path.of(args.get(0))).state());
                }
                case "stats" -> {
                    return List.of(locks.stats());
                }
                case "exit" -> new Thread(() -> System.exit(Integer.parseInt(args.get(0)))).start();
                case "hook" -> Runtime.getRuntime().addShutdownHook(new Thread(this::hook));
                case "hookMayEnd" -> hooksMayEnd.countDown();
                case "watch" -> watch(args.get(0));
                case "closeOnLost" -> closeOnLost(args.get(0));
                case "shell" -> {
                    return List.of(Tools.shell(args.get(0)));
                }
                case "cpu" -> {
                    return List.of(ProcessHandle.current().info().totalCpuDuration().orElseThrow().toMillis());
                }
                case "useUpDescriptors" -> {
                    return List.of(useUpDescriptors());
                }
                case "closeDescriptors" -> {
                    for (InputStream in : filling) {
                        in.close();
                    }
                    filling.clear();
                }
                case "interruptGroup" -> users.interrupt();
                case "interruptWaiters" -> Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().contains("waits-in-kernel")).forEach(Thread::interrupt);
                case "groups" -> {
                    return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().startsWith("sessionlock-"))
                            .map(thread -> thread.getThreadGroup().getName()).distinct().sorted().toList();
                }
                case "interrupts" -> {
                    return List.of(new InterruptStorm(locks).rage(Path.of(args.get(0)), Long.parseLong(args.get(1))));
                }
                default -> throw new IllegalArgumentException("no such command: " + command);
            }
            return List.of();
        }

        /** Acquires and closes for some milliseconds, and until that has succeeded once. Returns how often it succeeded, and how often it did not. */
        private List<?> cycle(Path file, LockOptions options, long millis) throws InterruptedException {
            long worked = 0;
            long failed = 0;
            for (long start = System.nanoTime(); worked == 0 || System.nanoTime() - start < millis * 1_000_000; ) {
                try (SessionLock lock = locks.acquire(file, options)) {
                    worked += lock.token() > 0 ? 1 : 0;
                } catch (LockException e) {
                    failed++;
                }
            }
            return List.of(worked, failed);
        }

        private List<?> keep(String handle, SessionLock lock, long nanos) {
            handles.put(handle, lock);
            ParentJvm p = parent;
            lock.onLost(why -> p.mark("lost-" + handle, why.reason(), System.nanoTime()));
            return List.of(lock.token(), nanos);
        }

        /** Checks the handle all the time, on a thread of its own, until it does not hold. */
        private void watch(String handle) {
            SessionLock lock = handles.get(handle);
            long held = 0;
            try {
                while (true) {
                    long now = System.nanoTime(); // before the check: it held at least until this moment
                    lock.ensureHeld();
                    held = now;
                    Thread.sleep(1);
                }
            } catch (LockException | IllegalStateException | InterruptedException e) {
                parent.mark("held-to-" + handle, held, e.getClass().getSimpleName());
            }
        }

        private void closeOnLost(String handle) {
            SessionLock lock = handles.get(handle);
            lock.onLost(why -> lock.close());
        }

        private String standing(String handle, boolean deeply) throws LockException {
            SessionLock lock = handles.get(handle);
            try {
                if (deeply) {
                    lock.verifyHeld();
                } else {
                    lock.ensureHeld();
                }
                return "held";
            } catch (LockLostException e) {
                return "lost " + e.reason();
            } catch (IllegalStateException e) {
                return "closed";
            }
        }

        /** Opens files until no more can be opened. */
        private int useUpDescriptors() {
            try {
                while (true) {
                    filling.add(new java.io.FileInputStream("/dev/null"));
                }
            } catch (IOException e) {
                return filling.size();
            }
        }

        private static void collectGarbage() throws InterruptedException {
            for (int i = 0; i < 5; i++) {
                System.gc();
                Thread.sleep(20);
            }
        }

        /** Opens, reads and closes every file, as a backup does. */
        private static int walk(Path root) throws IOException {
            List<Path> files;
            try (Stream<Path> all = Files.walk(root)) {
                files = all.filter(Files::isRegularFile).toList();
            }
            for (Path file : files) {
                try (InputStream in = Files.newInputStream(file)) {
                    in.transferTo(OutputStream.nullOutputStream());
                }
            }
            return files.size();
        }

        private void hook() {
            parent.mark("hook-runs");
            try {
                hooksMayEnd.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        static LockOptions options(String text) {
            LockOptions options = LockOptions.defaults();
            for (String option : text.isBlank() ? new String[0] : text.split(" ")) {
                String name = option.substring(0, option.indexOf('='));
                String value = option.substring(name.length() + 1);
                options = switch (name) {
                    case "timeout" -> options.withTimeout(millis(value));
                    case "lease" -> options.withLease(millis(value));
                    case "maxHold" -> options.withMaxHold(millis(value));
                    case "grace" -> options.withRevokeGrace(millis(value));
                    case "linger" -> options.withLinger(millis(value));
                    case "takeover" -> options.withTakeover(Boolean.parseBoolean(value));
                    case "reentrant" -> options.withReentrant(Boolean.parseBoolean(value));
                    case "purpose" -> options.withPurpose(value);
                    default -> throw new IllegalArgumentException(option);
                };
            }
            return options;
        }

        private static Duration millis(String value) {
            return Duration.ofMillis(Long.parseLong(value));
        }
    }
}
