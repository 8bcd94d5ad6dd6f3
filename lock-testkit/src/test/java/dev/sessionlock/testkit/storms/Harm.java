package dev.sessionlock.testkit.storms;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** What code of a holder's own JVM may do to it. Each kind lasts for a given time, and gives back what it took. */
final class Harm {
    /** How many reads without a pause. */
    private static final int BURST = 256;
    private static final int KIB = 1024;
    private static final int BLOCK = 64 * KIB;
    private static final long SMALL_STACK = 256 * KIB;
    private static final long MOST_OVERFLOWING_NANOS = TimeUnit.SECONDS.toNanos(8);
    private static final int MOST_PIECES_LEFT = 24;
    private static final int MOST_FRAMES_LEFT = 120;

    private final SessionLocks locks;
    private final Path dir;
    private final ThreadGroup users;
    private final Gateway.Setting setting;
    private final Random random;

    Harm(SessionLocks locks, Path dir, ThreadGroup users, Gateway.Setting setting, long seed) {
        this.locks = locks;
        this.dir = dir;
        this.users = users;
        this.setting = setting;
        this.random = new Random(seed);
    }

    /** {@return how often it struck} */
    Object run(String[] words) throws Exception {
        return switch (words[1]) {
            case "read-guards" -> readGuards(Integer.parseInt(words[2]), deadline(words[3]));
            case "interrupt" -> interrupt(words[2].equals("all"), deadline(words[3]));
            case "fill-heap" -> fillHeap(deadline(words[2]));
            case "overflow" -> overflow(Integer.parseInt(words[2]));
            case "use-up-descriptors" -> useUpDescriptors(deadline(words[2]));
            default -> throw new IllegalArgumentException(words[1]);
        };
    }

