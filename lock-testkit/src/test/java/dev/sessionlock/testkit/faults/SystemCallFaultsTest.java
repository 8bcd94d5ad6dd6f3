package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.testkit.KernelTruth;
import dev.sessionlock.testkit.MutualExclusionWitness;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Each system call on files that an acquisition and its release make fails once with each error that it may meet, and takes longer than the lease
 * once, while another process wants the lock. First the calls are recorded, then each is tested.
 */
@Tag("soak")
@Isolated
class SystemCallFaultsTest {
    private static final int WORKERS = 6;
    /** The most calls that an acquisition and its release make. */
    private static final int MOST_PLACES = 240;
    private static final Duration STAY = Duration.ofMillis(40);
    private static final Duration TIMEOUT = Duration.ofSeconds(4);
    private static final Duration LONG_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration LONGER_THAN_THE_LEASE = Locker.LEASE.plusMillis(600);
    /** Lease and grace, two ticks of a keeper, and some time for a busy machine. */
    private static final Duration OTHERS_GET_IN = Locker.LEASE.plusMillis(100).plusSeconds(10);

    /** The errors that each call may meet. */
    private static final Map<String, List<String>> ERRORS = Map.ofEntries(
            Map.entry("openat", List.of("EIO", "EMFILE", "EACCES", "ENOSPC")),
            Map.entry("fcntl", List.of("EIO", "ENOLCK", "EDEADLK", "EINTR")),
            Map.entry("link", List.of("EIO", "ENOSPC", "EACCES", "EPERM")),
            Map.entry("write", List.of("EIO", "ENOSPC")),
            Map.entry("mkdir", List.of("EIO", "ENOSPC")),
            Map.entry("mmap", List.of("ENOMEM")),
            Map.entry("unlink", List.of("EIO", "EACCES")),
            Map.entry("rename", List.of("EIO", "EACCES")),
            Map.entry("statx", List.of("EIO", "EACCES")),
            Map.entry("close", List.of("EIO", "EINTR")));
    private static final List<String> ANY_ERROR = List.of("EIO");

    /** The state in which the lock is found. */
    private enum Found {
        /** Nothing has ever been locked in this directory. */
        UNTOUCHED,
        /** This process has held the lock before. */
        FREE,
        /** Its holder was killed. */
        LEFT_BY_THE_KILLED,
        /** Its holder is frozen, and its lease is over. */
        LEFT_BY_THE_FROZEN
    }

    @TempDir
    Path dir;

    private final AtomicInteger places = new AtomicInteger();
    private final Map<Found, Queue<Path>> prepared = new ConcurrentHashMap<>();
    private final Queue<Path> used = new ConcurrentLinkedQueue<>();
    private final Map<Path, String> faults = new ConcurrentHashMap<>();
    private final Queue<String> failures = new ConcurrentLinkedQueue<>();
    private final AtomicInteger cases = new AtomicInteger();
    private final AtomicInteger missed = new AtomicInteger();

    @BeforeEach
    void needStrace() throws Exception {
        Strace.require();
    }

    @Test
    @Timeout(600)
    void callThatFailsHurtsNobodyElseAndIsToldInWords() throws Exception {
        inAWorld(world -> {
            for (Found found : Found.values()) {
                List<Callable<Void>> turns = new ArrayList<>();
                for (Strace.Call call : world.record(found)) {
                    for (String error : ERRORS.getOrDefault(call.name(), ANY_ERROR)) {
                        turns.add(() -> world.fail(found, call, error));
                    }
                }
                world.runAll(found, turns);
            }
        });
    }

    @Test
    @Timeout(600)
    void callThatTakesLongerThanTheLeaseLetsNoTwoIn() throws Exception {
        inAWorld(world -> {
            for (Found found : Found.values()) {
                List<Callable<Void>> turns = new ArrayList<>();
                for (Strace.Call call : world.record(found)) {
                    turns.add(() -> world.dawdle(found, call, "delay_enter"));
                    if (found == Found.FREE || found == Found.LEFT_BY_THE_FROZEN) {
                        turns.add(() -> world.dawdle(found, call, "delay_exit"));
                    }
                }
                world.runAll(found, turns);
            }
        });
    }

