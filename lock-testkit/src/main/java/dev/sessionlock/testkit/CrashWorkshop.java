package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.Disk;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Plan;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.annotations.Nullable;

/** Where the runs of one lab take place: its temporary directory, and its JVMs, some of which are started ahead. */
final class CrashWorkshop implements AutoCloseable {
    /** So many runs at once, of all labs of this JVM. */
    static final int AT_ONCE = Math.max(2, Runtime.getRuntime().availableProcessors());
    private static final Semaphore RUNNING = new Semaphore(AT_ONCE);
    private static final int AHEAD = 2;
    private static final Duration TO_DUMP = Duration.ofSeconds(10);

    private final AtomicInteger runs = new AtomicInteger();
    private final ExecutorService starters = Executors.newFixedThreadPool(AHEAD, work -> {
        Thread thread = new Thread(work, "starts-crash-jvm");
        thread.setDaemon(true);
        return thread;
    });
    // guarded by this
    private final Deque<CompletableFuture<ChildJvm>> ready = new ArrayDeque<>();
    private @Nullable CrashCampaign.Subject readyFor;
    private int expected;
    private @Nullable Path home;
    private boolean closed;
    private boolean kept;

    /** {@return the lab's temporary directory; its real path} */
    synchronized Path home() throws IOException {
        if (home == null || !Files.isDirectory(home)) {
            home = Files.createTempDirectory("sessionlock-crash-").toRealPath();
        }
        return home;
    }

    /** A failure names a directory: it stays. */
    synchronized void keep() {
        kept = true;
    }

    /** So many runs are to come: more JVMs are not started ahead. */
    synchronized void expect(int runs) {
        expected = runs;
    }

    private synchronized CompletableFuture<ChildJvm> next(CrashCampaign.Subject subject) {
        if (closed) {
            throw new IllegalStateException("this lab is closed");
        }
        if (!subject.equals(readyFor)) {
            discard();
            readyFor = subject;
        }
        expected--;
        CompletableFuture<ChildJvm> next = ready.isEmpty() ? start(subject, null) : ready.removeFirst();
        while (ready.size() < Math.min(AHEAD, expected)) {
            ready.add(start(subject, null));
        }
        return next;
    }

