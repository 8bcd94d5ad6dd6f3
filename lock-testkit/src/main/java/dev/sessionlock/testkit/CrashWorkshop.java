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
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Carries out the runs of one lab: its temporary directory, and its JVMs, some of which are started ahead. */
final class CrashWorkshop implements AutoCloseable {
    /** The most runs at once, for all labs of this JVM. */
    static final int AT_ONCE = Math.max(2, Runtime.getRuntime().availableProcessors());
    private static final Semaphore RUNNING = new Semaphore(AT_ONCE);
    /** Twice as many runs with a frozen process: most of the time they wait for locks, for signals and for each other. */
    private static final Semaphore BESIDE_FROZEN = new Semaphore(2 * AT_ONCE);
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
    private CrashCampaign.@Nullable ScenarioRun readyFor;
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

    /** A failure names a directory, so it is kept. */
    synchronized void keep() {
        kept = true;
    }

    /** How many runs are still to come: no more JVMs are started ahead. */
    synchronized void expect(int runs) {
        expected = runs;
    }

    private synchronized CompletableFuture<ChildJvm> next(CrashCampaign.ScenarioRun scenarioRun) {
        if (closed) {
            throw new IllegalStateException("this lab is closed");
        }
        if (!scenarioRun.equals(readyFor)) {
            discard();
            readyFor = scenarioRun;
        }
        expected--;
        CompletableFuture<ChildJvm> next = ready.isEmpty() ? start(scenarioRun, null) : ready.removeFirst();
        while (ready.size() < Math.min(AHEAD, expected)) {
            ready.add(start(scenarioRun, null));
        }
        return next;
    }

