package dev.sessionlock.testkit.storms;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.WitnessedHolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * One JVM of a storm. Its threads take locks of one directory and report to the witness when they hold them: some for a moment, two of them for
 * seconds. Half of the acquisitions linger, some ask for no takeover. What goes wrong in the threads is counted, and reported at the end.
 *
 * <p>The parent sends a command a line, {@code <number> <command> <words>}; the answer is the mark {@code done-<number>}. Some commands
 * {@linkplain Harm harm} this JVM itself; a parent that sent further commands meanwhile might not be heard.
 */
final class Gateway implements ChildScenario {
    static final Duration LEASE = Duration.ofSeconds(1);
    /** For locks that one JVM holds all the time: long enough that other faults come before a late renewal. */
    static final Duration LONG_LEASE = Duration.ofSeconds(20);
    static final Duration REVOKE_GRACE = Duration.ofSeconds(1);
    /** Nobody waits for this long in a storm, unless a lock is stuck. */
    static final Duration PATIENT = Duration.ofSeconds(20);
    static final int SHORT_NAMES = 5;
    static final int LONG_NAMES = 3;
    /** Each of these periods has some new names. All JVMs use them at the same time, by the machine's clock. */
    static final long NEW_NAMES_NANOS = TimeUnit.MILLISECONDS.toNanos(4);
    static final int NEW_NAMES = 4; // one for each busy thread
    static final int ANY_GUARD = -1;
    private static final int NO_NEW_NAMES = -2;
    /** The answer if nothing was stuck or wrong, or no name was meant. */
    static final String NONE = "-";

    private static final Duration LINGER = Duration.ofMillis(300);
    private static final int BUSY_THREADS = NEW_NAMES;
    private static final int LONG_THREADS = 2;
    private static final int MOST_THREADS_SHOWN = 12;
    private static final long STALL_NANOS = TimeUnit.MILLISECONDS.toNanos(120);
    private static final long STALL_COUNTS_NANOS = TimeUnit.SECONDS.toNanos(3);

    private final SessionLocks locks = SessionLocks.create();
    private final Map<String, Long> met = new ConcurrentHashMap<>();
    private final List<String> troubles = new ArrayList<>();
    private volatile boolean stopped;
    /** The guard file of the new names; -1 for any, {@link #NO_NEW_NAMES} if none are used. */
    private volatile int newNamesOf = NO_NEW_NAMES;
    private volatile List<String> hot = List.of();
    /** When this JVM, or the machine or its disk, last stood still for a moment: that may explain a missed lease of a second. */
    private volatile long stalledAt = System.nanoTime();
    private ParentJvm parent;
    private WitnessedHolder me;
    private Path dir;
    private Setting setting;

    /**
     * The settings from the parent.
     *
     * @param maxHold bounds a hold that nobody closes
     * @param patientShare how many of a hundred acquisitions ask for no takeover
     * @param newDirectories whether the directory is replaced by others: each has locks of its own, which are judged separately
     */
    record Setting(Duration maxHold, int patientShare, boolean newDirectories) {
        String word() {
            return maxHold.toMillis() + "," + patientShare + "," + newDirectories;
        }

        static Setting of(String word) {
            String[] words = word.split(",");
            return new Setting(Duration.ofMillis(Long.parseLong(words[0])), Integer.parseInt(words[1]), Boolean.parseBoolean(words[2]));
        }
    }

