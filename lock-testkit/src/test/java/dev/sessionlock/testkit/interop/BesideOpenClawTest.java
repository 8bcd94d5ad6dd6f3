package dev.sessionlock.testkit.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Our locks and those of OpenClaw 2026.7.1, whose own code runs here: each respects the other's as long as its process lives, and nobody waits for
 * the dead.
 */
class BesideOpenClawTest {
    @TempDir
    Path dir;

    private OpenClaw openClaw;
    private Path session;
    private Path lockFile;

    @BeforeEach
    void fetch() throws Exception {
        openClaw = OpenClaw.require();
        session = Files.writeString(dir.toRealPath().resolve("session.jsonl"), "");
        lockFile = session.resolveSibling("session.jsonl.lock");
    }

    // ---- OpenClaw holds ----

    @Test
    void itsLockIsWaitedForAndItsPidNamedUntilItReleases() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.acquire("a", session);
            String asWritten = Files.readString(lockFile);

            OurProcess.Reply timeout = ours.ask("acquire", "b", session, 700);
            assertThat(timeout.words().get(0)).isEqualTo("LockTimeoutException");
            assertThat(timeout.words().get(1)).startsWith("session file locked (timeout 700ms): pid=" + theirs.pid() + " alive=true ageMs=")
                    .contains("another program's lock");
            assertThat(ours.inspect(session)).startsWith("FOREIGN").contains("pid " + theirs.pid() + " runs");
            assertThat(lockFile).as("its lock is not touched").hasContent(asWritten);