    private CompletableFuture<ChildJvm> start(CrashCampaign.ScenarioRun scenarioRun, @Nullable Path archive) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return CrashJvms.get().start(scenarioRun, archive);
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
        List<CompletableFuture<Void>> closed = ready.stream().map(child -> child.thenAccept(ChildJvm::close)).toList();
        closed.forEach(closing -> closing.exceptionally(e -> null).join()); // wait for each close to finish; its child may still be starting
        ready.clear();
    }

    // ---- one run ----

    /** Runs a scenario once, in a copy of a directory. */
    CrashOutcome run(CrashCampaign.ScenarioRun scenarioRun, Path pristine, Plan plan) throws IOException, InterruptedException {
        return run(scenarioRun, pristine, plan, () -> next(scenarioRun));
    }

    /** Runs a scenario without a fault, and archives the classes that it needs, for the runs to come. */
    CrashOutcome train(CrashCampaign.ScenarioRun scenarioRun, Path pristine) throws IOException, InterruptedException {
        CrashJvms jvms = CrashJvms.get();
        if (jvms.isTrained(scenarioRun)) {
            return run(scenarioRun, pristine, Plan.NOTHING);
        }
        Path archive = jvms.newArchive();
        CrashOutcome outcome = run(scenarioRun, pristine, Plan.NOTHING, () -> start(scenarioRun, archive));
        jvms.trained(scenarioRun, archive);
        discardReady(); // they were started without the archive
        return outcome;
    }

    /** @param starting asked only when the run begins: whoever gets a child closes it, however this ends */
    private CrashOutcome run(CrashCampaign.ScenarioRun scenarioRun, Path pristine, Plan plan, Supplier<CompletableFuture<ChildJvm>> starting)
            throws IOException, InterruptedException {
        RUNNING.acquire();
        try (ChildJvm child = started(starting.get())) {
            WorkDirectory place = place(pristine, plan);
            child.send(place.order(scenarioRun, scenarioRun.scenario(), CrashLab.FIRST, place.journal, plan));
            return place.outcome(plan, await(scenarioRun, child), null);
        } finally {
            RUNNING.release();
        }
    }

    /** Runs the other scenario alone, without a fault. */
    CrashOutcome runTheOther(CrashCampaign.ScenarioRun scenarioRun, Path pristine) throws IOException, InterruptedException {
        RUNNING.acquire();
        try (ChildJvm child = started(next(scenarioRun))) {
            WorkDirectory place = place(pristine, Plan.NOTHING);
            child.send(place.order(scenarioRun, scenarioRun.other(), CrashLab.OTHER, place.journal, Plan.NOTHING));
            return place.outcome(Plan.NOTHING, await(scenarioRun, child), null);
        } finally {
            RUNNING.release();
        }
    }

    /**
     * Runs a scenario, freezes it where that is planned, and lets another process work meanwhile. A frozen process uses no CPU, so only what comes
     * before and after is limited to a few runs at once.
     *
     * @throws AssertionError if it was not frozen for long enough that others could take over
     */
    CrashOutcome runFrozen(CrashCampaign.ScenarioRun scenarioRun, Path pristine, Plan plan, Duration freeze) throws IOException, InterruptedException {
        BESIDE_FROZEN.acquire();
        boolean running = true;
        try (ChildJvm child = started(next(scenarioRun))) {
            WorkDirectory place = place(pristine, plan);
            child.send(place.order(scenarioRun, scenarioRun.scenario(), CrashLab.FIRST, place.journal, plan));
            Ended ended = await(scenarioRun, child);
            if (ended.end != CrashOutcome.End.FROZEN) {
                return place.outcome(plan, ended, null);
            }
            child.freeze();
            long since = System.nanoTime();
            running = false;
            BESIDE_FROZEN.release();
            TimeUnit.NANOSECONDS.sleep(freeze.toNanos());
            new FrozenLocks(place.directory, child.pid()).awaitTheirEnd(freeze);
            BESIDE_FROZEN.acquire();
            running = true;
            try (ChildJvm other = started(next(scenarioRun))) {
                Path notes = place.journal.resolveSibling("journal-of-the-other");
                other.send(place.order(scenarioRun, scenarioRun.other(), CrashLab.OTHER, notes, Plan.NOTHING));
                boolean waited = !new Passing(other, scenarioRun.timeout()).comesThrough();
                long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - since);
                child.send(CrashChild.GO_ON);
                child.wake();
                Ended after = await(scenarioRun, child).at(ended.event);
                Ended others = await(scenarioRun, other);
                return place.outcome(plan, after, new CrashOutcome.Meanwhile(millis, waited, others.end, others.acknowledged, others.thrown,
                        others.dump, others.output));
            }
        } finally {
            if (running) {
                BESIDE_FROZEN.release();
            }
        }
    }

    /** {@return a check of a directory after the next process has worked there} */
    CrashLab.RunCheck checkAfter(Class<? extends CrashScenario> next, List<String> jvmArgs, Duration timeout, CrashLab.RunCheck check) {
        CrashCampaign.ScenarioRun alone = new CrashCampaign.ScenarioRun(next, null, directory -> { }, check, timeout, true, false, List.copyOf(jvmArgs));
        return (directory, run) -> {
            runNext(alone, directory);
            check.check(directory, run);
        };
    }

    private void runNext(CrashCampaign.ScenarioRun next, Path directory) throws IOException, InterruptedException {
        RUNNING.acquire();
        try (ChildJvm child = CrashJvms.get().start(next, null)) {
            Path notes = Files.createTempFile(home(), "journal-of-the-next-", "");
            child.send(new CrashChild.ChildOrder(next.scenario().getName(), CrashLab.NEXT, directory, notes, false, Plan.NOTHING).line());
            Ended ended = await(next, child);
            if (ended.end != CrashOutcome.End.RETURNED) {
                throw new AssertionError("the next process " + (ended.thrown == null ? "did not end in time\n" + ended.dump : "threw " + ended.thrown)
                        + "\nit printed:\n" + ended.output);
            }
        } finally {
            RUNNING.release();
        }
    }

    /** The place of one run. */
    private record WorkDirectory(Path directory, Path journal, Disk disk) {
        String order(CrashCampaign.ScenarioRun scenarioRun, Class<? extends CrashScenario> scenario, String role, Path notes, Plan plan) {
            return new CrashChild.ChildOrder(scenario.getName(), role, directory, notes, scenarioRun.lockSteps(), plan).line();
        }

        CrashOutcome outcome(Plan plan, Ended ended, CrashOutcome.@Nullable Meanwhile meanwhile) throws IOException {
            List<Effect> effects = Files.exists(journal) ? Effect.readAll(journal) : List.of();
            effects.forEach(disk::apply);
            List<Effect.Began> operations = effects.stream().filter(Effect.Began.class::isInstance).map(Effect.Began.class::cast)
                    .filter(Effect.Began::counts).toList();
            ChildJvm.Mark event = ended.event;
            return new CrashOutcome(plan, directory, disk, operations, ended.end, event == null ? null : CrashChild.decode(ended.detail(0)),
                    event == null ? "" : CrashChild.decode(ended.detail(1)), ended.acknowledged, ended.thrown, ended.dump, ended.output,
                    meanwhile == null ? disk.differences(directory) : List.of(), meanwhile); // two processes changed it
        }
    }

    private WorkDirectory place(Path pristine, Plan plan) throws IOException {
        Path place = Files.createDirectory(home().resolve(runs.incrementAndGet() + "-" + plan.toString().replace(':', '-')));
        Path directory = place.resolve("directory");
        copy(pristine, directory);
        return new WorkDirectory(directory, place.resolve("journal"), Disk.of(directory));
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

    /**
     * How a child ended, or that it stands where it is to be frozen.
     *
     * @param event the operation at which the fault occurred, with the stack; null if it did not occur
     */
    private record Ended(CrashOutcome.End end, ChildJvm.@Nullable Mark event, @Nullable String thrown, String dump, List<String> acknowledged,
                         String output) {
        /** {@return a detail of the event, not counting its kind} */
        String detail(int index) {
            return event.detail(event.name().equals("event") ? index + 1 : index);
        }

        Ended at(ChildJvm.@Nullable Mark frozen) {
            return new Ended(end, frozen, thrown, dump, acknowledged, output);
        }
    }

    private static Ended await(CrashCampaign.ScenarioRun scenarioRun, ChildJvm child) throws InterruptedException {
        CrashOutcome.End end;
        String thrown = null;
        String dump = "";
        ChildJvm.Mark event = null;
        long start = System.nanoTime();
        try {
            event = child.awaitMark("event", scenarioRun.timeout());
            end = CrashOutcome.End.valueOf(event.detail(0).toUpperCase(Locale.ROOT));
            if (end == CrashOutcome.End.FROZEN) {
                return new Ended(end, event, null, "", List.of(), "");
            } else if (end == CrashOutcome.End.STOPPED) {
                child.kill();
            } else {
                thrown = end == CrashOutcome.End.THREW ? CrashChild.decode(event.detail(1)) : null;
                child.awaitExit(scenarioRun.timeout());
            }
        } catch (AssertionError e) {
            boolean ended = System.nanoTime() - start < scenarioRun.timeout().toNanos() && event == null; // its output has ended, so it will end, too
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
        return new Ended(end, end == CrashOutcome.End.STOPPED ? event : child.pollMark("befallen").orElse(null), thrown, dump,
                List.copyOf(acknowledged), child.output());
    }

    private static String dump(ChildJvm child) throws InterruptedException {
        try {
            child.send(CrashChild.DUMP);
            return CrashChild.decode(child.awaitMark(CrashChild.DUMP, TO_DUMP).detail(0));
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
                // last: perhaps the directory may not be written
                Files.setPosixFilePermissions(to.resolve(from.relativize(directory)), Files.getPosixFilePermissions(directory));
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Removes what a run has left. */
    static void remove(Path directory) {
        for (int tries = 0; Files.exists(directory) && tries < 3; tries++) { // the check's own code may still be cleaning up there
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
            // home stays set: a failure may have named it
        }
        starters.shutdown();
        if (left != null) {
            remove(left);
        }
    }
}
