package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.MutualExclusionWitness;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.WitnessedHolder;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** Several JVMs contend for a few locks while the server is killed, the network is cut, and the processes are frozen. */
@Tag("soak")
@Isolated
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class JdbcStormTest {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final LockOptions OPTIONS = LockOptions.defaults().withLease(Duration.ofSeconds(1)).withTimeout(PATIENCE);
    private static final int LOCKS = 2;
    private static final Duration STORM = Duration.ofSeconds(Integer.getInteger("storm.seconds", 40));

    // ---- the storm ----

    @Test
    void restartedServerLeavesOneHolderAtMostAndTokensThatGrow(@TempDir Path dir) throws Exception {
        try (Server server = new Server(dir, "on")) {
            storm(server.url(), List.of(server.url(), server.url()), random -> {
                Thread.sleep(1_000 + random.nextInt(2_500));
                server.kill();
                Thread.sleep(random.nextInt(2_000));
                server.start();
            });
        }
    }

    @Test
    void connectionsThatAreCutAndSwallowedLeaveOneHolderAtMost() throws Exception {
        try (FaultyProxy proxy = FaultyProxy.before(PostgresServer.url())) {
            String[] markers = {"WITH seat", "holder = NULL", "RETURNING l.name", "(name, holder, lease, hold)", "hand_at"};
            storm(PostgresServer.url(), List.of(proxy.url(), PostgresServer.url()), random -> {
                proxy.next(markers[random.nextInt(markers.length)], FaultyProxy.Fault.values()[random.nextInt(4)]);
                Thread.sleep(50 + random.nextInt(400));
                if (random.nextInt(15) == 0) {
                    proxy.goAway();
                    Thread.sleep(random.nextInt(3_000));
                    proxy.comeBack();
                }
            });
        }
    }

    @Test
    void processesThatFreezeAreWokenAndWhoseClocksAreWrongLeaveOneHolderAtMost() throws Exception {
        storm(PostgresServer.url(), List.of(PostgresServer.url(), PostgresServer.url()), new Disturbance() {
            @Override
            public void make(Random random) throws Exception {
                Thread.sleep(200);
            }

            @Override
            public void make(Random random, ChildJvm victim) throws Exception {
                victim.freeze();
                Thread.sleep(300 + random.nextInt(2_500));
                victim.wake();
                Thread.sleep(random.nextInt(500));
            }
        });
    }

    private interface Disturbance {
        void make(Random random) throws Exception;

        default void make(Random random, ChildJvm victim) throws Exception {
            make(random);
        }
    }

    private static void storm(String serverUrl, List<String> urls, Disturbance disturbance) throws Exception {
        String schema = PostgresServer.newSchema();
        JdbcLockEngine.postgresql(PostgresServer.plain(serverUrl)).withSchema(schema).createSchema();
        long seed = Long.getLong("storm.seed", System.nanoTime());
        System.out.println("storm.seed=" + seed);
        Random random = new Random(seed);
        try (MutualExclusionWitness witness = MutualExclusionWitness.open().historyOnFailure(Path.of("target", "jdbc-storm.txt"))) {
            List<ChildJvm> children = new ArrayList<>();
            try {
                for (int i = 0; i < urls.size(); i++) {
                    ChildJvm.Builder child = ChildJvm.of(Contenders.class).name("storm-" + i)
                            .args(urls.get(i), schema, witness.address(), "child-" + i).jvmArgs("-Xmx96m", "-XX:TieredStopAtLevel=1");
                    children.add(i == 1 && hasFaketime() ? child.wrappedBy("faketime", "-f", "+1h")
                            .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1").environment("DONT_FAKE_MONOTONIC", "1").start() : child.start());
                }
                for (ChildJvm child : children) {
                    child.awaitMark("ready", PATIENCE);
                }
                long end = System.nanoTime() + STORM.toNanos();
                while (System.nanoTime() < end) {
                    disturbance.make(random, children.get(random.nextInt(children.size())));
                    witness.verify();
                }
                long calm = witness.visits();
                await().atMost(PATIENCE).until(() -> witness.visits() > calm + 50); // nothing is stuck
                for (ChildJvm child : children) {
                    child.send("stop");
                }
                for (ChildJvm child : children) {
                    System.out.println("visits, losses, timeouts: " + child.awaitMark("stopped", PATIENCE).text());
                }
                witness.verify();
                System.out.println("visits: " + witness.visits());
            } finally {
                children.forEach(ChildJvm::close);
            }
        }
        try (HikariDataSource source = PostgresServer.pool(serverUrl, 2)) {
            SessionLocks locks = SessionLocks.over(JdbcLockEngine.postgresql(source).withSchema(schema));
            for (int i = 0; i < LOCKS; i++) {
                locks.acquire("lock-" + i, OPTIONS).close();
            }
            locks.close();
        }
    }

    private static boolean hasFaketime() {
        boolean there = Stream.of(System.getenv("PATH").split(":")).anyMatch(dir -> Files.isExecutable(Path.of(dir, "faketime")));
        if (!there) {
            System.out.println("SKIPPED: no client's clock is an hour off, there is no faketime here");
        }
        return there;
    }

    /** Threads of one JVM that come and go until they are stopped. */
    static final class Contenders implements ChildScenario {
        private final AtomicLong visits = new AtomicLong();
        private final AtomicLong losses = new AtomicLong();
        private final AtomicLong timeouts = new AtomicLong();
        private volatile boolean stopped;

        @Override
        public void run(ParentJvm parent) throws Exception {
            List<String> args = parent.args();
            SessionLocks locks = SessionLocks.over(JdbcLockEngine.postgresql(PostgresServer.pool(args.get(0), 4)).withSchema(args.get(1))
                    .withStatementTimeout(Duration.ofSeconds(1)));
            WitnessedHolder me = WitnessedHolder.connect(args.get(2), args.get(3));
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 2 * LOCKS; i++) {
                String lock = "lock-" + i % LOCKS;
                threads.add(new Thread(() -> contend(locks, lock, me), args.get(3) + "-" + i));
            }
            threads.forEach(Thread::start);
            parent.mark("ready");
            parent.awaitLine("stop");
            stopped = true;
            for (Thread thread : threads) {
                thread.join();
            }
            parent.mark("stopped", visits, losses, timeouts);
        }

        private void contend(SessionLocks locks, String name, WitnessedHolder me) {
            while (!stopped) {
                try (SessionLock lock = locks.acquire(name, OPTIONS)) {
                    WitnessedHolder.Visit<LockLostException> visit = me.entered(name, lock.token(), lock::ensureHeld);
                    visits.incrementAndGet();
                    LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(20) == 0 ? 700_000_000 : 2_000_000);
                    visit.leaving();
                } catch (LockLostException e) {
                    losses.incrementAndGet();
                } catch (LockTimeoutException e) {
                    timeouts.incrementAndGet();
                } catch (LockException e) {
                    e.printStackTrace();
                    throw new IllegalStateException(e);
                } catch (IOException | InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    // ---- a server that is killed ----

    /** A server of this test's own. */
    private static final class Server implements AutoCloseable {
        private final Path data;
        private final String synchronousCommit;
        private final EmbeddedPostgres postgres;
        private final List<String> command = new ArrayList<>();

        Server(Path dir, String synchronousCommit) throws IOException {
            this.data = dir.resolve("data");
            this.synchronousCommit = synchronousCommit;
            this.postgres = PostgresServer.embedded().setServerConfig("synchronous_commit", synchronousCommit).setServerConfig("wal_writer_delay", "10s")
                    .setDataDirectory(data).setCleanDataDirectory(false).setRegisterShutdownHook(false).start();
            String binary = postmaster().info().command().orElseThrow();
            if (binary.endsWith("postgres") && "root".equals(System.getProperty("user.name"))) {
                command.addAll(List.of("unshare", "-U")); // the server will not run as root
            }
            command.addAll(List.of(Path.of(binary).resolveSibling("pg_ctl").toString(), "-D", data.toString(), "-w", "-t", "60", "-l",
                    dir.resolve("log").toString(), "-o", "-p " + postgres.getPort() + " -c max_connections=100 -c wal_writer_delay=10s "
                    + "-c synchronous_commit=" + synchronousCommit, "start"));
        }

        private ProcessHandle postmaster() throws IOException {
            return ProcessHandle.of(Long.parseLong(Files.readAllLines(data.resolve("postmaster.pid")).get(0).trim())).orElseThrow();
        }

        void start() throws IOException, InterruptedException {
            Process start = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
            assertThat(start.waitFor()).as("%s", command).isZero();
        }

        String url() {
            return postgres.getJdbcUrl("postgres", "postgres");
        }

        /** Kills the server and all its processes, at once: what it had not written is gone. */
        void kill() throws IOException {
            ProcessHandle postmaster = postmaster();
            List<ProcessHandle> all = new ArrayList<>(List.of(postmaster));
            postmaster.descendants().forEach(all::add);
            all.forEach(ProcessHandle::destroyForcibly);
            for (ProcessHandle one : all) {
                await().atMost(PATIENCE).until(() -> !one.isAlive());
            }
            Files.deleteIfExists(data.resolve("postmaster.pid"));
        }

        @Override
        public void close() throws IOException {
            kill();
            try {
                postgres.close();
            } catch (IOException | RuntimeException e) {
                // It was killed, and cannot be stopped again.
            }
        }
    }

    /** Though the session's commits are asynchronous, a take that was answered survives the crash, and so does its token. */
    @Test
    void takeThatWasAnsweredOutlastsTheServersCrashWhateverTheSessionsCommitsAre(@TempDir Path dir) throws Exception {
        try (Server server = new Server(dir, "off")) {
            JdbcLockEngine engine = JdbcLockEngine.postgresql(PostgresServer.plain(server.url()));
            engine.createSchema();
            PostgresServer.execute(PostgresServer.plain(server.url()), "CHECKPOINT");
            SessionLocks locks = SessionLocks.over(engine);
            SessionLock lock = locks.acquire("a", OPTIONS.withLease(Duration.ofMinutes(5)));
            server.kill();
            server.start();
            assertThat(PostgresServer.ask(PostgresServer.plain(server.url()), "SELECT token FROM session_lock WHERE holder IS NOT NULL"))
                    .isEqualTo(Long.toString(lock.token()));
            lock.verifyHeld();
            lock.close();
            locks.close();
        }
    }
}
