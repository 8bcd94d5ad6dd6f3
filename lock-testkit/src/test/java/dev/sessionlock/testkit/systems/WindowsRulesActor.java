package dev.sessionlock.testkit.systems;

import com.sun.nio.file.ExtendedOpenOption;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.SessionFile;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/** Takes a lock in a JVM that believes it runs on Windows, and says what becomes of it. The system property {@code scenario} says what is done to it. */
final class WindowsRulesActor {
    private static final Duration TICKS = Duration.ofMillis(2_500);

    private WindowsRulesActor() {
    }

    private interface Deed {
        void run(Path lockFile) throws IOException;
    }

    public static void main(String[] args) throws Exception {
        Path session = Path.of(args[0]);
        Path lockFile = session.resolveSibling(session.getFileName() + ".lock");
        try (SessionLocks locks = SessionLocks.create()) {
            switch (System.getProperty("scenario")) {
                case "cycle" -> {
                    for (int i = 0; i < 3; i++) {
                        try (SessionLock lock = locks.acquire(session)) {
                            lock.verifyHeld();
                            System.out.println("held " + Files.exists(lockFile));
                        }
                        System.out.println("free " + !Files.exists(lockFile));
                    }
                }
                case "nothing" -> hold(locks, session, lockFile, its -> {
                });
                case "appended" -> hold(locks, session, lockFile, its -> Files.writeString(its, "more", StandardOpenOption.APPEND));
                case "removed" -> hold(locks, session, lockFile, Files::delete);
                case "copied" -> hold(locks, session, lockFile, its -> {
                    byte[] record = Files.readAllBytes(its);
                    Files.delete(its);
                    Files.write(its, record);
                });
                case "renamed over" -> hold(locks, session, lockFile, its -> {
                    Path copy = Files.write(its.resolveSibling("copy"), Files.readAllBytes(its));
                    try {
                        Files.move(copy, its, StandardCopyOption.ATOMIC_MOVE);
                    } catch (AccessDeniedException e) {
                        System.out.println("stays: " + its.getFileName());
                    }
                });
                case "folder" -> hold(locks, session, lockFile, its -> deleteAll(its.resolveSibling(".session-locks")));
                case "hold" -> {
                    try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withLease(Duration.ofMillis(Long.getLong("lease", 1_000))))) {
                        System.out.println("held");
                        while (Files.notExists(session.resolveSibling("let go"))) {
                            Thread.sleep(10);
                            lock.ensureHeld();
                        }
                    }
                }
                case "replace" -> {
                    Path fresh = Files.writeString(session.resolveSibling("fresh"), "new\n");
                    Files.writeString(session, "old\n");
                    try (SessionLock lock = locks.acquire(session)) {
                        lock.replace(fresh);
                    }
                    System.out.println("held " + read(session));
                    SessionFile file = SessionFile.of(session, locks).withForce(true);
                    file.append("two");
                    file.compact(lines -> List.of("one", String.valueOf(lines.size())));
                    System.out.println("held " + read(session));
                }
                case "overwritten" -> overwriteTable(locks, session);
                case "names" -> names(locks, session);
                case "mapped" -> takeFromTheDeadWhoseRecordIsMapped(locks, session, lockFile);
                case "litter" -> awaitTheSweep(locks, session);
                case "vanishing" -> inspectWhatVanishes(locks, session, lockFile);
                case "wait" -> waitBesideOthers(locks, session);
                case "interrupted" -> {
                    Thread.currentThread().interrupt();
                    try (SessionLock lock = locks.tryAcquire(session).orElseThrow()) {
                        lock.verifyHeld();
                        System.out.println("held, interrupted " + Thread.currentThread().isInterrupted());
                    }
                }
                default -> throw new AssertionError("no such scenario");
            }
        }
        System.out.println("free " + !Files.exists(lockFile));
    }

    private static void hold(SessionLocks locks, Path session, Path lockFile, Deed deed) throws Exception {
        try (SessionLock lock = locks.acquire(session)) {
            CompletableFuture<String> lost = new CompletableFuture<>();
            lock.onLost(loss -> lost.complete("lost " + loss.reason()));
            deed.run(lockFile);
            if (System.getProperty("scenario").equals("folder")) {
                try {
                    lock.verifyHeld();
                } catch (LockLostException e) {
                    lost.complete("lost " + e.reason());
                }
            }
            try {
                System.out.println(lost.get(TICKS.toMillis(), TimeUnit.MILLISECONDS));
            } catch (TimeoutException e) {
                lock.verifyHeld();
                System.out.println("still held");
            }
        }
        Files.deleteIfExists(lockFile); // the copy of a record whose lease runs keeps others out, as everywhere
        try (SessionLock lock = locks.acquire(session)) {
            lock.verifyHeld();
            System.out.println("held again");
        }
        try (Stream<Path> left = Files.list(lockFile.resolveSibling(".session-locks"))) {
            System.out.println("aside " + Arrays.toString(left.map(path -> path.getFileName().toString()).filter(name -> name.startsWith("aside")).toArray()));
        }
    }

    /** Another program has the record mapped: it may be renamed, and not deleted. */
    private static void takeFromTheDeadWhoseRecordIsMapped(SessionLocks locks, Path session, Path lockFile) throws Exception {
        try (FileChannel other = FileChannel.open(lockFile, StandardOpenOption.READ)) {
            MappedByteBuffer mapped = other.map(FileChannel.MapMode.READ_ONLY, 0, other.size());
            try (SessionLock lock = locks.acquire(session)) {
                lock.verifyHeld();
                System.out.println("held, mapped " + (mapped.get(0) == '{'));
            }
            System.out.println("left " + filesOf(session, "aside-").size());
        }
    }

    /** The files that the property names are open in another program, which does not let anybody delete them. */
    private static void awaitTheSweep(SessionLocks locks, Path session) throws Exception {
        String used = System.getProperty("used", "");
        List<FileChannel> open = new ArrayList<>();
        for (String name : used.isEmpty() ? new String[0] : used.split(",")) {
            open.add(FileChannel.open(session.resolveSibling(".session-locks").resolve(name), Set.of(StandardOpenOption.READ, ExtendedOpenOption.NOSHARE_DELETE)));
        }
        Set<String> stay = Set.of(System.getProperty("stay").split(","));
        try (SessionLock lock = locks.acquire(session)) {
            while (!stay.containsAll(litterOf(session))) {
                lock.ensureHeld();
                Thread.sleep(10);
            }
            System.out.println("left " + litterOf(session));
        } finally {
            for (FileChannel each : open) {
                each.close();
            }
        }
    }

    /** Not the record files of this process, whose number is random. */
    private static List<String> litterOf(Path session) throws IOException {
        List<String> litter = new ArrayList<>(filesOf(session, "aside-"));
        litter.addAll(filesOf(session, "release-"));
        litter.addAll(filesOf(session, "claim-abc-"));
        litter.sort(null);
        return litter;
    }

    private static List<String> filesOf(Path session, String prefix) throws IOException {
        try (Stream<Path> all = Files.list(session.resolveSibling(".session-locks"))) {
            return all.map(path -> path.getFileName().toString()).filter(name -> name.startsWith(prefix)).toList();
        }
    }

    /** While a thread waits for a lock of another process, others take locks whose bytes are in all guard files. */
    private static void waitBesideOthers(SessionLocks locks, Path session) throws Exception {
        CompletableFuture<Long> waiter = CompletableFuture.supplyAsync(() -> {
            try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofMinutes(1)))) {
                lock.verifyHeld();
                return lock.token();
            } catch (LockException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        Thread.sleep(1_000); // it waits in the kernel by now
        CompletableFuture<Void> others = CompletableFuture.runAsync(() -> {
            for (int i = 0; i < 200; i++) {
                try (SessionLock lock = locks.acquire(session.resolveSibling("other-" + i))) {
                    lock.ensureHeld();
                } catch (LockException | InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        try {
            others.get(20, TimeUnit.SECONDS);
            System.out.println("free for others, waiting " + !waiter.isDone());
        } catch (TimeoutException e) {
            System.out.println("Exception: others wait as well");
        }
        Files.createFile(session.resolveSibling("let go"));
        System.out.println("held by the waiter " + (waiter.get() > 0));
    }

    /** Another program makes and deletes its lock as fast as it can. Which file it is can then no longer be asked. */
    private static void inspectWhatVanishes(SessionLocks locks, Path session, Path lockFile) throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        CompletableFuture<Void> other = CompletableFuture.runAsync(() -> {
            try {
                while (!over.get()) {
                    Files.writeString(lockFile, "{\"pid\": 1}");
                    Files.delete(lockFile);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        int looks = 0;
        try {
            for (; looks < 300; looks++) {
                locks.inspect(session);
            }
        } finally {
            over.set(true);
        }
        other.get();
        System.out.println("still looked at " + (looks == 300));
    }

    private static String read(Path session) throws IOException {
        for (int tries = 0; ; tries++) {
            try {
                return Files.readString(session).replace('\n', ' ').trim();
            } catch (FileSystemException e) {
                if (tries == 10) {
                    throw e;
                }
            }
        }
    }

    private static void overwriteTable(SessionLocks locks, Path session) throws Exception {
        Path table = session.resolveSibling(".session-locks").resolve("board");
        try (SessionLock lock = locks.acquire(session)) {
            lock.ensureHeld();
            long size = Files.size(table);
            try (FileChannel open = FileChannel.open(table, StandardOpenOption.WRITE)) {
                open.write(ByteBuffer.allocate(16), 0);
                open.truncate(size / 2);
            } catch (FileSystemException e) {
                System.out.println("stays as long as it is: " + (Files.size(table) == size));
            }
            for (int i = 0; i < 2; i++) { // what is missing once may be missing for a moment
                try {
                    lock.verifyHeld();
                    System.out.println("still held");
                } catch (LockException e) {
                    System.out.println("Exception: " + e.getMessage());
                }
            }
        }
        try (SessionLock lock = locks.acquire(session.resolveSibling("other"))) {
            System.out.println("held " + lock);
        } catch (LockException e) {
            System.out.println("Exception: " + e.getMessage().replaceAll(".*\\Q.session-locks\\E", ""));
        }
    }

    private static void names(SessionLocks locks, Path session) throws Exception {
        Files.createFile(session);
        try (SessionLock lock = locks.acquire(session)) {
            for (String name : List.of("session.jsonl.", "session.jsonl...", "SESSIO~1.JSO", "OTHERS~1.JSO", "nul.jsonl", "COM1")) {
                try (SessionLock other = locks.acquire(session.resolveSibling(name))) {
                    System.out.println("held beside " + name + " " + (other.token() > 0));
                } catch (LockReentryException e) {
                    System.out.println("held already " + name);
                } catch (LockException e) {
                    System.out.println("Exception: " + e.getMessage().replace(session.getParent().toString(), ""));
                }
            }
            lock.verifyHeld();
        }
    }

    private static void deleteAll(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                try {
                    Files.delete(file);
                } catch (AccessDeniedException e) {
                    System.out.println("stays: " + file.getFileName());
                }
            }
        }
    }
}
