package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that has used up its descriptors. */
class DescriptorsTest {
    private static final int LIMIT = 200;

    @TempDir
    Path dir;
    private Puppet poor;
    private Puppet other;

    @BeforeEach
    void start() throws Exception {
        poor = Puppet.wrappedBy("/bin/sh", "-c", "ulimit -n " + LIMIT + "; exec \"$@\"", "sh");
        other = Puppet.start();
        Path first = dir.resolve("first.jsonl"); // so that all classes are there: loading them takes descriptors, too
        poor.acquire("first", first);
        poor.verify("first");
        poor.ask("acquire", "again", first, "timeout=0");
        poor.close("first");
    }

    @AfterEach
    void end() {
        poor.close();
        other.close();
    }

    private void useUp() throws Exception {
        poor.tell("useUpDescriptors");
        poor.tell("useUpDescriptors"); // a descriptor that was used only for a moment is free again by now
    }

    @Test
    void acquiringSaysWhichLimitAndLeavesNothing() throws Exception {
        Path fresh = dir.resolve("fresh.jsonl");
        Path foreign = Files.writeString(dir.resolve("foreign.jsonl.lock"), "{\"pid\":1,\"createdAt\":\"2026-02-09T06:45:43.000Z\"}");
        useUp();

        for (Path file : new Path[] {fresh, dir.resolve("foreign.jsonl"), dir.resolve("nowhere-yet.jsonl")}) {
            Puppet.Reply reply = poor.ask("acquire", "a", file, "timeout=0");
            assertThat(reply.ok()).isFalse();
            if (!reply.words().get(0).equals("LockTimeoutException")) { // a lock whose guard and record file were open already needs none
                assertThat(reply.words().get(0)).as("%s", reply.words()).isEqualTo("LockException");
                assertThat(reply.words().get(1)).contains("too many open files", "used up its " + LIMIT + " descriptors (ulimit -n)", "raise the limit");
            }
        }
        assertThat(poor.ask("acquire", "a", fresh, "timeout=0").words().get(0)).isEqualTo("LockException");
        assertThat(Files.exists(dir.resolve("fresh.jsonl.lock"))).isFalse();
        assertThat(KernelTruth.seats(dir, poor.jvm().pid())).isEmpty();
        assertThat(other.tryAcquire("b", fresh)).isTrue();
        other.close("b");
        Files.delete(foreign);

        poor.tell("closeDescriptors");
        poor.acquire("a", fresh);
        assertThat(poor.verify("a")).isEqualTo("held");
    }

    @Test
    void whatIsHeldStaysHeld() throws Exception {
        Path file = dir.resolve("held.jsonl");
        poor.acquire("held", file, "lease=1500");
        useUp();
        long end = System.nanoTime() + 5_000_000_000L;
        await("three leases").atMost(Puppet.PATIENCE).until(() -> {
            String said = poor.ensure("held");
            assertThat(said).isIn("held", "lost LEASE_EXPIRED"); // the latter if the machine stood still
            return System.nanoTime() - end > 0;
        });

        if (poor.ensure("held").equals("held")) {
            assertThat(other.tryAcquire("b", file)).isFalse();
            poor.close("held");
            assertThat(other.tryAcquire("b", file)).isTrue();
        }
    }
}
