package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A disk of its own, for each file system, fills up to the last block while locks are held, linger, and are taken and given back. The JVM lives on, a
 * lock on another disk stays held, there are never two holders, and all is well again once there is room.
 *
 * <p>The disk is an image on a loop device, mounted in the mount namespace of the first process, so it disappears with the processes.
 */
@Tag("soak")
@Execution(ExecutionMode.SAME_THREAD) // they keep the disk of this machine busy
class FullDiskTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path temp;

    @ParameterizedTest
    @ValueSource(strings = {"btrfs", "btrfs without copy on write", "xfs", "ext4", "tmpfs"})
    void fillsUpUnderLocksThatAreInUse(String kind) throws Exception {
        for (String compiler : new String[] {"-Xint", "-XX:TieredStopAtLevel=1"}) {
            Path dir = Files.createDirectories(temp.resolve("disk" + compiler.length()));
            try (Disk disk = new Disk(kind, dir, compiler)) {
                disk.fillUnderLocks();
            }
        }
    }

    private final class Disk implements AutoCloseable {
        private final String kind;
        private final Path dir;
        private final Puppet one;
        private final Puppet two;

        Disk(String kind, Path dir, String compiler) throws IOException, InterruptedException {
            this.kind = kind;
            this.dir = dir;
            String mount = mount(kind.split(" ")[0], dir);
            Tools.require("a disk of " + kind, "unshare", "--mount", "/bin/sh", "-c", mount);
            one = Puppet.start(Puppet.child().jvmArgs(compiler, "-XX:-CreateCoredumpOnCrash")
                    .wrappedBy("unshare", "--mount", "/bin/sh", "-c", mount + " && exec \"$@\"", "sh"));
            try {
                two = Puppet.wrappedBy("nsenter", "--mount=/proc/" + one.jvm().pid() + "/ns/mnt");
            } catch (Throwable e) {
                one.close();
                throw e;
            }
        }

        private String mount(String type, Path dir) {
            if (type.equals("tmpfs")) {
                return "mount -t tmpfs -o size=1m tmpfs '" + dir + "'";
            }
            String image = dir + ".img";
            String size = type.equals("ext4") ? "16M" : type.equals("btrfs") ? "120M" : "320M"; // about the smallest that is possible
            return "rm -f '" + image + "' && truncate -s " + size + " '" + image + "' && mkfs." + type + " -q '" + image + "' >/dev/null 2>&1 && mount -o loop '"
                    + image + "' '" + dir + "'";
        }

        void fillUnderLocks() throws Exception {
            Path sessions = dir.resolve("sessions");
            one.shell("mkdir '" + sessions + "'");
            if (kind.contains("without")) {
                one.shell("mkdir '" + sessions + "'/.session-locks && chattr +C '" + sessions + "'/.session-locks");
            }
            Path held = sessions.resolve("held.jsonl");
            Path warm = sessions.resolve("warm.jsonl");
            Path strict = sessions.resolve("strict.jsonl");
            Path elsewhere = Files.createDirectories(temp.resolve("elsewhere")).resolve(kind + ".jsonl");
            one.acquire("held", held, "lease=6000 grace=200");
            one.acquire("warm", warm, "linger=60000 lease=6000");
            one.close("warm");
            one.acquire("strict", strict);
            one.close("strict");
            one.acquire("elsewhere", elsewhere, "lease=10000");

            two.shell("sync; cd '" + dir + "'; for b in 64k 4k 1k; do dd if=/dev/zero of=fill-$b bs=$b 2>/dev/null; sync; done; true");
            for (int i = 0; i < 5; i++) {
                Thread.sleep(1_600); // renewals, and a deep check of the keeper
                one.ask("acquire", "again", warm, "linger=60000 timeout=0");
                one.ask("close", "again");
                one.ask("acquire", "again", strict, "timeout=0");
                one.ask("close", "again");
                boolean stillHeld = one.ensure("held").equals("held");
                boolean taken = two.ask("try", "theirs", held, "").text().equals("held");
                assertThat(stillHeld && taken && one.ensure("held").equals("held")).as("two holders").isFalse();
                if (taken) {
                    two.close("theirs");
                }
                assertThat(one.ensure("elsewhere")).as("a lock on another disk").isEqualTo("held");
            }
            if (!kind.equals("btrfs")) {
                assertThat(one.ensure("held")).as(() -> "its renewals need no room: " + one.jvm().output()).isEqualTo("held");
            }
            assertThat(one.jvm().isAlive()).isTrue();
            assertThat(one.jvm().output()).doesNotContain("stumbled", "SIGBUS", "Exception in thread").hasSizeLessThan(400_000);

            two.shell("rm -f '" + dir + "'/fill-*; sync");
            one.close("held");
            for (Path file : new Path[] {held, warm, strict}) {
                acquire(one, file);
                assertThat(two.tryAcquire("no", file)).isFalse();
                one.close("again");
                acquire(two, file);
                assertThat(one.tryAcquire("no", file)).isFalse();
                two.close("again");
            }
            one.jvm().terminate();
            assertThat(one.jvm().awaitExit(Duration.ofSeconds(60))).isEqualTo(143);
        }

        /** Some file systems free the room only seconds after the files have gone. */
        private void acquire(Puppet puppet, Path file) throws InterruptedException {
            Puppet.Reply reply = puppet.ask("acquire", "again", file, PATIENT);
            for (int i = 0; i < 60 && !reply.ok() && reply.text().contains("is full"); i++) {
                Thread.sleep(500);
                reply = puppet.ask("acquire", "again", file, PATIENT);
            }
            assertThat(reply.ok()).as(reply.text()).isTrue();
        }

        @Override
        public void close() throws IOException {
            two.close();
            one.close();
            Files.deleteIfExists(Path.of(dir + ".img"));
        }
    }
}
