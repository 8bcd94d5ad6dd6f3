package dev.sessionlock.cli;

import dev.sessionlock.LockListener;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * A process of the demo: a writer or the compaction job. It works in a loop, prints marks on stdout, and reads from stdin the orders that cause its
 * misfortunes. It ends when stdin ends, since the demo has ended then.
 */
@Command(name = "demo-actor", hidden = true)
final class DemoActorCommand implements Callable<Integer> {
    /** Short, so that the demo is short. The defaults are 30 s and 5 min. */
    static final Duration LEASE = Duration.ofSeconds(1);
    static final Duration MAX_HOLD = Duration.ofSeconds(3);
    private static final LockOptions WRITING = LockOptions.defaults()
            .withLease(LEASE).withMaxHold(MAX_HOLD).withRevokeGrace(Duration.ofSeconds(1)).withPurpose("append");
    /** Nobody may take over while it lives: if it were frozen before its rename, it would put an old transcript over new lines. */
    private static final LockOptions COMPACTION = LockOptions.defaults()
            .withLease(LEASE).withTakeover(false).withTimeout(Duration.ofSeconds(30)).withPurpose("compaction");
    private static final long WRITER_REST_MILLIS = 15;
    private static final long COMPACTION_REST_MILLIS = 700;

    /** What an actor is told to do, once, the next time that it holds the lock. */
    enum ActorOrder {
        /** Stop half-way, in order to be killed. */
        DIE,
        /** Stop before the write, in order to be frozen; write when told to go on. */
        FREEZE,
        /** Hold it until it is lost. */
        LINGER,
        /** Forget the handle. */
        LEAK,
        /** End, after the current work. */
        STOP,
        /** Go on, after a FREEZE. */
        GO
    }

    @Option(names = "--compaction")
    private boolean compaction;

    @Parameters(index = "0")
    private String name;

    @Parameters(index = "1")
    private Path file;

    private final BlockingQueue<ActorOrder> orders = new LinkedBlockingQueue<>();
    private final AtomicBoolean leaked = new AtomicBoolean();
    private SessionFile session;

    @Override
    public Integer call() throws Exception {
        Thread ears = new Thread(this::hear, "orders");
        ears.setDaemon(true);
        ears.start();
        try (SessionLocks locks = SessionLocks.builder().listener(new LeakReporter()).build()) {
            session = SessionFile.of(file, locks, WRITING);
            if (compaction) {
                compactAgainAndAgain(locks);
            } else {
                writeAgainAndAgain(locks);
            }
        }
        return 0;
    }

