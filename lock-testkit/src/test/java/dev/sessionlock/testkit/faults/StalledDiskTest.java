package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * A disk does not answer for some seconds: its file system is frozen ({@code fsfreeze}). Any thread that changes something on it blocks in the
 * kernel, even by a store to a mapped page. Locks on other disks are not affected, even if the JVM collects its garbage meanwhile.
 *
 * <p>The disk is an image on a loop device, mounted in the mount namespace of the process, so it disappears with it. Each test that freezes it also
 * thaws it.
 */
@Tag("soak")
@Execution(ExecutionMode.SAME_THREAD)
class StalledDiskTest {
    private static final long FROZEN_SECONDS = 8;

    @TempDir
    Path temp;

    private Path disk;
    private Puppet puppet;
    private Process freezing;

    @BeforeEach
    void mount() throws IOException, InterruptedException {
        Tools.requireRoot();
        disk = Files.createDirectories(temp.resolve("disk"));
        Path image = temp.resolve("disk.img");
        String mount = "rm -f '" + image + "' && truncate -s 16M '" + image + "' && mkfs.ext4 -q '" + image + "' >/dev/null 2>&1 && mount -o loop '" + image
                + "' '" + disk + "'";
        Tools.require("a disk that can be frozen (fsfreeze)", "unshare", "--mount", "/bin/sh", "-c", mount + " && fsfreeze -f '" + disk + "' && fsfreeze -u '" + disk
                + "'");
        puppet = Puppet.start(Puppet.child().wrappedBy("unshare", "--mount", "/bin/sh", "-c", mount + " && exec \"$@\"", "sh"));
    }

    @AfterEach
    void close() throws Exception {
        if (freezing != null) {
            freezing.waitFor();
        }
        if (puppet != null) {
            puppet.close();
        }
    }

    private void freeze() throws IOException, InterruptedException {
        freezing = new ProcessBuilder("nsenter", "--mount=/proc/" + puppet.jvm().pid() + "/ns/mnt", "/bin/sh", "-c",
                "trap '' TERM INT HUP; fsfreeze -f '" + disk + "' && { echo frozen; sleep " + FROZEN_SECONDS + "; fsfreeze -u '" + disk + "'; }").redirectErrorStream(true).start();
        assertThat(freezing.inputReader().readLine()).isEqualTo("frozen");
    }

    private Path elsewhere(String name) throws IOException {
        return Files.createDirectories(temp.resolve("elsewhere-" + name)).resolve("session.jsonl");
    }

    @Test
    void locksOnOtherDisksNoticeNothing() throws Exception {
        puppet.acquire("there", disk.resolve("held.jsonl"), "lease=2000");
        puppet.acquire("too long", disk.resolve("too-long.jsonl"), "maxHold=3000");
        puppet.acquire("held", elsewhere("held"), "lease=3000");
        puppet.acquire("warm", disk.resolve("warm.jsonl"), "linger=60000");
        puppet.close("warm");
        freeze();
        puppet.beginAcquire("warm", disk.resolve("warm.jsonl"), "linger=60000"); // this draws its token by a store
        long start = System.nanoTime();
        long longest = 0;
        for (int i = 0; System.nanoTime() - start < TimeUnit.SECONDS.toNanos(FROZEN_SECONDS - 2); i++) {
            long before = System.nanoTime();
            assertThat(puppet.ensure("held")).as("%d ms after its disk's neighbour has stalled", (before - start) / 1_000_000).isEqualTo("held");
            puppet.acquire("new", elsewhere("new-" + i % 5));
            puppet.close("new");
            puppet.tell("gc");
            longest = Math.max(longest, System.nanoTime() - before);
        }
        System.out.println("acquisition and garbage collection beside a stalled disk: " + longest / 1_000_000 + " ms at most");
        puppet.awaitLost("there");
        assertThat(puppet.ensure("there")).isEqualTo("lost LEASE_EXPIRED");
        assertThat(puppet.ensure("too long")).isEqualTo("lost MAX_HOLD");
        assertThat(freezing.isAlive()).as("it was frozen all the while").isTrue();
        freezing.waitFor();
        puppet.acquire("again", disk.resolve("held.jsonl"));
        puppet.close("again");
        puppet.jvm().terminate();
        assertThat(puppet.jvm().awaitExit(Duration.ofSeconds(60))).isEqualTo(143);
    }

    /** Threads in the kernel keep the process until the disk answers. Long before that, its locks on other disks are free. */
    @Test
    void theEndOfTheProcessTakesAwayItsRecordsOnOtherDisks() throws Exception {
        puppet.acquire("there", disk.resolve("held.jsonl"));
        Path held = elsewhere("held");
        puppet.acquire("held", held);
        freeze();
        puppet.jvm().terminate();
        Path record = held.resolveSibling("session.jsonl.lock");
        for (int i = 0; i < 500 && Files.exists(record); i++) {
            Thread.sleep(10);
        }
        assertThat(record).doesNotExist();
        assertThat(freezing.isAlive()).as("it was frozen all the while").isTrue();
    }
}
