package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A lock that is taken away: its record is removed by hand, its holder is asked to let go, its time is over. */
class RevokedHolderTest {
    private static final long GRACE = 500;
    private static final long MAX_HOLD = 3_000;
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path dir;

    @Test
    void removalByHandRevokesTheHolderAfterItsGrace() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            Puppet.Held before = holder.acquire("a", file, "grace=60000");
            Puppet.Call waiting = other.beginAcquire("b", file, PATIENT);
            Files.delete(dir.resolve("session.jsonl.lock"));
            assertThat(holder.awaitLost("a").detail(0)).isEqualTo("REMOVED_BY_HAND");
            assertThat(holder.ensure("a")).isEqualTo("lost REMOVED_BY_HAND");
            Thread.sleep(500);
            assertThat(KernelTruth.seats(dir, holder.jvm().pid())).as("its byte within the grace").hasSize(1);
            assertThat(waiting.isDone()).as("in within the grace").isFalse();

            holder.close("a");
            assertThat(Puppet.held(waiting).token()).isGreaterThan(before.token());
            assertThat(other.verify("b")).isEqualTo("held");
            assertThat(dir.resolve("session.jsonl.lock")).exists();
        }
    }

    @Test
    void afterTheGraceOthersAreInThoughTheHolderNeverCloses() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file, "grace=" + GRACE);
            Puppet.Call waiting = other.beginAcquire("b", file, PATIENT);
            long removedAt = System.nanoTime();
            Files.delete(dir.resolve("session.jsonl.lock"));
            assertThat((Puppet.held(waiting).nanos() - removedAt) / 1_000_000).as("ms from the removal").isGreaterThanOrEqualTo(GRACE);
            holder.close("a");
            assertThat(other.verify("b")).isEqualTo("held");
            assertThat(dir.resolve("session.jsonl.lock")).exists();
        }
    }

    @Test
    void afterRemovalByHandOthersAreInAsSoonAsTheHolderHasClosed() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file, "grace=60000");
            holder.tell("closeOnLost", "a");
            Puppet.Call waiting = other.beginAcquire("b", file, PATIENT);
            Files.delete(dir.resolve("session.jsonl.lock"));
            Puppet.held(waiting);
            assertThat(other.verify("b")).isEqualTo("held");
        }
    }

    @Test
    void removalByHandShowsToOneWhoVerifies() throws Exception {
        Path file = dir.resolve("session.jsonl");
        try (Puppet holder = Puppet.start()) {
            holder.acquire("a", file);
            Files.delete(dir.resolve("session.jsonl.lock"));
            assertThat(holder.verify("a")).isEqualTo("lost REMOVED_BY_HAND");
        }
    }

    @Test
    void editedOrTruncatedRecordLetsNobodyIn() throws Exception {
        Path file = dir.resolve("session.jsonl");
        Path record = dir.resolve("session.jsonl.lock");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file);
            for (String content : new String[] {"", "{\"pid\":1", "no lock at all"}) {
                Files.writeString(record, content);
                assertThat(other.tryAcquire("b", file)).as("in over a record that reads '%s'", content).isFalse();
            }
            assertThat(holder.verify("a")).isEqualTo("held");
            holder.close("a");
            assertThat(record).doesNotExist();
            assertThat(other.tryAcquire("b", file)).isTrue();
        }
    }

    @Test
    void foreignLockInPlaceOfTheRemovedRecordIsLeftAlone() throws Exception {
        Path file = dir.resolve("session.jsonl");
        Path record = dir.resolve("session.jsonl.lock");
        String foreign = "{\"pid\":" + ProcessHandle.current().pid() + ",\"createdAt\":\"2026-11-24T14:19:03.000Z\"}";
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("a", file, "grace=100");
            Files.delete(record);
            Files.writeString(record, foreign);
            assertThat(holder.awaitLost("a").detail(0)).isEqualTo("REMOVED_BY_HAND");
            holder.close("a");
            assertThat(record).hasContent(foreign);
            Puppet.Reply reply = other.ask("acquire", "b", file, "timeout=500");
            assertThat(reply.text()).contains("LockTimeoutException").contains("pid=" + ProcessHandle.current().pid());
            assertThat(record).hasContent(foreign);
            Files.delete(record);
            assertThat(other.tryAcquire("b", file)).isTrue();
        }
    }

    @Test
    void requestToLetGoIsHonouredByTheHolderOfThatTokenOnly() throws Exception {
        Path file = dir.resolve("session.jsonl");
        Path inner = dir.resolve(".session-locks");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            Puppet.Held held = holder.acquire("a", file, "grace=300");
            Files.createFile(inner.resolve("release-" + (held.token() - 1)));
            Files.createFile(inner.resolve("release-" + (held.token() + 1)));
            Thread.sleep(1_500); // a tick is one second
            assertThat(holder.ensure("a")).isEqualTo("held");

            Puppet.Call waiting = other.beginAcquire("b", file, PATIENT);
            Files.createFile(inner.resolve("release-" + held.token()));
            assertThat(holder.awaitLost("a").detail(0)).isEqualTo("RELEASE_REQUESTED");
            Puppet.held(waiting);
            await().atMost(Puppet.PATIENCE).until(() -> !Files.exists(inner.resolve("release-" + held.token())));
            assertThat(other.verify("b")).isEqualTo("held");
        }
    }

    @Test
    void hangingHolderIsRevokedAtMaxHoldAndOneThatMakesProgressIsNot() throws Exception {
        boolean inTime = false;
        for (int tries = 0; tries < 3 && !inTime; tries++) { // if the machine stands still, there is no progress
            inTime = onlyOneMakesProgress(tries);
        }
        assertThat(inTime).as("renewed all the time").isTrue();
    }

    /** {@return whether each progress came in time} */
    private boolean onlyOneMakesProgress(int tries) throws Exception {
        Path hanging = dir.resolve("hanging-" + tries + ".jsonl");
        Path busy = dir.resolve("busy-" + tries + ".jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
            holder.acquire("hanging", hanging, "maxHold=" + MAX_HOLD + " grace=300");
            holder.acquire("busy", busy, "maxHold=" + MAX_HOLD + " grace=300");
            Puppet.Call waiting = other.beginAcquire("b", hanging, PATIENT);
            long longestPause = 0;
            for (long renewed = System.nanoTime(); holder.jvm().pollMark("lost-hanging").isEmpty(); ) {
                Puppet.Reply reply = holder.ask("renew", "busy");
                longestPause = Math.max(longestPause, System.nanoTime() - renewed);
                renewed = System.nanoTime();
                if (!reply.ok()) {
                    assertThat(longestPause / 1_000_000).as("ms between two renewals, of which the later was refused").isGreaterThan(MAX_HOLD / 2);
                    return false;
                }
                Thread.sleep(100);
            }
            assertThat(holder.ensure("hanging")).isEqualTo("lost MAX_HOLD");
            Puppet.held(waiting);
            if (!holder.ask("renew", "busy").ok()) {
                return false;
            }
            assertThat(holder.verify("busy")).isEqualTo("held");
            assertThat(other.tryAcquire("c", busy)).isFalse();
            return true;
        }
    }
}
