package dev.sessionlock.cli;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A command that runs as our child, with our streams. It ends when all processes have ended that it started. If it may leave others behind, it ends
 * with the command itself, unless it was told to end.
 */
final class Job {
    private static final long LOOK_MILLIS = 20;
    private static final long WATCH_MILLIS = 1000;
    /** The share of the time that reading the process table may cost: a hundredth. */
    private static final long WATCH_SHARE = 100;
    /** How often to kill what was forked meanwhile. */
    private static final int KILL_ROUNDS = 5;

    private final List<String> command;
    private final Map<String, String> environment;
    private final boolean mayLeaveOthers;
    private final Duration patience;
    private final JobMark mark = JobMark.random();
    private final ReentrantLock mutex = new ReentrantLock();
    private final Condition over = mutex.newCondition();

    private @Nullable Process process;
    private @Nullable ProcessTree processes;
    private @Nullable ProcessGroupProbe probe;
    /** The signal that came before the job was started; the job is then not started. */
    private @Nullable String early;
    /** Whether it was told to end: then all its processes must end. */
    private boolean told;
    private boolean ended;

    /**
     * @param command what to run
     * @param environment what to add to its environment
     * @param mayLeaveOthers whether the job ends with the command, whatever the command started; its daemons are then no part of it
     * @param patience how long to wait before a job that is told to end is killed
     */
    Job(List<String> command, Map<String, String> environment, boolean mayLeaveOthers, Duration patience) {
        this.command = command;
        this.environment = environment;
        this.mayLeaveOthers = mayLeaveOthers;
        this.patience = patience;
    }

    /**
     * Runs it to its end. The calling thread must not end before: the kernel then kills the job.
     *
     * @param notice told, once, if the command has ended and what it started runs on
     * @return its exit code; 128 + n if a signal ended it
     * @throws IOException if it could not be started
     */
    int run(Consumer<String> notice) throws IOException, InterruptedException {
        ParentDeathGuard guard = ParentDeathGuard.start(mark, !mayLeaveOthers);
        try {
            int notStarted = start();
            if (notStarted != 0) {
                return notStarted;
            }
            guard.guard(process.pid());
            int exitCode = awaitJob();
            if (!mayLeaveOthers || isTold()) {
                awaitProcesses(notice);
            }
            return exitCode;
        } catch (InterruptedException | RuntimeException | Error e) {
            killAll(); // the lock is given back after this, whatever went wrong
            throw e;
        } finally {
            markEnded();
            guard.dismiss();
        }
    }

    /** {@return 0, or the exit code if a signal came first} */
    private int start() throws IOException {
        ProcessGroupProbe first = new ProcessGroupProbe();
        mutex.lock();
        try {
            if (early != null) {
                first.dismiss();
                return SignalHooks.exitCode(early);
            }
            ProcessBuilder builder = new ProcessBuilder(ParentDeathGuard.tethered(command)).inheritIO();
            restoreLocale(builder.environment());
            builder.environment().putAll(environment);
            mark.addTo(builder.environment());
            probe = first;
            process = builder.start();
            processes = new ProcessTree(process, mark, !mayLeaveOthers);
            return 0;
        } finally {
            mutex.unlock();
        }
    }

    /** Where there is no locale, the launcher sets one in which the tool can show all names. The job gets the locale of its caller. */
    private static void restoreLocale(Map<String, String> environment) {
        String before = environment.remove("SESSIONLOCK_LC_ALL");
        if (before != null && before.isEmpty()) {
            environment.remove("LC_ALL");
        } else if (before != null) {
            environment.put("LC_ALL", before);
        }
    }

    private int awaitJob() throws InterruptedException {
        long pause = WATCH_MILLIS;
        while (!process.waitFor(pause, TimeUnit.MILLISECONDS)) {
            long before = System.nanoTime();
            processes.watch();
            pause = Math.max(WATCH_MILLIS, WATCH_SHARE * TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - before));
        }
        return process.exitValue();
    }

    private void awaitProcesses(Consumer<String> notice) throws InterruptedException {
        long pause = LOOK_MILLIS;
        long waited = 0;
        boolean told = false;
        for (List<ProcessHandle> left = processes.living(); !left.isEmpty(); left = processes.living()) {
            if (!told && waited >= WATCH_MILLIS) {
                notice.accept(left.stream().map(Job::described).collect(Collectors.joining(", ")));
                told = true;
            }
            TimeUnit.MILLISECONDS.sleep(pause);
            waited += pause;
            pause = Math.min(pause * 2, WATCH_MILLIS / 4);
        }
    }

    private void killAll() {
        for (int round = 0; round < KILL_ROUNDS && processes != null; round++) {
            ProcessTree.signal("KILL", processes.living());
        }
    }

    private static String described(ProcessHandle process) {
        return "pid " + process.pid() + process.info().command().map(path -> " " + path).orElse("");
    }

    private void markEnded() {
        mutex.lock();
        try {
            ended = true;
            if (probe != null) {
                probe.dismiss();
            }
            over.signalAll();
        } finally {
            mutex.unlock();
        }
    }

    /** Passes a signal on to those processes of the job that have not received it from the terminal already. */
    void pass(String signal) {
        long arrived = System.nanoTime();
        mutex.lock();
        try {
            if (process == null) {
                early = signal;
                return;
            } else if (ended) {
                return;
            }
        } finally {
            mutex.unlock();
        }
        boolean wholeGroup = probe.saw(arrived);
        List<ProcessHandle> targets = processes.living();
        if (wholeGroup) {
            long ours = ProcessTree.groupOf(ProcessHandle.current().pid());
            targets.removeIf(process -> ours < 0 || ProcessTree.groupOf(process.pid()) == ours);
        }
        ProcessTree.signal(signal, targets);
    }

    /** Tells it to end, and kills it if that takes too long. Returns when it has ended. */
    void end() throws InterruptedException {
        long deadline = System.nanoTime() + patience.toNanos();
        if (!tellToEnd()) {
            return;
        }
        ProcessTree.signal("TERM", processes.living());
        while (!isOverWithin(deadline - System.nanoTime())) {
            ProcessTree.signal("KILL", processes.living());
            deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS); // again: what was forked meanwhile was missed
        }
    }

    /** Waits for its end, if it was started. */
    void awaitEnd() {
        mutex.lock();
        try {
            while (process != null && !ended) {
                over.awaitUninterruptibly();
            }
        } finally {
            mutex.unlock();
        }
    }

    /** {@return whether it was started and has not ended} */
    boolean isRunning() {
        mutex.lock();
        try {
            return process != null && !ended;
        } finally {
            mutex.unlock();
        }
    }

    private boolean isTold() {
        mutex.lock();
        try {
            return told;
        } finally {
            mutex.unlock();
        }
    }

    /** {@return whether there is anything to end} */
    private boolean tellToEnd() {
        mutex.lock();
        try {
            told = true;
            if (process == null) {
                early = "TERM";
            }
            return process != null;
        } finally {
            mutex.unlock();
        }
    }

    private boolean isOverWithin(long nanos) throws InterruptedException {
        mutex.lock();
        try {
            for (long left = nanos; !ended && left > 0; ) {
                left = over.awaitNanos(left);
            }
            return ended;
        } finally {
            mutex.unlock();
        }
    }
}
