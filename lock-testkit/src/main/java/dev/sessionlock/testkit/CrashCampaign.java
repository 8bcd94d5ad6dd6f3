package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.Disk;
import dev.sessionlock.testkit.disk.Effect;
import dev.sessionlock.testkit.disk.Image;
import dev.sessionlock.testkit.disk.Plan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** One pass of a lab through all the runs of one kind. */
final class CrashCampaign {
    private static final long PROGRESS_NANOS = TimeUnit.SECONDS.toNanos(5);
    /** With fewer runs, an archive of classes costs as much to make as it saves. */
    private static final int RUNS_WORTH_AN_ARCHIVE = 8;
    /** How many outcomes may wait for the check. */
    private static final int WAITING = 8;
    /** How many processes may be frozen at once: each takes some 50 MB of memory, and no CPU. */
    private static final int FROZEN_AT_ONCE = 16;
    /** How often to try a run in which the machine itself stalled a process past its lease. */
    private static final int STARVED_TRIES = 4;
    private static final String STARVED = "In each of " + STARVED_TRIES + " runs a process that was not frozen lost its lock, since this machine "
            + "is so busy that it did not run for a whole lease. Take a longer one in the scenario, such as 3 s, and freeze for longer than that";

    /**
     * The scenario that is tested.
     *
     * @param meanwhile what another process does while the first is frozen; null if the same
     */
    record ScenarioRun(Class<? extends CrashScenario> scenario, @Nullable Class<? extends CrashScenario> meanwhile, CrashLab.Setup given,
                   CrashLab.RunCheck check, Duration timeout, boolean stepsMayVary, boolean lockSteps, List<String> jvmArgs) {
        Class<? extends CrashScenario> other() {
            return meanwhile == null ? scenario : meanwhile;
        }

        String name() {
            return CrashCampaign.name(scenario);
        }
    }

    private final CrashWorkshop workshop;
    private final ScenarioRun scenarioRun;
    private final Plan.Kind kind;
    private final Duration freeze;
    private final String title;
    private final long start = System.nanoTime();
    private final CrashFindings findings;
    /** Digests of the directories left by power cuts that were checked already. */
    private final Set<String> seen = new HashSet<>();
    private int runs;
    private int checked;
    private int notReached;
    private int cameIn;
    private int waited;
    /** The first run in which the other process did not finish because it lacked the lock. */
    private @Nullable String lacking;
    private int lacked;
    private List<Effect.Began> baseline = List.of();

    /**
     * A pass.
     *
     * @param more further details of the fault, in words
     * @param freeze for how long each process is frozen, if it is
     */
    CrashCampaign(CrashWorkshop workshop, ScenarioRun scenarioRun, Plan.Kind kind, String more, Duration freeze) {
        this.workshop = workshop;
        this.scenarioRun = scenarioRun;
        this.kind = kind;
        this.freeze = freeze;
        this.findings = new CrashFindings(workshop, kind);
        this.title = "CrashLab " + scenarioRun.name() + ", " + kind + more;
    }

    /** Goes through the runs, or only through the one that was asked for. */
    CrashSummary run(@Nullable String wanted, Function<List<Effect.Began>, List<Plan>> plans) throws IOException, InterruptedException {
        Plan only = wanted == null || wanted.isBlank() ? null : Plan.parse(wanted.strip());
        if (only != null && only.kind() != kind) {
            System.out.println(title + ": left out, since -D" + CrashLab.ONLY + "=" + only + " asks for another run");
            return new CrashSummary(0, 0, 0, Duration.ZERO);
        }
        Path pristine = prepare();
        ExecutorService runners = Executors.newFixedThreadPool(atOnce(), work -> {
            Thread thread = new Thread(work, "crash-run");
            thread.setDaemon(true);
            return thread;
        });
        try {
            Function<List<Effect.Began>, List<Plan>> wantedPlans = operations -> only == null ? plans.apply(operations) : List.of(only);
            baseline(pristine, wantedPlans, runners);
            List<Plan> all = wantedPlans.apply(baseline);
            walk(pristine, all, runners);
            return conclude(all);
        } finally {
            runners.shutdownNow();
            runners.awaitTermination(1, TimeUnit.MINUTES); // then they no longer need their JVMs
            CrashWorkshop.remove(pristine);
        }
    }