    private interface Game {
        void play(World world) throws Exception;
    }

    private void inAWorld(Game game) throws Exception {
        try (MutualExclusionWitness witness = MutualExclusionWitness.open(); World world = new World(witness)) {
            world.prepare();
            game.play(world);
            System.out.println(cases + " faults, " + missed + " of them where the calls had come otherwise; " + witness.visits() + " visits");
            witness.verify();
            assertThat(failures).as("%s faults, of which these did harm", cases).isEmpty();
            assertThat(missed.get()).as("faults that no call met, of %s", cases).isLessThan(cases.get() / 4);
            world.wakeTheFrozen();
            assertNothingLeft();
        }
    }

    /** The processes of one test. */
    private final class World implements AutoCloseable {
        /** One for each worker: a delay in one directory can hold up other directories of the same JVM. */
        private final List<Locker> victims = new ArrayList<>();
        private final Locker other;
        private final Locker killed;
        private final Locker frozen;
        private final long[] threads = new long[WORKERS];

        World(MutualExclusionWitness witness) throws Exception {
            other = Locker.start("other", witness.address());
            killed = Locker.start("killed", witness.address());
            frozen = Locker.start("frozen", witness.address());
            for (int worker = 0; worker < WORKERS; worker++) {
                victims.add(Locker.start("victim-" + worker, witness.address()));
                threads[worker] = victims.get(worker).threadOf(0);
            }
        }

        void prepare() throws Exception {
            for (Found found : Found.values()) {
                Queue<Path> files = new ConcurrentLinkedQueue<>();
                int many = found == Found.UNTOUCHED || found == Found.FREE ? 0 : MOST_PLACES;
                for (int i = 0; i < many; i++) {
                    files.add(newPlace(found));
                }
                prepared.put(found, files);
            }
            for (Path file : prepared.get(Found.LEFT_BY_THE_KILLED)) {
                killed.keep(file);
            }
            killed.jvm().kill();
            for (Path file : prepared.get(Found.LEFT_BY_THE_FROZEN)) {
                frozen.keep(file);
            }
            frozen.jvm().freeze();
            Thread.sleep(Locker.LEASE.plusMillis(150).toMillis());
            Path warm = newPlace(Found.FREE);
            for (int i = 0; i < 20; i++) { // the code does now what it does only the first time
                assertThat(victims.get(i % WORKERS).visit(0, warm, STAY, TIMEOUT).outcome()).isEqualTo("ok");
                assertThat(victims.get(i % WORKERS).visit(0, dir.resolve("missing/x"), STAY, TIMEOUT).outcome()).contains("does not exist");
                assertThat(other.visit(i % WORKERS, warm, STAY, TIMEOUT).outcome()).isEqualTo("ok");
            }
        }

        private Path newPlace(Found found) throws IOException {
            Path place = Files.createDirectory(dir.resolve(found.name().charAt(0) + "-" + found.ordinal() + "-" + places.incrementAndGet()));
            return place.resolve("session.jsonl");
        }

        /** {@return a lock in that state; always a new one, since its directory remembers faults} */
        private Path place(Found found, int worker) throws Exception {
            if (found == Found.UNTOUCHED) {
                return newPlace(found);
            } else if (found == Found.FREE) {
                Path file = newPlace(found);
                assertThat(victims.get(worker).visit(0, file, Duration.ZERO, TIMEOUT).outcome()).isEqualTo("ok");
                return file;
            }
            Path file = prepared.get(found).poll();
            while (file != null && !Files.exists(file.resolveSibling("session.jsonl.lock"))) {
                file = prepared.get(found).poll(); // it was lost before its holder was frozen or killed: the machine is busy
            }
            assertThat(file).as("MOST_PLACES was not enough").isNotNull();
            used.add(file.getParent());
            return file;
        }

