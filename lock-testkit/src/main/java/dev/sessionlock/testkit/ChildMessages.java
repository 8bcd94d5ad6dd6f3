package dev.sessionlock.testkit;

import dev.sessionlock.testkit.ChildJvm.Mark;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link ChildJvm} and its parent say to each other over the child's standard input and output. A line of output that begins with
 * {@link ParentJvm#MARK} is a mark; all others are what the child prints. Thread-safe.
 */
final class ChildMessages {
    private static final int MOST_OUTPUT = 64 * 1024;

    private final String name;
    private final Process process;
    private final LongSupplier pid;
    private final Writer down;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();
    // guarded by the lock
    private final Deque<Mark> marks = new ArrayDeque<>();
    private final StringBuilder output = new StringBuilder();
    private boolean silent;

    /**
     * Begins to listen.
     *
     * @param pid the id of the child, for messages; asked later
     */
    ChildMessages(String name, Process process, LongSupplier pid) {
        this.name = name;
        this.process = process;
        this.pid = pid;
        this.down = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8);
        Thread ear = new Thread(this::listen, "hears-" + name);
        ear.setDaemon(true);
        ear.start();
    }

    private void listen() {
        try (BufferedReader up = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = up.readLine(); line != null; line = up.readLine()) {
                hear(line);
            }
        } catch (IOException e) {
            hear("(the rest of the output is lost: " + e + ")"); // the process was destroyed during the read
        } finally {
            lock.lock();
            try {
                silent = true;
                news.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    private void hear(String line) {
        lock.lock();
        try {
            if (line.startsWith(ParentJvm.MARK)) {
                String[] words = line.substring(ParentJvm.MARK.length()).split(" ");
                marks.add(new Mark(words[0], List.of(Arrays.copyOfRange(words, 1, words.length))));
                news.signalAll();
            } else if (!line.isEmpty()) {
                output.append(line).append(System.lineSeparator());
                if (output.length() > 2 * MOST_OUTPUT) {
                    output.delete(0, output.length() - MOST_OUTPUT);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    Mark awaitMark(String mark, Duration patience) throws InterruptedException {
        long left = patience.toNanos();
        lock.lock();
        try {
            while (true) {
                Mark found = take(mark);
                if (found != null) {
                    return found;
                } else if (silent) {
                    throw new AssertionError(name + " ended " + ending() + "and had not said \"" + mark + "\"" + soFar());
                } else if (left <= 0) {
                    throw new AssertionError(name + " (pid " + pid.getAsLong() + ") did not say \"" + mark + "\" within " + patience.toMillis()
                            + " ms" + soFar());
                }
                left = news.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    Optional<Mark> pollMark(String mark) {
        lock.lock();
        try {
            return Optional.ofNullable(take(mark));
        } finally {
            lock.unlock();
        }
    }

    boolean hasMark(String mark) {
        lock.lock();
        try {
            return marks.stream().anyMatch(said -> said.name().equals(mark));
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Mark take(String mark) {
        for (Iterator<Mark> i = marks.iterator(); i.hasNext(); ) {
            Mark next = i.next();
            if (next.name().equals(mark)) {
                i.remove();
                return next;
            }
        }
        return null;
    }

    /** {@return the status with which the process has ended, for a message; empty while it lives} */
    String ending() {
        return process.isAlive() ? "" : "with status " + process.exitValue() + " ";
    }

    private String soFar() {
        List<String> said = marks.stream().map(m -> m.name() + " " + m.text()).toList();
        return System.lineSeparator() + "  other marks: " + said + System.lineSeparator() + "  its output:" + System.lineSeparator() + output;
    }

    void send(String line) {
        synchronized (down) {
            try {
                down.write(line + "\n");
                down.flush();
            } catch (IOException e) {
                throw new AssertionError("could not send \"" + line + "\" to " + name + ", which has ended? " + output(), e);
            }
        }
    }

    String output() {
        lock.lock();
        try {
            return output.toString();
        } finally {
            lock.unlock();
        }
    }
}