    private void hear() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                orders.add(ActorOrder.valueOf(line));
            }
        } catch (IOException e) {
            // its input ends: so does this thread
        }
        Runtime.getRuntime().halt(0); // the demo has gone, and no process may be left behind
    }

    /** One write for each mark, so that a line is whole or absent. */
    private static void tell(String mark) {
        synchronized (System.out) {
            System.out.println(mark);
            System.out.flush();
        }
    }

    // ---- a writer ----

    private void writeAgainAndAgain(SessionLocks locks) throws Exception {
        ActorOrder order = null;
        for (int number = 1; order != ActorOrder.STOP; number++) {
            write(line(number, "writer " + name), order);
            order = orders.poll(WRITER_REST_MILLIS, TimeUnit.MILLISECONDS);
            if (order == ActorOrder.LEAK) {
                leak(locks, ++number);
                order = null;
            }
        }
    }

    private Transcript.TranscriptLine line(int number, String author) {
        return new Transcript.TranscriptLine(String.format(Locale.ROOT, "%s-%05d", name, number), "message " + number + " of " + author);
    }

    /** Writes one line and counts it, however many tries that takes. */
    private void write(Transcript.TranscriptLine entry, @Nullable ActorOrder order) throws Exception {
        ActorOrder once = order;
        boolean again = false;
        while (true) {
            ActorOrder trouble = once;
            boolean look = again;
            try {
                long token = session.<Long, Exception>withLock(lock -> {
                    if (look && Transcript.has(session.lines(), entry.id())) {
                        tell("landed " + entry.id()); // the write that came too late has landed after all: repeating it would double the line
                    } else {
                        getIntoTrouble(trouble, entry, lock);
                        session.append(lock, List.of(entry.written()));
                    }
                    return lock.token();
                });
                tell("counted " + entry.id() + " " + token);
                return;
            } catch (LockLostException e) {
                tell("refused " + entry.id() + " " + e.reason());
                once = null;
                again = true;
            } catch (LockTimeoutException e) {
                tell("in-vain " + entry.id());
            }
        }
    }

    private void getIntoTrouble(@Nullable ActorOrder order, Transcript.TranscriptLine entry, SessionLock lock) throws IOException, InterruptedException {
        if (order == null || order == ActorOrder.STOP) {
            return;
        }
        if (order == ActorOrder.DIE) {
            writeRaw(entry.written().substring(0, 40));
        }
        tell("holds - " + lock.token());
        switch (order) {
            case DIE -> Thread.sleep(Long.MAX_VALUE);
            case FREEZE -> {
                await(ActorOrder.GO);
                writeRaw(entry.written() + "\n"); // as if it had been frozen just after its last look at the lock
            }
            case LINGER -> holdUntilLost(lock);
            default -> { }
        }
    }

    /** The point at which the misfortune meets a SessionFile: one write at the end. */
    private void writeRaw(String text) throws IOException {
        Files.writeString(file, text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private void await(ActorOrder expected) throws InterruptedException {
        while (orders.take() != expected) {
            continue;
        }
    }

    private static void holdUntilLost(SessionLock lock) throws LockLostException, InterruptedException {
        while (true) {
            lock.ensureHeld();
            Thread.sleep(10);
        }
    }

    /** Like a request whose code has no try-with-resources: its thread ends, and its handle is never closed. */
    private void leak(SessionLocks locks, int number) throws InterruptedException {
        leaked.set(true);
        Thread request = new Thread(() -> {
            try {
                SessionLock lock = locks.acquire(file, WRITING.withPurpose("a request that forgets to close"));
                Transcript.TranscriptLine entry = line(number, "a leaking request of " + name);
                session.append(lock, List.of(entry.written()));
                tell("counted " + entry.id() + " " + lock.token());
                tell("holds - " + lock.token());
            } catch (IOException | InterruptedException e) {
                tell("failed " + e);
            }
        }, "leaking-request");
        request.start();
        request.join();
        Thread others = new Thread(this::serveOtherRequests, "other-requests");
        others.setDaemon(true);
        others.start();
    }

    /** The other work of a gateway. It makes garbage, so that the collector runs. */
    private void serveOtherRequests() {
        try {
            while (leaked.get()) {
                session.lines().forEach(Transcript.TranscriptLine::parse);
                Thread.sleep(2);
            }
        } catch (IOException | InterruptedException e) {
            tell("failed " + e);
        }
    }

    /** Reports what ended the leaked hold. */
    private final class LeakReporter implements LockListener {
        @Override
        public void lost(Event event, LockLostException why) {
            if (leaked.getAndSet(false)) {
                tell("leak-ended " + event.token() + " " + why.reason());
            }
        }
    }

    // ---- the compaction job ----

    private void compactAgainAndAgain(SessionLocks locks) throws Exception {
        ActorOrder order = null;
        while (order != ActorOrder.STOP) {
            compact(locks, order);
            order = orders.poll(COMPACTION_REST_MILLIS, TimeUnit.MILLISECONDS);
        }
        compact(locks, null);
    }

    private void compact(SessionLocks locks, @Nullable ActorOrder order) throws Exception {
        try (SessionLock lock = locks.acquire(file, COMPACTION)) {
            if (!Files.exists(file)) {
                return;
            }
            long before = Files.size(file);
            session.<Exception>compact(lock, lines -> {
                List<String> compacted = Transcript.compacted(lines);
                if (order == ActorOrder.DIE) {
                    Files.write(file.resolveSibling(file.getFileName() + ".compacting-" + lock.token()), compacted.subList(0, compacted.size() / 2));
                    tell("holds - " + lock.token());
                    Thread.sleep(Long.MAX_VALUE);
                }
                return compacted;
            });
            tell("compacted " + before + " " + Files.size(file));
        } catch (LockLostException e) {
            tell("refused compaction " + e.reason());
        } catch (LockTimeoutException e) {
            tell("in-vain compaction");
        }
    }
}