    private static long deadline(String millis) {
        return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Long.parseLong(millis));
    }

    // ---- descriptors that are opened and closed ----

    /** Opens, reads and closes one guard file, or all one after the other, as a monitor or a backup in this JVM does. */
    private int readGuards(int which, long end) throws InterruptedException {
        List<Path> guards = List.of();
        int read = 0;
        for (; System.nanoTime() < end; read++) {
            if (read % BURST == 0) {
                Thread.sleep(0, 100_000);
                guards = guards(which == Gateway.ANY_GUARD ? "guard-*" : String.format("guard-%02x", which));
            }
            if (!guards.isEmpty()) {
                readAndClose(guards.get(read % guards.size()));
            }
        }
        return read;
    }

    private List<Path> guards(String names) {
        List<Path> guards = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(dir.resolve(".session-locks"), names)) {
            files.forEach(guards::add);
        } catch (IOException e) {
            return guards; // missing: another attack has moved or removed it
        }
        return guards;
    }

    private static void readAndClose(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            in.transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            // it has gone since the directory was read
        }
    }

    // ---- interrupts ----

    private int interrupt(boolean all, long end) throws InterruptedException {
        int interrupts = 0;
        while (System.nanoTime() < end) {
            if (all) {
                Thread.getAllStackTraces().keySet().stream().filter(this::mayBeInterrupted).forEach(Thread::interrupt);
            } else {
                users.interrupt();
            }
            interrupts++;
            Thread.sleep(5 + random.nextInt(60));
        }
        return interrupts;
    }

    /** All threads except those by which the parent talks to this JVM. */
    private boolean mayBeInterrupted(Thread thread) {
        return thread != Thread.currentThread() && !thread.getName().equals("main") && !thread.getName().startsWith("child-");
    }

    // ---- no memory ----

    /** Fills the heap except for some bytes, holds a lock with what is left, and repeats this; frees all of it at the end. */
    private int fillHeap(long end) throws InterruptedException {
        List<byte[]> blocks = new ArrayList<>(1_000);
        List<byte[]> pieces = new ArrayList<>(20_000);
        List<byte[]> crumbs = new ArrayList<>(2_000);
        int errors = 0;
        addUntilFull(blocks, BLOCK, end);
        while (System.nanoTime() < end) {
            addUntilFull(pieces, KIB, end);
            addUntilFull(crumbs, KIB / 16, end);
            for (int i = random.nextInt(MOST_PIECES_LEFT); i > 0 && !pieces.isEmpty(); i--) {
                pieces.remove(pieces.size() - 1);
            }
            errors += holdWithoutMemory();
            crumbs.clear();
        }
        return errors;
    }

    /** {@return how often there was no memory while it acquired, renewed and closed a lock} */
    private int holdWithoutMemory() {
        int errors = 0;
        SessionLock[] had = new SessionLock[1];
        try {
            Path target = target();
            LockOptions options = options();
            call(random.nextBoolean() ? () -> had[0] = locks.acquire(target, options) : () -> had[0] = locks.tryAcquire(target, options).orElse(null));
            if (had[0] != null && random.nextBoolean()) {
                call(had[0]::renew);
            }
        } catch (OutOfMemoryError e) {
            errors++;
        }
        try {
            if (had[0] != null) {
                had[0].close(); // only once: nobody calls it again
            }
        } catch (OutOfMemoryError e) {
            errors++;
        }
        return errors;
    }

    private Path target() {
        return dir.resolve(random.nextBoolean() ? "short-" + random.nextInt(Gateway.SHORT_NAMES) : "long-" + random.nextInt(Gateway.LONG_NAMES));
    }

    private LockOptions options() {
        return LockOptions.defaults().withLease(Gateway.LEASE).withMaxHold(setting.maxHold()).withRevokeGrace(Gateway.REVOKE_GRACE)
                .withTimeout(Duration.ofMillis(500)).withTakeover(random.nextInt(100) >= setting.patientShare());
    }

    private static void addUntilFull(List<byte[]> ballast, int size, long end) {
        try {
            while (System.nanoTime() < end) {
                ballast.add(new byte[size]);
            }
        } catch (OutOfMemoryError e) {
            Thread.onSpinWait(); // that was the last one of this size
        }
    }

    // ---- no stack ----

    /** One call at the bottom of a stack. */
    private interface Call {
        void run() throws Exception;
    }

    /** {@return how many stacks overflowed inside the library} */
    private int overflow(int times) throws InterruptedException {
        int[] overflows = new int[1];
        Thread diver = new Thread(users, () -> {
            long end = System.nanoTime() + MOST_OVERFLOWING_NANOS; // a stuck lock costs a timeout each time
            for (int i = 0; i < times && System.nanoTime() < end; i++) {
                overflows[0] += overflowOnce();
            }
        }, "overflows", SMALL_STACK);
        diver.setDaemon(true);
        diver.start();
        diver.join();
        return overflows[0];
    }

    /** In acquire and tryAcquire; or in renew or close of a lock that was acquired with enough room. */
    private int overflowOnce() {
        Path target = target();
        LockOptions options = options();
        SessionLock[] had = new SessionLock[1];
        Call acquire = random.nextBoolean() ? () -> had[0] = locks.acquire(target, options) : () -> had[0] = locks.tryAcquire(target, options).orElse(null);
        boolean whileAcquiring = random.nextBoolean();
        int overflows = 0;
        if (whileAcquiring) {
            overflows += overflow(acquire, random.nextBoolean());
        } else {
            call(acquire);
        }
        SessionLock lock = had[0];
        if (lock != null && random.nextBoolean()) {
            overflows += overflow(lock::renew, false);
        }
        if (lock != null && random.nextBoolean()) {
            overflows += overflow(lock::close, false); // and not a second time: nobody does that
        } else if (lock != null) {
            lock.close();
        }
        return overflows;
    }

    private int overflow(Call call, boolean repeated) {
        Dive dive = new Dive(call, random.nextInt(MOST_FRAMES_LEFT), repeated);
        try {
            deeper(dive);
        } catch (StackOverflowError e) {
            dive.overflows++;
        }
        return dive.overflows;
    }

    private static void call(Call call) {
        try {
            call.run();
        } catch (LockException | InterruptedException e) {
            Thread.onSpinWait(); // busy, or an exception that says why not: both are answers
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** A call some frames above the bottom of the stack; and once more a frame higher, if it overflowed and is to be repeated. */
    private static final class Dive {
        private final Call call;
        private final boolean repeated;
        private int framesUp;
        private boolean done;
        private int overflows;

        Dive(Call call, int framesUp, boolean repeated) {
            this.call = call;
            this.framesUp = framesUp;
            this.repeated = repeated;
        }
    }

    private static void deeper(Dive dive) {
        try {
            deeper(dive);
        } catch (StackOverflowError e) {
            if (dive.done || --dive.framesUp > 0) {
                throw e;
            }
        }
        if (!dive.done) {
            callAtTheBottom(dive);
        }
    }

    private static void callAtTheBottom(Dive dive) {
        try {
            call(dive.call);
            dive.done = true;
        } catch (StackOverflowError e) {
            dive.overflows++;
            dive.done = !dive.repeated;
        }
    }

    // ---- no descriptors ----

    /** Opens files until there is no descriptor left, closes one now and then, and all of them at the end. */
    private int useUpDescriptors(long end) throws InterruptedException {
        List<FileInputStream> open = new ArrayList<>();
        int refused = 0;
        try {
            while (System.nanoTime() < end) {
                try {
                    open.add(new FileInputStream("/dev/null"));
                } catch (IOException e) {
                    refused++;
                    Thread.sleep(2);
                    if (refused % 50 == 0 && !open.isEmpty()) {
                        close(open.remove(open.size() - 1));
                        Thread.sleep(1 + random.nextInt(3));
                    }
                }
            }
        } finally {
            open.forEach(Harm::close);
        }
        return refused;
    }

    private static void close(InputStream in) {
        try {
            in.close();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
