package dev.sessionlock.testkit.example;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One JVM of the {@link FreezingStormTest}: each of its threads appends to one session, and now and then compacts it. */
final class StormedWriters implements ChildScenario {
    /** With linger, so that a JVM spends its time writing and not handing the lock over: the freeze should come during a write. */
    static final LockOptions BRIEF = LockOptions.defaults().withLease(Duration.ofSeconds(1)).withTimeout(Duration.ofSeconds(60))
            .withLinger(Duration.ofMillis(100));
    private static final Pattern WHOLE = Pattern.compile("\\{\"id\":\"([^\"]+)\",\"text\":\"x*\",\"end\":\"([^\"]+)\"}");
    private static final long COMPACT_EVERY_NANOS = 15_000_000_000L;
    private static final int LONG_EVERY = 200;
    private static final int LONG = 20_000;

    /** A whole line that is not counted. */
    static final String FILLER = line("filler", 10);

    /** The writers of the documents. */
    enum Kind {
        TRUNCATING(TruncatingWriter::new, Promise.NONE, 3, 50),
        APPENDING(SessionWriter::new, Promise.AT_LEAST_ONCE, 3, 50),
        SEVERAL_STEPS(SeveralStepsWriter::new, Promise.AT_LEAST_ONCE, 1, 50),
        ONCE(OnceWriter::new, Promise.EXACTLY_ONCE, 1, 1),
        REPLACING(ReplacingWriter::new, Promise.AT_LEAST_ONCE, 1, 1);

        private final BiFunction<Path, SessionLocks, Writer> writer;
        private final Promise promise;
        private final int sessions;
        /** After this many lines it rests; longer, if it reads more of the file for each line. */
        private final int burst;

        Kind(BiFunction<Path, SessionLocks, Writer> writer, Promise promise, int sessions, int burst) {
            this.writer = writer;
            this.promise = promise;
            this.sessions = sessions;
            this.burst = burst;
        }

        Promise promise() {
            return promise;
        }

        /** {@return the sessions that it writes; each JVM has a thread for each} */
        List<Path> sessions(Path directory) {
            List<Path> paths = new ArrayList<>();
            for (int i = 0; i < sessions; i++) {
                paths.add(directory.resolve(name() + "-" + i + ".jsonl"));
            }
            return paths;
        }
    }

    /** How often an acknowledged line is in the file. */
    enum Promise {
        /** It may be missing. */
        NONE,
        /** At most twice if it was tried again. */
        AT_LEAST_ONCE,
        EXACTLY_ONCE
    }

    private final SessionLocks locks = SessionLocks.builder().defaults(BRIEF).build();
    private final AtomicLong lost = new AtomicLong();
    private volatile boolean stopped;
    private ParentJvm parent;

    static String line(String id, int length) {
        return "{\"id\":\"" + id + "\",\"text\":\"" + "x".repeat(length) + "\",\"end\":\"" + id + "\"}";
    }

    /** {@return the id of a whole line; null for any other text} */
    static String id(String line) {
        Matcher matcher = WHOLE.matcher(line);
        return matcher.matches() && matcher.group(1).equals(matcher.group(2)) ? matcher.group(1) : null;
    }

    /** The file in which one JVM notes which lines of a session it has acknowledged, and which it has tried again. */
    static Path notes(Path session, String name) {
        return session.resolveSibling(session.getFileName() + ".notes-" + name);
    }

    @Override
    public void run(ParentJvm parent) throws Exception {
        this.parent = parent;
        Path directory = Path.of(parent.args().get(0));
        String name = parent.args().get(1);
        Random seeds = new Random(Long.parseLong(parent.args().get(2)));
        int index = Integer.parseInt(parent.args().get(3));
        List<Thread> threads = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            for (Path session : kind.sessions(directory)) {
                Random random = new Random(seeds.nextLong());
                boolean busy = threads.size() % FreezingStormTest.JVMS == index;
                threads.add(new Thread(() -> write(kind, session, busy, name, random), session.getFileName().toString()));
            }
        }
        parent.mark("ready");
        threads.forEach(Thread::start);
        parent.awaitLine("stop");
        stopped = true;
        for (Thread thread : threads) {
            thread.join();
        }
        parent.mark("stopped", lost.get());
    }

    /** @param busy whether it writes without a pause, so that a freeze comes during a write; other threads write now and then */
    private void write(Kind kind, Path session, boolean busy, String name, Random random) {
        Writer writer = kind.writer.apply(session, locks);
        try (FileOutputStream notes = new FileOutputStream(notes(session, name).toFile(), true)) {
            long compacted = System.nanoTime() - random.nextLong(COMPACT_EVERY_NANOS);
            for (int n = 0; !stopped; n++) {
                String id = name + "-" + n;
                if (System.nanoTime() - compacted > COMPACT_EVERY_NANOS) {
                    compact(writer);
                    compacted = System.nanoTime();
                }
                append(writer, id, line(id, random.nextInt(LONG_EVERY) == 0 ? random.nextInt(LONG) : random.nextInt(200)), notes);
                if (!busy) {
                    LockSupport.parkNanos(random.nextInt(80_000_000));
                } else if (n % kind.burst == 0) {
                    LockSupport.parkNanos(random.nextInt(kind.burst == 1 ? 20_000_000 : 1_000_000));
                }
            }
        } catch (Throwable e) {
            e.printStackTrace(System.out);
            parent.mark("trouble", session.getFileName(), e);
        }
    }

    /** Tries until the line is acknowledged, as each of the documents says. */
    private void append(Writer writer, String id, String line, FileOutputStream notes) throws IOException, InterruptedException {
        while (!stopped) {
            try {
                writer.append(line);
                note(notes, "acknowledged " + id);
                return;
            } catch (LockLostException e) {
                lost.incrementAndGet();
                note(notes, "again " + id);
            }
        }
    }

    private static void note(FileOutputStream notes, String what) throws IOException {
        notes.write((what + "\n").getBytes(StandardCharsets.UTF_8));
    }

    private void compact(Writer writer) throws IOException, InterruptedException {
        try {
            writer.compact();
        } catch (LockLostException e) {
            lost.incrementAndGet();
        }
    }
}
