package dev.sessionlock.testkit.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** OpenClaw 2026.7.1, whose own code runs here, beside our readers: one record stands for all of them, whoever comes and goes. */
class ReadersBesideOpenClawTest {
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

    private String holder() throws Exception {
        return Files.readString(lockFile);
    }

    private static String pid(OurProcess process) {
        return "{\"pid\":" + process.pid() + ",";
    }

    @Test
    void itWaitsUntilTheLastReaderHasGone() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess one = OurProcess.start(OurProcess.MARKED); OurProcess two = OurProcess.start(OurProcess.MARKED)) {
            one.tell("read", "a", session, 20_000);
            two.tell("read", "b", session, 20_000);
            assertThat(holder()).startsWith(pid(one)).contains("\"mode\":\"shared\"");
            Peer.Reply timeout = theirs.ask("acquire", "c", session, 1_000);
            assertThat(timeout.words().get(0)).isEqualTo("SessionWriteLockTimeoutError");
            assertThat(timeout.words().get(1)).contains("pid=" + one.pid() + " alive=true");

            CompletableFuture<Peer.Reply> waiting = theirs.begin("acquire", "d", session, 60_000);
            one.tell("close", "a");
            assertThat(holder()).as("handed on to the other reader").startsWith(pid(two)).contains("\"mode\":\"shared\"");
            two.tell("verify", "b");
            assertThat(waiting).isNotDone();
            two.tell("close", "b");
            theirs.mustSucceed(waiting);
            assertThat(holder()).contains("\"pid\": " + theirs.pid());
        }
    }

    @Test
    void itsLockKeepsReadersOut() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess ours = OurProcess.start()) {
            theirs.acquire("a", session);
            assertThat(ours.ask("read", "b", session, 500).words().get(1)).contains("pid=" + theirs.pid() + " alive=true");
            OurProcess.Call waiting = ours.begin("read", "b", session, 60_000);
            theirs.tell("release", "a");
            waiting.mustSucceed();
            assertThat(holder()).startsWith(pid(ours));
        }
    }

    @Test
    void killedReadersRecordIsReplacedByAnotherReadersWithinATick() throws Exception {
        try (Peer theirs = openClaw.start(); OurProcess one = OurProcess.start(OurProcess.MARKED); OurProcess two = OurProcess.start(OurProcess.MARKED)) {
            one.tell("read", "a", session, 20_000);
            two.tell("read", "b", session, 20_000);
            one.jvm().kill();
            await().atMost(OurProcess.PATIENCE).until(() -> holder().startsWith(pid(two)));
            assertThat(dir.resolve("session.jsonl.lock.reclaim")).doesNotExist();
            assertThat(theirs.ask("acquire", "c", session, 1_000).words().get(1)).contains("pid=" + two.pid() + " alive=true");
            two.tell("verify", "b");
        }
    }
}