    private CompletableFuture<ChildJvm> start(CrashCampaign.Subject subject, @Nullable Path archive) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return CrashJvms.get().start(subject, archive);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", e);
            }
        }, starters);
    }

    private synchronized void discardReady() {
        discard();
    }

    private void discard() {
        ready.forEach(child -> child.thenAccept(ChildJvm::close));
        ready.forEach(child -> child.exceptionally(e -> null).join());
        ready.clear();
    }

    // ---- one run ----

    /** Runs a scenario once, in a copy of a directory. */
    CrashOutcome run(CrashCampaign.Subject subject, Path pristine, Plan plan) throws IOException, InterruptedException {
        return run(subject, pristine, plan, next(subject));
    }

    /** Runs a scenario without a fault, and archives the classes that it needs for the runs to come. */
    CrashOutcome train(CrashCampaign.Subject subject, Path pristine) throws IOException, InterruptedException {
        CrashJvms jvms = CrashJvms.get();
        if (jvms.isTrained(subject)) {
            return run(subject, pristine, Plan.NOTHING);
        }
        Path archive = jvms.newArchive();
        CrashOutcome outcome = run(subject, pristine, Plan.NOTHING, start(subject, archive));
        jvms.trained(subject, archive);
        discardReady(); // they were started without it
        return outcome;
    }

    private CrashOutcome run(CrashCampaign.Subject subject, Path pristine, Plan plan, CompletableFuture<ChildJvm> starting)
            throws IOException, InterruptedException {
        RUNNING.acquire();
        try (ChildJvm child = started(starting)) {
            Path place = Files.createDirectory(home().resolve(runs.incrementAndGet() + "-" + plan.toString().replace(':', '-')));
            Path directory = place.resolve("directory");
            copy(pristine, directory);
            Disk disk = Disk.of(directory);
            Path journal = place.resolve("journal");
            child.send(new CrashChild.Order(subject.scenario().getName(), directory, journal, plan).line());
            return outcome(subject, plan, directory, disk, journal, child);
        } finally {
            RUNNING.release();
        }
    }

    private static ChildJvm started(CompletableFuture<ChildJvm> starting) throws IOException {
        try {
            return starting.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof UncheckedIOException io) {
                throw io.getCause();
            } else if (e.getCause() instanceof AssertionError notStarted) {
                throw notStarted;
            }
            throw e;
        }
    }

    private static CrashOutcome outcome(CrashCampaign.Subject subject, Plan plan, Path directory, Disk disk, Path journal, ChildJvm child)
            throws IOException, InterruptedException {
        CrashOutcome.End end;
        String thrown = null;
        String dump = "";
        ChildJvm.Mark event = null;
        long start = System.nanoTime();
        try {
            event = child.awaitMark("event", subject.timeout());
            end = CrashOutcome.End.valueOf(event.detail(0).toUpperCase(Locale.ROOT));
            if (end == CrashOutcome.End.STOPPED) {
                child.kill();
            } else {
                thrown = end == CrashOutcome.End.THREW ? CrashChild.decode(event.detail(1)) : null;
                child.awaitExit(subject.timeout());
            }
        } catch (AssertionError e) {
            boolean ended = System.nanoTime() - start < subject.timeout().toNanos() && event == null; // its output did; so will it
            if (!ended && child.isAlive()) {
                end = CrashOutcome.End.HUNG;
                dump = dump(child);
                child.kill();
            } else {
                int status = child.awaitExit(TO_DUMP);
                end = status == 0 ? CrashOutcome.End.RETURNED : CrashOutcome.End.THREW;
                thrown = status == 0 ? null : "the JVM ended by itself, with status " + status;
            }
        }
        List<String> acknowledged = new ArrayList<>();
        for (Optional<ChildJvm.Mark> ack = child.pollMark("ack"); ack.isPresent(); ack = child.pollMark("ack")) {
            acknowledged.add(CrashChild.decode(ack.get().detail(0)));
        }
        boolean stopped = end == CrashOutcome.End.STOPPED;
        ChildJvm.Mark befallen = stopped ? event : child.pollMark("befallen").orElse(null);
        int first = stopped ? 1 : 0;
        List<Effect> effects = Files.exists(journal) ? Effect.readAll(journal) : List.of();
        effects.forEach(disk::apply);
        List<Effect.Began> operations = effects.stream().filter(Effect.Began.class::isInstance).map(Effect.Began.class::cast).toList();
        return new CrashOutcome(plan, directory, disk, operations, end, befallen == null ? null : CrashChild.decode(befallen.detail(first)),
                befallen == null ? "" : CrashChild.decode(befallen.detail(first + 1)), List.copyOf(acknowledged), thrown, dump,
                child.output(),
                disk.differences(directory));
    }

    private static String dump(ChildJvm child) throws InterruptedException {
        try {
            child.send("dump");
            return CrashChild.decode(child.awaitMark("dump", TO_DUMP).detail(0));
        } catch (AssertionError e) {
            return "(it did not tell where its threads are)";
        }
    }

    // ---- directories ----

    /** Copies a directory with its links and permissions. */
    private static void copy(Path from, Path to) throws IOException {
        Map<Object, Path> links = new HashMap<>();
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) throws IOException {
                Files.createDirectory(to.resolve(from.relativize(directory)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Path copy = to.resolve(from.relativize(file));
                Path first = attributes.fileKey() == null ? null : links.putIfAbsent(attributes.fileKey(), copy);
                if (first == null) {
                    Files.copy(file, copy, StandardCopyOption.COPY_ATTRIBUTES, LinkOption.NOFOLLOW_LINKS);
                } else {
                    Files.createLink(copy, first);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure) throws IOException {
                if (failure != null) {
                    throw failure;
                }
                // last: perhaps it may not be written
                Files.setPosixFilePermissions(to.resolve(from.relativize(directory)), Files.getPosixFilePermissions(directory));
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Removes what a run has left. */
    static void remove(Path directory) {
        for (int tries = 0; Files.exists(directory) && tries < 3; tries++) { // the check's own code may still clean up there
            CrashJvms.delete(directory);
        }
    }

    @Override
    public void close() {
        Path left;
        synchronized (this) {
            closed = true;
            discard();
            left = kept ? null : home;
            // home stays known: a failure may have named it
        }
        starters.shutdown();
        if (left != null) {
            remove(left);
        }
    }
}
