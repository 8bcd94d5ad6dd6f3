package dev.sessionlock.testkit.interop;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Processes of OpenClaw and ours write one transcript: never two at once, and no line is lost. */
@Timeout(300)
class SharedTranscriptTest {
    private static final int ROUNDS = Boolean.getBoolean("soak") ? 1_000 : 40;
    private static final int THINK_MILLIS = 25;
    private static final int DEATHS = Boolean.getBoolean("soak") ? 200 : 4;

    @TempDir
    Path dir;

    private OpenClaw openClaw;

    @BeforeEach
    void fetch() throws Exception {
        openClaw = OpenClaw.require();
    }

    @Test
    void neverTwoAreInsideAndNoLineIsLost() throws Exception {
        Path session = dir.resolve("session.jsonl"); // it does not exist at first, like that of a new session
        try (Peer one = openClaw.start(); Peer two = openClaw.startNewer();
                OurProcess three = OurProcess.start(OurProcess.MARKED); OurProcess four = OurProcess.start(OurProcess.MARKED)) {
            List<CompletableFuture<Peer.Reply>> theirs = List.of(
                    one.begin("append", session, "one", ROUNDS, THINK_MILLIS), two.begin("append", session, "two", ROUNDS, THINK_MILLIS));
            List<OurProcess.Call> ours = List.of(
                    three.begin("append", session, "three", ROUNDS, THINK_MILLIS), four.begin("append", session, "four", ROUNDS, THINK_MILLIS));
            for (OurProcess.Call call : ours) {
                assertThat(call.mustSucceed()).as("how often it met another inside").containsExactly("0");
            }
            for (CompletableFuture<Peer.Reply> call : theirs) {
                assertThat(one.mustSucceed(call).words()).as("how often it met another inside").containsExactly("0");
            }
        }
        assertThat(Files.readString(dir.resolve("session.jsonl.counter"))).isEqualTo(Integer.toString(4 * ROUNDS));
        List<String> expected = new ArrayList<>();
        for (String who : List.of("one", "two", "three", "four")) {
            for (int round = 0; round < ROUNDS; round++) {
                expected.add(who + " " + round);
            }
        }
        assertThat(Files.readAllLines(session)).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        assertThat(dir.resolve("session.jsonl.lock.reclaim")).doesNotExist();
    }

    /** The newer engine creates {@code .reclaim} before it removes a dead lock, as we do: that is enough. */
    @Test
    void oneOfAllWhoWaitForADeadLockGetsInAtATime() throws Exception {
        assertThat(overlapsAtDeadLocks(openClaw.startNewer(), DEATHS)).isZero();
    }

    /** {@return how often two were inside at once, in this many deaths of a holder for whom OpenClaw and two of ours waited} */
    private int overlapsAtDeadLocks(Peer theirs, int deaths) throws Exception {
        int overlaps = 0;
        try (theirs; OurProcess two = OurProcess.start(OurProcess.MARKED); OurProcess three = OurProcess.start(OurProcess.MARKED)) {
            for (int i = 0; i < deaths; i++) {
                Path session = Files.writeString(dir.resolve("dead-" + i + ".jsonl"), "");
                leaveDeadLock(session, i % 2 == 0);
                CompletableFuture<Peer.Reply> first = theirs.begin("once", session, "one");
                OurProcess.Call second = two.begin("once", session, "two");
                OurProcess.Call third = three.begin("once", session, "three");
                overlaps += Integer.parseInt(theirs.mustSucceed(first).words().get(0));
                overlaps += Integer.parseInt(second.mustSucceed().get(0));
                overlaps += Integer.parseInt(third.mustSucceed().get(0));
                assertThat(Files.readAllLines(session)).containsExactlyInAnyOrder("one", "two", "three");
                assertThat(dir.resolve("dead-" + i + ".jsonl.lock.reclaim")).doesNotExist();
            }
        }
        return overlaps;
    }

    private void leaveDeadLock(Path session, boolean ofOurs) throws Exception {
        if (ofOurs) {
            try (OurProcess victim = OurProcess.start(OurProcess.MARKED)) {
                victim.tell("acquire", "a", session, 5_000);
                victim.jvm().kill();
            }
        } else {
            try (Peer victim = openClaw.start()) {
                victim.acquire("a", session);
                victim.kill();
            }
        }
        assertThat(session.resolveSibling(session.getFileName() + ".lock")).exists();
    }
}
