package dev.sessionlock.testkit;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.testkit.disk.FaultInjector;
import dev.sessionlock.testkit.disk.LabFileSystemProvider;
import dev.sessionlock.testkit.disk.Plan;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.spi.FileSystemProvider;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/**
 * The JVM in which a scenario runs. It is started ahead, waits for its order, and reports to the lab by marks:
 * <pre>
 * befallen operation stack     the operation now fails, or is late
 * ack text                     the scenario acknowledges
 * event stopped operation stack      it stands where it is to be killed; every operation of every thread waits
 * event frozen operation stack       it stands where it is to be frozen, likewise, and goes on when told to
 * event returned | threw stack       the scenario is over; the JVM now ends by itself
 * dump stacks                  when asked for
 * waits true | false           when asked whether a thread of it waits for a lock
 * </pre>
 */
final class CrashChild implements ChildScenario {
    private static final String NOTHING = "-";
    /** How long to wait for the library to tidy up. After that, something is still held: a handle that was never closed. */
    private static final long TO_TIDY_MILLIS = 2_000;
    static final String DUMP = "dump";
    static final String WAITS = "waits";
    static final String GO_ON = "go on";

    private static final CountDownLatch goOn = new CountDownLatch(1);
    private static volatile @Nullable ParentJvm lab;
    private static volatile String role = CrashLab.FIRST;

    /**
     * What to run, and where. One line, sent to the child.
     *
     * @param role which of the lab's processes this is
     * @param locksCount whether to count what is done for locks
     */
    record ChildOrder(String scenario, String role, Path directory, Path journal, boolean locksCount, Plan plan) {
        String line() {
            return String.join(" ", encode(scenario), encode(role), encode(directory.toString()), encode(journal.toString()),
                    Boolean.toString(locksCount), encode(plan.toString()));
        }

        static ChildOrder parse(String line) {
            String[] parts = line.split(" ");
            return new ChildOrder(decode(parts[0]), decode(parts[1]), Path.of(decode(parts[2])), Path.of(decode(parts[3])),
                    Boolean.parseBoolean(parts[4]), Plan.parse(decode(parts[5])));
        }
    }

    static String role() {
        return role;
    }