    private int atOnce() {
        return kind == Plan.Kind.FREEZE ? FROZEN_AT_ONCE : CrashWorkshop.AT_ONCE;
    }

    private Path prepare() throws IOException {
        Path pristine = Files.createTempDirectory(workshop.home(), "given-");
        try {
            scenarioRun.given.prepare(pristine);
        } catch (Exception e) {
            throw new AssertionError(title + ": the directory could not be prepared: " + e, e);
        }
        return pristine;
    }

    // ---- without a fault ----

    /** Runs the scenario a few times without a fault, to learn what it does, and whether the lab can be trusted with it. */
    private void baseline(Path pristine, Function<List<Effect.Began>, List<Plan>> plans, ExecutorService runners)
            throws IOException, InterruptedException {
        int times = scenarioRun.stepsMayVary ? 3 : 2;
        workshop.expect(times);
        accept(withoutStarving(() -> workshop.run(scenarioRun, pristine, Plan.NOTHING)));
        boolean train = plans.apply(baseline).size() >= RUNS_WORTH_AN_ARCHIVE;
        List<Future<CrashOutcome>> more = new ArrayList<>();
        for (int i = 1; i < times; i++) {
            boolean now = train && i == 1;
            more.add(runners.submit(() -> withoutStarving(
                    () -> now ? workshop.train(scenarioRun, pristine) : workshop.run(scenarioRun, pristine, Plan.NOTHING))));
        }
        for (Future<CrashOutcome> one : more) {
            accept(get(one));
        }
        if (kind == Plan.Kind.FREEZE && scenarioRun.meanwhile != null) {
            acceptTheOther(withoutStarving(() -> workshop.runTheOther(scenarioRun, pristine)));
        }
    }

    private void acceptTheOther(CrashOutcome outcome) {
        runs++;
        String reason = outcome.end() == CrashOutcome.End.HUNG ? hung(outcome.dump())
                : outcome.end() == CrashOutcome.End.THREW ? "failed: " + outcome.thrown()
                : outcome.differences().isEmpty() ? null : "went round java.nio.file: " + String.join("; ", outcome.differences());
        if (reason != null) {
            throw new AssertionError(title + ": " + name(scenarioRun.other()) + ", run alone, " + reason + printed(outcome.output()));
        }
        CrashWorkshop.remove(outcome.directory().getParent());
    }

    private String hung(String dump) {
        return "did not end within " + scenarioRun.timeout.toMillis() + " ms; its threads:\n" + dump;
    }

    private static String printed(String output) {
        return output.isEmpty() ? "" : "\n  it printed:\n" + output.indent(4);
    }

    private void accept(CrashOutcome outcome) throws IOException, InterruptedException {
        runs++;
        requireSound(outcome);
        requireSame(outcome);
        if (outcome.steps().size() > steps(baseline).size()) {
            baseline = outcome.operations();
        }
        CrashWorkshop.remove(outcome.directory().getParent());
    }

    private void requireSound(CrashOutcome outcome) throws IOException, InterruptedException {
        String output = printed(outcome.output());
        String reason = null;
        if (outcome.end() == CrashOutcome.End.HUNG) {
            reason = "a run without a fault " + hung(outcome.dump());
        } else if (outcome.end() == CrashOutcome.End.THREW) {
            reason = "a run without a fault failed: " + outcome.thrown() + (outcome.wasStarved() ? "\n  " + STARVED : "");
        } else if (!outcome.differences().isEmpty()) {
            reason = roundNio(outcome);
        } else if (outcome.steps().isEmpty()) {
            reason = "a run takes no step: it changes nothing beneath the directory that it is given";
        }
        if (reason != null) {
            throw new AssertionError(title + ": " + reason + output);
        }
        try {
            checked++;
            scenarioRun.check.check(outcome.directory(), outcome.asRun("nothing"));
        } catch (InterruptedException e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(title + ": the check fails after a run without a fault, so it says nothing about one with a fault: "
                    + e
                    + "\n  the directory:\n" + CrashFinding.listing(outcome.directory()).indent(4) + output, e);
        }
    }