    @Override
    public void run(ParentJvm parent) throws Exception {
        this.parent = parent;
        List<String> args = parent.args();
        me = WitnessedHolder.connect(args.get(1), args.get(0));
        dir = Path.of(args.get(2));
        setting = Setting.of(args.get(4));
        loadClasses();
        Random seeds = new Random(Long.parseLong(args.get(3)));
        // Threads of the user's group are the first to use the library, as in an application server. So its own threads may inherit that group.
        ThreadGroup users = new ThreadGroup("users");
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < BUSY_THREADS + LONG_THREADS; i++) {
            Random random = new Random(seeds.nextLong());
            int which = i;
            Runnable work = i < BUSY_THREADS ? () -> work(random, r -> busyVisit(r, which)) : () -> work(random, this::longVisit);
            threads.add(new Thread(users, work, args.get(0) + (i < BUSY_THREADS ? "-busy-" : "-long-") + i));
        }
        threads.forEach(Thread::start);
        Thread pulse = new Thread(this::feelStalls, "feels-stalls");
        pulse.setDaemon(true);
        pulse.start();
        Harm harm = new Harm(locks, dir, users, setting, seeds.nextLong());
        parent.mark("ready");
        while (true) {
            String[] words = parent.awaitLine().split(" ");
            Thread obeys = new Thread(() -> obey(words, harm, threads), "obeys-" + words[1]);
            obeys.setDaemon(true);
            obeys.start();
        }
    }

    /** From a jar that stays open. Then reading a class takes no descriptor, which an attack may have used up. */
    private static void loadClasses() throws Exception {
        for (Class<?> one : List.of(SessionLocks.class, WitnessedHolder.class, Gateway.class)) { // the library, the testkit, and this storm
            loadClassesBeside(one);
        }
    }

    private static void loadClassesBeside(Class<?> one) throws Exception {
        Path classes = Path.of(one.getProtectionDomain().getCodeSource().getLocation().toURI());
        if (Files.isDirectory(classes)) {
            Path folder = one == Gateway.class ? classes.resolve("dev/sessionlock/testkit/storms") : classes.resolve("dev/sessionlock");
            List<Path> all;
            try (Stream<Path> files = Files.walk(folder)) {
                all = files.filter(file -> file.toString().endsWith(".class") && !file.toString().contains("/cli/")).toList();
            }
            for (Path file : all) {
                String name = classes.relativize(file).toString().replace('/', '.');
                Class.forName(name.substring(0, name.length() - ".class".length()), false, Gateway.class.getClassLoader());
            }
        }
    }

    private void obey(String[] words, Harm harm, List<Thread> threads) {
        Object answer = NONE;
        try {
            switch (words[1]) {
                case "new-names" -> newNamesOf = words[2].equals("off") ? NO_NEW_NAMES : Integer.parseInt(words[2]);
                case "hot" -> hot = words[2].equals(NONE) ? List.of() : List.of(words[2].split(","));
                case "take-all" -> answer = takeAll(List.of(words[3].split(",")), Duration.ofMillis(Long.parseLong(words[2])));
                case "stop" -> answer = stop(threads);
                case "met" -> answer = new TreeMap<>(met);
                case "troubles" -> answer = troubles();
                case "keep" -> answer = keep(Path.of(words[2]));
                case "kept" -> answer = kept();
                case "hold" -> answer = hold(List.of(words[2].split(",")));
                case "held" -> answer = held();
                default -> answer = harm.run(words);
            }
        } catch (Throwable e) {
            e.printStackTrace(System.out);
            answer = "failed: " + e;
        }
        parent.mark("done-" + words[0], answer);
    }

    // ---- what the threads do ----

    private interface Visiting {
        void run(Random random) throws Exception;
    }

    private void work(Random random, Visiting visiting) {
        while (!stopped) {
            try {
                visiting.run(random);
            } catch (LockLostException e) {
                count("lost " + e.reason() + (isWithoutAStall() ? " without a stall" : ""));
            } catch (LockTimeoutException e) {
                count("timeout");
                trouble(e); // only for those without takeover: the others expect it
            } catch (InterruptedException e) {
                count("interrupted");
            } catch (LockException e) {
                count("refused " + shape(e));
                LockSupport.parkNanos(3_000_000); // it gets this answer at once, again and again
            } catch (VirtualMachineError | BootstrapMethodError e) {
                countError(e);
            } catch (Throwable e) {
                if (isOneErrorTwice(e)) {
                    count(OutOfMemoryError.class.getSimpleName());
                } else if (!stopped) {
                    trouble(e);
                }
            }
        }
    }

    /** The JVM has only a few of these errors ready. Closing a lock in try-with-resources may throw the very error that is already being thrown. */
    private static boolean isOneErrorTwice(Throwable e) {
        return e instanceof IllegalArgumentException && "Self-suppression not permitted".equals(e.getMessage());
    }

    /** Does almost nothing: there may be no memory. */
    private void countError(Error e) {
        try {
            count(e.getClass().getSimpleName());
            if (e instanceof InternalError && !(e.getCause() instanceof OutOfMemoryError)) {
                trouble(e); // the JVM's error for a page that has gone
            }
        } catch (OutOfMemoryError again) {
            Thread.onSpinWait();
        }
    }

    private void count(String what) {
        met.merge(what, 1L, Long::sum);
    }

    /** {@return what went wrong, without the names, so that one line counts all of a kind} */
    static String shape(Throwable e) {
        Throwable cause = e.getCause();
        String text = e.getClass().getSimpleName() + ": " + e.getMessage() + (cause == null ? "" : " / " + cause.getClass().getSimpleName());
        return text.replaceAll("/\\S*", "…").replaceAll("[0-9]+", "n").replaceAll("[=,]", "").replaceAll("\\s+", " ").strip();
    }

    private void trouble(Throwable e) {
        synchronized (troubles) {
            if (troubles.size() < 5) {
                troubles.add(Thread.currentThread().getName() + ": " + e);
                e.printStackTrace(System.out);
            }
        }
    }

    private String troubles() {
        synchronized (troubles) {
            return troubles.isEmpty() ? NONE : String.join("; ", troubles);
        }
    }

    /**
     * {@return the name that each JVM uses first in a period, at the same moment as the others}
     *
     * @param guard the guard file that contains its byte, or any
     */
    static String newName(long period, int which, int guard) {
        for (int salt = 0; ; salt++) {
            String name = "new-" + period + "-" + which + "-" + salt;
            if (guard == ANY_GUARD || (TableOnDisk.hash(name) & 63) == guard) {
                return name;
            }
        }
    }

    private void busyVisit(Random random, int which) throws Exception {
        int guard = newNamesOf;
        if (guard != NO_NEW_NAMES && random.nextInt(30) != 0) {
            long period = System.nanoTime() / NEW_NAMES_NANOS + 1;
            String name = newName(period, which, guard);
            while (System.nanoTime() < period * NEW_NAMES_NANOS) {
                LockSupport.parkNanos(period * NEW_NAMES_NANOS - System.nanoTime());
                Thread.interrupted(); // otherwise it would not park any more
            }
            visit(name, true, 0, random);
        } else if (random.nextBoolean()) {
            visit("short-" + random.nextInt(SHORT_NAMES), true, random.nextInt(1_000_000), random);
        } else {
            visit(longName(random), false, random.nextInt(1_000_000), random);
            LockSupport.parkNanos(random.nextInt(4_000_000));
        }
    }

    private void longVisit(Random random) throws Exception {
        visit(longName(random), false, TimeUnit.MILLISECONDS.toNanos(200 + random.nextInt(random.nextInt(4) == 0 ? 9_000 : 2_000)), random);
        Thread.sleep(random.nextInt(200));
    }

    /** {@return a name that others hold for seconds} */
    private String longName(Random random) {
        List<String> names = hot;
        return names.isEmpty() || random.nextInt(4) == 0 ? "long-" + random.nextInt(LONG_NAMES) : names.get(random.nextInt(names.size()));
    }

    /** @param patient whether it waits, as for a lock that nobody holds for long; otherwise it is told at once, or soon, that the lock is busy */
    private void visit(String name, boolean patient, long stayNanos, Random random) throws Exception {
        LockOptions options = options(random).withTimeout(patient ? PATIENT : Duration.ofMillis(random.nextInt(400)));
        Path target = dir.resolve(name);
        Optional<SessionLock> had;
        if (patient || random.nextBoolean()) {
            try {
                had = Optional.of(locks.acquire(target, options));
            } catch (LockTimeoutException e) {
                if (patient) {
                    throw e;
                }
                had = Optional.empty();
            }
        } else {
            had = locks.tryAcquire(target, options);
        }
        if (had.isPresent()) {
            try (SessionLock lock = had.get()) {
                String judgedAs = setting.newDirectories() ? nameInItsDirectory(lock, target) : name;
                if (judgedAs != null) {
                    stay(lock, judgedAs, stayNanos, random);
                }
            }
        }
    }

    private LockOptions options(Random random) {
        LockOptions options = LockOptions.defaults().withLease(LEASE).withMaxHold(setting.maxHold()).withRevokeGrace(REVOKE_GRACE);
        if (setting.newDirectories()) {
            options = options.withPurpose(Long.toString(random.nextLong())); // so that each record contains its own token at once
        } else if (random.nextBoolean()) {
            options = options.withLinger(LINGER);
        }
        return random.nextInt(100) < setting.patientShare() ? options.withTakeover(false) : options;
    }

    private void stay(SessionLock lock, String name, long nanos, Random random) throws Exception {
        WitnessedHolder.Visit<LockLostException> visit = me.entered(name, lock.token(), lock::ensureHeld);
        long start = System.nanoTime();
        int looks = 0;
        while (!stopped && System.nanoTime() - start < nanos) {
            LockSupport.parkNanos(Math.min(nanos, 4_000_000));
            visit.stillIn();
            if (Thread.interrupted()) {
                count("interrupted");
            } else if (++looks % 300 == 0 && random.nextBoolean()) {
                lock.renew();
            }
        }
        visit.leaving();
    }

    /**
     * {@return the lock's name and its directory, if its record lies in the present directory, and names this very acquisition; null if the directory
     * was replaced just now, so that this is unknown}
     */
    private String nameInItsDirectory(SessionLock lock, Path target) {
        try {
            Object before = Files.getAttribute(dir, "unix:ino");
            String record = Files.readString(target.resolveSibling(target.getFileName() + ".lock"));
            boolean ours = record.contains("\"token\":" + lock.token() + ",");
            return ours && before.equals(Files.getAttribute(dir, "unix:ino")) ? target.getFileName() + "@" + before : null;
        } catch (IOException e) {
            return null;
        }
    }

    /** Creates and removes a name, as locks do: a busy disk may delay that, too. */
    private void useDisk() {
        Path name = dir.resolveSibling("pulse-" + ProcessHandle.current().pid());
        try {
            Files.createFile(name);
            Files.delete(name);
        } catch (IOException e) {
            Thread.onSpinWait(); // no descriptor is available
        }
    }

    private boolean isWithoutAStall() {
        return System.nanoTime() - stalledAt > STALL_COUNTS_NANOS;
    }

    private void feelStalls() {
        long last = System.nanoTime();
        while (true) {
            LockSupport.parkNanos(20_000_000);
            Thread.interrupted(); // an attack may interrupt all threads
            useDisk();
            long now = System.nanoTime();
            if (now - last > STALL_NANOS) {
                stalledAt = now;
            }
            last = now;
        }
    }

    // ---- a lock of another directory, which no attack concerns ----

    private volatile SessionLock bystander;
    private volatile String bystanderLost = NONE;

    private String keep(Path target) throws Exception {
        bystander = locks.acquire(target, LockOptions.defaults().withLease(LEASE).withMaxHold(LockOptions.UNLIMITED)).detach();
        bystander.onLost(why -> {
            if (isWithoutAStall()) {
                bystanderLost = "lost " + why.reason() + " though this JVM did not stand still: " + why.getMessage();
            }
        });
        return NONE;
    }

    private String kept() {
        bystander.close();
        return bystanderLost;
    }

    // ---- locks that one JVM holds all the time ----

    private final Map<String, SessionLock> held = new ConcurrentHashMap<>();

    /** Holds until the locks are lost; reports to the witness all the time. */
    private String hold(List<String> names) throws Exception {
        LockOptions options = LockOptions.defaults().withLease(LONG_LEASE).withMaxHold(LockOptions.UNLIMITED).withTimeout(PATIENT);
        for (String name : names.stream().filter(name -> !held.containsKey(name)).toList()) {
            SessionLock lock = locks.acquire(dir.resolve(name), options).detach();
            WitnessedHolder.Visit<LockLostException> visit = me.entered(name, lock.token(), lock::ensureHeld);
            held.put(name, lock);
            Thread proves = new Thread(() -> prove(name, lock, visit), "holds-" + name);
            proves.setDaemon(true);
            proves.start();
        }
        return NONE;
    }

    private void prove(String name, SessionLock lock, WitnessedHolder.Visit<LockLostException> visit) {
        try (lock) {
            while (!stopped) {
                visit.stillIn();
                LockSupport.parkNanos(2_000_000);
            }
            visit.leaving();
        } catch (LockLostException e) {
            count("lost " + e.reason());
        } catch (IOException e) {
            trouble(e);
        } finally {
            held.remove(name);
        }
    }

    /** {@return which of them it holds, by its own account} */
    private String held() {
        List<String> names = new ArrayList<>();
        held.forEach((name, lock) -> {
            if (lock.isHeld()) {
                names.add(name);
            }
        });
        return names.isEmpty() ? NONE : String.join(",", names);
    }

    // ---- the end ----

    /** {@return the threads that did not end} */
    private String stop(List<Thread> threads) throws InterruptedException {
        stopped = true;
        long end = System.nanoTime() + PATIENT.plusSeconds(15).toNanos();
        List<String> stuck = new ArrayList<>();
        for (Thread thread : threads) {
            long millis = Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime()));
            thread.join(millis);
            if (thread.isAlive()) {
                stuck.add(thread.getName());
                if (stuck.size() <= MOST_THREADS_SHOWN) {
                    System.out.println("stuck: " + thread.getName());
                    for (StackTraceElement element : thread.getStackTrace()) {
                        System.out.println("    at " + element);
                    }
                }
            }
        }
        return stuck.isEmpty() ? NONE : String.join(",", stuck);
    }

    /** Takes each name on a thread of its own, so that one that hangs does not hide the others. Returns the names that it could not get in time. */
    private String takeAll(List<String> names, Duration timeout) throws InterruptedException {
        Map<String, String> stuck = new ConcurrentHashMap<>();
        LockOptions options = LockOptions.defaults().withTimeout(timeout);
        List<Thread> takers = new ArrayList<>();
        for (String name : names) {
            stuck.put(name, "hangs");
            Thread taker = new Thread(() -> {
                try (SessionLock lock = locks.acquire(dir.resolve(name), options)) {
                    lock.verifyHeld();
                    stuck.remove(name);
                } catch (LockLostException e) {
                    stuck.remove(name); // it was acquired; the machine stood still
                } catch (Throwable e) {
                    System.out.println("cannot have " + name + ": " + e);
                    stuck.put(name, shape(e));
                }
            }, "takes-" + name);
            taker.setDaemon(true);
            takers.add(taker);
            taker.start();
        }
        long end = System.nanoTime() + timeout.plusSeconds(10).toNanos();
        for (Thread taker : takers) {
            taker.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
        }
        return stuck.isEmpty() ? NONE : new TreeMap<>(stuck).toString();
    }
}
