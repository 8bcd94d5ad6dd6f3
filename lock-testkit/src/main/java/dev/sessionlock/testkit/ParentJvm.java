package dev.sessionlock.testkit;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * The test that started this JVM, as its child sees it. The child sends marks to it, and gets lines from it. Everything else that the child prints is
 * captured there, and shown when something fails.
 *
 * <p>The child does not outlive its parent: when the parent's end of the pipe is closed, the child halts.
 */
public final class ParentJvm {
    /** The status of a child that ended because its parent had gone. */
    public static final int ORPHANED = 143;

    static final String MARK = "\u0001mark ";
    static final String STARTED = "started";
    /** The beginning of a line that is for this class, not for the scenario. */
    private static final String CONTROL = "\u0001";
    static final String EXIT = CONTROL + "exit ";
    static final String COLLECT_GARBAGE = CONTROL + "gc";
    static final String COLLECTED = CONTROL + "collected";
    private static final int COLLECTIONS = 3;

    private static volatile ParentJvm instance;

    private final List<String> args;
    private final PrintStream up = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();

    private ParentJvm(List<String> args) {
        this.args = args;
    }

    /**
     * {@return the parent of this JVM}
     *
     * @throws IllegalStateException if it was not started by {@link ChildJvm}
     */
    public static ParentJvm get() {
        ParentJvm parent = instance;
        if (parent == null) {
            throw new IllegalStateException("this JVM was not started by ChildJvm, so it has no parent to talk to");
        }
        return parent;
    }

    /** {@return the arguments from the test} */
    public List<String> args() {
        return args;
    }

    /**
     * Reports to the parent that something has happened; the parent can {@linkplain ChildJvm#awaitMark wait} for it. From any thread.
     *
     * @param name one word
     * @param details more about it; the parent gets them as text, separated by single spaces
     */
    public void mark(String name, Object... details) {
        StringBuilder line = new StringBuilder("\n").append(MARK).append(name);
        for (Object detail : details) {
            line.append(' ').append(String.valueOf(detail).replace('\n', ' ').replace('\r', ' '));
        }
        synchronized (up) { // one write for each mark: the output of other threads must not come in between
            up.print(line.append('\n'));
            up.flush();
        }
    }

    /**
     * {@return the next line from the parent, when it comes}
     *
     * @throws InterruptedException if interrupted
     */
    public String awaitLine() throws InterruptedException {
        return lines.take();
    }

    /**
     * Waits for the next line, which must be this one.
     *
     * @param expected the line
     * @throws InterruptedException if interrupted
     * @throws IllegalStateException if the parent sends another
     */
    public void awaitLine(String expected) throws InterruptedException {
        String line = awaitLine();
        if (!line.equals(expected)) {
            throw new IllegalStateException("the parent sent \"" + line + "\" where the child waited for \"" + expected + "\"");
        }
    }

    private void listen() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                obeyOrPassOn(line);
            }
        } catch (IOException e) {
            e.printStackTrace();
        }
        ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly); // later nobody could find them
        Runtime.getRuntime().halt(ORPHANED); // not exit: a hook that hangs would leave the process behind
    }

    private void obeyOrPassOn(String line) {
        if (line.startsWith(EXIT)) {
            int status = Integer.parseInt(line.substring(EXIT.length()));
            new Thread(() -> System.exit(status), "child-exits").start(); // its hooks may wait for lines that this thread reads
        } else if (line.equals(COLLECT_GARBAGE)) {
            new Thread(this::collectGarbage, "child-collects-garbage").start();
        } else {
            lines.add(line);
        }
    }

    private void collectGarbage() {
        for (int i = 0; i < COLLECTIONS; i++) {
            System.gc();
            LockSupport.parkNanos(10_000_000); // another thread puts references into their queues
        }
        mark(COLLECTED);
    }

    /** Makes this JVM the child of the process that started it. */
    static ParentJvm enter(List<String> args) {
        ParentJvm parent = new ParentJvm(args);
        instance = parent;
        Thread ear = new Thread(parent::listen, "child-hears-parent");
        ear.setDaemon(true);
        ear.start();
        parent.mark(STARTED, ProcessHandle.current().pid());
        return parent;
    }
}
