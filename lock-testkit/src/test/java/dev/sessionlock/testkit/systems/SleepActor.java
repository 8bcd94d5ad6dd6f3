package dev.sessionlock.testkit.systems;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A process on a machine that sleeps. The arguments: what it does, a directory, and files there. It {@code hold}s the locks of these files, and does nothing; or
 * {@code use}s them, and asks time and again whether it still has them; or {@code wait}s for each of them.
 */
final class SleepActor {
    private SleepActor() {
    }

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[1]);
        SessionLocks locks = SessionLocks.create();
        Thread[] users = new Thread[args.length - 2];
        for (int i = 0; i < users.length; i++) {
            String name = args[i + 2];
            users[i] = new Thread(() -> {
                try {
                    use(args[0], locks, directory, name);
                } catch (LockLostException e) { // it may be thrown before the listener is told
                    System.out.println(name + " is lost: " + e.reason());
                } catch (Exception e) {
                    System.out.println(name + " failed: " + e);
                }
            });
            users[i].start();
        }
        for (Thread user : users) {
            user.join();
        }
        locks.close();
    }

    private static void use(String what, SessionLocks locks, Path directory, String name) throws Exception {
        System.out.println(name + " is asked for");
        try (SessionLock lock = locks.acquire(directory.resolve(name), LockOptions.defaults().withTimeout(Duration.ofHours(3)))) {
            lock.onLost(loss -> System.out.println(name + " is lost: " + loss.reason()));
            System.out.println(name + " is held");
            while (!what.equals("wait") && Files.notExists(directory.resolve("end"))) {
                Thread.sleep(10);
                if (what.equals("use")) {
                    lock.ensureHeld();
                }
            }
            lock.verifyHeld();
            System.out.println(name + " is still held");
        }
    }
}
