package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a program can do with locks while its JVM ends, and what remains of locks that nobody closed. */
class ShutdownTest {
    private static final Duration PATIENCE = Puppet.PATIENCE;
    /** Longer than the library gives threads that no hook waits for. */
    private static final long WORK_MILLIS = 2_500;

    /** In the child: an unreachable handle would be a leak, which is not the subject here. */
    private static SessionLock kept;

    @TempDir
    Path dir;

    private Path session() {
        return dir.resolve("session.jsonl");
    }

    private List<String> lines() throws IOException {
        return Files.readAllLines(session());
    }

    /** Works under the lock for longer than any default, and writes a line at the end. */
    private static void work(SessionLocks locks, Path session, String line) {
        try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofSeconds(60)))) {
            Thread.sleep(WORK_MILLIS);
            lock.ensureHeld();
            Files.writeString(session, line + "\n", StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            lock.ensureHeld();
        } catch (IOException | InterruptedException | RuntimeException e) {
            ParentJvm.get().mark("failed", line, e.getClass().getSimpleName(), e.getMessage());
        }
    }

    private static void onExit(String name, Runnable what) {
        Runtime.getRuntime().addShutdownHook(new Thread(what, name));
    }

    private static void pause(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Nested
    class WhileTheApplicationDrains {

        /** Whichever hook the JVM starts first: ours is one of them. */
        @Test
        void hooksTakeAndHoldLocks() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.create();
                new Thread(() -> work(locks, Path.of(file), "thread")).start();
                while (locks.stats().held() == 0) {
                    pause(1);
                }
                for (int i = 0; i < 3; i++) {
                    String line = "hook-" + i;
                    onExit(line, () -> work(locks, Path.of(file), line));
                }
                parent.mark("ready");
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("ready", PATIENCE);
                jvm.terminate();
                assertThat(jvm.awaitExit(PATIENCE)).isEqualTo(128 + 15);
                assertThat(jvm.pollMark("failed")).isEmpty();
                assertThat(lines()).containsExactlyInAnyOrder("thread", "hook-0", "hook-1", "hook-2");
                assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            }
        }

        @Test
        void hookTakesItsFirstLockLate() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.create();
                locks.acquire(Path.of(file)).close();
                onExit("late", () -> {
                    pause(1_500);
                    work(locks, Path.of(file), "late");
                });
                parent.mark("ready");
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("ready", PATIENCE);
                jvm.terminate();
                jvm.awaitExit(PATIENCE);
                assertThat(jvm.pollMark("failed")).isEmpty();
                assertThat(lines()).containsExactly("late");
            }
        }

        /** Like a server: its hook waits for the threads that serve requests. */
        @Test
        void workersThatAHookWaitsForFinish() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.create();
                ExecutorService workers = Executors.newFixedThreadPool(2);
                workers.execute(() -> work(locks, Path.of(file), "one"));
                while (locks.stats().held() == 0) {
                    pause(1);
                }
                workers.execute(() -> work(locks, Path.of(file), "two"));
                onExit("server", () -> {
                    workers.shutdown();
                    try {
                        workers.awaitTermination(60, TimeUnit.SECONDS);
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                });
                parent.mark("ready");
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("ready", PATIENCE);
                jvm.terminate();
                jvm.awaitExit(PATIENCE);
                assertThat(jvm.pollMark("failed")).isEmpty();
                assertThat(lines()).containsExactlyInAnyOrder("one", "two");
            }
        }

        /** The thread that calls System.exit waits for all hooks, and holds what a hook waits for. */
        @Test
        void hookGetsWhatTheExitingThreadHolds() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.create();
                onExit("waiting", () -> work(locks, Path.of(file), "after all"));
                kept = locks.acquire(Path.of(file));
                kept.onLost(why -> parent.mark("lost", why.reason()));
                System.exit(7);
            }).start()) {
                assertThat(jvm.awaitExit(PATIENCE)).isEqualTo(7);
                assertThat(jvm.pollMark("failed")).isEmpty();
                assertThat(jvm.awaitMark("lost", PATIENCE).detail(0)).isEqualTo("SHUTDOWN");
                assertThat(lines()).containsExactly("after all");
            }
        }

        @Test
        void hookWritesUnderTheLockOfTheExitingThread() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.create();
                SessionLock lock = locks.acquire(Path.of(file));
                onExit("closing", () -> {
                    pause(WORK_MILLIS);
                    parent.mark("held", lock.isHeld());
                    lock.close();
                });
                System.exit(0);
            }).start()) {
                assertThat(jvm.awaitMark("held", PATIENCE).detail(0)).isEqualTo("true");
                assertThat(jvm.awaitExit(PATIENCE)).isZero();
                assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            }
        }
    }

    @Nested
    class WhatNobodyCloses {

        @Test
        void goesAtOnceWithTheThreadThatExits() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLock lock = SessionLocks.create().acquire(Path.of(file), LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED));
                parent.mark("held", lock.token());
                System.exit(3);
            }).start()) {
                assertThat(jvm.awaitExit(PATIENCE)).isEqualTo(3);
                assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            }
        }

        /** No hook waits for it, so it does not delay the end of the JVM. */
        @Test
        void goesThoughItsThreadHangs() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLock lock = SessionLocks.create().acquire(Path.of(file), LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED));
                lock.onLost(why -> parent.mark("lost", why.reason()));
                parent.mark("held", lock.token());
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("held", PATIENCE);
                jvm.terminate();
                assertThat(jvm.awaitExit(PATIENCE)).isEqualTo(128 + 15);
                assertThat(jvm.awaitMark("lost", PATIENCE).detail(0)).isEqualTo("SHUTDOWN");
                assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            }
        }

        /** Such a thread was taken for a hook that works, and the JVM never ended. */
        @Test
        void goesThoughAThreadThatNeverEndsWasStartedJustBeforeTheSignal() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLock lock = SessionLocks.create().acquire(Path.of(file), LockOptions.defaults().withMaxHold(LockOptions.UNLIMITED));
                Thread worker = new Thread(() -> pause(Long.MAX_VALUE), "worker");
                worker.setDaemon(true);
                worker.start();
                pause(30);
                new ProcessBuilder("kill", "-TERM", Long.toString(ProcessHandle.current().pid())).start();
                parent.mark("held", lock.token());
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("held", PATIENCE);
                assertThat(jvm.awaitExit(PATIENCE)).isEqualTo(128 + 15);
                assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            }
        }

        @Test
        void goesWhenTheLastThreadOfTheProgramEnds() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLock lock = SessionLocks.create().acquire(Path.of(file));
                onExit("keeps it", () -> parent.mark("kept", lock.token()));
            }).start()) {
                assertThat(jvm.awaitExit(PATIENCE)).isZero();
                assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            }
        }
    }

    @Nested
    class AGraceThatTheUserSets {

        @Test
        void ofZeroRefusesAtOnceWithACheckedException() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.builder().shutdownGrace(Duration.ZERO).build();
                SessionLock lock = locks.acquire(Path.of(file));
                lock.onLost(why -> parent.mark("lost", why.reason()));
                onExit("asks", () -> {
                    while (lock.isHeld()) {
                        pause(1);
                    }
                    try {
                        locks.acquire(Path.of(file));
                    } catch (IOException | InterruptedException | RuntimeException e) {
                        parent.mark("refused", e.getClass().getSimpleName(), e.getMessage());
                    }
                });
                parent.mark("ready");
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("ready", PATIENCE);
                jvm.terminate();
                assertThat(jvm.awaitMark("refused", PATIENCE).text()).startsWith("LockException the JVM is shutting down");
                assertThat(jvm.awaitMark("lost", PATIENCE).detail(0)).isEqualTo("SHUTDOWN");
                jvm.awaitExit(PATIENCE);
            }
        }

        @Test
        void endsWhatIsHeldThoughAHookWorks() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.builder().shutdownGrace(Duration.ofMillis(300)).build();
                SessionLock lock = locks.acquire(Path.of(file));
                lock.onLost(why -> parent.mark("lost", why.reason()));
                CountDownLatch lost = new CountDownLatch(1);
                lock.onLost(why -> lost.countDown());
                onExit("works", () -> {
                    try {
                        lost.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                });
                parent.mark("ready");
                Thread.sleep(Long.MAX_VALUE);
            }).start()) {
                jvm.awaitMark("ready", PATIENCE);
                jvm.terminate();
                assertThat(jvm.awaitExit(PATIENCE)).isEqualTo(128 + 15);
                assertThat(jvm.awaitMark("lost", PATIENCE).detail(0)).isEqualTo("SHUTDOWN");
            }
        }

        @Test
        void withoutAHookTheLockEndsWithTheProcess() throws Exception {
            String file = session().toString();
            try (ChildJvm jvm = ChildJvm.running(parent -> {
                SessionLocks locks = SessionLocks.builder().noShutdownHook().build();
                SessionLock lock = locks.acquire(Path.of(file));
                lock.onLost(why -> parent.mark("lost", why.reason()));
                onExit("works on", () -> {
                    pause(1_500);
                    parent.mark("held", lock.isHeld());
                });
                parent.mark("ready");
                Thread.sleep(Long.MAX_VALUE);
            }).start(); SessionLocks locks = SessionLocks.create()) {
                jvm.awaitMark("ready", PATIENCE);
                jvm.terminate();
                assertThat(jvm.awaitMark("held", PATIENCE).detail(0)).isEqualTo("true");
                jvm.awaitExit(PATIENCE);
                assertThat(jvm.pollMark("lost")).isEmpty();
                assertThat(dir.resolve("session.jsonl.lock")).as("what a killed process leaves").exists();
                assertThat(locks.tryAcquire(session())).hasValueSatisfying(SessionLock::close);
            }
        }
    }
}
