package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Holders and waiters in namespaces of their own, as in containers: nobody takes over from a holder whose lease may still run. */
@Tag("soak")
class NamespaceFaultsTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path dir;

    /** The namespaces of the other process. */
    private enum World {
        PID(true, "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
        CLOCK_AHEAD(false, "unshare", "--time", "--monotonic", "100000", "--boottime", "100000"),
        CLOCK_BEHIND(false, "unshare", "--time", "--monotonic", "-5000", "--boottime", "-5000"),
        BOTH(false, "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--time", "--monotonic", "3600", "--boottime", "3600");

        /** Whether its clock is ours, so that its lease can be judged. */
        private final boolean sameClock;
        private final String[] command;

        World(boolean sameClock, String... command) {
            this.sameClock = sameClock;
            this.command = command;
        }

        Puppet puppet() throws IOException, InterruptedException {
            String[] probe = java.util.Arrays.copyOf(command, command.length + 1);
            probe[command.length] = "true";
            Tools.require("a namespace of its own", probe);
            return Puppet.wrappedBy(command);
        }
    }

    @ParameterizedTest
    @EnumSource
    void holderIsHonouredFromEitherSideThroughManyLeases(World world) throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet inside = world.puppet(); Puppet outside = Puppet.start()) {
            long last = 0;
            for (int turn = 0; turn < 2; turn++) {
                Puppet holder = turn == 0 ? inside : outside;
                Puppet other = turn == 0 ? outside : inside;
                Puppet.Held held = holder.acquire("a", file, "lease=1000", PATIENT);
                assertThat(held.token()).isGreaterThan(last);
                Puppet.Call waiting = other.beginAcquire("b", file, PATIENT);
                Thread.sleep(3_500);
                assertThat(waiting.isDone()).isFalse();
                assertThat(holder.verify("a")).isEqualTo("held");
                assertThat(other.tell("inspect", file).text()).isIn("HELD", "EXPIRED");
                holder.close("a");
                last = Puppet.held(waiting).token();
                assertThat(last).isGreaterThan(held.token());
                other.close("b");
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void othersTakeOverOnlyWhereTheHoldersClockIsOurs(World world) throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet inside = world.puppet(); Puppet outside = Puppet.start()) {
            inside.acquire("a", file, "lease=1000", PATIENT);
            inside.jvm().freeze();
            Puppet.Reply reply = outside.ask("acquire", "b", file, "timeout=5000");
            if (world.sameClock) {
                assertThat(reply.ok()).as(reply.text()).isTrue();
                inside.jvm().wake();
                inside.awaitLost("a");
                assertThat(outside.verify("b")).isEqualTo("held");
                outside.close("b");
            } else {
                assertThat(reply.words().get(0)).as("nobody knows when the lease of another clock is over").isEqualTo("LockTimeoutException");
                inside.jvm().wake();
            }
            inside.acquire("again", file, PATIENT);
        }
    }

    @ParameterizedTest
    @EnumSource
    void killedHolderIsFollowedAfterItsLeaseAtTheLatest(World world) throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet outside = Puppet.start()) {
            try (Puppet inside = world.puppet()) {
                inside.acquire("a", file, "lease=1000", PATIENT);
                assertThat(outside.tryAcquire("b", file)).isFalse();
                inside.jvm().kill();
            }
            outside.acquire("b", file, "timeout=10000");
            outside.close("b");
        }
    }

    @ParameterizedTest
    @EnumSource
    void recordAloneKeepsOthersOutWhileItsLeaseRuns(World world) throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet inside = world.puppet(); Puppet outside = Puppet.start()) {
            inside.acquire("a", file, "lease=10000", PATIENT);
            outside.shell("true");
            inside.tell("walk", dir); // a backup in its JVM: its byte is gone, and its pid means nothing here
            assertThat(outside.tryAcquire("b", file)).isFalse();
            assertThat(inside.verify("a")).isEqualTo("held");
            assertThat(outside.tryAcquire("b", file)).isFalse();
            inside.close("a");
            outside.acquire("b", file, PATIENT);
        }
    }
}