    static String encode(String text) {
        return text.isEmpty() ? NOTHING : Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    static String decode(String text) {
        return text.equals(NOTHING) ? "" : new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }

    static void acknowledge(String text) {
        ParentJvm parent = lab;
        if (parent != null) {
            parent.mark("ack", encode(text));
        }
    }

    @Override
    public void run(ParentJvm parent) throws Exception {
        ChildOrder order = ChildOrder.parse(parent.awaitLine());
        lab = parent;
        role = order.role();
        answerFrom(parent);
        CrashScenario scenario = scenario(order.scenario());
        text(new Throwable().getStackTrace()); // only a first run archives its classes; this makes it load those that the runs with a fault need
        arm(parent, order);
        try {
            scenario.run(order.directory());
            letTheLibraryEnd();
            parent.mark("event", "returned");
        } catch (Throwable e) {
            parent.mark("event", "threw", encode(text(e)));
        }
    }

    /**
     * When all {@code SessionLocks} are closed, the library's thread tidies up and ends. Wait for that: otherwise chance would decide how far it gets
     * before the JVM ends.
     */
    private static void letTheLibraryEnd() throws InterruptedException {
        Thread[] threads = new Thread[Thread.activeCount() + 100];
        ThreadGroup top = Thread.currentThread().getThreadGroup();
        while (top.getParent() != null) {
            top = top.getParent();
        }
        int count = top.enumerate(threads);
        for (int i = 0; i < count; i++) {
            if (threads[i].getName().equals("sessionlock-keeper") && !LocalLocks.OF_THIS_PROCESS.hasUsers()) {
                threads[i].join(TO_TIDY_MILLIS);
            }
        }
    }

    private static CrashScenario scenario(String name) throws ReflectiveOperationException {
        Constructor<?> constructor = Class.forName(name).getDeclaredConstructor();
        constructor.setAccessible(true);
        return (CrashScenario) constructor.newInstance();
    }

    private static void arm(ParentJvm parent, ChildOrder order) throws IOException {
        FileSystemProvider provider = FileSystems.getDefault().provider();
        if (!(provider instanceof LabFileSystemProvider ours)) {
            throw new IllegalStateException("the default file system provider of this JVM is " + provider.getClass().getName()
                    + " and not the lab's");
        }
        ours.arm(order.directory(), order.plan(), order.locksCount(), new FaultInjector.Lab() {
            @Override
            public void stopped(String operation, StackTraceElement[] at) {
                parent.mark("event", "stopped", encode(operation), encode(text(at)));
            }

            @Override
            public void befallen(String operation, StackTraceElement[] at) {
                parent.mark("befallen", encode(operation), encode(text(at)));
            }

            @Override
            public void frozen(String operation, StackTraceElement[] at) {
                parent.mark("event", "frozen", encode(operation), encode(text(at)));
                boolean interrupted = false;
                while (true) {
                    try {
                        goOn.await();
                        break;
                    } catch (InterruptedException e) {
                        interrupted = true; // a process that is frozen does not notice
                    }
                }
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }, new FileOutputStream(order.journal().toFile())); // not through NIO, which the fault injector intercepts
    }

    /**
     * From the scenario's own call down to its run method: the JDK's file calls and the lab are of no interest. Each killed child runs this once, so
     * it uses no streams and no string templates, which would cost it a fifth of its life.
     */
    static String text(StackTraceElement[] stack) {
        int first = 0;
        while (first < stack.length && isIo(stack[first])) {
            first++;
        }
        StringBuilder text = new StringBuilder();
        for (int i = first; i < stack.length && !stack[i].getClassName().equals(CrashChild.class.getName()); i++) {
            text.append(i == first ? "at " : "\nat ").append(stack[i].toString());
        }
        return text.toString();
    }

    private static boolean isIo(StackTraceElement frame) {
        String name = frame.getClassName();
        return name.startsWith("dev.sessionlock.testkit.disk.") || name.startsWith("java.") || name.startsWith("sun.")
                || name.startsWith("jdk.");
    }

    /** The exception and its causes, without the stack frames of the lab. */
    private static String text(Throwable e) {
        StringBuilder text = new StringBuilder(e.toString());
        String stack = text(e.getStackTrace());
        if (!stack.isEmpty()) {
            text.append("\n  ").append(stack.replace("\n", "\n  "));
        }
        if (e.getCause() != null && e.getCause() != e) {
            text.append("\ncaused by ").append(text(e.getCause()));
        }
        return text.toString();
    }

    /** Answers where all threads are when the lab asks, and wakes the thread that stands where it was frozen. */
    private static void answerFrom(ParentJvm parent) {
        Thread ear = new Thread(() -> {
            try {
                while (true) {
                    switch (parent.awaitLine()) {
                        case WAITS -> parent.mark(WAITS, waitsForALock());
                        case GO_ON -> goOn.countDown();
                        default -> parent.mark(DUMP, encode(dump()));
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }, "lab-answers");
        ear.setDaemon(true);
        ear.start();
    }

    private static boolean waitsForALock() {
        for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
            Thread.State state = thread.getKey().getState();
            if (state == Thread.State.WAITING || state == Thread.State.TIMED_WAITING) {
                for (StackTraceElement frame : thread.getValue()) {
                    if (frame.getClassName().equals(SessionLocks.class.getName())) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    private static String dump() {
        StringBuilder text = new StringBuilder();
        for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
            if (thread.getValue().length > 0 && thread.getKey() != Thread.currentThread()) {
                text.append('"').append(thread.getKey().getName()).append("\" ").append(thread.getKey().getState()).append('\n');
                for (StackTraceElement frame : thread.getValue()) {
                    text.append("  at ").append(frame).append('\n');
                }
            }
        }
        return text.toString();
    }
}