        /** {@return the calls of one acquisition and its release that concern the lock} */
        List<Strace.Call> record(Found found) throws Exception {
            Path file = place(found, 0);
            Path output = Files.createTempFile(dir, "strace", ".txt");
            try (Strace strace = Strace.attach(threads[0], output, null)) {
                assertThat(victims.get(0).visit(0, file, Duration.ZERO, TIMEOUT).outcome()).isEqualTo("ok");
                strace.detach();
                List<Strace.Call> calls = strace.calls().stream().filter(call -> concerns(call, file)).toList();
                System.out.println(found + ": " + withoutRepetitions(calls).size() + " of " + calls.size() + " system calls: " + calls.stream()
                        .collect(Collectors.groupingBy(Strace.Call::name, java.util.TreeMap::new, Collectors.counting())));
                assertThat(calls).extracting(Strace.Call::name).contains("fcntl", "link", "unlink");
                return withoutRepetitions(calls);
            }
        }

        /** Reading which bytes the kernel has locked asks for the inode of each guard file. The first few calls of such a series stand for all. */
        private static List<Strace.Call> withoutRepetitions(List<Strace.Call> calls) {
            List<Strace.Call> some = new ArrayList<>();
            int row = 0;
            for (Strace.Call call : calls) {
                row = call.text().matches("statx.*/guard-[0-9a-f]{2}\", AT_STATX_SYNC_AS_STAT\\|AT_SYMLINK_NOFOLLOW.*") ? row + 1 : 0;
                if (row <= 2) {
                    some.add(call);
                }
            }
            return some;
        }

        private boolean concerns(Strace.Call call, Path file) {
            return call.text().contains(file.getParent().toString());
        }

        private Void fail(Found found, Strace.Call call, String error) throws Exception {
            return inTurn(found, call, "error=" + error, (worker, file, fault) -> {
                Locker.Visit faulted = victims.get(worker).visit(0, file, STAY, TIMEOUT);
                faulted.awaitAnswer();
                Locker.Visit waiting = other.visit(worker, file, STAY, LONG_TIMEOUT);
                String outcome = faulted.outcome();
                long ended = System.nanoTime();
                String others = waiting.outcome();
                Duration late = Duration.ofNanos(System.nanoTime() - ended);
                check(isClean(outcome, file), fault, "the faulted acquisition ended with " + outcome);
                check(others.equals("ok"), fault, "the other process: " + others);
                check(late.compareTo(OTHERS_GET_IN) < 0, fault, "the other process got in after " + late);
            });
        }

        private Void dawdle(Found found, Strace.Call call, String delay) throws Exception {
            return inTurn(found, call, delay + "=" + LONGER_THAN_THE_LEASE.toNanos() / 1000, (worker, file, fault) -> {
                Locker.Visit faulted = victims.get(worker).visit(0, file, STAY, LONG_TIMEOUT);
                Thread.sleep(100);
                Locker.Visit waiting = other.visit(worker, file, LONGER_THAN_THE_LEASE.minus(Locker.LEASE).plusMillis(200), LONG_TIMEOUT);
                String outcome = faulted.outcome();
                String others = waiting.outcome();
                check(outcome.equals("ok") || outcome.startsWith("LockLostException"), fault, "the slow one ended with " + outcome);
                // A removal that comes this late removes the successor's record. The successor treats that as a removal by hand.
                check(others.equals("ok") || others.contains("removed by hand"), fault, "the other process: " + others);
            });
        }

        private interface Turn {
            void take(int worker, Path file, String fault) throws Exception;
        }

