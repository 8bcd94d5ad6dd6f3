package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The shutdown hooks of the application, as one of the JVM's hooks sees them: whether any of them still works.
 *
 * <p>The JDK starts all hooks in one loop, and joins them after that ({@code Runtime.addShutdownHook}); it has no method that lists them. But the
 * kernel knows when each thread was started: those that were started within that loop are the hooks. A thread of the application that happens to be
 * started in those milliseconds is taken for one as well, which makes us wait too long rather than too short. If a signal ends the JVM, the loop runs on a thread
 * that the JDK starts for that, so nothing that is older is a hook. Without {@code /proc} it is not known which threads are hooks.
 *
 * <p>Used by one thread.
 */
public final class OtherHooks {
    private static final Path TASKS = Path.of("/proc/self/task");
    private static final Path ME = Path.of("/proc/thread-self");
    /** How much earlier than this hook another one may have been started: the machine may be busy while the loop runs. In clock ticks of 10 ms. */
    private static final long TICKS_BEFORE = 10;
    /** How long to wait for the end of the loop that starts the hooks. */
    private static final long LOOP_NANOS = TimeUnit.SECONDS.toNanos(2);
    private static final String HANDLES_A_SIGNAL = "SIG";
    /**
     * Threads that are no hooks: those of the JVM, of this library (also of its other copies, which wait as we do), and those that handle a signal,
     * which wait for all hooks. The kernel cuts names after 15 bytes.
     */
    private static final List<String> NO_HOOKS = List.of("sessionlock", HANDLES_A_SIGNAL, "Cleaner-", "process reaper", "C1 Compiler", "C2 Compiler", "GC Thread", "G1 ", "VM ", "JFR ",
            "Attach Listener", "Signal Dispatch", "Monitor Deflati", "Service Thread", "Common-Cleaner", "Notification Th");

    /** When each hook's thread was started; threads that have ended are removed. Null if unknown. */
    private final @Nullable Map<Path, Long> startedAt;

    private OtherHooks(@Nullable Map<Path, Long> startedAt) {
        this.startedAt = startedAt;
    }

    /** {@return the hooks beside the calling thread, which must be one of the JVM's hooks} Waits until all were started. */
    public static OtherHooks ofThisHook() {
        Thread starter = awaitAllStarted();
        try {
            return new OtherHooks(startedWith(Files.readSymbolicLink(ME).getFileName().toString(), starter == null ? "" : starter.getName()));
        } catch (IOException | RuntimeException e) {
            return new OtherHooks(null);
        }
    }

    private static Map<Path, Long> startedWith(String me, String starter) throws IOException {
        long first = firstStart(me, starter);
        Map<Path, Long> hooks = new HashMap<>();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(TASKS)) {
            for (Path task : tasks) {
                long started = startOf(task);
                if (started >= first && !task.endsWith(me) && mayBeHook(task, cut(starter))) {
                    hooks.put(task, started);
                }
            }
        }
        return hooks;
    }

    /** {@return when the first hook may have been started, in clock ticks since boot} */
    private static long firstStart(String me, String starter) throws IOException {
        long first = ProcessStat.read(TASKS.resolve(me).resolve("stat")).startTicks() - TICKS_BEFORE;
        if (!starter.startsWith(HANDLES_A_SIGNAL)) {
            return first; // the thread that called System.exit, which may be as old as the JVM
        }
        long starts = Long.MAX_VALUE; // the earliest of that name: if the signal comes again, a second thread waits for the first
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(TASKS)) {
            for (Path task : tasks) {
                long start = cut(starter).equals(nameOf(task)) ? startOf(task) : -1;
                starts = start < 0 ? starts : Math.min(starts, start);
            }
        }
        return starts == Long.MAX_VALUE ? first : Math.max(first, starts);
    }

    /** {@return the name of a thread as the kernel knows it; null if it has ended} */
    private static @Nullable String nameOf(Path task) {
        try {
            return ProcFile.text(task.resolve("comm")).stripTrailing();
        } catch (IOException e) {
            return null;
        }
    }

    /** {@return when a thread was started, in clock ticks since boot; -1 if it has ended} */
    private static long startOf(Path task) {
        try {
            return ProcessStat.read(task.resolve("stat")).startTicks();
        } catch (IOException e) {
            return -1;
        }
    }

    private static boolean mayBeHook(Path task, String starter) {
        String name = nameOf(task);
        return name != null && !name.equals(starter) && NO_HOOKS.stream().noneMatch(name::startsWith);
    }

    /** {@return a thread's name, cut as the kernel does} */
    private static String cut(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        return new String(bytes, 0, Math.min(bytes.length, 15), StandardCharsets.ISO_8859_1).stripTrailing();
    }

    /** Waits for the thread that starts the hooks: it joins them once it has started all. Returns that thread; null if it is not found. */
    private static @Nullable Thread awaitAllStarted() {
        Thread starter = null;
        for (Map.Entry<Thread, StackTraceElement[]> one : Thread.getAllStackTraces().entrySet()) {
            if (isInHooks(one.getValue())) {
                starter = one.getKey();
            }
        }
        long deadline = System.nanoTime() + LOOP_NANOS;
        while (starter != null && !isJoining(starter.getStackTrace()) && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
        return starter;
    }

    private static boolean isInHooks(StackTraceElement[] stack) {
        for (StackTraceElement frame : stack) {
            if (frame.getClassName().equals("java.lang.ApplicationShutdownHooks")) {
                return true;
            }
        }
        return false;
    }

    private static boolean isJoining(StackTraceElement[] stack) {
        for (StackTraceElement frame : stack) {
            if (frame.getClassName().equals("java.lang.Thread") && frame.getMethodName().equals("join")) {
                return true;
            }
        }
        return false;
    }

    /** {@return whether it is known which threads are hooks} */
    public boolean areKnown() {
        return startedAt != null;
    }

    /** {@return whether any of them has not ended, as far as is known} */
    public boolean anyWorks() {
        if (startedAt == null) {
            return false;
        }
        for (Iterator<Map.Entry<Path, Long>> all = startedAt.entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<Path, Long> hook = all.next();
            if (startOf(hook.getKey()) == hook.getValue()) {
                return true;
            }
            all.remove();
        }
        return false;
    }

    /** {@return whether a thread waits for the end of the JVM itself} It is inside {@link System#exit}, so it will not close what it holds. */
    public static boolean isExiting(Thread thread) {
        for (StackTraceElement frame : thread.getStackTrace()) {
            if (frame.getClassName().equals("java.lang.Shutdown")) {
                return true;
            }
        }
        return false;
    }
}
