package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A disk that two processes share fills up, in bytes or in inodes, or becomes read-only: before a lock is acquired, while it is held, and while it is
 * waited for. It is a small disk in a mount namespace of its own, so it disappears with the processes, whatever happens.
 */
@Tag("soak")
class DiskFaultsTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path dir;

    @BeforeEach
    void needADisk() throws Exception {
        Tools.require("a small disk of its own", "unshare", "--mount", "/bin/sh", "-c", "mount -t tmpfs -o size=64k tmpfs " + dir);
        Tools.require("entering another process's mount namespace", "nsenter", "--version");
    }

    // ---- full ----

    @Test
    void atEachNumberOfFreePagesLocksWorkOrSayThatTheDiskIsFull() throws Exception {
        try (Pair pair = new Pair("size=256k")) {
            // A first lock: the directory, its table and one record file exist now.
            pair.one.acquire("first", pair.file("first.jsonl"));
            pair.one.close("first");
            int worked = 0;
            int refused = 0;
            for (int pages = 0; pages <= 8; pages++) {
                pair.fillBut(4 * pages);
                for (Puppet puppet : new Puppet[] {pair.one, pair.two}) {
                    Path file = pair.file("page-" + pages + "-" + refused + ".jsonl");
                    Puppet.Reply reply = puppet.ask("acquire", "a", file, PATIENT);
                    if (reply.ok()) {
                        worked++;
                        assertThat(puppet.verify("a")).isEqualTo("held");
                        assertThat(pair.others(puppet).tryAcquire("b", file)).isFalse();
                        puppet.close("a");
                    } else {
                        refused++;
                        assertToldThatItIsFull(reply);
                    }
                    assertThat(pair.locks()).isEmpty();
                }
                pair.free();
            }
            assertThat(refused).as("acquisitions on a full disk").isPositive();
            assertThat(worked).as("acquisitions with some pages left").isPositive();
            pair.assertBothCanLock("afterwards.jsonl");
        }
    }

    @Test
    void atEachNumberOfFreeInodesLocksWorkOrSayThatTheDiskIsFull() throws Exception {
        try (Pair pair = new Pair("size=2m,nr_inodes=64")) {
            pair.one.acquire("first", pair.file("first.jsonl"));
            pair.one.close("first");
            int refused = 0;
            int worked = 0;
            for (int inodes = 0; inodes <= 6; inodes++) {
                pair.takeInodesBut(inodes);
                for (Puppet puppet : new Puppet[] {pair.two, pair.one}) {
                    Puppet.Reply reply = puppet.ask("acquire", "a", pair.file("inode-" + inodes + ".jsonl"), PATIENT);
                    if (reply.ok()) {
                        worked++;
                        assertThat(puppet.verify("a")).isEqualTo("held");
                        puppet.close("a");
                    } else {
                        refused++;
                        assertToldThatItIsFull(reply);
                    }
                    assertThat(pair.locks()).isEmpty();
                }
                pair.freeInodes();
            }
            assertThat(refused).isPositive();
            assertThat(worked).isPositive();
            pair.assertBothCanLock("afterwards.jsonl");
        }
    }

    @Test
    void diskThatFillsWhileALockIsHeldHurtsNeitherItsHolderNorItsRelease() throws Exception {
        try (Pair pair = new Pair("size=256k")) {
            Path file = pair.file("session.jsonl");
            pair.one.acquire("a", file, "lease=3000");
            pair.two.acquire("warm", pair.file("another.jsonl"));
            pair.two.close("warm");
            pair.fillBut(0);
            Puppet.Call waiting = pair.two.beginAcquire("b", file, PATIENT);
            Thread.sleep(8_000); // some renewals, and a deep check of the keeper
            assertThat(pair.one.verify("a")).isEqualTo("held");
            assertThat(waiting.isDone()).isFalse();
            assertThat(pair.one.tell("inspect", file).text()).as("a record that a full disk has torn").isEqualTo("HELD");
            long first = Long.parseLong(pair.one.shell("grep -o '\"token\":[0-9]*' '" + file + ".lock' | tr -dc 0-9"));
            pair.one.close("a");
            assertThat(Puppet.held(waiting).token()).isGreaterThan(first);
            assertThat(pair.one.tell("inspect", file).text()).isEqualTo("HELD");
            pair.two.close("b");
            assertThat(pair.locks()).isEmpty();
            pair.free();
            pair.assertBothCanLock("session.jsonl");
        }
    }

    @Test
    void holderThatIsKilledOnAFullDiskIsFollowedByTheNext() throws Exception {
        try (Pair pair = new Pair("size=256k")) {
            Path file = pair.file("session.jsonl");
            pair.one.acquire("warm", file);
            pair.one.close("warm");
            pair.two.acquire("a", file);
            pair.fillBut(0);
            pair.two.jvm().kill();
            pair.one.acquire("b", file, PATIENT); // it has its record file, and a dead record is deleted, not written
            assertThat(pair.one.verify("b")).isEqualTo("held");
        }
    }

    private static void assertToldThatItIsFull(Puppet.Reply reply) {
        assertThat(reply.words().get(0)).as(reply.text()).isEqualTo("LockException");
        assertThat(reply.words().get(1)).contains("cannot lock").contains("is full (space or inodes); free some and try again");
    }

    // ---- read-only ----

    @Test
    void readOnlyDiskIsToldInWordsAndIsUsedAgainOnceItIsWritable() throws Exception {
        try (Pair pair = new Pair("size=1m")) {
            Path file = pair.file("session.jsonl");
            pair.one.acquire("a", file, "lease=3000");
            Puppet.Call waiting = pair.two.beginAcquire("b", file, "timeout=60000");
            pair.readOnly();
            assertThat(pair.two.ask("acquire", "c", pair.file("another.jsonl"), "timeout=0").text()).contains("read-only file system");
            Thread.sleep(6_000);
            assertThat(pair.one.ensure("a")).as("held, through renewals that could not be written down").isEqualTo("held");
            if (waiting.isDone()) { // the waiter may get an error at once, but must not get the lock
                assertThat(waiting.reply().text()).contains("read-only file system");
            }
            pair.one.close("a"); // cannot delete its record now
            Thread.sleep(2_500);
            pair.writable();
            Puppet.Reply got = waiting.reply(); // it may have tried just while nothing could be written
            if (!got.ok()) {
                assertThat(got.words().get(1)).contains("read-only file system");
                pair.two.acquire("b", file, PATIENT);
            }
            assertThat(pair.one.tryAcquire("a", file)).isFalse();
            pair.two.close("b");
            pair.assertBothCanLock("session.jsonl");
        }
    }

    /** Two processes that see one small disk, which nobody else sees. */
    private final class Pair implements AutoCloseable {
        private final Puppet one;
        private final Puppet two;

        Pair(String options) throws IOException, InterruptedException {
            one = Puppet.wrappedBy("unshare", "--mount", "/bin/sh", "-c",
                    "mount -t tmpfs -o " + options + " tmpfs '" + dir + "' && exec \"$@\"", "sh");
            try {
                two = Puppet.wrappedBy("nsenter", "--mount=/proc/" + one.jvm().pid() + "/ns/mnt");
            } catch (Throwable e) {
                one.close();
                throw e;
            }
        }

        Path file(String name) {
            return dir.resolve(name);
        }

        Puppet others(Puppet puppet) {
            return puppet == one ? two : one;
        }

        /** Leaves only this many KiB free. */
        void fillBut(int kib) throws InterruptedException {
            two.shell("cd '" + dir + "' && head -c " + (kib == 0 ? 1 : kib * 1024) + " /dev/zero > spare && (dd if=/dev/zero of=filler bs=4k 2>/dev/null; true)"
                    + " && rm spare && " + (kib == 0 ? "(dd if=/dev/zero of=filler2 bs=4k 2>/dev/null; true)" : "true"));
        }

        void free() throws InterruptedException {
            two.shell("rm -f '" + dir + "'/filler '" + dir + "'/filler2");
        }

        void takeInodesBut(int inodes) throws InterruptedException {
            two.shell("cd '" + dir + "' && mkdir inodes && i=0; while (: > inodes/$i) 2>/dev/null; do i=$((i+1)); done; "
                    + "for n in $(seq 1 " + inodes + "); do rm -f inodes/$((i-n)); done; true");
        }

        void freeInodes() throws InterruptedException {
            two.shell("rm -rf '" + dir + "'/inodes");
        }

        /** A remount would be refused while files are open for writing; a separate bind mount is not. */
        void readOnly() throws InterruptedException {
            two.shell("mount --bind '" + dir + "' '" + dir + "' && mount -o remount,bind,ro '" + dir + "'");
        }

        void writable() throws InterruptedException {
            two.shell("umount '" + dir + "'");
        }

        String locks() throws InterruptedException {
            return two.shell("cd '" + dir + "' && ls -A | grep -F .lock | grep -v '^.session-locks$' || true").strip();
        }

        void assertBothCanLock(String name) throws InterruptedException {
            for (Puppet puppet : new Puppet[] {one, two, one}) {
                puppet.acquire("again", file(name), PATIENT);
                assertThat(puppet.verify("again")).isEqualTo("held");
                assertThat(others(puppet).tryAcquire("no", file(name))).isFalse();
                puppet.close("again");
            }
            assertThat(locks()).isEmpty();
        }

        @Override
        public void close() {
            two.close();
            one.close();
        }
    }
}
