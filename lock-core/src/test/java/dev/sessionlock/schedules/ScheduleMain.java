package dev.sessionlock.schedules;

import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import kotlin.Unit;
import org.jspecify.annotations.Nullable;
import org.pastalab.fray.core.TestRunner;
import org.pastalab.fray.core.ThreadContext;
import org.pastalab.fray.core.command.Configuration;
import org.pastalab.fray.core.command.ExecutionInfo;
import org.pastalab.fray.core.command.LambdaExecutor;
import org.pastalab.fray.core.command.NetworkDelegateType;
import org.pastalab.fray.core.command.SystemTimeDelegateType;
import org.pastalab.fray.core.randomness.ControlledRandom;
import org.pastalab.fray.core.randomness.ControlledRandomProvider;
import org.pastalab.fray.core.randomness.Randomness;
import org.pastalab.fray.core.scheduler.POSScheduler;
import org.pastalab.fray.core.scheduler.RandomScheduler;
import org.pastalab.fray.core.scheduler.Scheduler;
import org.pastalab.fray.rmi.TestStatusObserver;

/**
 * Plays schedules under Fray, one for each seed, until one of them fails. Runs in a JVM of its own, on a JDK whose locks, waits and volatile accesses ask Fray which
 * thread goes on.
 *
 * <p>Time is Fray's, too: it goes on by {@link #TICK_NANOS} whenever anybody looks, and to the next end of a sleep when all threads sleep.
 */
final class ScheduleMain {
    private static final long TICK_NANOS = 1_000;
    /** More steps than that, and threads wake each other for ever. */
    private static final int MOST_STEPS = 2_000_000;
    /** A thread that spins until another one has gone on must not keep that one from it for ever. */
    private static final int MOST_TURNS = 100;
    /** The first schedules of a JVM load classes on the way, so they are not those of their seeds. */
    private static final int WARM_UP = 40;
    /** So many schedules run between two garbage collections: a collection in the middle would wake the keeper, which looks for forgotten handles. */
    private static final int COLLECTED = 50;
    /** How often a single seed is played: about one schedule in ten still depends on what the JVM did before. */
    private static final int REPLAYS = 20;
    /** From which each thread's {@code ThreadLocalRandom} begins. */
    private static final AtomicLong SEEDER = seeder();

    private ScheduleMain() {
    }

    private static AtomicLong seeder() {
        try {
            Field field = ThreadLocalRandom.class.getDeclaredField("seeder");
            field.setAccessible(true);
            return (AtomicLong) field.get(null);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * Arguments: a folder for Fray's reports, the first seed, how many, and the rule that is {@link Broken}, if any. Prints what came of it, and ends with 1 if a schedule failed.
     */
    public static void main(String[] args) {
        Path reports = Path.of(args[0]);
        long first = Long.parseLong(args[1]);
        long count = Long.parseLong(args[2]);
        for (long seed = -WARM_UP; seed < 0; seed++) {
            play(seed, reports);
        }
        long steps = 0;
        for (long seed = first; seed < first + count; seed++) {
            steps += play(seed, reports);
        }
        for (int i = 1; count == 1 && i < REPLAYS; i++) {
            play(first, reports);
        }
        System.out.println("PASSED " + count + " schedules of " + steps / Math.max(1, count) + " steps each");
        System.exit(0);
    }

    /** {@return of how many steps it was} */
    private static int play(long seed, Path reports) {
        if (seed % COLLECTED == 0) {
            System.gc();
        }
        SEEDER.set(seed);
        Random random = new Random(seed);
        Randomness choices = new ControlledRandom(new ArrayList<>(), new ArrayList<>(), random);
        Steps steps = new Steps(random.nextBoolean() ? new POSScheduler(choices) : new RandomScheduler(choices));
        Scenario scenario = new Scenario(seed);
        run(steps, reports, scenario, failure -> {
            System.out.println("FAILED seed " + seed + " after " + steps.taken + " steps: " + failure.getMessage() + "\n" + scenario);
            failure.printStackTrace(System.out);
            System.out.flush();
            Runtime.getRuntime().halt(1); // the threads of the schedule are stuck where they are
        });
        return steps.taken;
    }

    private static void run(Scheduler scheduler, Path reports, Scenario scenario, Consumer<Throwable> failed) {
        LambdaExecutor executor = new LambdaExecutor(() -> {
            scenario.play();
            return Unit.INSTANCE;
        });
        boolean replay = true; // Fray says less then, and records nothing: the seed is enough
        Configuration configuration = new Configuration(new ExecutionInfo(executor, false, false, -1), reports, 1, Integer.MAX_VALUE, scheduler,
                new ControlledRandomProvider(), false, false, true, replay, false, false, NetworkDelegateType.NONE, SystemTimeDelegateType.MOCK, TICK_NANOS,
                false, false, false, false, false, false, null);
        configuration.getTestStatusObservers().add(new Failures(failed));
        new TestRunner(configuration).run();
    }

    /** Chooses as another scheduler does, but lets no thread spin for ever. */
    private static final class Steps extends Scheduler {
        private final Scheduler chooser;
        private int taken;
        private @Nullable ThreadContext latest;
        private int turns;

        Steps(Scheduler chooser) {
            super(chooser.getRand());
            this.chooser = chooser;
        }

        @Override
        public ThreadContext scheduleNextOperation(List<ThreadContext> ready, Collection<ThreadContext> all) {
            if (++taken == MOST_STEPS) {
                throw new Violation("there is no end to it");
            }
            ThreadContext next = chooser.scheduleNextOperation(ready, all);
            turns = next == latest ? turns + 1 : 0;
            if (turns > MOST_TURNS && ready.size() > 1) {
                next = ready.get(nextInt() % ready.size());
                turns = 0;
            }
            latest = next;
            return next;
        }

        @Override
        public Scheduler nextIteration(Randomness randomness) {
            return this;
        }
    }

    /** Hears of what Fray finds: an assertion, an exception that nobody caught, a deadlock. */
    private record Failures(Consumer<Throwable> failed) implements TestStatusObserver {
        @Override
        public void onReportError(Throwable failure) {
            failed.accept(failure);
        }

        @Override
        public void onExecutionStart() {
            // Nothing to do.
        }

        @Override
        public void onExecutionDone(@Nullable Throwable failure) {
            // It has been reported.
        }

        @Override
        public void saveToReportFolder(Path folder) {
            // The seed is enough.
        }
    }
}
