package dev.sessionlock.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a monitoring system sees of locks, through Micrometer. */
class SessionLockMetricsTest {
    private static final LockOptions PATIENT = LockOptions.defaults().withTimeout(Duration.ofMinutes(1));

    @TempDir
    Path dir;
    private final SessionLocks locks = SessionLocks.create();
    private final MeterRegistry registry = new SimpleMeterRegistry();

    @AfterEach
    void close() throws IOException {
        locks.close();
        await(() -> Files.notExists(dir.resolve("session.jsonl.lock")) && openFiles() == 0);
    }

    /** {@return how many files of the directory this process has open: JUnit must not delete it before} */
    private long openFiles() throws IOException {
        Path descriptors = Path.of("/proc/self/fd");
        if (!Files.isDirectory(descriptors)) {
            return 0;
        }
        try (var all = Files.list(descriptors)) {
            return all.filter(each -> {
                try {
                    return Files.readSymbolicLink(each).startsWith(dir);
                } catch (IOException e) {
                    return false;
                }
            }).count();
        }
    }

    private static void await(Callable<Boolean> condition) {
        Awaitility.await().pollInterval(Duration.ofMillis(4)).atMost(Duration.ofMinutes(1)).until(condition);
    }

    private Path session() {
        return dir.resolve("session.jsonl");
    }

    private double counted(String name, String... tags) {
        return Objects.requireNonNull(registry.find(name).tags(tags).functionCounter(), name).count();
    }

    private Timer timer(String name, String... tags) {
        return Objects.requireNonNull(registry.find(name).tags(tags).timer(), name);
    }

    private void useOnce() throws Exception {
        locks.acquire(session()).close();
    }

    @Nested
    class Bound {
        private final SessionLockMetrics metrics = new SessionLockMetrics(locks);

        Bound() {
            metrics.bindTo(registry);
        }

