package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of the locks of a process that ends: killed, by itself, or with handles that nobody closed. */
class EndedHolderTest {
    @TempDir
    Path dir;

    @Test
    void recordOfAKilledHolderIsReplaced() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet victim = Puppet.start(); Puppet other = Puppet.start()) {
            Puppet.Held before = victim.acquire("a", file);
            victim.jvm().kill();
            assertThat(dir.resolve("session.jsonl.lock")).exists();
            assertThat(other.tell("inspect", file).text()).isEqualTo("STALE");

            // The lease is 30 s.
            assertThat(other.acquire("b", file, "timeout=20000").token()).isGreaterThan(before.token());
            assertThat(Files.readString(dir.resolve("session.jsonl.lock"))).contains("\"pid\":" + other.jvm().pid() + ",");
            assertThat(other.verify("b")).isEqualTo("held");
            other.close("b");
            assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        }
    }

    @Test
    void endOfTheJvmRemovesTheRecordAndKeepsTheBytesToTheEnd() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet ending = Puppet.start(); Puppet other = Puppet.start()) {
            ending.acquire("a", file);
            ending.tell("hook");
            ending.tell("exit", 3);
            ending.jvm().awaitMark("hook-runs", Puppet.PATIENCE); // a hook that delays the end
            assertThat(ending.awaitLost("a").detail(0)).isEqualTo("SHUTDOWN");
            await().atMost(Puppet.PATIENCE).until(() -> !Files.exists(dir.resolve("session.jsonl.lock")));

            assertThat(KernelTruth.seats(dir, ending.jvm().pid())).hasSize(1);
            assertThat(other.tryAcquire("b", file)).isFalse();
            assertThat(ending.ensure("a")).isEqualTo("lost SHUTDOWN");
            assertThat(ending.ask("try", "c", dir.resolve("another"), "").text()).contains("shutting down");

            ending.begin("hookMayEnd"); // it may end before it can answer
            assertThat(ending.jvm().awaitExit(Puppet.PATIENCE)).isEqualTo(3);
            other.acquire("b", file, "timeout=20000");
            assertThat(other.ensure("b")).isEqualTo("held");
        }
    }

    @Test
    void endOfTheJvmWaitsForHandlesThatAreClosedInTime() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet ending = Puppet.start(Puppet.child().jvmArgs("-D" + Puppet.SHUTDOWN_GRACE + "=60"))) { // time enough on any machine
            ending.acquire("a", file);
            ending.tell("hook");
            ending.tell("exit", 0);
            ending.jvm().awaitMark("hook-runs", Puppet.PATIENCE);
            ending.close("a");
            assertThat(ending.jvm().pollMark("lost-a")).isEmpty();
            assertThat(ending.tell("stats").text()).contains("held=0").contains("lost=0");
            assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            ending.begin("hookMayEnd"); // it may end before it can answer
            assertThat(ending.jvm().awaitExit(Puppet.PATIENCE)).isZero();
        }
    }

    @Test
    void sigtermEndsTheHolderInGoodOrder() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet ending = Puppet.start(); Puppet other = Puppet.start()) {
            ending.acquire("a", file);
            Puppet.Call waiting = other.beginAcquire("b", file, "timeout=30000");
            ending.jvm().terminate();
            assertThat(ending.jvm().awaitExit(Puppet.PATIENCE)).isEqualTo(128 + 15);
            Puppet.held(waiting);
            assertThat(other.verify("b")).isEqualTo("held");
        }
    }

    @Test
    void handleThatNobodyClosedGoesWithItsProcess() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet ending = Puppet.start(); Puppet other = Puppet.start()) {
            ending.acquire("a", file);
            ending.jvm().send("0 return"); // its main method ends; the keeper does not keep the JVM up
            assertThat(ending.jvm().awaitExit(Puppet.PATIENCE)).isZero();
            assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
            assertThat(other.tryAcquire("b", file)).isTrue();
        }
    }

    @Test
    void leakedHandleIsFreedByTheGarbageCollector() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet leaking = Puppet.start(); Puppet other = Puppet.start()) {
            leaking.acquire("a", file);
            Puppet.Call waiting = other.beginAcquire("b", file, "timeout=30000");
            leaking.tell("gc");
            assertThat(waiting.isDone()).as("in while a handle that is referred to was open").isFalse();
            leaking.tell("forget", "a");
            await().atMost(Puppet.PATIENCE).until(() -> {
                leaking.tell("gc");
                return waiting.isDone();
            });
            Puppet.held(waiting);
            assertThat(leaking.tell("stats").text()).contains("held=0").contains("lost=1");
            assertThat(leaking.jvm().output()).contains("never closed");
        }
    }
}