        /** Tests one fault: on a lock of its own, by a worker that nobody else uses meanwhile. Afterwards everything is as before. */
        private Void inTurn(Found found, Strace.Call call, String what, Turn turn) throws Exception {
            Integer worker = free.poll();
            try {
                Path file = place(found, worker);
                String fault = found + ", " + what + " at " + call;
                faults.put(file.getParent(), fault + " of " + victims.get(worker).jvm());
                Path output = Files.createTempFile(dir, "strace", ".txt");
                Strace.Call met;
                try (Strace strace = Strace.attach(threads[worker], output, call.name() + ":" + what + ":when=" + call.occurrence())) {
                    turn.take(worker, file, fault);
                    strace.detach();
                    met = strace.injected();
                }
                cases.incrementAndGet();
                if (met == null || !concerns(met, file)) {
                    missed.incrementAndGet();
                }
                check(victims.get(worker).visit(0, file, Duration.ZERO, LONG_TIMEOUT).outcome(), fault + ": the same process afterwards");
                check(other.visit(worker, file, Duration.ZERO, LONG_TIMEOUT).outcome(), fault + ": the other process afterwards");
                assertClean(found, worker, file, fault);
            } catch (Throwable e) {
                harm(found + ", " + what + " at " + call + ": " + e);
            } finally {
                free.add(worker);
            }
            return null;
        }

        private void check(String outcome, String what) {
            check(outcome.equals("ok"), what, outcome);
        }

        private void check(boolean well, String fault, String otherwise) {
            if (!well) {
                harm(fault + ": " + otherwise);
            }
        }

        private void harm(String what) {
            failures.add(what);
            System.out.println("  " + what);
        }

        private void assertClean(Found found, int worker, Path file, String fault) {
            await(fault).atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(50)).untilAsserted(() -> {
                if (found != Found.LEFT_BY_THE_FROZEN) { // otherwise the frozen process has the seat, and its record lies there
                    assertThat(leftIn(file.getParent())).isEmpty();
                }
                assertThat(KernelTruth.seats(file.getParent(), victims.get(worker).jvm().pid())).isEmpty();
            });
        }

        private final Queue<Integer> free = new ConcurrentLinkedQueue<>(Stream.iterate(0, i -> i + 1).limit(WORKERS).toList());

        void runAll(Found found, Collection<Callable<Void>> turns) throws Exception {
            long start = System.nanoTime();
            ExecutorService workers = Executors.newFixedThreadPool(WORKERS);
            try {
                for (Future<Void> done : workers.invokeAll(turns)) {
                    done.get();
                }
            } finally {
                workers.shutdownNow();
            }
            System.out.println(found + ": " + turns.size() + " faults in " + (System.nanoTime() - start) / 1_000_000 + " ms, " + failures.size()
                    + " did harm");
        }

        void wakeTheFrozen() {
            frozen.jvm().wake();
        }

        @Override
        public void close() {
            Stream.concat(victims.stream(), Stream.of(other, killed, frozen)).forEach(Locker::close);
        }
    }

    /** Accepts an exception that says what is wrong with which file. Success, too: many errors can be worked around. */
    private static boolean isClean(String outcome, Path file) {
        return outcome.equals("ok") || outcome.matches("(LockException|LockTimeoutException|LockLostException): (?s).{20,}")
                && outcome.contains(file.getFileName().toString());
    }

    /**
     * {@return what there is in a directory beside guard files, table and record files} A dead lock that was moved aside and could not be deleted there is
     * in nobody's way; it is swept ten minutes later.
     */
    private static List<String> leftIn(Path place) throws IOException {
        try (Stream<Path> all = Files.walk(place)) {
            return all.filter(Files::isRegularFile).map(path -> place.relativize(path).toString())
                    .filter(name -> !name.matches("\\.session-locks/(guard-[0-9a-f]{2}|board|claim-[0-9a-f]+-\\d+|aside-[0-9a-f]+)")).toList();
        }
    }

    private static String text(Path place) {
        try {
            return Files.readString(place.resolve("session.jsonl.lock")).strip() + "; the kernel has " + KernelTruth.seats(place);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private void assertNothingLeft() {
        await("everybody has let go").atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
            for (Path place : used) {
                assertThat(leftIn(place)).as("left in %s after %s: %s", place, faults.get(place), text(place)).isEmpty();
            }
        });
    }
}
