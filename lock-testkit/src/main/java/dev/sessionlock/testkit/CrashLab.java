package dev.sessionlock.testkit;

import dev.sessionlock.LockOptions;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Errno;
import dev.sessionlock.testkit.disk.OperationType;
import dev.sessionlock.testkit.disk.Plan;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Crash-tests code that writes files. It runs the code, unchanged, once for each file operation that the code does, and causes a fault there: it
 * kills the process, lets the operation fail, cuts the power, or freezes the process past its lease while another one works. Then it has the
 * directory checked.
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
 * <p><b>Steps</b> are the operations beneath the directory that change the disk, numbered in the order in which a run does them: creating, writing,
 * truncating, forcing, deleting, renaming, linking, setting attributes. {@link #killAtEveryStep} kills the JVM (SIGKILL: no finally block, no hook)
 * before each step, after each, and within each write after one byte, half of it, and all but one byte. All other threads of the JVM wait at their
 * next operation meanwhile. {@link #failAtEveryStep} also counts opening, reading and listing. What the lock library does for its locks is not
 * counted (see {@link #lockStepsToo}), nor what its own threads do.
 *
 * <p><b>Power cuts</b> undo what was never forced. The model is the weakest that POSIX and Linux promise. Content is safe once its file was forced
 * after the write. A directory entry is safe once the <em>directory</em> was forced ({@code FileChannel.open(dir, READ).force(true)}). Until then
 * contents may be lost in whole or in part, or reach the disk in any order. Directory operations reach it in the order in which they were done, up to
 * some point, each whole or not at all. See fsync(2) and Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014). Not modelled: owners,
 * extended attributes, and time stamps (all files are a minute old, since a machine needs time to boot).
 *
 * <p><b>The lab sees</b> what goes through {@code java.nio.file}: {@code Files}, {@code FileChannel}, {@code AsynchronousFileChannel} and file
 * systems on top of them. It does not see {@code FileOutputStream}, {@code RandomAccessFile}, {@code File}, mapped buffers, native code and other
 * processes. These work, but are no steps; if the directory changes without a step, the run is an error. (An exception is {@code .session-locks},
 * which the library writes through memory. What is written there without NIO counts as never forced.)
 *
 * <p>The scenario's JVM runs with the test's classes, all on the class path, directories packed into jars. Its default file system is the lab's. So
 * {@code Path} and channels are not of the JDK's own classes there, and directory streams are not secure ones. {@code FileChannel.map} into an
 * {@code Arena}, Unix domain sockets and (in JDK 17) {@code Files.probeContentType} do not work. The lab does not see access from outside of the
 * directory through a symbolic link.
 *
 * <p>Each run has its own JVM and its own copy of the directory. Two run at once; the check runs on the caller's thread. A failure names the step,
 * shows the scenario's stack there and the directory, and says how to repeat only this run: {@code -Dsessionlock.crash=kill:17:half}. Not
 * thread-safe.
 */
public final class CrashLab implements AutoCloseable {
    /** The system property that selects a single run, in the form in which a failure shows it. */
    public static final String ONLY = "sessionlock.crash";

    /** Prepares a directory. */
    @FunctionalInterface
    public interface Setup {
        /**
         * Fills the directory.
         *
         * @param directory an empty directory
         * @throws Exception if that fails
         */
        void prepare(Path directory) throws Exception;
    }

    /** Judges a directory. */
    @FunctionalInterface
    public interface LabCheck {
        /**
         * Throws if the directory is not as it should be. It may read, repair and write there, like a program that starts after the crash.
         *
         * @param directory the directory after a run
         * @throws Exception or an {@link AssertionError}, if something is wrong
         */
        void check(Path directory) throws Exception;
    }

    /** Judges a directory, knowing how the run went. */
    @FunctionalInterface
    public interface RunCheck {
        /**
         * Throws if the directory is not as it should be after this run.
         *
         * @param directory the directory after the run
         * @param run how the run went, and what it had acknowledged
         * @throws Exception or an {@link AssertionError}, if something is wrong
         */
        void check(Path directory, CrashRun run) throws Exception;
    }

    static final String FIRST = "first";
    static final String OTHER = "other";
    static final String NEXT = "next";

    private final CrashWorkshop workshop = new CrashWorkshop();
    private @Nullable Class<? extends CrashScenario> scenario;
    private Setup given = directory -> { };
    private @Nullable RunCheck check;
    private Duration timeout = Duration.ofSeconds(30);
    private Duration freeze = Duration.ZERO;
    private @Nullable Class<? extends CrashScenario> meanwhile;
    private @Nullable Class<? extends CrashScenario> afterwards;
    private boolean stepsMayVary;
    private boolean lockSteps;
    private @Nullable String only = System.getProperty(ONLY);
    private final List<String> jvmArgs = new ArrayList<>();
    private LabSystem system = LabSystem.POSIX;
    private boolean hardLinks = true;

    private CrashLab() {
    }

    /** {@return a lab, to be closed} A {@link CrashTest} gets its lab as a parameter. */
    public static CrashLab create() {
        return new CrashLab();
    }

    /**
     * Declares, in a scenario, that something is done: from now on it must be there whatever happens. The check finds it in
     * {@link CrashRun#acknowledged}. Outside of a lab this does nothing.
     *
     * @param what what is done
     */
    public static void acknowledge(String what) {
        CrashChild.acknowledge(Objects.requireNonNull(what, "what"));
    }

    /**
     * {@return which process of a lab this is: {@code "first"}, the one with the fault, or {@code "other"}, which works while the first is frozen;
     * {@code "first"} also outside of a lab} So one scenario can write who has written a line.
     */
    public static String process() {
        return CrashChild.role();
    }

    /**
     * Sets the scenario to run.
     *
     * @param scenario a class with a constructor without parameters
     * @return this
     */
    public CrashLab scenario(Class<? extends CrashScenario> scenario) {
        this.scenario = Objects.requireNonNull(scenario, "scenario");
        return this;
    }

    /**
     * Sets what the directory contains before each run. The default is nothing. It is created once, and copied for each run; all of it counts as
     * forced.
     *
     * @param given fills the directory
     * @return this
     */
    public CrashLab given(Setup given) {
        this.given = Objects.requireNonNull(given, "given");
        return this;
    }

    /**
     * Sets the check of the directory after each run, including those without a fault.
     *
     * @param check throws if something is wrong
     * @return this
     */
    public CrashLab check(LabCheck check) {
        Objects.requireNonNull(check, "check");
        return check((directory, run) -> check.check(directory));
    }

    /**
     * Sets the check of the directory after each run, with knowledge of how the run went.
     *
     * @param check throws if something is wrong
     * @return this
     */
    public CrashLab check(RunCheck check) {
        this.check = Objects.requireNonNull(check, "check");
        return this;
    }

    /**
     * Sets how long a run may take. The default is 30 s. A run that takes longer is a failure, with the stacks of its threads.
     *
     * @param timeout more than 0
     * @return this
     */
    public CrashLab timeout(Duration timeout) {
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("a timeout of " + timeout + " leaves a run no time");
        }
        this.timeout = timeout;
        return this;
    }

    /**
     * Accepts a scenario whose runs do not all take the same steps, since they depend on threads or time. Its steps are then those of the longest of
     * three runs. A run that does not get to its step is checked in the state in which it ended, and counted in the summary.
     *
     * @return this
     */
    public CrashLab stepsMayVary() {
        this.stepsMayVary = true;
        return this;
    }

    /**
     * Sets what another process does while the first is frozen. The default is the same scenario. Only {@link #freezeAtEveryStep} uses it.
     *
     * @param scenario a class with a constructor without parameters
     * @return this
     */
    public CrashLab meanwhile(Class<? extends CrashScenario> scenario) {
        this.meanwhile = Objects.requireNonNull(scenario, "scenario");
        return this;
    }

    /**
     * Counts as steps also what is done for session locks: in {@code .session-locks}, and to {@code .lock} files. By default they are left out, since
     * a lock whose holder is killed while it takes it is the library's own business, and is tested there. For tests of the library itself, and for
     * scenarios that do nothing but take locks.
     *
     * @return this
     */
    public CrashLab lockStepsToo() {
        this.lockSteps = true;
        return this;
    }

    /**
     * Adds arguments for the scenario's JVMs, such as {@code -Dkey=value} or {@code -Xmx1g}.
     *
     * @param args added to those given before
     * @return this
     */
    public CrashLab jvmArgs(String... args) {
        jvmArgs.addAll(List.of(args));
        return this;
    }

    /**
     * Runs the scenario as if on another operating system. The check runs on the test's own; what takes a lock belongs into {@link #afterwards}.
     *
     * @param system the system; {@link CrashTest#os} sets it as well
     * @return this
     */
    public CrashLab on(LabSystem system) {
        this.system = Objects.requireNonNull(system, "system");
        return this;
    }

    /**
     * Sets what the next process does after each run, before the check: in a JVM of its own, on the system of {@link #on}. If it throws, the run fails.
     *
     * @param scenario a class with a constructor without parameters; {@link #process} is {@code "next"} there
     * @return this
     */
    public CrashLab afterwards(Class<? extends CrashScenario> scenario) {
        this.afterwards = Objects.requireNonNull(scenario, "scenario");
        return this;
    }

    /**
     * Lets the scenario's file system refuse hard links, as FAT, exFAT and many network shares do.
     *
     * @return this
     */
    public CrashLab withoutHardLinks() {
        this.hardLinks = false;
        return this;
    }

    /** Selects a single run; null for all. For tests, which share their system properties. */
    CrashLab only(@Nullable String run) {
        this.only = run;
        return this;
    }

    Path home() throws IOException {
        return workshop.home();
    }

    // ---- faults ----

    /**
     * Kills the scenario before, within and after each of its steps, one run each.
     *
     * @return how much was tested
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public CrashSummary killAtEveryStep() throws IOException, InterruptedException {
        return go(Plan.Kind.KILL, "", operations -> {
            List<Plan> plans = new ArrayList<>();
            for (LabStep step : LabStep.changes(operations)) {
                plans.add(new Plan(Plan.Kind.KILL, step.number, Plan.BEFORE));
                Set<Integer> parts = new LinkedHashSet<>();
                for (String part : List.of(Plan.ONE_BYTE, Plan.HALF, Plan.ALL_BUT_ONE)) {
                    int length = Plan.part(part, step.operation.length());
                    if (step.operation.type() == OperationType.WRITE && length > 0 && parts.add(length)) {
                        plans.add(new Plan(Plan.Kind.KILL, step.number, part));
                    }
                }
                plans.add(new Plan(Plan.Kind.KILL, step.number, Plan.AFTER));
            }
            return plans;
        });
    }

    /**
     * Lets each operation fail in each way that is possible for it, one run each. The scenario may end in any way.
     *
     * @param faults which errors, one after the other
     * @return how much was tested
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public CrashSummary failAtEveryStep(CrashFault... faults) throws IOException, InterruptedException {
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
        if (operation.type() == OperationType.WRITE && Plan.part(Plan.HALF, operation.length()) > 0) {
            manners.add(Plan.HALF);
        }
        if (fault == CrashFault.ENOSPC) {
            manners.add(Plan.FROM_THERE);
        }
        return manners;
    }

    /**
     * Cuts the power before each step, and after the end. Checks each of several outcomes for what was not forced:
     * <ul>
     *   <li>of the directory operations none, all, or any first part of them (if there are more than a dozen, some first parts);
     *   <li>of the contents nothing (so a file that was renamed and never forced is empty); all; all but half of each file's last write;
     *       the lengths with zeros; or the newest write alone.
     * </ul>
     * Outcomes with the same directory are checked once.
     *
     * @return how much was tested
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public CrashSummary powerCutAtEveryStep() throws IOException, InterruptedException {
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
     * Makes each step in turn return late, while other threads go on.
     *
     * @param delay by how much
     * @return how much was tested
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public CrashSummary delayEveryStep(Duration delay) throws IOException, InterruptedException {
        String millis = Long.toString(delay.toMillis());
        return go(Plan.Kind.DELAY, " of " + millis + " ms", operations ->
                LabStep.changes(operations).stream().map(step -> new Plan(Plan.Kind.DELAY, step.number, millis)).toList());
    }

    /**
     * Freezes the scenario's process (SIGSTOP) before and after each of its steps, one run each, for longer than the lease of its lock. Meanwhile
     * another process works under the same lock until it has ended. Then the frozen process is woken (SIGCONT) and goes on where it stood. The
     * directory is checked when that process has ended, too. This finds late writes: the holder checks that it still holds, is frozen, another
     * process takes over, and the holder wakes and writes.
     *
     * <p>Let the scenario use a short lease, since each run lasts as long as the freeze, though many processes are frozen at once. The shortest, 1 s,
     * is quickest. If the machine is busy with other things, use 3 s, so that only frozen processes lose their lock (a run in which another process
     * does is repeated):
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
     * <p>The frozen process may end in any way. Usually it throws a {@link dev.sessionlock.LockLostException}, and has acknowledged nothing.
     * {@link CrashRun#acknowledged} contains what both processes have acknowledged. If the other process throws, the run fails, unless it did not get
     * the lock or lost it. If the frozen process asked for {@code takeover(false)}, the other one waits for the lock although the lease is over; then
     * the frozen one is woken, and both go on at once.
     *
     * <p>No process is left behind, frozen or not, however this ends.
     *
     * @param pastTheLease for how long to freeze: longer than the lease of each lock that the scenario takes, and a tenth of that
     * @return how much was tested
     * @throws AssertionError if a check failed, or if the lab cannot be trusted with this scenario, for example because a lease outlasts the freeze
     * @throws IOException if the lab's own files or processes fail
     * @throws InterruptedException if interrupted
     */
    public CrashSummary freezeAtEveryStep(Duration pastTheLease) throws IOException, InterruptedException {
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

    /** Plans the faults of the runs from the operations of one run. */
    private interface Plans {
        List<Plan> of(List<Effect.Began> operations);
    }

    /** One of the operations that a kind of fault counts. */
    private record LabStep(int number, Effect.Began operation) {
        static List<LabStep> changes(List<Effect.Began> operations) {
            return numbered(operations.stream().filter(operation -> operation.type().isChange()).toList());
        }

        static List<LabStep> fallible(List<Effect.Began> operations, Errno errno) {
            return numbered(operations.stream().filter(operation -> operation.type().mayFailWith(errno)).toList());
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
        if (kind == Plan.Kind.POWER && system == LabSystem.WINDOWS) {
            throw new IllegalStateException("what a power cut leaves is modelled for POSIX only: Windows has no way to force a name to the disk");
        }
        List<String> arguments = new ArrayList<>(system.jvmArgs(hardLinks));
        arguments.addAll(jvmArgs);
        CrashCampaign.ScenarioRun scenarioRun = new CrashCampaign.ScenarioRun(scenario, meanwhile, given,
                afterwards == null ? check : workshop.checkAfter(afterwards, arguments, timeout, check), timeout, stepsMayVary, lockSteps, arguments);
        return new CrashCampaign(workshop, scenarioRun, kind, more, freeze).run(only, plans::of);
    }

    /** Ends what still runs, and removes the lab's directories, except those that a failure has named. */
    @Override
    public void close() {
        workshop.close();
    }
}