            OurProcess.Call waiting = ours.begin("acquire", "b", session, 60_000);
            assertThat(waiting.isDone()).isFalse();
            theirs.tell("release", "a");
            waiting.mustSucceed();
            assertThat(Files.readString(lockFile)).startsWith("{\"pid\":" + ours.pid() + ",");
            ours.tell("close", "b");
            assertThat(lockFile).doesNotExist();
        }
    }

    @Test
    void itsLockIsRespectedHoweverOldItIsAndEvenPastItsOwnMaximum() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.tell("acquire", "a", session, 60_000, 1); // maxHoldMs: its watchdog looks once a minute
            await().pollDelay(Duration.ofMillis(20)).until(() -> true);
            assertThat(ours.ask("acquire", "b", session, 300).words().get(0)).isEqualTo("LockTimeoutException");

            OurProcess.Call waiting = ours.begin("acquire", "b", session, 60_000);
            assertThat(theirs.tell("watchdog", 60_000).text()).as("locks that its watchdog released").isEqualTo("1");
            waiting.mustSucceed();
            // It believes that it still holds the lock. That does no harm: its release checks whose file it is.
            theirs.ask("release", "a");
            ours.tell("verify", "b");
            assertThat(lockFile).exists();
        }
    }

    @Test
    void itsLockIsTakenOverAtOnceWhenItWasKilledAndReclaimIsMadeAndRemoved() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.acquire("a", session);
            OurProcess.Call waiting = ours.begin("acquire", "b", session, 60_000);
            assertThat(waiting.isDone()).isFalse();
            try (Events events = new Events(dir)) {
                theirs.kill();
                waiting.mustSucceed();
                events.await("-session.jsonl.lock.reclaim");
                assertThat(events.seen()).containsSubsequence("+session.jsonl.lock.reclaim", "-session.jsonl.lock", "-session.jsonl.lock.reclaim");
            }
            ours.tell("verify", "b");
            assertThat(dir.resolve("session.jsonl.lock.reclaim")).doesNotExist();
        }
    }

    @Test
    void itsLockIsTakenOverWhenItsPidIsAnotherProcessNow() throws Exception {
        try (Peer theirs = openClaw.start(); Peer reborn = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.acquire("a", session);
            String record = Files.readString(lockFile);
            theirs.kill();
            // As if the pid had been given to this process, which lives.
            Files.writeString(lockFile, record.replace("\"pid\": " + theirs.pid(), "\"pid\": " + reborn.pid()));
            assertThat(ours.inspect(session)).contains("pid " + reborn.pid() + " is another process now");
            ours.tell("acquire", "b", session, 20_000);
            ours.tell("verify", "b");
        }
    }

    @Test
    void itsLockFileThatIsStillEmptyIsNotStolen() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.tell("stopBeforeWriting");
            CompletableFuture<Peer.Reply> taking = theirs.begin("acquire", "a", session, 60_000);
            await().atMost(Peer.PATIENCE).until(() -> theirs.state() == 'T');
            assertThat(lockFile).isEmptyFile();

            assertThat(ours.ask("acquire", "b", session, 700).words().get(0)).isEqualTo("LockTimeoutException");
            OurProcess.Call waiting = ours.begin("acquire", "b", session, 60_000);
            theirs.wake();
            theirs.mustSucceed(taking);
            assertThat(ours.ask("acquire", "c", session, 300).words().get(1)).contains("pid=" + theirs.pid());
            assertThat(waiting.isDone()).isFalse();
            theirs.tell("release", "a");
            waiting.mustSucceed();
        }
    }

    @Test
    void itsLockFileThatIsStillEmptyIsWaitedForWhereTheSessionIsNotThereYet() throws Exception {
        Path fresh = session.resolveSibling("new.jsonl");
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.tell("stopBeforeWriting");
            CompletableFuture<Peer.Reply> taking = theirs.begin("acquire", "a", fresh, 60_000);
            await().atMost(Peer.PATIENCE).until(() -> theirs.state() == 'T');
            OurProcess.Call waiting = ours.begin("acquire", "b", fresh, 60_000);
            assertThat(ours.ask("acquire", "c", fresh, 200).words().get(0)).isEqualTo("LockTimeoutException");
            theirs.wake();
            theirs.mustSucceed(taking);
            assertThat(waiting.isDone()).isFalse();
            theirs.tell("release", "a");
            waiting.mustSucceed();
        }
    }

    // ---- we hold ----

    @Test
    void ourLockIsWaitedForAndOurPidNamedIfWeBearItsMark() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start(OurProcess.MARKED)) {
            ours.tell("acquire", "a", session, 20_000, 10_000); // a lease so short that the record is rewritten while it waits
            Peer.Reply timeout = theirs.ask("acquire", "b", session, 4_000);
            assertThat(timeout.words().get(0)).isEqualTo("SessionWriteLockTimeoutError");
            assertThat(timeout.words().get(1)).startsWith("session file locked (timeout 4000ms): pid=" + ours.pid() + " alive=true ageMs=")
                    .endsWith(lockFile.toString());
            ours.tell("verify", "a");

            CompletableFuture<Peer.Reply> waiting = theirs.begin("acquire", "b", session, 60_000);
            assertThat(theirs.tell("sweep", session.getParent()).words()).as("what a starting gateway sweeps away").isEmpty();
            ours.tell("verify", "a");
            assertThat(waiting).isNotDone();
            ours.tell("close", "a");
            theirs.mustSucceed(waiting);
            assertThat(Files.readString(lockFile)).contains("\"pid\": " + theirs.pid());
        }
    }

    /** The reason for the advice in the guide. It is not our defect, but people must know it, and this test notices when it changes. */
    @Test
    void ourLockIsTakenAwayByItIfWeDoNotBearItsMark() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            ours.tell("acquire", "a", session, 20_000);
            theirs.acquire("b", session);
            assertThat(Files.readString(lockFile)).contains("\"pid\": " + theirs.pid());
            await("the holder notices within a tick").atMost(OurProcess.PATIENCE)
                    .until(() -> ours.ask("verify", "a").words().get(0).equals("LockLostException"));
            ours.tell("close", "a");
            assertThat(Files.readString(lockFile)).as("its lock, after our close").contains("\"pid\": " + theirs.pid());
            theirs.tell("release", "b");

            ours.tell("acquire", "c", session, 20_000);
            assertThat(theirs.tell("sweep", session.getParent()).text()).contains("session.jsonl.lock:non-openclaw-owner");
        }
    }

    /** To OpenClaw a process that it may not signal is dead. This is another reason for the advice in the guide. */
    @Test
    void ourLockIsTakenAwayByItIfItRunsAsAnotherUser() throws Exception {
        OpenClaw.requireOtherUser();
        Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxrwx"));
        try (Peer theirs = openClaw.startAs(OpenClaw.OTHER_USER); OurProcess ours = OurProcess.start(OurProcess.MARKED)) {
            ours.tell("acquire", "a", session, 20_000);
            theirs.acquire("b", session);
            // The other way round it is respected: "permission denied" means alive.
            ours.tell("close", "a");
            assertThat(ours.ask("acquire", "c", session, 300).words().get(1)).contains("pid=" + theirs.pid() + " alive=true");
        }
    }

    /** OpenClaw reads the command line as it was typed. */
    @Test
    void markInTheEnvironmentDoesNotCount() throws Exception {
        try (Peer theirs = openClaw.start();
                OurProcess ours = OurProcess.start(OurProcess.builder().environment("JDK_JAVA_OPTIONS", OurProcess.MARKED)
                        .environment("JAVA_TOOL_OPTIONS", OurProcess.MARKED))) {
            ours.tell("acquire", "a", session, 20_000);
            theirs.acquire("b", session);
        }
    }

    @Test
    void ourLockIsTakenOverByItWhenWeWereKilled() throws Exception {
        for (boolean newer : new boolean[] {false, true}) {
            try (Peer theirs = newer ? openClaw.startNewer() : openClaw.start(); OurProcess ours = OurProcess.start(OurProcess.MARKED);
                    OurProcess third = OurProcess.start(OurProcess.MARKED)) {
                ours.tell("acquire", "a", session, 20_000);
                CompletableFuture<Peer.Reply> waiting = theirs.begin("acquire", "b", session, 60_000);
                assertThat(waiting).isNotDone();
                ours.jvm().kill();
                theirs.mustSucceedAtLast(waiting, "acquire", "b", session, 60_000);
                assertThat(third.ask("acquire", "c", session, 300).words().get(1)).contains("pid=" + theirs.pid());
                theirs.tell("release", "b");
                third.tell("acquire", "c", session, 20_000);
                assertThat(dir.resolve("session.jsonl.lock.reclaim")).doesNotExist();
                third.tell("close", "c");
            }
        }
    }

    /** With a lease of a second. If the machine stands still for that long, the lock is lost and given back: then once more. */
    private void acquireAndFreeze(OurProcess ours) throws Exception {
        ours.tell("acquire", "a", session, 20_000, 1_000);
        ours.jvm().freeze();
        while (!Files.exists(lockFile)) {
            ours.jvm().wake();
            ours.tell("close", "a");
            ours.tell("acquire", "a", session, 20_000, 1_000);
            ours.jvm().freeze();
        }
    }

    @Test
    void ourLockOfAFrozenProcessIsWaitedFor() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start(OurProcess.MARKED); OurProcess successor = OurProcess.start(OurProcess.MARKED)) {
            acquireAndFreeze(ours);
            assertThat(theirs.ask("acquire", "b", session, 1_500).words().get(1)).contains("pid=" + ours.pid() + " alive=true");
            // One of ours takes over from the frozen holder; OpenClaw still sees the lock as taken.
            successor.tell("acquire", "c", session, 30_000);
            assertThat(theirs.ask("acquire", "b", session, 500).ok()).isFalse();
            successor.tell("close", "c");
            assertThat(theirs.ask("acquire", "b", session, 500).ok()).as("in beside a frozen holder").isFalse();
            ours.jvm().wake();
            assertThat(ours.ask("verify", "a").words().get(0)).isEqualTo("LockLostException");
            ours.tell("close", "a");
            theirs.acquire("b", session);
        }
    }

    /** The record is then no longer that of a dead process. */
    @Test
    void successorIsRespectedByItWhenTheFrozenHolderIsKilled() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start(OurProcess.MARKED); OurProcess successor = OurProcess.start(OurProcess.MARKED)) {
            acquireAndFreeze(ours);
            successor.tell("acquire", "c", session, 30_000);
            ours.jvm().kill();
            Peer.Reply timeout = theirs.ask("acquire", "b", session, 3_000);
            assertThat(timeout.ok()).as("in beside the successor").isFalse();
            assertThat(timeout.words().get(1)).contains("pid=" + successor.pid() + " alive=true");
            successor.tell("verify", "c");
            CompletableFuture<Peer.Reply> waiting = theirs.begin("acquire", "b", session, 60_000);
            successor.tell("close", "c");
            theirs.mustSucceed(waiting);
        }
    }

    // ---- .reclaim ----

    @Test
    void reclaimOfAnotherIsRespectedAndSweptOnlyWhenItIsOld() throws Exception {
        Path reclaim = dir.resolve("session.jsonl.lock.reclaim");
        try (Peer theirs = openClaw.startNewer(); OurProcess ours = OurProcess.start()) {
            theirs.acquire("a", session);
            theirs.kill();
            Files.createDirectory(reclaim);
            OurProcess.Reply timeout = ours.ask("acquire", "b", session, 500);
            assertThat(timeout.words().get(0)).isEqualTo("LockTimeoutException");
            assertThat(lockFile).exists();

            OurProcess.Call waiting = ours.begin("acquire", "b", session, 60_000);
            Files.setLastModifiedTime(reclaim, FileTime.from(Instant.now().minusSeconds(31)));
            waiting.mustSucceed();
            assertThat(reclaim).doesNotExist();
            ours.tell("close", "b");
        }
    }

    @Test
    void newerEngineWaitsWhileAReclaimExists() throws Exception {
        Path reclaim = Files.createDirectory(dir.resolve("session.jsonl.lock.reclaim"));
        try (Peer theirs = openClaw.startNewer()) {
            assertThat(theirs.ask("acquire", "a", session, 500).words().get(0)).isEqualTo("SessionWriteLockTimeoutError");
            Files.delete(reclaim);
            theirs.acquire("a", session);
            assertThat(Files.readString(lockFile)).contains("\t\t\t\t"); // its token, in white space: our reader must read on
            try (OurProcess ours = OurProcess.start()) {
                assertThat(ours.inspect(session)).startsWith("FOREIGN").contains("pid " + theirs.pid() + " runs");
            }
        }
    }

    // ---- names ----

    @Test
    void bothMeanTheSameLockByWhateverPathTheDirectoryIsNamed() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("link"), Files.createDirectory(dir.resolve("real")));
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start(OurProcess.MARKED)) {
            theirs.acquire("a", link.resolve("s.jsonl"));
            assertThat(ours.ask("acquire", "b", dir.resolve("real/s.jsonl"), 200).words().get(0)).isEqualTo("LockTimeoutException");
            theirs.tell("release", "a");
            ours.tell("acquire", "b", link.resolve("../real/s.jsonl"), 5_000);
            assertThat(theirs.ask("acquire", "a", link.resolve("s.jsonl"), 200).ok()).isFalse();
            ours.tell("close", "b");

            // A link to the session itself is a lock of its own, for both.
            Path alias = Files.createSymbolicLink(dir.resolve("alias.jsonl"), session);
            theirs.acquire("c", alias);
            assertThat(dir.resolve("alias.jsonl.lock")).exists();
            assertThat(ours.ask("acquire", "c", alias, 200).ok()).isFalse();
            ours.tell("acquire", "d", session, 20_000);
        }
    }

    /** What happens in a directory, by inotify: names that were created (+) and removed (-). */
    private static final class Events implements AutoCloseable {
        private final WatchService watch;
        private final List<String> seen = new ArrayList<>();

        Events(Path directory) throws IOException {
            watch = directory.getFileSystem().newWatchService();
            directory.register(watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE);
        }

        void await(String event) throws InterruptedException {
            long end = System.nanoTime() + OurProcess.PATIENCE.toNanos();
            while (!seen.contains(event) && System.nanoTime() < end) {
                WatchKey key = watch.poll(1, TimeUnit.SECONDS);
                if (key != null) {
                    key.pollEvents().forEach(e -> seen.add((e.kind() == StandardWatchEventKinds.ENTRY_CREATE ? "+" : "-") + e.context()));
                    key.reset();
                }
            }
        }

        List<String> seen() {
            return seen;
        }

        @Override
        public void close() throws IOException {
            watch.close();
        }
    }
}
