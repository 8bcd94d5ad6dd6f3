package dev.sessionlock.testkit.verdicts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.interop.OurProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each state that {@link SessionLocks#inspect} reports, caused by a real process. */
class VerdictTest {
    @TempDir
    Path dir;

    private final SessionLocks locks = SessionLocks.create();
    private Path session;
    private Path lockFile;

    @BeforeEach
    void makeSession() throws IOException {
        session = Files.writeString(dir.resolve("session.jsonl"), "{}\n");
        lockFile = dir.resolve("session.jsonl.lock");
    }

    @AfterEach
    void close() {
        locks.close();
    }

    /**
     * Every look of these tests is made by this method, which checks that it changes nothing in the directory, and none of the kernel locks on it.
     */
    private LockReport look() throws IOException {
        TreeMap<String, String> files = listing();
        List<String> kernel = kernelLocks();
        LockReport report = locks.inspect(session);
        assertThat(kernelLocks(kernel)).as("the kernel's locks after a look").isEqualTo(kernel);
        assertThat(listing()).as("the directory after a look").isEqualTo(files);
        return report;
    }

    private static String evidence(LockReport report) {
        return String.join("; ", report.evidence());
    }

    // ---- the living ----

    @Test
    void holderThatWorksIsHeld() throws Exception {
        try (OurProcess holder = OurProcess.start()) {
            holder.tell("acquire", "a", session, 20_000, 600_000);
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.HELD);
            assertThat(report.owner().pid()).isEqualTo(holder.pid());
            assertThat(evidence(report)).contains("pid " + holder.pid() + " runs (state ").doesNotContain("stopped")
                    .contains("the kernel lock is held by pid " + holder.pid());
            holder.tell("verify", "a");
            holder.tell("close", "a");
            assertThat(look().state()).isEqualTo(State.FREE);
        }
    }

    @Test
    void stoppedHolderIsToldFromABusyOneAndExpiresWithItsLease() throws Exception {
        try (OurProcess holder = OurProcess.start()) {
            acquireAndFreeze(holder, 2_000);
            LockReport report = look();
            if (report.state() == State.HELD) { // a slow machine may have needed the lease
                assertThat(evidence(report)).contains("is stopped (state T; kill -CONT wakes it)").contains("the kernel lock is held by pid " + holder.pid());
            }
            await().atMost(OurProcess.PATIENCE).until(() -> look().state() == State.EXPIRED);
            report = look();
            assertThat(evidence(report)).contains("is stopped (state T").contains("lease ran out");
            assertThat(report.advice()).contains("kill -CONT " + holder.pid());
            assertThat(report.owner().pid()).isEqualTo(holder.pid());

            try (OurProcess successor = OurProcess.start()) {
                successor.tell("acquire", "b", session, 30_000, 10_000);
                assertThat(look().owner().pid()).isEqualTo(successor.pid());
                successor.tell("close", "b");
                report = look();
                assertThat(report.state()).isEqualTo(State.EXPIRED);
                assertThat(report.owner().pid()).as("who is to be woken, now that the successor has gone").isEqualTo(holder.pid());
                assertThat(report.advice()).contains("kill -CONT " + holder.pid());
            }
            holder.jvm().wake();
            await().atMost(OurProcess.PATIENCE).until(() -> locks.inspect(session).state() == State.FREE); // while it removes its record
            assertThat(look().state()).isEqualTo(State.FREE);
        }
    }

    /** If the machine stands still for a whole lease before it is frozen, the lock is lost and given back: then once more. */
    private void acquireAndFreeze(OurProcess holder, int leaseMillis) throws Exception {
        holder.tell("acquire", "a", session, 20_000, leaseMillis);
        holder.jvm().freeze();
        while (!Files.exists(lockFile)) {
            holder.jvm().wake();
            holder.tell("close", "a");
            holder.tell("acquire", "a", session, 20_000, leaseMillis);
            holder.jvm().freeze();
        }
    }

    @Test
    void stoppedHolderWithoutTakeoverStaysHeld() throws Exception {
        try (OurProcess holder = OurProcess.start()) {
            holder.tell("acquire", "a", session, 20_000, 1_000, false);
            holder.jvm().freeze();
            await().atMost(OurProcess.PATIENCE).until(() -> evidence(look()).contains("lease ran out"));
            assertThat(look().state()).isEqualTo(State.HELD);
            assertThat(evidence(look())).contains("is stopped (state T").contains("it excludes takeover");
            holder.jvm().wake();
            holder.tell("verify", "a");
        }
    }

    /** A parent between vfork and the end of its child waits in this way. */
    @Test
    void holderInAnUninterruptibleWaitIsSaidToBe() throws Exception {
        Required.command("python3 with ctypes", "python3", "-c", "import ctypes; ctypes.CDLL(None).vfork");
        Process waiting = new ProcessBuilder("python3", "-c", "import ctypes; libc = ctypes.CDLL(None); libc.vfork(); libc.pause()").start();
        try {
            Required.that(reaches(waiting.pid(), 'D'), "a vfork that shows as state D");
            writeForeign(waiting.pid(), -1);
            // A process that starts waits for the disk now and then, before it waits for its child.
            await().atMost(OurProcess.PATIENCE)
                    .until(() -> evidence(look()).contains("pid " + waiting.pid() + " is in an uninterruptible wait (state D"));
            assertThat(look().state()).isEqualTo(State.FOREIGN);
        } finally {
            List<ProcessHandle> all = Stream.concat(waiting.descendants(), Stream.of(waiting.toHandle())).toList();
            all.forEach(ProcessHandle::destroyForcibly);
            waiting.waitFor();
        }
    }

    private static boolean reaches(long pid, char state) throws InterruptedException {
        long end = System.nanoTime() + OurProcess.PATIENCE.toNanos();
        while (System.nanoTime() < end) {
            try {
                String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"), StandardCharsets.ISO_8859_1);
                if (stat.charAt(stat.lastIndexOf(')') + 2) == state) {
                    return true;
                }
            } catch (IOException e) {
                return false; // it has ended
            }
            Thread.sleep(10);
        }
        return false;
    }

    @Test
    void lookOfTheHoldersOwnJvmDisturbsNothing() throws Exception {
        try (SessionLock lock = locks.acquire(session); OurProcess other = OurProcess.start()) {
            assertThat(kernelLocks()).as("this JVM's bytes").anyMatch(held -> held.startsWith(ProcessHandle.current().pid() + " "));
            for (int i = 0; i < 50; i++) {
                assertThat(look().state()).isEqualTo(State.HELD);
            }
            lock.verifyHeld();
            assertThat(other.ask("acquire", "a", session, 0).words().get(0)).isEqualTo("LockTimeoutException");
            assertThat(look().owner().pid()).isEqualTo(ProcessHandle.current().pid());
        }
    }

    // ---- the dead ----

    @Test
    void killedHolderIsStale() throws Exception {
        try (OurProcess holder = OurProcess.start()) {
            holder.tell("acquire", "a", session, 20_000);
            holder.jvm().kill();
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.STALE);
            assertThat(evidence(report)).contains("pid " + holder.pid() + " does not exist").contains("the kernel lock is free");
            assertThat(report.owner().pid()).isEqualTo(holder.pid());
            try (SessionLock next = locks.tryAcquire(session).orElseThrow()) {
                next.verifyHeld();
            }
        }
    }

    @Test
    void zombieIsStale() throws Exception {
        try (OurProcess holder = OurProcess.start(OurProcess.builder()
                .wrappedBy("/bin/sh", "-c", "exec 3<&0; \"$@\" <&3 & exec sleep 600", "parent-that-never-reaps"))) {
            holder.tell("acquire", "a", session, 20_000);
            long pid = recordedPid();
            Required.command("signals", "/bin/sh", "-c", "kill -KILL " + pid);
            await().atMost(OurProcess.PATIENCE).until(() -> reaches(pid, 'Z'));
            // Its first thread may be a zombie while its last one still closes the files.
            await().atMost(OurProcess.PATIENCE).until(() -> locks.inspect(session).state() == State.STALE);
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.STALE);
            assertThat(evidence(report)).contains("pid " + pid + " has ended (a zombie that its parent has not reaped)");
            try (SessionLock next = locks.tryAcquire(session).orElseThrow()) {
                next.verifyHeld();
            }
        }
    }

    @Test
    void rebornPidIsStale() throws Exception {
        Required.root();
        Required.command("pid namespaces", "unshare", "-p", "--fork", "--mount-proc", "test", "-w", "/proc/sys/kernel/ns_last_pid");
        try (OurProcess init = OurProcess.start(OurProcess.builder().wrappedBy("unshare", "-p", "--fork", "--mount-proc"))) {
            String namespace = Long.toString(init.pid());
            try (OurProcess holder = OurProcess.start(OurProcess.builder().wrappedBy("nsenter", "-t", namespace, "-p", "-m"))) {
                holder.tell("acquire", "a", session, 20_000);
                holder.jvm().kill();
            }
            long reborn = recordedPid();
            await("its parent reaps it").atMost(OurProcess.PATIENCE).until(() -> init.inspect(session).contains("pid " + reborn + " does not exist"));
            assertThat(init.inspect(session)).startsWith("STALE");
            String tries = "for i in $(seq 200); do echo " + (reborn - 1) + " > /proc/sys/kernel/ns_last_pid; sleep 600 > /dev/null 2>&1 & "
                    + "if [ $! = " + reborn + " ]; then exit 0; fi; kill $!; wait $!; done; exit 1";
            Required.that(init.ask("shell", tries).ok(), "the pid " + reborn + " again");
            assertThat(init.inspect(session)).startsWith("STALE").contains("pid " + reborn + " is another process now");
            init.tell("acquire", "b", session, 20_000);
            init.tell("verify", "b");
        }
    }

    @Test
    void recordOfAnEarlierBootIsStale() throws Exception {
        leaveRecordOfAnotherBoot("");
        LockReport report = look();
        assertThat(report.state()).isEqualTo(State.STALE);
        assertThat(evidence(report)).contains("the machine has been restarted since");
        try (SessionLock next = locks.tryAcquire(session).orElseThrow()) {
            next.verifyHeld();
        }
    }

    @Test
    void recordOfAnotherHostIsForeign() throws Exception {
        leaveRecordOfAnotherBoot("mount --bind " + Files.writeString(dir.resolve("host"), "another-host\n") + " /proc/sys/kernel/hostname && ");
        LockReport report = look();
        assertThat(report.state()).isEqualTo(State.FOREIGN);
        assertThat(report.owner().host()).isEqualTo("another-host");
        assertThat(evidence(report)).contains("another machine or boot").contains("another-host");
    }

    /** By a process that reads another boot id. */
    private void leaveRecordOfAnotherBoot(String also) throws Exception {
        Required.root();
        Required.command("mount namespaces", "unshare", "-m", "true");
        Path boot = Files.writeString(dir.resolve("boot"), "01234567-89ab-cdef-0123-456789abcdef\n");
        String prepare = "mount --bind " + boot + " /proc/sys/kernel/random/boot_id && " + also + "exec \"$@\"";
        try (OurProcess holder = OurProcess.start(OurProcess.builder().wrappedBy("unshare", "-m", "/bin/sh", "-c", prepare, "elsewhere"))) {
            holder.tell("acquire", "a", session, 20_000);
            holder.jvm().kill();
        }
    }

    // ---- the unknown ----

    @Test
    void holderOfAnotherPidNamespaceIsHeldAsLongAsItsLeaseRuns() throws Exception {
        Required.root();
        Required.command("pid namespaces", "unshare", "-p", "--fork", "--mount-proc", "true");
        try (OurProcess holder = OurProcess.start(OurProcess.builder().wrappedBy("unshare", "-p", "--fork", "--mount-proc"))) {
            holder.tell("acquire", "a", session, 20_000, 600_000);
            LockReport report = look();
            assertThat(report.state()).isEqualTo(State.HELD);
            assertThat(evidence(report)).contains("is of another pid namespace, so it cannot be seen").contains("the kernel lock is held by pid");

            holder.tell("close", "a");
            holder.tell("acquire", "a", session, 20_000, 8_000);
            holder.jvm().kill();
            await("without a witness of its death, its lease decides").atMost(OurProcess.PATIENCE).until(() -> look().state() == State.EXPIRED);
            assertThat(evidence(look())).contains("another pid namespace").contains("the kernel lock is free");
        }
    }

    @Test
    void holderOutsideIsHeldForOneInsideAPidNamespace() throws Exception {
        Required.root();
        Required.command("pid namespaces", "unshare", "-p", "--fork", "--mount-proc", "true");
        try (OurProcess inside = OurProcess.start(OurProcess.builder().wrappedBy("unshare", "-p", "--fork", "--mount-proc"));
                SessionLock lock = locks.acquire(session)) {
            assertThat(inside.inspect(session)).startsWith("HELD").contains("another pid namespace");
            assertThat(inside.ask("acquire", "a", session, 0).words().get(0)).isEqualTo("LockTimeoutException");
            lock.verifyHeld();
        }
    }

    // ---- foreign locks, and files that are no lock ----

    @Test
    void foreignLockIsForeignAliveOrDead() throws Exception {
        Process foreign = new ProcessBuilder("sleep", "600").start();
        try {
            writeForeign(foreign.pid(), startTicks(foreign.pid()));
            assertThat(look().state()).isEqualTo(State.FOREIGN);
            assertThat(evidence(look())).contains("another program's lock").contains("pid " + foreign.pid() + " runs");
            assertThat(locks.tryAcquire(session)).isEmpty();

            writeForeign(foreign.pid(), startTicks(foreign.pid()) - 1);
            assertThat(evidence(look())).contains("pid " + foreign.pid() + " is another process now");
            writeForeign(foreign.pid(), startTicks(foreign.pid()));
        } finally {
            foreign.destroyForcibly();
            foreign.waitFor();
        }
        assertThat(look().state()).isEqualTo(State.FOREIGN);
        assertThat(evidence(look())).contains("pid " + foreign.pid() + " does not exist");
        try (SessionLock next = locks.tryAcquire(session).orElseThrow()) {
            next.verifyHeld();
        }
    }

    @Test
    void tornRecordOfAKilledHolderIsTorn() throws Exception {
        try (OurProcess holder = OurProcess.start()) {
            holder.tell("acquire", "a", session, 20_000);
            holder.jvm().kill();
        }
        byte[] record = Files.readAllBytes(lockFile);
        Files.delete(lockFile);
        Files.write(lockFile, Arrays.copyOf(record, 100)); // as a write leaves it that ran out of disk
        assertThat(look().state()).isEqualTo(State.TORN);
        Files.write(lockFile, Arrays.copyOf(Arrays.copyOf(record, 512), 1024)); // as a power cut leaves it
        assertThat(look().state()).isEqualTo(State.TORN);
        record[20] ^= 1;
        Files.write(lockFile, record);
        assertThat(look().state()).isEqualTo(State.TORN);
        assertThat(evidence(look())).contains("checksum");
    }

    @Test
    void emptyFileIsTornBesideItsSessionAndNoLockWithoutOne() throws Exception {
        Files.createFile(lockFile);
        assertThat(look().state()).isEqualTo(State.TORN);
        Files.delete(session);
        assertThat(look().state()).isEqualTo(State.NOT_A_LOCK);
        assertThat(lockFile).exists();
    }

    // ---- the tool ----

    @Test
    void statusOfTheToolSaysTheSame() throws Exception {
        Path jar = Path.of("..", "lock-core", "target", "sessionlock.jar");
        Required.that(Files.exists(jar), jar + ", which mvn package makes");
        try (OurProcess holder = OurProcess.start()) {
            holder.tell("acquire", "a", session, 20_000, 600_000);
            assertThat(status(jar, 0)).contains("\"state\":\"HELD\"").contains("\"pid\":" + holder.pid());
            holder.tell("close", "a");
            acquireAndFreeze(holder, 1_000);
            await().atMost(OurProcess.PATIENCE).until(() -> look().state() == State.EXPIRED);
            assertThat(status(jar, 1)).contains("\"state\":\"EXPIRED\"").contains("kill -CONT " + holder.pid()).contains("state T");
            holder.jvm().kill();
            assertThat(status(jar, 0)).contains("\"state\":\"STALE\"").contains("does not exist");
        }
        Files.delete(lockFile);
        writeForeign(Long.MAX_VALUE / 1_000_000_000_000L, -1);
        assertThat(status(jar, 0)).as("the next acquisition replaces it").contains("\"state\":\"FOREIGN\"");
        Files.writeString(lockFile, "# yarn lockfile v1\n");
        assertThat(status(jar, 1)).contains("\"state\":\"NOT_A_LOCK\"");
    }

    private String status(Path jar, int exit) throws IOException, InterruptedException {
        TreeMap<String, String> before = listing();
        Process tool = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m", "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "-jar", jar.toString(), "status", "--json", session.toString()).redirectErrorStream(true).start();
        String said = new String(tool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(tool.waitFor()).as(said).isEqualTo(exit);
        assertThat(listing().keySet()).isEqualTo(before.keySet());
        return said;
    }

    // ---- what is there ----

    private long recordedPid() throws IOException {
        return Long.parseLong(Files.readString(lockFile).replaceAll("(?s)^\\{\"pid\":(\\d+),.*", "$1"));
    }

    private static long startTicks(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"), StandardCharsets.ISO_8859_1);
        return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19]);
    }

    /** In the format of OpenClaw. */
    private void writeForeign(long pid, long startTicks) throws IOException {
        Files.writeString(lockFile, "{\n  \"pid\": " + pid + ",\n  \"createdAt\": \"" + Instant.now() + "\",\n  \"maxHoldMs\": 300000"
                + (startTicks < 0 ? "" : ",\n  \"starttime\": " + startTicks) + "\n}\n");
    }

    /**
     * Names, inodes, lengths and times of everything below the directory. A holder creates and sweeps spare record files, which are left out. It
     * rewrites its record and the table, whose times are left out.
     */
    private TreeMap<String, String> listing() throws IOException {
        TreeMap<String, String> all = new TreeMap<>();
        try (Stream<Path> files = Files.walk(dir)) {
            // The keeper of a holder may be making record files, and writing what happened.
            for (Path file : files.filter(file -> !file.getFileName().toString().matches("claim-.*|history.*|waiting-.*")).toList()) {
                boolean rewritten = file.equals(lockFile) || file.getFileName().toString().matches("takeover-.*|board.*|[.]session-locks");
                all.put(dir.relativize(file).toString(), Files.readAttributes(file, "unix:ino,mode,size,nlink", LinkOption.NOFOLLOW_LINKS)
                        + (rewritten ? "" : " " + Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS)));
            }
        }
        return all;
    }

    /** {@return what the kernel says of the guard files, without the locks that are merely waited for} */
    private List<String> kernelLocks() throws IOException {
        Path inner = dir.resolve(".session-locks");
        if (!Files.isDirectory(inner)) {
            return List.of();
        }
        List<String> inodes;
        try (Stream<Path> files = Files.list(inner)) {
            inodes = files.filter(file -> file.getFileName().toString().startsWith("guard-")).map(VerdictTest::inode).toList();
        }
        Set<String> held = new TreeSet<>();
        for (int reading = 0; reading < 6; reading++) { // it is shown a page at a time, so that one reading may miss a lock
            Files.readAllLines(Path.of("/proc/locks")).stream().map(line -> line.trim().split("\\s+"))
                    .filter(words -> words[1].equals("POSIX") && inodes.contains(words[5].substring(words[5].lastIndexOf(':') + 1)))
                    .forEach(words -> held.add(words[4] + " " + words[6]));
        }
        return List.copyOf(held);
    }

    /**
     * {@code /proc/locks} is shown a page at a time, and misses some while others come and go. If the result is not as expected, it is read again.
     */
    private List<String> kernelLocks(List<String> expected) throws IOException {
        List<String> seen = kernelLocks();
        for (int looks = 0; looks < 20 && !seen.equals(expected); looks++) {
            seen = kernelLocks();
        }
        return seen;
    }

    private static String inode(Path file) {
        try {
            return Files.getAttribute(file, "unix:ino", LinkOption.NOFOLLOW_LINKS).toString();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
