package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of the lock of a process that is frozen past its lease, and of that process when it wakes. */
class FrozenHolderTest {
    private static final long SHORT_MILLIS = 1_500;
    private static final String SHORT = "lease=" + SHORT_MILLIS;
    private static final String PATIENT = "timeout=40000";

    @TempDir
    Path dir;

    @Test
    void othersTakeOverFromAFrozenHolderWhichWakesToALostHandle() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet frozen = Puppet.start(); Puppet successor = Puppet.start(); Puppet third = Puppet.start()) {
            long start = System.nanoTime();
            Puppet.Held before = frozen.acquireAndFreeze("a", file, SHORT);

            Puppet.Held after = successor.acquire("b", file, PATIENT);
            assertThat(after.token()).isGreaterThan(before.token());
            assertThat((after.nanos() - start) / 1_000_000).as("ms until it was taken over").isGreaterThan(SHORT_MILLIS);
            assertThat(third.tryAcquire("c", file)).isFalse();

            frozen.jvm().wake();
            assertThat(frozen.ensure("a")).isEqualTo("lost LEASE_EXPIRED");
            assertThat(frozen.awaitLost("a").detail(0)).isEqualTo("LEASE_EXPIRED");
            assertThat(successor.verify("b")).isEqualTo("held");
            frozen.close("a");
            assertThat(frozen.tryAcquire("a2", file)).as("the woken one gets in beside its successor").isFalse();
            assertThat(third.tryAcquire("c", file)).as("a third one gets in beside the successor").isFalse();
            assertThat(successor.verify("b")).isEqualTo("held");
            await("the successor's record where people look for it").atMost(Puppet.PATIENCE).until(() -> {
                Path record = dir.resolve("session.jsonl.lock");
                return Files.exists(record) && Files.readString(record).contains("\"token\":" + after.token() + ",");
            });

            successor.close("b");
            assertThat(frozen.acquire("a2", file, PATIENT).token()).isGreaterThan(after.token());
            assertThat(third.tryAcquire("c", file)).isFalse();
            frozen.close("a2");
            assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            assertThat(dir.resolve(".session-locks/takeover-session.jsonl")).doesNotExist();
            assertThat(KernelTruth.seats(dir)).isEmpty();
        }
    }

    @Test
    void othersWaitForTwoFrozenHoldersUntilOneDies() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet owner = Puppet.start(); Puppet successor = Puppet.start(); Puppet third = Puppet.start()) {
            owner.acquireAndFreeze("a", file, SHORT);
            Puppet.Held second = successor.acquireAndFreeze("b", file, SHORT, PATIENT);
            assertThat(third.ask("acquire", "c", file, "timeout=3000").words().get(0)).isEqualTo("LockTimeoutException");

            successor.jvm().kill();
            assertThat(third.acquire("c", file, PATIENT).token()).isGreaterThan(second.token());
            owner.jvm().wake();
            assertThat(owner.ensure("a")).isEqualTo("lost LEASE_EXPIRED");
            assertThat(third.verify("c")).isEqualTo("held");
        }
    }

    @Test
    void othersWaitForTwoFrozenHoldersUntilTheOwnerWakes() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet owner = Puppet.start(); Puppet successor = Puppet.start(); Puppet third = Puppet.start()) {
            owner.acquireAndFreeze("a", file, SHORT);
            Puppet.Held second = successor.acquireAndFreeze("b", file, SHORT, PATIENT);
            Puppet.Call waiting = third.beginAcquire("c", file, PATIENT);
            owner.jvm().wake();
            assertThat(owner.ensure("a")).startsWith("lost");
            assertThat(Puppet.held(waiting).token()).isGreaterThan(second.token());

            successor.jvm().wake();
            assertThat(successor.ensure("b")).isEqualTo("lost LEASE_EXPIRED");
            successor.close("b");
            assertThat(third.verify("c")).isEqualTo("held");
            assertThat(successor.tryAcquire("b2", file)).isFalse();
            assertThat(owner.tryAcquire("a2", file)).isFalse();
            third.close("c");
            owner.acquire("a2", file, PATIENT);
        }
    }
}
