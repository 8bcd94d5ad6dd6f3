package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The traps of PROTOCOL.md, section 8, by their numbers there. Each test fails without the trap's remedy. */
class TrapsTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path dir;

    // ---- 1: closing any descriptor of a file drops the process's locks on it ----

    @Test
    void readingTheLockFileInTheHoldersJvmDropsNothing() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file);
            holder.tell("walk", dir.resolve("session.jsonl.lock"));
            holder.tell("inspect", file);
            assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
            assertThat(other.tryAcquire("b", file)).isFalse();
        }
    }

    @Test
    void backupThatOpensTheGuardsInTheHoldersJvmLetsNobodyIn() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file);
            assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
            backUp(holder);

            assertThat(other.tryAcquire("b", file)).as("in though the holder's record says it lives").isFalse();
            await("the keeper takes the byte again").atMost(Puppet.PATIENCE).until(() -> {
                if (other.tryAcquire("b", file)) { // the other may be faster at the byte than the keeper; then the holder must notice
                    assertThat(holder.ensure("a")).startsWith("lost");
                    other.close("b");
                }
                return !KernelTruth.seats(dir, holder.jvm().pid()).isEmpty() || holder.ensure("a").startsWith("lost");
            });
            if (holder.ensure("a").equals("held")) {
                assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
                assertThat(other.tryAcquire("b", file)).isFalse();
            }
            holder.close("a");
            other.acquire("b", file, PATIENT);
        }
    }

    /**
     * Afterwards the kernel has no bytes of the holder; otherwise the test shows nothing. The keeper may just have acquired its byte again when it
     * looks.
     */
    private void backUp(Puppet holder) {
        await("the bytes are gone").atMost(Puppet.PATIENCE).pollInterval(Duration.ofMillis(10)).until(() -> {
            holder.tell("walk", dir);
            return KernelTruth.seats(dir).isEmpty();
        });
    }

    @Test
    void backupThatOpensTheGuardsOfAContendedLockLetsNobodyIn() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file, "lease=4000");
            holder.watch("a");
            Puppet.Call waiting = other.beginAcquire("b", file, PATIENT);
            holder.tell("walk", dir);
            long end = System.nanoTime() + 7_000_000_000L;
            while (System.nanoTime() < end && !waiting.isDone()) {
                Thread.sleep(20);
            }
            String said = holder.verify("a");
            if (said.equals("held")) {
                assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
                holder.close("a");
            } else { // the waiter may have been faster at the byte, or the machine may have stood still; then the holder must notice
                assertThat(said).isIn("lost KERNEL_LOCK_LOST", "lost LEASE_EXPIRED");
            }
            assertThat(Puppet.held(waiting).nanos()).isGreaterThan(holder.heldTo("a"));
            assertThat(other.verify("b")).isEqualTo("held");
        }
    }

    // ---- 2: losing a tryLock on a second channel, and closing it ----

    @Test
    void losersOfTheSameJvmDropNothing() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file);
            for (int i = 0; i < 50; i++) {
                assertThat(holder.tryAcquire("again", file)).isFalse();
                assertThat(holder.tryAcquire("neighbour" + i, dir.resolve("neighbour-" + i))).isTrue();
                holder.close("neighbour" + i);
            }
            assertThat(holder.ask("acquire", "again", file, "timeout=200").ok()).isFalse();
            assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
            assertThat(other.tryAcquire("b", file)).isFalse();
        }
    }

    // ---- 3: an interrupted thread closes the channel it uses, and every lock on it is gone ----

    @Test
    void stormOfInterruptsDropsNothing() throws Exception {
        Path kept = dir.resolve("kept.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("kept", kept);
            assertThat(holder.tell("interrupts", sameGuard(kept), 1_500).number(0)).as("locks had under interrupts").isPositive();
            assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
            assertThat(holder.verify("kept")).isEqualTo("held");
            assertThat(other.tryAcquire("b", kept)).isFalse();
            assertThat(dir.toFile().list((d, name) -> name.endsWith(".lock"))).containsExactly("kept.jsonl.lock");
        }
    }

    /** {@return a file of the same directory whose byte is in the same guard file: closing that channel drops both} */
    static Path sameGuard(Path file) throws Exception {
        return inGuard(guardOf(file), file.getParent());
    }

    /** {@return a file of a directory whose byte is in a given guard file} */
    static Path inGuard(long guard, Path directory) throws Exception {
        for (int i = 0; ; i++) {
            Path file = directory.resolve("neighbour-" + i);
            if (guardOf(file) == guard) {
                return file;
            }
        }
    }

    private static long guardOf(Path file) throws Exception {
        byte[] hash = java.security.MessageDigest.getInstance("SHA-256")
                .digest(file.getFileName().toString().getBytes(java.nio.charset.StandardCharsets.UTF_8));
        return hash[7] & 63; // the low bits of the first eight bytes;
    }

    // ---- 4: an unreferenced channel is collected, and its locks with it ----

    @Test
    void garbageCollectionDropsNothing() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file);
            for (int i = 0; i < 3; i++) { // opens and forgets other channels of the same guard file
                holder.acquire("neighbour", sameGuard(file));
                holder.close("neighbour");
                holder.tell("forget", "neighbour");
                holder.tell("gc");
            }
            assertThat(KernelTruth.seats(dir, holder.jvm().pid())).hasSize(1);
            assertThat(other.tryAcquire("b", file)).isFalse();
            assertThat(holder.verify("a")).isEqualTo("held");
        }
    }

    // ---- 8: ProcessHandle.isAlive says true of a zombie ----

    @Test
    void zombieHasEnded() throws Exception {
        Path file = dir.resolve("session.jsonl");
        // A parent that never reaps, since it becomes a sleep.
        try (Puppet victim = Puppet.wrappedBy("/bin/sh", "-c", "exec 3<&0; \"$@\" <&3 & exec sleep 1000", "sh"); Puppet other = Puppet.start()) {
            victim.acquire("a", file);
            victim.jvm().kill();
            assertThat(ProcessHandle.of(victim.jvm().pid())).as("the zombie: else this test shows nothing").isPresent();

            await("its end: whoever killed it is not its parent, who could wait for it").atMost(Puppet.PATIENCE)
                    .until(() -> other.tell("inspect", file).text().equals("STALE"));
            assertThat(other.tryAcquire("b", file)).isTrue();
        }
    }

    // ---- 9: /proc/locks hides holders of other pid namespaces ----

    @Test
    void holderInAnotherPidNamespaceExcludesAndIsNotJudgedDead() throws Exception {
        requirePidNamespaces();
        Path file = dir.resolve("session.jsonl");
        try (Puppet outside = Puppet.start(); Puppet inside = inAPidNamespace()) {
            outside.acquire("a", file);
            assertThat(inside.tell("inspect", file).text()).isIn("HELD", "EXPIRED");
            assertThat(inside.tryAcquire("b", file)).isFalse();
            assertThat(inside.ask("acquire", "b", file, "timeout=300").words().get(0)).isEqualTo("LockTimeoutException");
            outside.close("a");

            inside.acquire("b", file, PATIENT);
            assertThat(outside.tell("inspect", file).text()).isEqualTo("HELD");
            assertThat(outside.tryAcquire("a", file)).isFalse();
            Thread.sleep(6_000); // the keeper compares with /proc/locks, which does not show its bytes under its own pid
            assertThat(inside.verify("b")).isEqualTo("held");
            assertThat(outside.tryAcquire("a", file)).isFalse();
            inside.close("b");
            outside.acquire("a", file, PATIENT);
        }
    }

    // ---- 10: process 1 of two containers is not the same process ----

    @Test
    void processOneOfTwoContainersIsNotTheSameProcess() throws Exception {
        requirePidNamespaces();
        Path file = dir.resolve("session.jsonl");
        try (Puppet one = inAPidNamespace(); Puppet two = inAPidNamespace()) {
            assertThat(one.shell("ps -o pid= -C java || true").strip()).isEqualTo(two.shell("ps -o pid= -C java || true").strip());
            one.acquire("a", file, "lease=8000"); // a stall of some seconds does not end it
            assertThat(two.tryAcquire("b", file)).isFalse();
            Path record = dir.resolve("session.jsonl.lock");
            assertThat(Files.readString(record)).contains("\"pid\":1,");

            // A backup in the first container drops its byte. Now only the record vouches for the holder, and it names pid 1.
            one.tell("walk", dir);
            assertThat(two.tryAcquire("b", file)).as("in over a living holder with our own pid").isFalse();
            one.jvm().kill();
            two.acquire("b", file, PATIENT); // nobody can tell that it is dead; its lease runs out
        }
    }

    private static void requirePidNamespaces() throws IOException, InterruptedException {
        Tools.require("a pid namespace of its own", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "true");
    }

    private static Puppet inAPidNamespace() throws IOException, InterruptedException {
        return Puppet.wrappedBy("unshare", "--pid", "--fork", "--mount-proc", "--kill-child");
    }

    // ---- 11: EDEADLK, hidepid, SIGBUS, time namespaces ----

    @Test
    void twoProcessesThatWaitForEachOthersLocksInDifferentThreadsGetThem() throws Exception {
        Path one = dir.resolve("one.jsonl");
        Path two = dir.resolve("two.jsonl");
        try (Puppet first = Puppet.start(); Puppet second = Puppet.start()) {
            first.acquire("one", one);
            second.acquire("two", two);
            Puppet.Call firstWaits = first.beginAcquire("two", two, PATIENT);
            awaitWaiting(first);
            Puppet.Call secondWaits = second.beginAcquire("one", one, PATIENT); // the kernel sees a cycle of processes: EDEADLK
            Thread.sleep(1_000);
            assertThat(firstWaits.isDone()).isFalse();
            assertThat(secondWaits.isDone()).isFalse();

            first.close("one"); // other threads hold what these wait for, so there is no deadlock
            Puppet.held(secondWaits);
            second.close("two");
            Puppet.held(firstWaits);
        }
    }

    private static void awaitWaiting(Puppet waiter) {
        await().atMost(Puppet.PATIENCE).until(() -> Files.readAllLines(Path.of("/proc/locks")).stream()
                .anyMatch(line -> line.contains("-> POSIX") && line.contains(" " + waiter.jvm().pid() + " ")));
    }

    @Test
    void whereProcHidesOthersTheLivingAreNotJudgedDead() throws Exception {
        Tools.requireRoot();
        Tools.require("a private /proc that hides processes", "unshare", "--mount", "/bin/sh", "-c", "mount -o remount,hidepid=2 /proc");
        Path file = dir.resolve("session.jsonl");
        openToAll(dir);
        try (Puppet holder = Puppet.start(); OtherUser nobody = OtherUser.prepare();
                Puppet blind = nobody.puppet("unshare", "--mount", "/bin/sh", "-c",
                        "mount -o remount,hidepid=2 /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"", "sh")) {
            holder.acquire("a", file);
            assertThat(blind.shell("test -e /proc/" + holder.jvm().pid() + " && echo seen || echo hidden"))
                    .as("else this test shows nothing").isEqualTo("hidden");
            backUp(holder); // only the record vouches for it
            assertThat(blind.tryAcquire("b", file)).isFalse();
            assertThat(blind.tell("inspect", file).text()).isNotEqualTo("STALE");
        }
    }

    private static void openToAll(Path directory) throws IOException {
        Files.setPosixFilePermissions(directory, java.nio.file.attribute.PosixFilePermissions.fromString("rwxrwxrwx"));
    }

    @Test
    void fullDiskKillsNoJvm() throws Exception {
        Tools.require("a small disk of its own", "unshare", "--mount", "/bin/sh", "-c", "mount -t tmpfs -o size=64k tmpfs " + dir);
        // Room for the directory and a few pages, not for the table. If it were mapped unwritten, touching it would be SIGBUS.
        for (int pages = 1; pages <= 12; pages++) {
            try (Puppet puppet = Puppet.wrappedBy("unshare", "--mount", "/bin/sh", "-c",
                    "mount -t tmpfs -o size=" + 4 * pages + "k tmpfs '" + dir + "' && exec \"$@\"", "sh")) {
                Puppet.Reply reply = puppet.ask("acquire", "a", dir.resolve("session.jsonl"), "timeout=0");
                if (reply.ok()) {
                    puppet.close("a");
                    assertThat(pages).as("pages of a disk that was large enough").isGreaterThan(4);
                    return;
                }
                assertThat(reply.words().get(0)).isEqualTo("LockException");
                assertThat(reply.words().get(1)).contains("is full");
                assertThat(puppet.list(dir)).doesNotContain("session.jsonl.lock");
            }
        }
        throw new AssertionError("48 KiB were not enough for one lock");
    }

    @Test
    void processOfAnotherTimeNamespaceWaitsAndPassesNobodyOver() throws Exception {
        Tools.require("a time namespace of its own", "unshare", "--time", "--monotonic", "100000", "true");
        Path file = dir.resolve("session.jsonl");
        try (Puppet here = Puppet.start(); Puppet ahead = Puppet.wrappedBy("unshare", "--time", "--monotonic", "100000")) {
            here.acquire("a", file);
            assertThat(ahead.tryAcquire("b", file)).as("in by a clock that is 100,000 s ahead").isFalse();
            assertThat(ahead.ask("acquire", "b", file, "timeout=500").words().get(0)).isEqualTo("LockTimeoutException");
            assertThat(here.verify("a")).isEqualTo("held");
            here.close("a");

            ahead.acquire("b", file, PATIENT);
            assertThat(here.ask("acquire", "a", file, "timeout=500").words().get(0)).isEqualTo("LockTimeoutException");
            assertThat(ahead.verify("b")).isEqualTo("held");
            ahead.close("b");
            ahead.acquireAndFreeze("c", file, "lease=1000", PATIENT);
            assertThat(here.ask("acquire", "a", file, "timeout=3000").words().get(0))
                    .as("nobody knows when the lease of another clock is over").isEqualTo("LockTimeoutException");
            ahead.jvm().kill();
            here.acquire("a", file, PATIENT);
        }
    }

    // ---- 13: a spare record file is told from litter only if its process' byte is taken before the file exists ----

    @Test
    void recordFilesOfTheKilledAreSweptAndThoseOfTheLivingAreNot() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet living = Puppet.start(); Puppet victim = Puppet.start()) {
            living.acquire("a", file);
            List<Path> ofTheLiving = recordFiles();
            assertThat(ofTheLiving).isNotEmpty();
            Path left = dir.resolve("victim.jsonl");
            victim.acquire("v", left);
            victim.acquire("spare", dir.resolve("spare.jsonl"));
            victim.close("spare");
            List<Path> ofTheVictim = recordFiles();
            ofTheVictim.removeAll(ofTheLiving);
            assertThat(ofTheVictim).hasSizeGreaterThan(1);
            victim.jvm().kill();

            try (Puppet sweeper = Puppet.start()) { // its keeper sweeps at once when it starts
                sweeper.acquire("s", dir.resolve("sweeper.jsonl"));
                await("of the claims of the killed one, that in the place of its lock is left: it tells whose file that is").atMost(Puppet.PATIENCE)
                        .until(() -> recordFiles().stream().filter(ofTheVictim::contains).count() == 1);
                assertThat(recordFiles()).containsAll(ofTheLiving);
                assertThat(living.verify("a")).isEqualTo("held");
                sweeper.acquire("v", left); // removes it
            }
            try (Puppet sweeper = Puppet.start()) {
                sweeper.acquire("s", dir.resolve("sweeper.jsonl"));
                await("all claims of the killed one are swept").atMost(Puppet.PATIENCE)
                        .until(() -> recordFiles().stream().noneMatch(ofTheVictim::contains));
            }
        }
    }

    private List<Path> recordFiles() throws IOException {
        List<Path> recordFiles = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(dir.resolve(".session-locks"), "claim-*")) {
            all.forEach(recordFiles::add);
        }
        return recordFiles;
    }
}
