package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A lock that lingers in one JVM, as others see it: nobody holds it, and it does not make anybody wait. */
class LingeringHolderTest {
    private static final String WARM = "linger=60000";
    private static final String PATIENT = "timeout=50000";

    @TempDir
    Path dir;

    @Test
    void whoWaitsGetsItLongBeforeTheLingerIsOver() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet one = Puppet.start(); Puppet two = Puppet.start()) {
            long token = one.acquire("a", file, WARM).token();
            for (int i = 0; i < 5; i++) {
                one.close("a");
                Puppet.Held second = two.acquire("b", file, WARM, PATIENT);
                assertThat(second.token()).isGreaterThan(token);
                assertThat(one.tryAcquire("c", file, WARM)).isFalse();
                two.close("b");
                token = one.acquire("a", file, WARM, PATIENT).token();
                assertThat(token).isGreaterThan(second.token());
                assertThat(one.verify("a")).isEqualTo("held");
            }
        }
    }

    @Test
    void whoTriesTwiceGetsItLongBeforeTheLingerIsOver() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet one = Puppet.start(); Puppet two = Puppet.start()) {
            one.acquire("a", file, WARM);
            one.close("a");
            long start = System.nanoTime();
            while (!two.tryAcquire("b", file)) {
                assertThat(System.nanoTime() - start).as("nanoseconds").isLessThan(50_000_000_000L);
                Thread.sleep(2);
            }
            assertThat(two.verify("b")).isEqualTo("held");
        }
    }

    /** If two processes use it, each would otherwise have to wait for the other's keeper, every time. */
    @Test
    void oneThatTwoProcessesShareIsFreeAsSoonAsItIsClosed() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet one = Puppet.start(); Puppet two = Puppet.start()) {
            one.acquire("a", file, WARM);
            one.close("a");
            assertThat(dir.resolve("session.jsonl.lock")).as("while it is one's alone").exists();
            two.acquire("b", file, WARM, PATIENT);
            two.close("b");
            for (int i = 0; i < 3; i++) {
                Thread.sleep(250); // longer than the waiter mark of process two counts
                for (Puppet each : List.of(one, two)) {
                    assertThat(each.tryAcquire("c", file, WARM)).isTrue();
                    each.close("c");
                    assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
                }
            }
        }
    }

    @Test
    void whatAKilledProcessHadWarmStandsInNobodysWay() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet killed = Puppet.start(); Puppet other = Puppet.start()) {
            killed.acquire("a", file, WARM);
            killed.close("a");
            long token = killed.acquire("b", file, WARM).token();
            killed.close("b");
            assertThat(dir.resolve("session.jsonl.lock")).exists();
            killed.jvm().kill();
            assertThat(other.acquire("c", file, PATIENT).token()).as("a token greater than one that no record told").isGreaterThan(token);
        }
    }

    @Test
    void frozenProcessDoesNotReuseWhatOthersTookOver() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet frozen = Puppet.start(); Puppet successor = Puppet.start()) {
            frozen.acquire("a", file, WARM, "lease=2500");
            frozen.close("a");
            frozen.jvm().freeze();
            Puppet.Held after = successor.acquire("b", file, PATIENT);
            frozen.jvm().wake();
            assertThat(frozen.tryAcquire("c", file, WARM, "lease=2500")).isFalse();
            assertThat(successor.verify("b")).isEqualTo("held");
            Puppet.Call waiting = frozen.beginAcquire("c", file, WARM, "lease=2500", PATIENT);
            successor.close("b");
            assertThat(Puppet.held(waiting).token()).isGreaterThan(after.token());
            assertThat(frozen.verify("c")).isEqualTo("held");
        }
    }

    @Test
    void processThatEndsInGoodOrderLeavesNothing() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet one = Puppet.start()) {
            one.acquire("a", file, WARM);
            one.close("a");
            one.begin("exit", "0");
            assertThat(one.jvm().awaitExit(Puppet.PATIENCE)).isZero();
        }
        assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        assertThat(KernelTruth.seats(dir)).isEmpty();
    }
}
