package dev.sessionlock;

import java.nio.file.Path;

/** For tests that need a fresh JVM: takes one lock and gives it back. */
final class OneLock {
    private OneLock() {
    }

    public static void main(String[] args) throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            try (SessionLock lock = locks.acquire(Path.of(args[0]))) {
                System.out.println("held");
                lock.verifyHeld();
            }
            System.out.println("acquired " + locks.stats().acquired() + ", held " + locks.stats().held() + ", flight recorder "
                    + ModuleLayer.boot().findModule("jdk.jfr").isPresent());
        }
    }
}
