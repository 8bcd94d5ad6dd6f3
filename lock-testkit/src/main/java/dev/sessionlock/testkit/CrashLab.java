package dev.sessionlock.testkit;

import dev.sessionlock.LockOptions;
import dev.sessionlock.testkit.disk.OperationType;
import dev.sessionlock.testkit.disk.Disk;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Errno;
import dev.sessionlock.testkit.disk.Plan;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Crash-tests code that writes files: runs it, unchanged, once for each file operation that it does, kills it there (or lets the
 * operation fail, or cuts the power, or freezes it past its lease while another process works), and has the directory checked that it
 * leaves.
 *
 * <pre>{@code
 * static final class Append implements CrashScenario {
 *     @Override public void run(Path directory) throws Exception {
 *         new SessionWriter(directory.resolve("session.jsonl")).append("{\"id\":2}");
 *         CrashLab.acknowledge("2");
 *     }
 * }
 *
 * @CrashTest
 * void whatWasAcknowledgedIsThere(CrashLab lab) throws Exception {
 *     lab.scenario(Append.class)
 *        .given(dir -> Files.writeString(dir.resolve("session.jsonl"), "{\"id\":1}\n"))
 *        .check((dir, run) -> assertThat(ids(dir)).containsAll(run.acknowledged()))
 *        .killAtEveryStep();
 * }
 * }</pre>
 *
 * <p><b>Steps</b> are the operations beneath the directory that change the disk, numbered in the order in which a run does them:
 * creating, writing, truncating, forcing, deleting, renaming, linking, setting attributes. {@link #killAtEveryStep} kills the JVM
 * (SIGKILL: no finally block, no hook) before each, after each, and within each write after one byte, half of it, and all but one byte;
 * all its other threads wait at their next operation meanwhile. {@link #failAtEveryStep} also counts opening, reading and listing.
 * No steps are what the lock library does for its locks (see {@link #lockStepsToo}), nor anything that its own threads do.
 *
 * <p><b>Power cuts</b> undo what was never forced. The model is the weakest that POSIX and Linux promise: content is safe once its file
 * was forced after the write; a directory entry is safe once the <em>directory</em> was forced ({@code FileChannel.open(dir,
 * READ).force(true)}); until then contents may be lost in whole or in part or reach the disk in any order, and directory operations
 * reach it in the order in which they were done, up to some point, each whole or not at all. See fsync(2) and Pillai et al., "All File
 * Systems Are Not Created Equal" (OSDI 2014). Time stamps (all files are a minute old, since a machine takes time to come up), owners
 * and extended attributes are not modelled.
 *
 * <p><b>What is seen</b> is what goes through {@code java.nio.file}: {@code Files}, {@code FileChannel}, {@code AsynchronousFileChannel}
 * and file systems over them. {@code FileOutputStream}, {@code RandomAccessFile}, {@code File}, mapped buffers, native code and other
 * processes go round it. They work, but are no steps; a run in which the directory changed without a step is an error. (Left out of
 * that: {@code .session-locks}, which the library writes through memory. What is written there round NIO counts as never forced.)
 *
 * <p>The scenario's JVM runs with the test's classes, all on the class path, directories packed into jars; its default file system is ours. So there
 * {@code Path} is not of the JDK's own classes, channels are not the JDK's, and directory streams are not secure ones;
 * {@code FileChannel.map} into an {@code Arena}, Unix domain sockets and (in JDK 17) {@code Files.probeContentType} do not work. What
 * is reached by a symbolic link from outside of the directory is not seen.
 *
 * <p>Each run has its own JVM and its own copy of the directory. Two run at once; the check runs on the caller's thread. A failure
 * names the step, shows the scenario's stack there and the directory, and how to run just that again:
 * {@code -Dsessionlock.crash=kill:17:half}. Not thread-safe.
 */
public final class CrashLab implements AutoCloseable {
    /** The system property that names one run, and has only that one done: as a failure shows it. */
    public static final String ONLY = "sessionlock.crash";

    /** Prepares a directory. */
    @FunctionalInterface
    public interface Setup {
        /**
         * Fills it.
         *
         * @param directory an empty directory
         * @throws Exception as it likes
         */
        void prepare(@NotNull Path directory) throws Exception;
    }

    /** Judges a directory. */
    @FunctionalInterface
    public interface LabCheck {
        /**
         * Throws if the directory is not as it should be. It may read, repair and write there as a program does that starts after the
         * crash.
         *
         * @param directory the directory after a run
         * @throws Exception or an {@link AssertionError}, if it is not well
         */
        void check(@NotNull Path directory) throws Exception;
    }

    /** Judges a directory, knowing how the run went. */
    @FunctionalInterface
    public interface RunCheck {
        /**
         * Throws if the directory is not as it should be after this run.
         *
         * @param directory the directory after the run
         * @param run how the run went, and what it had acknowledged
         * @throws Exception or an {@link AssertionError}, if it is not well
         */
        void check(@NotNull Path directory, @NotNull CrashRun run) throws Exception;
    }

    static final String FIRST = "first";
    static final String OTHER = "other";

    private final CrashWorkshop workshop = new CrashWorkshop();
    private @Nullable Class<? extends CrashScenario> scenario;
    private Setup given = directory -> { };
    private @Nullable RunCheck check;
    private Duration timeout = Duration.ofSeconds(30);
    private Duration freeze = Duration.ZERO;
    private @Nullable Class<? extends CrashScenario> meanwhile;
    private boolean stepsMayVary;
    private boolean lockSteps;
    private @Nullable String only = System.getProperty(ONLY);
    private final List<String> jvmArgs = new ArrayList<>();

    private CrashLab() {
    }

    /** {@return a lab, to be closed; a {@link CrashTest} is given one} */
    public static @NotNull CrashLab create() {
        return new CrashLab();
    }

    /**
     * Says, in a scenario, that something is done: from now on it must be there whatever happens. The check finds it in
     * {@link CrashRun#acknowledged}. Does nothing where the code does not run in a lab.
     *
     * @param what what is done
     */
    public static void acknowledge(@NotNull String what) {
        CrashChild.acknowledge(Objects.requireNonNull(what, "what"));
    }

    /**
     * {@return which process of a lab this is: {@code "first"}, the one that something befalls, or {@code "other"}, which works while the
     * first is frozen; {@code "first"} also where the code does not run in a lab} So one scenario can write what tells who has written it.
     */
    public static @NotNull String process() {
        return CrashChild.role();
    }

    /**
     * What is run.
     *
     * @param scenario a class with a constructor without parameters
     * @return this
     */
    public @NotNull CrashLab scenario(@NotNull Class<? extends CrashScenario> scenario) {
        this.scenario = Objects.requireNonNull(scenario, "scenario");
        return this;
    }

    /**
     * What the directory holds before each run; empty by default. Made once, and copied for each run; all of it is taken for forced.
     *
     * @param given fills the directory
     * @return this
     */
    public @NotNull CrashLab given(@NotNull Setup given) {
        this.given = Objects.requireNonNull(given, "given");
        return this;
    }

    /**
     * What the directory must be like after each run, also after one without a fault.
     *
     * @param check throws if it is not
     * @return this
     */
    public @NotNull CrashLab check(@NotNull LabCheck check) {
        Objects.requireNonNull(check, "check");
        return check((directory, run) -> check.check(directory));
    }

    /**
     * What the directory must be like after each run, given how the run went.
     *
     * @param check throws if it is not
     * @return this
     */
    public @NotNull CrashLab check(@NotNull RunCheck check) {
        this.check = Objects.requireNonNull(check, "check");
        return this;
    }

    /**
     * How long a run may take; 30 s by default. One that takes longer is a failure, with the stacks of its threads.
     *
     * @param timeout more than 0
     * @return this
     */
    public @NotNull CrashLab timeout(@NotNull Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("a timeout of " + timeout + " leaves a run no time");
        }
        this.timeout = timeout;
        return this;
    }

    /**
     * Accepts a scenario whose runs do not all take the same steps, since threads or time decide. Its steps are then those of the
     * longest of three runs; a run that does not come to its step is checked as it ended, and counted in the summary.
     *
     * @return this
     */
    public @NotNull CrashLab stepsMayVary() {
        this.stepsMayVary = true;
        return this;
    }

    /**
     * What another process does while the first is frozen; by default the same as it. Only {@link #freezeAtEveryStep} has one.
     *
     * @param scenario a class with a constructor without parameters
     * @return this
     */
    public @NotNull CrashLab meanwhile(@NotNull Class<? extends CrashScenario> scenario) {
        this.meanwhile = Objects.requireNonNull(scenario, "scenario");
        return this;
    }

    /**
     * Counts as steps also what is done for session locks: in {@code .session-locks}, and to {@code .lock} files. Without this they are
     * left out, since it is the library's own business, and tested there, what becomes of a lock whose holder is killed in the middle of taking
     * it. For tests of the library itself, and scenarios that do nothing but take locks.
     *
     * @return this
     */
    public @NotNull CrashLab lockStepsToo() {
        this.lockSteps = true;
        return this;
    }

    /**
     * More arguments for the scenario's JVMs, such as {@code -Dkey=value} or {@code -Xmx1g}.
     *
     * @param args added to those given before
     * @return this
     */
    public @NotNull CrashLab jvmArgs(@NotNull String... args) {
        jvmArgs.addAll(List.of(args));
        return this;
    }

    /** Has only one run done; null for all. For tests: they share their system properties. */
    @NotNull CrashLab only(@Nullable String run) {
        this.only = run;
        return this;
    }

    @NotNull Path home() throws IOException {
        return workshop.home();
    }

    // ---- what befalls it ----

    /**
     * Kills the scenario before, within and after each of its steps, one run each.
     *
     * @return what was gone through
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public @NotNull CrashSummary killAtEveryStep() throws IOException, InterruptedException {
        return go(Plan.Kind.KILL, "", operations -> {
            List<Plan> plans = new ArrayList<>();
            for (LabStep step : LabStep.changes(operations)) {
                plans.add(new Plan(Plan.Kind.KILL, step.number, Plan.BEFORE));
                Set<Integer> parts = new LinkedHashSet<>();
                for (String part : List.of(Plan.ONE_BYTE, Plan.HALF, Plan.ALL_BUT_ONE)) {
                    int length = Plan.part(part, step.operation.length());
                    if (step.operation.act() == OperationType.WRITE && length > 0 && parts.add(length)) {
                        plans.add(new Plan(Plan.Kind.KILL, step.number, part));
                    }
                }
                plans.add(new Plan(Plan.Kind.KILL, step.number, Plan.AFTER));
            }
            return plans;
        });
    }

    /**
     * Lets each operation fail that can fail so, one run each. The scenario may end as it likes.
     *
     * @param faults which errors, each in turn
     * @return what was gone through
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public @NotNull CrashSummary failAtEveryStep(@NotNull CrashFault... faults) throws IOException, InterruptedException {
        if (faults.length == 0) {
            throw new IllegalArgumentException("which errors? failAtEveryStep(CrashFault.values()) tries all");
        }
        return go(Plan.Kind.FAIL, " with " + String.join(", ", List.of(faults).stream().map(CrashFault::name).toList()), operations -> {
            List<Plan> plans = new ArrayList<>();
            for (CrashFault fault : faults) {
                for (LabStep step : LabStep.fallible(operations, fault.errno())) {
                    for (String manner : manners(fault, step.operation)) {
                        plans.add(new Plan(Plan.Kind.FAIL, step.number, fault.errno() + "-" + manner));
                    }
                }
            }
            return plans;
        });
    }

    private static List<String> manners(CrashFault fault, Effect.Began operation) {
        List<String> manners = new ArrayList<>(List.of(Plan.ONCE));
        if (operation.act() == OperationType.WRITE && Plan.part(Plan.HALF, operation.length()) > 0) {
            manners.add(Plan.HALF);
        }
        if (fault == CrashFault.ENOSPC) {
            manners.add(Plan.FROM_THERE);
        }
        return manners;
    }

    /**
     * Cuts the power before each step, and after the end, and checks what each of several outcomes leaves of what was not forced:
     * <ul>
     *   <li>of the directory operations none, all, or any beginning of them (where they are more than a dozen, some beginnings);
     *   <li>of the contents nothing (so a file that was renamed and never forced is empty); all; all but half of each file's last write;
     *       the lengths with zeros; or the newest write alone.
     * </ul>
     * What leaves the same directory is checked once.
     *
     * @return what was gone through
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public @NotNull CrashSummary powerCutAtEveryStep() throws IOException, InterruptedException {
        return go(Plan.Kind.POWER, "", operations -> {
            List<Plan> plans = new ArrayList<>();
            for (LabStep step : LabStep.changes(operations)) {
                plans.add(new Plan(Plan.Kind.POWER, step.number, ""));
            }
            plans.add(new Plan(Plan.Kind.POWER, plans.size() + 1, "")); // after the end
            return plans;
        });
    }

    /**
     * Lets each step in turn come back late, while other threads go on.
     *
     * @param delay by how much
     * @return what was gone through
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public @NotNull CrashSummary delayEveryStep(@NotNull Duration delay) throws IOException, InterruptedException {
        String millis = Long.toString(delay.toMillis());
        return go(Plan.Kind.DELAY, " of " + millis + " ms", operations ->
                LabStep.changes(operations).stream().map(step -> new Plan(Plan.Kind.DELAY, step.number, millis)).toList());
    }

    /**
     * Freezes the scenario's process (SIGSTOP) before and after each of its steps, one run each, for longer than the lease of its lock; has
     * another process work under the same lock meanwhile, until it has ended; then wakes the frozen one (SIGCONT), which goes on where it
     * stood, and has the directory checked once it has ended, too. This finds writes that come late: of a holder that had looked whether it
     * still holds, was frozen, was passed over, and woke.
     *
     * <p>Have the scenario ask for a short lease, since each run lasts as long as the freeze, though many are frozen at once. The shortest,
     * 1 s, is quickest; where the machine is busy with other things take 3 s, so that nobody loses the lock who is not frozen (a run in which
     * that happens is done again):
     * <pre>{@code
     * static final class Append implements CrashScenario {
     *     @Override public void run(Path directory) throws Exception {
     *         LockOptions options = LockOptions.defaults().withLease(LockOptions.MIN_LEASE);    // 1 s
     *         String line = "{\"id\":\"" + CrashLab.process() + "\"}";                          // each process has a line of its own
     *         new SessionWriter(directory.resolve("session.jsonl"), options).append(line);
     *         CrashLab.acknowledge(line);
     *     }
     * }
     *
     * @CrashTest
     * void nothingIsLostToALateWrite(CrashLab lab) throws Exception {
     *     lab.scenario(Append.class)
     *        .check((dir, run) -> assertThat(Files.readAllLines(dir.resolve("session.jsonl"))).containsAll(run.acknowledged()))
     *        .freezeAtEveryStep(Duration.ofMillis(1_500));
     * }
     * }</pre>
     *
     * <p>The frozen one may end as it likes: mostly it throws a {@link dev.sessionlock.LockLostException}, having acknowledged nothing.
     * {@link CrashRun#acknowledged} has what either has acknowledged. The other process fails a run if it throws, unless it is because it
     * did not get the lock or lost it. Where it waits for the lock although the lease is over, since the frozen one asked for
     * {@code takeover(false)}, that one is woken, and then both go on at once.
     *
     * <p>No process is left behind, frozen or not, however this ends.
     *
     * @param pastTheLease for how long it is frozen: longer than the lease of each lock that it takes, and a tenth of that
     * @return what was gone through
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario: a lease outlasts the freeze, say
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public @NotNull CrashSummary freezeAtEveryStep(@NotNull Duration pastTheLease) throws IOException, InterruptedException {
        if (pastTheLease.compareTo(LockOptions.MIN_LEASE) <= 0) {
            throw new IllegalArgumentException("a freeze of " + pastTheLease + " is not past any lease; the shortest is " + LockOptions.MIN_LEASE);
        }
        this.freeze = pastTheLease;
        return go(Plan.Kind.FREEZE, " for " + pastTheLease.toMillis() + " ms", operations -> {
            List<Plan> plans = new ArrayList<>();
            for (LabStep step : LabStep.changes(operations)) {
                plans.add(new Plan(Plan.Kind.FREEZE, step.number, Plan.BEFORE));
                plans.add(new Plan(Plan.Kind.FREEZE, step.number, Plan.AFTER));
            }
            return plans;
        });
    }

    /** Draws up what is to befall the runs, from what one did. */
    private interface Plans {
        List<Plan> of(List<Effect.Began> operations);
    }

    /** One of the operations that a kind of fault counts. */
    private record LabStep(int number, Effect.Began operation) {
        static List<LabStep> changes(List<Effect.Began> operations) {
            return numbered(operations.stream().filter(operation -> operation.act().isChange()).toList());
        }

        static List<LabStep> fallible(List<Effect.Began> operations, Errno errno) {
            return numbered(operations.stream().filter(operation -> operation.act().mayFailWith(errno)).toList());
        }

        private static List<LabStep> numbered(List<Effect.Began> operations) {
            List<LabStep> steps = new ArrayList<>();
            operations.forEach(operation -> steps.add(new LabStep(steps.size() + 1, operation)));
            return steps;
        }
    }

    private CrashSummary go(Plan.Kind kind, String more, Plans plans) throws IOException, InterruptedException {
        if (scenario == null || check == null) {
            throw new IllegalStateException("the lab lacks a " + (scenario == null ? "scenario: lab.scenario(Append.class)"
                    : "check: lab.check(dir -> …)"));
        }
        CrashCampaign.ScenarioRun subject = new CrashCampaign.ScenarioRun(scenario, meanwhile, given, check, timeout, stepsMayVary, lockSteps,
                List.copyOf(jvmArgs));
        return new CrashCampaign(workshop, subject, kind, more, freeze).run(only, plans::of);
    }

    /** Ends what still runs, and removes the lab's directories, apart from those that a failure has named. */
    @Override
    public void close() {
        workshop.close();
    }
}
