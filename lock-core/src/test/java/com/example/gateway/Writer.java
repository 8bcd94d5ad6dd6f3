package com.example.gateway;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** A program that waits for several sessions at once, a thread for each, and says which it got. It ends when it has had all. */
public final class Writer {
    private static final LockOptions APPEND = LockOptions.defaults().withPurpose("append message").withTimeout(Duration.ofMinutes(5));

    private Writer() {
    }

    /** @param args the sessions */
    public static void main(String... args) throws Exception {
        SessionLocks locks = SessionLocks.create();
        Thread[] threads = new Thread[args.length];
        for (int i = 0; i < args.length; i++) {
            Path session = Path.of(args[i]);
            threads[i] = new Thread(() -> write(locks, session), "writer-" + i);
            threads[i].start();
        }
        while (locks.stats().waiting() < args.length) {
            Thread.sleep(5);
        }
        System.out.println("waits");
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private static void write(SessionLocks locks, Path session) {
        try (SessionLock lock = locks.acquire(session, APPEND)) {
            lock.ensureHeld();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
