package dev.sessionlock;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Uses locks where the stack ends: each call is made at the very bottom, and once more at each level further up, until there is room for it. A
 * program for a JVM of its own.
 */
final class Overflows {
    /** Shorter than the timeout, so that a lock that nobody gives back is noticed; longer than a JVM waits for a CPU on a busy machine. */
    private static final Duration LEASE = Duration.ofSeconds(10);
    private static final LockOptions BRIEF = LockOptions.defaults().withLease(LEASE).withTimeout(Duration.ofSeconds(30));
    private static final long STACK = 256 * 1024;

    private Overflows() {
    }

    private interface Step {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        System.out.println(run(Path.of(args[0]), Integer.parseInt(args[1])) + " overflows, and all locks are free");
    }

    /** {@return how often the stack overflowed in a call of the library} Fails if one of the locks is not free afterwards. */
    static int run(Path dir, int rounds) throws Exception {
        int overflows = 0;
        try (SessionLocks locks = SessionLocks.create(); SessionLocks others = SessionLocks.create()) {
            locks.acquire(dir.resolve("first.jsonl"), BRIEF).close(); // so that all classes are loaded while there is enough room
            for (int round = 0; round < rounds; round++) {
                Path session = dir.resolve("session-" + round % 20 + ".jsonl");
                LockOptions options = round % 3 == 0 ? BRIEF.withLinger(Duration.ofMillis(5)) : BRIEF;
                AtomicReference<SessionLock> held = new AtomicReference<>();
                boolean waits = round % 2 == 0;
                overflows += atTheBottom(() -> held.set(waits ? locks.acquire(session, options) : locks.tryAcquire(session, options).orElse(null)));
                if (held.get() != null) {
                    overflows += atTheBottom(() -> held.get().verifyHeld());
                    overflows += atTheBottom(() -> held.get().close());
                }
            }
            for (int i = 0; i < Math.min(20, rounds); i++) {
                Path session = dir.resolve("session-" + i + ".jsonl");
                locks.acquire(session, BRIEF).close();
                others.acquire(session, BRIEF).close();
                Optional<SessionLock> once = locks.tryAcquire(session, BRIEF);
                if (once.isPresent()) {
                    once.get().close();
                }
            }
        }
        return overflows;
    }

    private static int atTheBottom(Step step) throws Exception {
        int[] overflows = new int[1];
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread thread = new Thread(null, () -> descend(step, overflows, failure, new boolean[1]), "overflows", STACK);
        thread.start();
        thread.join();
        if (failure.get() != null) {
            throw new AssertionError("at the end of the stack", failure.get());
        }
        return overflows[0];
    }

    private static void descend(Step step, int[] overflows, AtomicReference<Throwable> failure, boolean[] done) {
        try {
            descend(step, overflows, failure, done);
        } catch (StackOverflowError e) {
            // the end of the stack, here or in one of the calls below
        }
        if (!done[0]) {
            try {
                step.run();
                done[0] = true;
            } catch (StackOverflowError e) {
                overflows[0]++;
            } catch (Exception | Error e) {
                failure.set(e);
                done[0] = true;
            }
        }
    }
}
