package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Application servers and test runners interrupt whole groups of threads. An interrupt closes the channel that a thread waits on, and the kernel then
 * drops all bytes that the process has in that file.
 */
class InterruptedGroupTest {
    private static final String PATIENT = "timeout=60000";

    @TempDir
    Path dir;
    private Path kept;
    private Path contended;
    private Puppet one;
    private Puppet other;
    private Puppet.Call waiting;

    /** One process holds a lock, and waits in the kernel for another lock of the same guard file. */
    @BeforeEach
    void holdAndWait() throws Exception {
        kept = dir.resolve("kept.jsonl");
        contended = TrapsTest.sameGuard(kept);
        one = Puppet.start();
        other = Puppet.start();
        one.acquire("kept", kept);
        other.acquire("contended", contended);
        waiting = one.beginAcquire("waiting", contended, PATIENT);
        await("a thread waits in the kernel").atMost(Puppet.PATIENCE).until(this::oneWaitsInTheKernel);
        assertThat(KernelTruth.seats(dir, one.jvm().pid())).hasSize(1);
    }

    private boolean oneWaitsInTheKernel() throws IOException {
        return Files.readAllLines(Path.of("/proc/locks")).stream().map(line -> List.of(line.trim().split("\\s+")))
                .anyMatch(words -> words.contains("->") && words.contains(Long.toString(one.jvm().pid())));
    }

    @AfterEach
    void end() {
        one.close();
        other.close();
    }

    private void everyNameStaysUsable() throws Exception {
        for (int i = 0; i < 3; i++) {
            Path file = i == 0 ? TrapsTest.sameGuard(contended.resolveSibling("z" + kept.getFileName())) : dir.resolve("any-" + i);
            one.acquire("any" + i, file, PATIENT);
            assertThat(one.verify("any" + i)).isEqualTo("held");
            one.close("any" + i);
        }
        other.close("contended");
        if (waiting.reply().ok()) { // otherwise its thread was interrupted as well
            one.close("waiting");
        }
        one.acquire("mine", contended, PATIENT);
        assertThat(one.verify("mine")).isEqualTo("held");
        one.close("mine");
    }

    @Test
    void interruptOfTheUsersGroupDropsNothing() throws Exception {
        assertThat(one.tell("groups").words()).as("groups of the library's threads").containsExactly("sessionlock");

        one.tell("interruptGroup");

        assertThat(one.ensure("kept")).isEqualTo("held");
        assertThat(KernelTruth.seats(dir, one.jvm().pid())).hasSize(1);
        assertThat(other.tryAcquire("kept", kept)).isFalse();
        everyNameStaysUsable();
        assertThat(one.verify("kept")).isEqualTo("held");
    }

    @Test
    void bytesOfAClosedGuardAreTakenAgainAtOnce() throws Exception {
        one.tell("interruptWaiters");

        await("its byte is taken again").atMost(Puppet.PATIENCE).pollInterval(Duration.ofMillis(5))
                .until(() -> KernelTruth.seats(dir, one.jvm().pid()).stream().anyMatch(seat -> true) || one.ensure("kept").startsWith("lost"));
        assertThat(one.ensure("kept")).isEqualTo("held");
        assertThat(other.tryAcquire("kept", kept)).isFalse();
        everyNameStaysUsable();
        assertThat(one.verify("kept")).isEqualTo("held");
    }

    @Test
    void recordRemovedLaterLetsNobodyInBesideTheHolder() throws Exception {
        one.watch("kept");
        one.tell("interruptWaiters");
        Puppet.Call third = other.beginAcquire("kept", kept, PATIENT); // it tries all the time
        Thread.sleep(6_000); // longer than the keeper's own round
        String why = "KERNEL_LOCK_LOST"; // the other process may have been faster at the byte; then the holder must notice
        if (!third.isDone()) {
            why = "REMOVED_BY_HAND";
            Files.delete(dir.resolve("kept.jsonl.lock"));
        }

        assertThat(Puppet.held(third).nanos()).isGreaterThan(one.heldTo("kept"));
        assertThat(one.awaitLost("kept").detail(0)).isEqualTo(why);
    }
}
