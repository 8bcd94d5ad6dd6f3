package dev.sessionlock.testkit;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/** What a {@link Contender} does with its locks, inside its process. Each command runs on a thread of its own. */
final class ContenderActions {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long LONGEST_STAY_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final SessionLocks locks;
    private final Function<String, Path> targets;
    private final Map<String, SessionLock> handles = new ConcurrentHashMap<>();
    private final Map<String, CompletableFuture<SessionLock>> pending = new ConcurrentHashMap<>();
    private final Map<String, LockLostException> told = new ConcurrentHashMap<>();
    private final Map<String, Thread> threads = new ConcurrentHashMap<>();
    private final Map<String, Hammer> hammers = new ConcurrentHashMap<>();

    ContenderActions(SessionLocks locks, Function<String, Path> targets) {
        this.locks = locks;
        this.targets = targets;
    }

    /** Carries out a command. Returns its result, in words. */
    String obey(List<String> words) throws Exception {
        String handle = words.size() > 1 ? words.get(1) : "";
        return switch (words.get(0)) {
            case "acquire" -> acquire(handle, words.get(2), options(words.get(3)));
            case "try" -> locks.tryAcquire(targets.apply(words.get(2)), options(words.get(3))).map(lock -> keep(handle, lock))
                    .orElse("busy");
            case "acquireAsync" -> {
                CompletableFuture<SessionLock> future = locks.acquireAsync(targets.apply(words.get(2)), options(words.get(3)));
                pending.put(handle, future);
                future.thenAccept(lock -> keep(handle, lock));
                yield "begun";
            }
            case "got" -> handles.containsKey(handle) ? Long.toString(handles.get(handle).token()) : "nothing";
            case "cancel" -> {
                pending.get(handle).cancel(true);
                yield "cancelled";
            }
            case "standing" -> standing(handle, SessionLock::ensureHeld);
            case "verify" -> standing(handle, SessionLock::verifyHeld);
            case "renew" -> standing(handle, SessionLock::renew);
            case "told" -> told.containsKey(handle) ? told.get(handle).reason().name() : "nothing";
            case "close" -> {
                handles.get(handle).close();
                yield "closed";
            }
            case "closeAll" -> {
                handles.values().forEach(SessionLock::close);
                handles.clear();
                yield "closed";
            }
            case "interrupt" -> {
                threads.get(handle).interrupt();
                yield "interrupted";
            }
            case "waiting" -> Long.toString(locks.stats().waiting());
            case "inspect" -> inspect(locks.inspect(targets.apply(handle)));
            case "clear" -> clear(targets.apply(handle), Long.parseLong(words.get(2)));
            case "upgrade" -> upgrade(targets.apply(handle), options(words.get(2)));
            case "reenter" -> reenter(targets.apply(handle), options(words.get(2)));
            case "hammer" -> hammer(hammers.computeIfAbsent(handle, lock -> new Hammer()), handle, options(words.get(2)), words.get(3));
            case "visits" -> Long.toString(hammers.computeIfAbsent(handle, lock -> new Hammer()).visits.get());
            case "stop" -> {
                hammers.get(handle).stopped = true;
                yield "stopped";
            }
            default -> throw new IllegalArgumentException("no such command: " + words);
        };
    }

    private String acquire(String handle, String lock, LockOptions options) throws LockException, InterruptedException {
        threads.put(handle, Thread.currentThread());
        try {
            return keep(handle, locks.acquire(targets.apply(lock), options));
        } finally {
            threads.remove(handle);
        }
    }

    private String keep(String handle, SessionLock lock) {
        handles.put(handle, lock);
        lock.onLost(why -> told.put(handle, why));
        return Long.toString(lock.token());
    }

    private interface Look {
        void at(SessionLock lock) throws LockException;
    }

    private String standing(String handle, Look look) throws LockException {
        try {
            look.at(handles.get(handle));
            return "held";
        } catch (LockLostException e) {
            return "lost " + e.reason();
        } catch (IllegalStateException e) {
            return "closed";
        }
    }

    private static String inspect(LockReport report) {
        return report.state() + (report.owner() == null ? "" : " " + report.owner().pid() + " " + report.owner().token());
    }

