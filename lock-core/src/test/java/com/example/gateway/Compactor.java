package com.example.gateway;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A program that compacts a session, some times well and then in the way that its argument names. It is of another package than the library, as a user's is: its
 * frames in a stack are those of a program. It says {@code held} when it has the lock for the last time, and does what it reads from then on.
 */
public final class Compactor {
    private static final LockOptions COMPACTION = LockOptions.defaults().withPurpose("compaction").withTimeout(Duration.ofMinutes(1));
    private static final int TIMES = 5;

    private final SessionLocks locks = SessionLocks.builder().shutdownGrace(Duration.ZERO).build();
    private final ExecutorService workers = Executors.newFixedThreadPool(1, work -> {
        Thread thread = new Thread(work, "compactor-1");
        thread.setDaemon(true);
        return thread;
    });
    private final Path session;
    private volatile boolean told;
    /** What the program has forgotten: until the garbage collector is to find it, it must not, by chance. */
    @SuppressWarnings("unused")
    private volatile SessionLock forgotten;

    private Compactor(Path session) {
        this.session = session;
    }

    /** @param args the session, and {@code leak}, {@code end} (the thread that leaks ends), {@code hang} or {@code hold} */
    public static void main(String... args) throws Exception {
        Compactor compactor = new Compactor(Path.of(args[0]));
        for (int i = 0; i < TIMES; i++) {
            compactor.workers.submit(compactor::compact).get();
        }
        switch (args[1]) {
            case "leak" -> compactor.workers.submit(compactor::forget).get();
            case "end" -> {
                Thread thread = new Thread(compactor::forget, "compactor-2");
                thread.start();
                thread.join();
            }
            case "hang" -> compactor.hang();
            case "hold" -> compactor.hold();
            default -> throw new IllegalArgumentException(args[1]);
        }
        System.out.println("held");
        System.in.read();
        compactor.told = true;
        compactor.forgotten = null;
        long latest = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (compactor.locks.stats().lost() == 0 && System.nanoTime() - latest < 0) {
            System.gc();
            Thread.sleep(20);
        }
        System.out.println("lost");
        System.in.read(); // until the test is over
    }

    private void compact() {
        try (SessionLock lock = locks.acquire(session, COMPACTION)) {
            lock.ensureHeld();
            Thread.sleep(2);
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private void forget() {
        try {
            forgotten = locks.acquire(session, COMPACTION);
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The lock is renewed until something is read, so that the time of its end is the test's to choose. */
    private void hang() throws Exception {
        SessionLock lock = workers.submit(() -> locks.acquire(session, COMPACTION.withMaxHold(Duration.ofSeconds(6)))).get();
        workers.submit(() -> askUpstream(lock));
        Thread renewing = new Thread(() -> {
            try {
                while (!told) {
                    lock.renew();
                    Thread.sleep(100);
                }
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        renewing.setDaemon(true);
        renewing.start();
    }

    /** Asks a server that never answers. */
    private static String askUpstream(SessionLock lock) throws IOException {
        try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket socket = new Socket(silent.getInetAddress(), silent.getLocalPort())) {
            return lock.token() + " " + socket.getInputStream().read();
        }
    }

    private void hold() throws Exception {
        SessionLock lock = workers.submit(() -> locks.acquire(session, COMPACTION.withLease(Duration.ofSeconds(5)))).get();
        lock.onLost(why -> lock.close());
    }
}
