package dev.sessionlock.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A neutral judge of mutual exclusion between processes. Holders in any number of JVMs report over a loopback socket when they held a lock. The
 * witness finds two that held it at once, or a fencing token that did not grow. It takes no lock itself.
 *
 * <pre>{@code
 * try (MutualExclusionWitness witness = MutualExclusionWitness.open();
 *         ChildJvm one = ChildJvm.of(Writer.class).args(witness.address()).start();
 *         ChildJvm two = ChildJvm.of(Writer.class).args(witness.address()).start()) {
 *     one.awaitExit(Duration.ofMinutes(1));
 *     two.awaitExit(Duration.ofMinutes(1));
 *     witness.awaitAllLeft(Duration.ofSeconds(10));
 *     witness.historyOnFailure(Path.of("target/history.txt")).verify();
 * }
 *
 * // in the children
 * WitnessedHolder me = WitnessedHolder.connect(witnessAddress, "writer " + ProcessHandle.current().pid());
 * try (SessionLock lock = locks.acquire(session)) {
 *     WitnessedHolder.Visit visit = me.entered("session", lock.token(), lock::ensureHeld);
 *     write(session);
 *     visit.stillIn();                                    // before the lock is closed
 * }
 * }</pre>
 *
 * <h2>What it judges</h2> A holder can be frozen at any instruction, for longer than its lease. Then it holds the lock no more, though it has not
 * said so; nor can anybody outside tell when it stopped holding. So the witness does not rely on the order in which messages arrive. It counts as
 * held only what the holder has <em>proved</em>. A handle holds from its acquisition until it is lost, and a loss is final. So if the holder reads
 * the machine's monotonic clock, <em>then</em> asks its handle and is told "held", it held at that moment and at every moment between its entry and
 * that one:
 *
 * <pre>
 *      acquire   clock t0, held?   . . . . . .   clock t1, held?   . . .   clock t2, held? no: lost
 * proved          [t0 --------------------------- t1]
 * </pre>
 *
 * Each visit is such an interval, which grows with every {@link WitnessedHolder.Visit#stillIn()}. Two intervals of one lock that touch are two valid
 * holders, unless both are of readers ({@link WitnessedHolder#entered(String, dev.sessionlock.LockMode, long, WitnessedHolder.Check)}). A later interval with a smaller token is a token that did not grow. Both are facts, however long anybody was frozen or starved in between,
 * and whenever the messages arrived: there are no false alarms. What was not proved is not judged. So a holder that is killed during a visit is
 * judged by what it had reported before; call {@code stillIn()} around each step that matters.
 *
 * So the witness may live in the test's own JVM: if that pauses, messages are read later, and mean the same. It needs
 * {@linkplain #main a process of its own} only if no single JVM starts all holders, or if the test's JVM is to be killed.
 *
 * <p>The clock is {@link System#nanoTime()}, which on HotSpot is common to all processes of one boot and time namespace.
 *
 * <p>Thread-safe. It remembers the last 100,000 visits of each lock.
 */
public final class MutualExclusionWitness implements AutoCloseable {
    static final int GREETING = '!';

    private static final Duration FAREWELL = Duration.ofSeconds(10);

    private final ServerSocket door;
    private final ReentrantLock mutex = new ReentrantLock();
    private final Condition left = mutex.newCondition();
    // guarded by the mutex
    private final VisitHistory history = new VisitHistory();
    private final Set<Socket> guests = new HashSet<>();
    private boolean closed;
    private @Nullable Path historyFile;

    private MutualExclusionWitness(ServerSocket door) {
        this.door = door;
        daemon("opens-door", this::welcome);
    }

    /**
     * Opens a witness on a free port of the loopback interface.
     *
     * @return the witness, to be closed
     * @throws IOException if no port is available
     */
    public static MutualExclusionWitness open() throws IOException {
        ServerSocket door = new ServerSocket();
        door.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 256);
        return new MutualExclusionWitness(door);
    }

    private void daemon(String name, Runnable task) {
        Thread thread = new Thread(task, "witness-" + door.getLocalPort() + "-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    /**
     * Sets a file to which {@link #verify} writes the whole history when it fails, in addition to its message.
     *
     * @param file the file; it is overwritten
     * @return this witness
     */
    public MutualExclusionWitness historyOnFailure(Path file) {
        mutex.lock();
        try {
            historyFile = Objects.requireNonNull(file, "file");
            return this;
        } finally {
            mutex.unlock();
        }
    }

    /** {@return the address for {@link WitnessedHolder#connect}: {@code host:port}} */
    public String address() {
        return door.getInetAddress().getHostAddress() + ":" + door.getLocalPort();
    }

    // ---- listening ----

    private void welcome() {
        try {
            while (true) {
                Socket guest = door.accept();
                if (!admit(guest)) {
                    guest.close();
                    return;
                }
                daemon("hears", () -> listen(guest));
            }
        } catch (IOException e) {
            if (!door.isClosed()) {
                report("the witness could hear no more: " + e);
            }
        }
    }

    private boolean admit(Socket guest) {
        mutex.lock();
        try {
            return !closed && guests.add(guest);
        } finally {
            mutex.unlock();
        }
    }

    /** Accepted holders are waited for. Before this greeting the connection may be in the kernel's queue, unknown to us. */
    private static void greet(Socket guest) throws IOException {
        guest.getOutputStream().write(GREETING);
    }

    private void listen(Socket guest) {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(guest.getInputStream(), StandardCharsets.UTF_8))) {
            greet(guest);
            Map<String, VisitHistory.Interval> open = new HashMap<>();
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                hear(line, open);
            }
        } catch (IOException e) {
            // Killed in the middle of a message: what it had proved before stands.
        } catch (RuntimeException e) {
            report("a holder sent nonsense: " + e);
        } finally {
            mutex.lock();
            try {
                guests.remove(guest);
                left.signalAll();
            } finally {
                mutex.unlock();
            }
        }
    }

    /**
     * Reads one message of a holder: {@code in <visit> <lock> <holder> <token> <nanos>}, with {@code shared} behind it if others may be in the same mode, {@code at <visit> <nanos>}, {@code out <visit> <why>}. Texts
     * are URL-encoded. A line ends with a dot, so that one that was cut short is recognized.
     */
    private void hear(String line, Map<String, VisitHistory.Interval> open) {
        String[] words = line.split(" ");
        if (!words[words.length - 1].equals(".")) {
            return; // the holder was killed while it wrote
        }
        mutex.lock();
        try {
            switch (words[0]) {
                case "in" -> open.put(words[1], history.enter(text(words[2]), text(words[3]), words[6].equals("shared"), number(words[4]), number(words[5])));
                case "at" -> history.extend(open.get(words[1]), number(words[2]));
                case "out" -> open.remove(words[1]).end(text(words[2]));
                default -> throw new IllegalArgumentException(line);
            }
        } finally {
            mutex.unlock();
        }
    }

    private static String text(String word) {
        return URLDecoder.decode(word, StandardCharsets.UTF_8);
    }

    private static long number(String word) {
        return Long.parseLong(word);
    }

    private void report(String trouble) {
        mutex.lock();
        try {
            history.report(trouble);
        } finally {
            mutex.unlock();
        }
    }

    // ---- results ----

    /** {@return how many visits were reported} */
    public long visits() {
        mutex.lock();
        try {
            return history.visits();
        } finally {
            mutex.unlock();
        }
    }

    /** {@return what was wrong so far, in words, with the history around it; empty if nothing} */
    public List<String> violations() {
        mutex.lock();
        try {
            return history.violations();
        } finally {
            mutex.unlock();
        }
    }

    /**
     * {@return the last visits of a lock, one a line, oldest first}
     *
     * @param lock the lock's name
     * @param most how many
     */
    public List<String> history(String lock, int most) {
        mutex.lock();
        try {
            return history.lastVisits(lock, most);
        } finally {
            mutex.unlock();
        }
    }

    /**
     * {@return the longest time during which nobody held the lock, between its first visit and its last; zero if there were none}
     *
     * @param lock the lock's name
     */
    public Duration longestPause(String lock) {
        mutex.lock();
        try {
            return history.longestPause(lock);
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Waits until everything that its holders have sent was read. That is so once they have ended or {@linkplain WitnessedHolder#close left}.
     *
     * @param patience for how long to wait
     * @throws AssertionError if some stay connected
     * @throws InterruptedException if interrupted
     */
    public void awaitAllLeft(Duration patience) throws InterruptedException {
        long nanos = patience.toNanos();
        mutex.lock();
        try {
            while (!guests.isEmpty()) {
                if (nanos <= 0) {
                    throw new AssertionError(guests.size() + " holders are still connected to the witness after " + patience.toMillis() + " ms");
                }
                nanos = left.awaitNanos(nanos);
            }
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Writes the history that it remembers as text, one visit a line, in the order of entry: the time that the visit has proved, the lock, the token,
     * the holder, and how the visit ended.
     *
     * @param file the file; it is overwritten
     * @throws IOException if the disk refuses
     */
    public void writeHistory(Path file) throws IOException {
        List<String> lines;
        mutex.lock();
        try {
            lines = history.lines();
        } finally {
            mutex.unlock();
        }
        Files.write(file, lines);
    }

    /**
     * Fails if two valid holders were ever in at once, or a token did not grow. Judges what was reported so far.
     *
     * @throws AssertionError with the history around it
     */
    public void verify() {
        List<String> found = violations();
        if (!found.isEmpty()) {
            throw new AssertionError("mutual exclusion was broken " + (found.size() == VisitHistory.MOST_VIOLATIONS ? "at least " : "") + found.size()
                    + " times in " + visits() + " visits:\n  " + String.join("\n  ", found) + wholeHistory());
        }
    }

    private String wholeHistory() {
        Path file = historyFile();
        if (file == null) {
            return "";
        }
        try {
            writeHistory(file);
            return "\n  the whole history: " + file.toAbsolutePath();
        } catch (IOException e) {
            return "\n  the history could not be written to " + file.toAbsolutePath() + ": " + e;
        }
    }

    private @Nullable Path historyFile() {
        mutex.lock();
        try {
            return historyFile;
        } finally {
            mutex.unlock();
        }
    }

    /** Closes its socket, and ends its threads. Its results stay available. */
    @Override
    public void close() throws IOException {
        List<Socket> open;
        mutex.lock();
        try {
            closed = true;
            open = List.copyOf(guests);
        } finally {
            mutex.unlock();
        }
        door.close();
        for (Socket guest : open) {
            guest.close();
        }
    }

    /**
     * Runs a witness as a process of its own, for holders that no single test has started. It prints its address on standard output. It reads reports
     * until its standard input ends, and then until its holders have left, for at most 10 s. Its exit status is 0 if nothing was wrong, 1 if
     * something was, and 2 if it could not run.
     *
     * <pre>
     * java -cp lock-testkit.jar:… dev.sessionlock.testkit.MutualExclusionWitness [HISTORY-FILE]
     * </pre>
     *
     * @param args nothing, or the file to write the history to at the end
     */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    private static int run(String[] args) {
        if (args.length > 1 || args.length == 1 && args[0].startsWith("-")) {
            System.err.println("usage: MutualExclusionWitness [HISTORY-FILE]");
            return 2;
        }
        try (MutualExclusionWitness witness = open()) {
            System.out.println("witness at " + witness.address());
            System.in.transferTo(OutputStream.nullOutputStream());
            return witness.conclude(args.length == 0 ? null : Path.of(args[0]));
        } catch (IOException e) {
            System.err.println("the witness cannot go on: " + e);
            return 2;
        }
    }

    private int conclude(@Nullable Path history) throws IOException {
        int status = 0;
        try {
            awaitAllLeft(FAREWELL);
        } catch (AssertionError e) {
            System.out.println(e.getMessage()); // what they have proved stands
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        try {
            verify();
            System.out.println(visits() + " visits, and never two at once");
        } catch (AssertionError e) {
            System.out.println(e.getMessage());
            status = 1;
        }
        if (history != null) {
            writeHistory(history);
        }
        return status;
    }
}
