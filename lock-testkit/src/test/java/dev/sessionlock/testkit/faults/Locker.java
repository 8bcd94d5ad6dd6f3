package dev.sessionlock.testkit.faults;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.SmallJvm;
import dev.sessionlock.testkit.WitnessedHolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * A child JVM whose locks are acquired and closed by worker threads that do nothing else. So a tracer that follows one of them sees the system calls
 * of acquire and release alone. Other threads talk, write, and report to the witness.
 */
final class Locker implements AutoCloseable {
    static final Duration LEASE = Duration.ofSeconds(1);

    private final ChildJvm jvm;
    private final AtomicLong visits = new AtomicLong();

    private Locker(ChildJvm jvm) {
        this.jvm = jvm;
    }

    static Locker start(String name, String witness) throws IOException, InterruptedException {
        return new Locker(SmallJvm.of(Scenario.class).name(name).args(name, witness).start());
    }

    ChildJvm jvm() {
        return jvm;
    }

    @Override
    public void close() {
        jvm.close();
    }

    /** {@return the thread id of a worker} */
    long threadOf(int worker) throws InterruptedException {
        jvm.send("thread " + worker);
        return jvm.awaitMark("thread-" + worker, Puppet.PATIENCE).number(0);
    }

    /** A stay in a lock: acquire, prove for a while that it is held, close. */
    final class Visit {
        private final String id = Long.toString(visits.incrementAndGet());
        private String outcome;

        private Visit(int worker, Path file, Duration stay, Duration timeout) {
            jvm.send("visit " + worker + " " + id + " " + stay.toMillis() + " " + timeout.toMillis() + " " + file);
        }

        /** Waits until it has the lock, or will not get it. */
        void awaitAnswer() throws InterruptedException {
            jvm.awaitMark("answer-" + id, Puppet.PATIENCE);
        }

        /** {@return "ok", or what went wrong: the exception's class and message} */
        String outcome() throws InterruptedException {
            if (outcome == null) {
                outcome = jvm.awaitMark("end-" + id, Puppet.PATIENCE).text();
            }
            return outcome;
        }
    }

    Visit visit(int worker, Path file, Duration stay, Duration timeout) {
        return new Visit(worker, file, stay, timeout);
    }

    /** Acquires a lock, and keeps it until the JVM ends. */
    void keep(Path file) throws InterruptedException {
        jvm.send("keep " + file);
        jvm.awaitMark("kept", Puppet.PATIENCE);
    }

    // ---- the child's side ----

    static final class Scenario implements ChildScenario {
        private final SessionLocks locks = SessionLocks.create();
        private final Map<String, ExecutorService> workers = new ConcurrentHashMap<>();
        private final ExecutorService voices = Executors.newCachedThreadPool();
        private ParentJvm parent;
        private WitnessedHolder me;

        @Override
        public void run(ParentJvm parent) throws Exception {
            this.parent = parent;
            me = WitnessedHolder.connect(parent.args().get(1), parent.args().get(0));
            loadClasses();
            while (true) {
                String[] words = parent.awaitLine().split(" ", 6);
                switch (words[0]) {
                    case "thread" -> worker(words[1]).submit(() -> {
                        Path self = Files.readSymbolicLink(Path.of("/proc/thread-self"));
                        parent.mark("thread-" + words[1], self.getFileName());
                        return null;
                    });
                    case "visit" -> voices.submit(() -> visit(words));
                    case "keep" -> keep(Path.of(words[1]));
                    default -> throw new IllegalArgumentException(words[0]);
                }
            }
        }

        private ExecutorService worker(String name) {
            return workers.computeIfAbsent(name, n -> Executors.newSingleThreadExecutor(task -> new Thread(task, "hand-" + n)));
        }

        /** So that no worker reads a class file, which a fault might hit. */
        private static void loadClasses() throws Exception {
            Path classes = Path.of(SessionLocks.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            if (Files.isDirectory(classes)) {
                try (Stream<Path> all = Files.walk(classes)) {
                    for (Path path : all.toList()) {
                        String name = classes.relativize(path).toString().replace('/', '.');
                        if (name.endsWith(".class") && !name.contains(".cli.") && !name.equals("module-info.class")) {
                            Class.forName(name.substring(0, name.length() - ".class".length()));
                        }
                    }
                }
            }
        }

        private void visit(String[] words) {
            String id = words[2];
            ExecutorService worker = worker(words[1]);
            LockOptions options = LockOptions.defaults().withLease(LEASE).withTimeout(Duration.ofMillis(Long.parseLong(words[4])));
            String outcome = "ok";
            SessionLock lock = null;
            try {
                lock = worker.submit(() -> locks.acquire(Path.of(words[5]), options)).get();
                WitnessedHolder.Visit<LockLostException> visit = me.entered(words[5], lock.token(), lock::ensureHeld);
                parent.mark("answer-" + id);
                long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Long.parseLong(words[3]));
                while (System.nanoTime() < end) {
                    Thread.sleep(10);
                    visit.stillIn();
                }
                visit.leaving();
            } catch (Throwable e) {
                outcome = text(e);
                parent.mark("answer-" + id);
            }
            try {
                if (lock != null) {
                    worker.submit(lock::close).get();
                }
            } catch (Throwable e) {
                outcome = "close threw " + text(e);
            }
            parent.mark("end-" + id, outcome);
        }

        private static String text(Throwable e) {
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
            cause.printStackTrace(System.out);
            return cause.getClass().getSimpleName() + ": " + cause.getMessage();
        }

        private void keep(Path file) throws Exception {
            workers.put(file.toString(), worker("keeper"));
            SessionLock lock = locks.acquire(file, LockOptions.defaults().withLease(LEASE).withTimeout(Duration.ofSeconds(20)));
            lock.onLost(why -> lock.close());
            kept.put(file, lock);
            parent.mark("kept");
        }

        private final Map<Path, SessionLock> kept = new ConcurrentHashMap<>();
    }
}