        @Test
        void countsWhatHappens() throws Exception {
            useOnce();
            SessionLock held = locks.acquire(session());
            assertThatThrownBy(() -> CompletableFuture.supplyAsync(() -> {
                try {
                    return locks.acquire(session(), PATIENT.withTimeout(Duration.ofMillis(10)));
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }).join()).hasRootCauseInstanceOf(LockTimeoutException.class);
            Files.delete(held.lockFile());
            await(() -> !held.isHeld());
            held.close();

            assertThat(counted("sessionlock.acquired")).isEqualTo(2);
            assertThat(counted("sessionlock.timeouts")).isOne();
            assertThat(counted("sessionlock.lost", "reason", "removed_by_hand")).isOne();
            assertThat(counted("sessionlock.lost", "reason", "max_hold")).isZero();
            assertThat(counted("sessionlock.events.dropped")).isZero();
            assertThat(locks.stats().lost()).isOne();
        }

        @Test
        void countsTakeovers() throws Exception {
            Files.writeString(dir.resolve("session.jsonl.lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
            useOnce();
            assertThat(counted("sessionlock.takeovers")).isOne();
        }

        @Test
        void showsWhatIsHeldAndWaitedForNow() throws Exception {
            SessionLock held = locks.acquire(session());
            CompletableFuture<SessionLock> coming = locks.acquireAsync(session(), PATIENT);
            await(() -> registry.get("sessionlock.waiting").gauge().value() == 1);
            assertThat(registry.get("sessionlock.held").gauge().value()).isOne();
            await(() -> longest("sessionlock.wait.longest") > 0.02);
            double waited = longest("sessionlock.wait.longest"); // read first: both grow
            assertThat(longest("sessionlock.hold.longest")).isGreaterThan(waited);
            held.close();
            SessionLock next = coming.join();
            assertThat(longest("sessionlock.wait.longest")).isZero();
            next.close();
            assertThat(longest("sessionlock.hold.longest")).isZero();
            assertThat(registry.get("sessionlock.held").gauge().value()).isZero();
        }

        private double longest(String name) {
            return registry.get(name).timeGauge().value(TimeUnit.SECONDS);
        }

        @Test
        void ofOtherLocksItShowsNothing() throws Exception {
            try (SessionLocks others = SessionLocks.create(); SessionLock held = others.acquire(session())) {
                held.ensureHeld();
                assertThat(longest("sessionlock.hold.longest")).isZero();
                assertThat(counted("sessionlock.acquired")).isZero();
            }
        }

        @Test
        void timesHoldsAndWaits() throws Exception {
            SessionLock held = locks.acquire(session());
            long since = System.nanoTime();
            CompletableFuture<SessionLock> coming = locks.acquireAsync(session(), PATIENT);
            await(() -> locks.stats().waiting() == 1 && System.nanoTime() - since > 30_000_000);
            held.close();
            held.close();
            coming.join().close();

            Timer waits = timer("sessionlock.wait", "outcome", "acquired");
            Timer holds = timer("sessionlock.hold");
            assertThat(waits.count()).isEqualTo(2);
            assertThat(waits.max(TimeUnit.MILLISECONDS)).isGreaterThanOrEqualTo(20);
            assertThat(holds.count()).as("closed twice, counted once").isEqualTo(2);
            assertThat(holds.max(TimeUnit.MILLISECONDS)).isGreaterThanOrEqualTo(30);
            assertThat(holds.takeSnapshot().histogramCounts()).hasSize(7);
        }

        @Test
        void timesWaitsInVain() throws Exception {
            try (SessionLock held = locks.acquire(session())) {
                assertThat(held.isHeld()).isTrue();
                CompletableFuture<SessionLock> coming = locks.acquireAsync(session(), PATIENT.withTimeout(Duration.ofMillis(20)));
                assertThatThrownBy(coming::join).hasCauseInstanceOf(LockTimeoutException.class);
            }
            Timer vain = timer("sessionlock.wait", "outcome", "timeout");
            assertThat(vain.count()).isOne();
            assertThat(vain.max(TimeUnit.MILLISECONDS)).isGreaterThanOrEqualTo(20);
        }

        @Test
        void timesEachWayToGetALock() throws Exception {
            LockOptions warm = PATIENT.withLinger(Duration.ofSeconds(5));
            locks.acquire(session(), warm).close();
            locks.acquire(session(), warm).close();
            locks.tryAcquire(session(), warm).orElseThrow().close();
            locks.acquireAsync(session(), warm).join().close();
            locks.tryAcquire(dir.resolve("other")).orElseThrow().close();
            locks.runWithLock(dir.resolve("other"), lock -> { });
            locks.acquireAll(List.of(dir.resolve("a"), dir.resolve("b"))).close();
            assertThat(timer("sessionlock.wait", "outcome", "acquired").count()).isEqualTo(8);
            assertThat(timer("sessionlock.hold").count()).isEqualTo(8);
        }

        @Test
        void twiceIsOnce() throws Exception {
            metrics.bindTo(registry);
            useOnce();
            assertThat(timer("sessionlock.hold").count()).isOne();
        }

        @Test
        void measuresNoMoreOnceItIsClosed() throws Exception {
            metrics.close();
            useOnce();
            assertThat(timer("sessionlock.hold").count()).isZero();
            assertThat(counted("sessionlock.acquired")).isOne();
        }

        @Test
        void noMeterHasATagForAFile() throws Exception {
            useOnce();
            Set<String> keys = new TreeSet<>();
            for (Meter meter : registry.getMeters()) {
                meter.getId().getTags().forEach(tag -> keys.add(tag.getKey()));
            }
            assertThat(keys).containsExactly("le", "outcome", "reason");
        }
    }

    @Test
    void namesOfLocksAreTagsIfThatIsAskedForAndNotMoreThanSoMany() throws Exception {
        SessionLockMetrics.builder(locks).tagLockNames(2).tags(Tags.of("pool", "x")).build().bindTo(registry);
        for (String name : List.of("a", "b", "c", "d", "a")) {
            locks.acquire(dir.resolve(name)).close();
        }
        assertThat(timer("sessionlock.hold", "lock", "a", "pool", "x").count()).isEqualTo(2);
        assertThat(timer("sessionlock.hold", "lock", "b").count()).isOne();
        assertThat(timer("sessionlock.hold", "lock", "other").count()).isEqualTo(2);
        assertThat(registry.find("sessionlock.hold").tag("lock", "c").timer()).isNull();
        assertThat(counted("sessionlock.acquired", "pool", "x")).isEqualTo(5);
    }

    @Test
    void nonsenseIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> SessionLockMetrics.builder(locks).tagLockNames(0)).withMessageContaining("tagLockNames");
        assertThatThrownBy(() -> SessionLockMetrics.builder(null)).isInstanceOf(NullPointerException.class);
    }

    /** The guide's alerts name these. */
    @Test
    void prometheusSeesTheNamesThatTheGuideSays() throws Exception {
        PrometheusMeterRegistry prometheus = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        new SessionLockMetrics(locks).bindTo(prometheus);
        useOnce();
        String text = prometheus.scrape();
        assertThat(text).contains("sessionlock_acquired_total 1.0", "sessionlock_lost_total{reason=\"leaked\"} 0.0", "sessionlock_hold_longest_seconds 0.0",
                "sessionlock_wait_seconds_bucket{outcome=\"acquired\",le=\"0.001\"}", "sessionlock_hold_seconds_count 1", "sessionlock_waiting 0.0");
        PromTool.check(text);
        assertThat(AlertsOfTheGuide.names()).isNotEmpty().allSatisfy(name -> assertThat(name).matches(each -> AlertsOfTheGuide.isKnown(each, text)));
    }

    @Test
    void theAlertsOfTheGuideArePromQl() throws Exception {
        PromTool.checkRules(AlertsOfTheGuide.rules());
    }

    @Test
    void typesAreWhatMicrometerUsersExpect() {
        new SessionLockMetrics(locks, Tags.of("a", "b")).bindTo(registry);
        Map<String, Class<?>> types = Map.of("sessionlock.acquired", FunctionCounter.class, "sessionlock.hold.longest", TimeGauge.class, "sessionlock.wait", Timer.class);
        types.forEach((name, type) -> assertThat(registry.get(name).meter()).isInstanceOf(type).isNotInstanceOf(Counter.class));
    }
}