    private static String roundNio(CrashOutcome outcome) {
        return "the directory changed without a step: " + String.join("; ", outcome.differences())
                + ". Something goes round java.nio.file, and would be neither killed, failed nor undone: FileOutputStream, "
                + "RandomAccessFile, java.io.File, a mapped buffer, native code or another process. "
                + "Use Files or FileChannel in what is to be tested";
    }

    private static String name(Class<?> scenario) {
        return scenario.getName().substring(scenario.getPackageName().isEmpty() ? 0 : scenario.getPackageName().length() + 1).replace('$', '.');
    }

    private static List<Effect.Began> steps(List<Effect.Began> operations) {
        return operations.stream().filter(operation -> operation.type().isChange()).toList();
    }

    private void requireSame(CrashOutcome outcome) {
        if (scenarioRun.stepsMayVary || baseline.isEmpty()) {
            return;
        }
        List<Effect.Began> first = steps(baseline);
        List<Effect.Began> second = outcome.steps();
        for (int i = 0; i < Math.max(first.size(), second.size()); i++) {
            if (i >= first.size() || i >= second.size() || first.get(i).type() != second.get(i).type()) {
                throw new AssertionError(title + ": two runs without a fault do not take the same steps. Step " + (i + 1) + " of one is "
                        + text(first, i) + ", of the other " + text(second, i)
                        + ". A step that is named by its number must be the same each "
                        + "time: let one thread write, and let no time decide; or accept it with stepsMayVary()");
            }
        }
    }

    private static String text(List<Effect.Began> steps, int index) {
        return index < steps.size() ? "\"" + steps.get(index).text() + "\"" : "none, it takes " + steps.size();
    }

    // ---- with faults ----

    private void walk(Path pristine, List<Plan> plans, ExecutorService runners) throws IOException, InterruptedException {
        workshop.expect(kind == Plan.Kind.FREEZE ? 2 * plans.size() : plans.size());
        BlockingQueue<Future<CrashOutcome>> done = new LinkedBlockingQueue<>();
        Semaphore room = new Semaphore(Math.max(WAITING, atOnce()));
        for (Plan plan : plans) {
            runners.execute(new FutureTask<>(() -> {
                room.acquire();
                return once(pristine, plan);
            }) {
                @Override
                protected void done() {
                    done.add(this);
                }
            });
        }
        long shown = System.nanoTime();
        for (int i = 0; i < plans.size(); i++) {
            CrashOutcome outcome = get(done.take());
            runs++;
            judge(outcome);
            room.release();
            if (System.nanoTime() - shown > PROGRESS_NANOS) {
                shown = System.nanoTime();
                System.out.println(title + ": " + (i + 1) + " of " + plans.size() + " runs, " + findings.size()
                        + (findings.size() == 1 ? " failure" : " failures"));
            }
        }
    }

    private CrashOutcome once(Path pristine, Plan plan) throws IOException, InterruptedException {
        return withoutStarving(() -> kind == Plan.Kind.FREEZE ? workshop.runFrozen(scenarioRun, pristine, plan, freeze)
                : workshop.run(scenarioRun, pristine, plan));
    }

    private interface Run {
        CrashOutcome go() throws IOException, InterruptedException;
    }