    private String clear(Path target, long token) throws LockException, InterruptedException {
        List<ClearReport> done = locks.clear(target, ClearOptions.forReal().withToken(token).withTimeout(PATIENCE));
        return done.isEmpty() ? "nothing" : done.get(0).outcome().name();
    }

    /** Runs on one thread, since a lock belongs to the thread that acquired it. Returns ok, or what was wrong. */
    private String reenter(Path target, LockOptions options) throws LockException, InterruptedException {
        SessionLock outer = locks.acquire(target, options);
        try {
            locks.acquire(target, options).close();
            return "a thread got what it holds a second time, though it had not asked for that";
        } catch (LockReentryException e) {
            // as expected
        } finally {
            if (!outer.isHeld()) {
                outer.close();
            }
        }
        SessionLock inner = locks.acquire(target, options.withReentrant(true));
        outer.close();
        boolean kept = inner.isHeld() && inner.token() == outer.token();
        inner.close();
        return kept ? "ok" : "the inner handle did not keep the lock, or has another token";
    }

    /** Runs on one thread, as {@link #reenter}. Returns ok, or what was wrong. */
    private String upgrade(Path target, LockOptions reading) throws LockException, InterruptedException {
        try (SessionLock shared = locks.acquire(target, reading)) {
            for (boolean reentrant : List.of(false, true)) {
                try {
                    locks.acquire(target, reading.withMode(LockMode.EXCLUSIVE).withReentrant(reentrant)).close();
                    return "a thread that reads got the lock exclusively";
                } catch (LockReentryException e) {
                    // as expected
                }
            }
            return shared.isHeld() ? "ok" : "the shared lock did not last";
        }
    }

    /** One lock that is entered as often as possible. */
    private static final class Hammer {
        private final AtomicLong visits = new AtomicLong();
        private volatile boolean stopped;
    }

    /** Two threads enter the lock as often as they can, and report to the witness, until they are stopped. */
    private String hammer(Hammer hammer, String lock, LockOptions options, String witness) throws IOException, InterruptedException {
        AtomicReference<Throwable> trouble = new AtomicReference<>();
        try (WitnessedHolder me = WitnessedHolder.connect(witness, "pid " + ProcessHandle.current().pid())) {
            List<Thread> all = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                Thread thread = new Thread(() -> {
                    try {
                        while (!hammer.stopped) {
                            visit(targets.apply(lock), options, lock, me, hammer.visits);
                        }
                    } catch (IOException | InterruptedException | RuntimeException | Error e) {
                        trouble.compareAndSet(null, e);
                    }
                }, "hammers-" + i);
                all.add(thread);
                thread.start();
            }
            for (Thread thread : all) {
                thread.join();
            }
        }
        if (trouble.get() != null) {
            throw new IOException("while it hammered: " + trouble.get(), trouble.get());
        }
        return "stopped";
    }

    private void visit(Path target, LockOptions options, String name, WitnessedHolder me, AtomicLong visits)
            throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(target, options)) {
            WitnessedHolder.Visit<LockLostException> visit = me.entered(name, lock.token(), lock::ensureHeld);
            visits.incrementAndGet();
            LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(LONGEST_STAY_NANOS)); // time for another process to come in
            visit.leaving();
        } catch (LockLostException e) {
            Thread.yield(); // starved for a whole lease: this proves nothing
        }
    }

    // ---- options as words ----

    static String words(LockOptions options) {
        return String.join(",", options.timeout().toString(), options.lease().toString(), options.maxHold().toString(),
                Boolean.toString(options.takeover()), options.revokeGrace().toString(), options.mode().name());
    }

    private static LockOptions options(String words) {
        String[] word = words.split(",");
        return LockOptions.defaults().withTimeout(Duration.parse(word[0])).withLease(Duration.parse(word[1]))
                .withMaxHold(Duration.parse(word[2]))
                .withTakeover(Boolean.parseBoolean(word[3])).withRevokeGrace(Duration.parse(word[4]))
                .withMode(LockMode.valueOf(word[5]));
    }
}