    /** One run, repeated if the machine itself stalled a process past its lease. */
    private static CrashOutcome withoutStarving(Run run) throws IOException, InterruptedException {
        CrashOutcome outcome = run.go();
        for (int tries = 1; tries < STARVED_TRIES && outcome.wasStarved(); tries++) {
            CrashWorkshop.remove(outcome.directory().getParent());
            outcome = run.go();
        }
        return outcome;
    }

    private static CrashOutcome get(Future<CrashOutcome> future) throws IOException, InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) {
                throw io;
            } else if (e.getCause() instanceof AssertionError error) {
                throw error;
            } else if (e.getCause() instanceof InterruptedException) {
                throw new IllegalStateException("this lab was closed while it ran", e.getCause());
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    private void judge(CrashOutcome outcome) throws IOException, InterruptedException {
        boolean atEnd = kind == Plan.Kind.POWER && outcome.befallen() == null;
        String event = event(outcome);
        int before = findings.size();
        String reason = outcome.end() == CrashOutcome.End.HUNG ? "it " + hung(outcome.dump())
                : outcome.wasStarved() ? STARVED : !outcome.differences().isEmpty() ? roundNio(outcome) : unsteady(outcome);
        if (reason == null && outcome.meanwhile() != null) {
            reason = wrongMeanwhile(outcome, outcome.meanwhile());
        }
        if (reason != null) {
            findings.add(outcome, outcome.plan(), event, outcome.directory(), reason);
        } else if (kind == Plan.Kind.POWER && (outcome.end() == CrashOutcome.End.STOPPED || atEnd)) {
            cutPower(outcome, event);
        } else {
            check(outcome, outcome.plan(), event, outcome.directory());
        }
        if (findings.size() == before) {
            CrashWorkshop.remove(outcome.directory().getParent());
        }
    }

    /** {@return how a run differs from the steps of the baseline where it must not} */
    private @Nullable String unsteady(CrashOutcome outcome) {
        int step = outcome.plan().step();
        List<Effect.Began> expected = steps(baseline);
        boolean reached = outcome.befallen() != null || kind == Plan.Kind.POWER && step == expected.size() + 1;
        if (!reached) {
            notReached++;
            return scenarioRun.stepsMayVary ? null : "the run ended after " + outcome.steps().size()
                    + " steps and did not come to the one that was meant, although the runs "
                    + "before did. Let one thread write, and let no time decide; or accept it with stepsMayVary()";
        }
        if (scenarioRun.stepsMayVary || kind == Plan.Kind.FAIL || outcome.befallen() == null) {
            return null;
        }
        // The operation itself is in the journal unless it never began.
        List<Effect.Began> done = outcome.steps();
        if (step > expected.size() || done.size() < step || done.get(step - 1).type() == expected.get(step - 1).type()) {
            return null;
        }
        return "step " + step + " was \"" + done.get(step - 1).text() + "\" this time and \"" + expected.get(step - 1).text()
                + "\" in a run without a fault. Let one thread write, and let no time decide; or accept it with stepsMayVary()";
    }

    /** {@return what the other process did wrong; null if nothing} */
    private @Nullable String wrongMeanwhile(CrashOutcome outcome, CrashOutcome.Meanwhile meanwhile) {
        Set<String> both = new HashSet<>(outcome.acknowledged());
        both.retainAll(meanwhile.acknowledged());
        if (scenarioRun.meanwhile == null && !both.isEmpty()) {
            throw new AssertionError(title + ": both processes acknowledged \"" + both.iterator().next() + "\", so no check can tell whose is "
                    + "missing. Have each write something of its own, by CrashLab.process(), or give the other one a scenario of its own with "
                    + "meanwhile(…), which may do the same on purpose");
        }
        if (meanwhile.waited()) {
            waited++;
        } else {
            cameIn++;
        }
        if (meanwhile.end() == CrashOutcome.End.HUNG) {
            return "the other process " + hung(meanwhile.dump());
        } else if (meanwhile.lackedTheLock()) {
            lacked++;
            lacking = lacking == null ? meanwhile.thrown() : lacking;
        } else if (meanwhile.thrown() != null) {
            return "the other process failed, though nothing befell it: " + meanwhile.thrown();
        }
        return null;
    }

    private String event(CrashOutcome outcome) {
        Plan plan = outcome.plan();
        String operation = outcome.befallen();
        String step = "step " + plan.step() + " of " + steps(baseline).size();
        if (operation == null) {
            return kind == Plan.Kind.POWER ? "the power was cut after the end" : "nothing: it ended before " + step;
        }
        return switch (kind) {
            case KILL -> "killed " + switch (plan.how()) {
                case Plan.BEFORE -> "before ";
                case Plan.AFTER -> "after ";
                default -> "within ";
            } + step + ": " + operation;
            case POWER -> "the power was cut before " + step + ": " + operation;
            case FAIL -> failure(plan) + ": " + operation;
            case DELAY -> "late by " + plan.how() + " ms, " + step + ": " + operation;
            case FREEZE -> "frozen " + plan.how() + " " + step + ": " + operation;
            case NONE -> "nothing";
        };
    }

    private static String failure(Plan plan) {
        String error = plan.how().substring(0, plan.how().indexOf('-'));
        String manner = plan.how().substring(plan.how().indexOf('-') + 1);
        return error + switch (manner) {
            case Plan.HALF -> " after half of it";
            case Plan.FROM_THERE -> " from here on";
            default -> "";
        } + ", at operation " + plan.step() + " that may fail so";
    }

    // ---- checking ----

    private boolean check(CrashOutcome outcome, Plan plan, String event, Path directory) throws IOException, InterruptedException {
        String listing = CrashFinding.listing(directory); // before the check changes it
        try {
            checked++;
            scenarioRun.check.check(directory, outcome.asRun(event));
            return true;
        } catch (InterruptedException e) {
            throw e;
        } catch (Throwable e) {
            findings.add(outcome, plan, event, directory, e, listing);
            return false;
        }
    }

    private void cutPower(CrashOutcome outcome, String event) throws IOException, InterruptedException {
        outcome.disk().absorb(outcome.directory());
        String chosen = outcome.plan().how();
        for (Disk.Survival survival : outcome.disk().survivals()) {
            Plan plan = new Plan(Plan.Kind.POWER, outcome.plan().step(), survival.code());
            if (!chosen.isEmpty() && !chosen.equals(survival.code())) {
                continue;
            }
            Image image = outcome.disk().cut(survival);
            if (!seen.add(image.digest() + outcome.acknowledged() + outcome.end())) {
                continue;
            }
            Path directory = outcome.directory().resolveSibling("after-" + survival.code());
            image.writeTo(directory);
            if (check(outcome, plan, event + "; " + survival, directory)) {
                CrashWorkshop.remove(directory);
            }
        }
    }

    // ---- the end ----

    private CrashSummary conclude(List<Plan> plans) {
        int visited = (int) plans.stream().mapToInt(Plan::step).distinct().count();
        CrashSummary summary = new CrashSummary(Math.min(visited, Math.max(1, baseline.size())), runs, checked,
                Duration.ofNanos(System.nanoTime() - start));
        String line = title + ": " + summary.line(findings.size()) + (notReached == 0 ? ""
                : ", " + notReached + " runs ended before their step");
        if (kind == Plan.Kind.FREEZE) {
            line += ", the other came in " + cameIn + (cameIn == 1 ? " time" : " times") + " and waited " + waited;
            line += lacked == 0 ? "" : "; without the lock it ended " + lacked + (lacked == 1 ? " time" : " times");
        }
        System.out.println(line);
        if (lacked > 0 && lacked == cameIn + waited) {
            throw new AssertionError(line + ". It never did its work, so this says nothing. First: " + lacking);
        }
        if (!findings.isEmpty()) {
            throw findings.failure(line, plans);
        }
        return summary;
    }
}
