package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The entries of the shared table: one for each lock, and nobody takes it from a living holder. */
class SharedTableEntriesTest {
    private static final String PATIENT = "timeout=30000";
    private static final int TOKEN = 3;

    @TempDir
    Path dir;
    private Path file;
    private long h;
    private TableFileAccess table;

    @BeforeEach
    void name() {
        file = dir.resolve("session.jsonl");
        h = TableFileAccess.hash(file);
        table = new TableFileAccess(dir);
    }

    /** Versions before 1.1 left such entries: each process that had lost its bytes claimed a new one. */
    @Nested
    class TwoEntriesOfOneLock {

        @Test
        void becomeOneAndTokensGoOn() throws Exception {
            try (Puppet one = Puppet.start(); Puppet two = Puppet.start()) {
                one.acquire("a", file);
                one.close("a");
                long later = table.word(TableFileAccess.slot(h, 0), TOKEN) + 1_000_000_000;
                table.write(TableFileAccess.slot(h, 3), h, 0, 0, later, 0);

                Puppet.Held held = two.acquire("b", file);
                assertThat(held.token()).isGreaterThan(later);
                assertThat(one.tryAcquire("a", file)).isFalse();
                two.close("b");
                assertThat(one.acquire("a", file).token()).isGreaterThan(held.token());
                assertThat(table.entriesOf(h)).hasSize(1);
            }
        }

        /** The other entry says that nobody holds the lock. Without the record there is no second witness. */
        @Test
        void letNobodyInBesideAHolder() throws Exception {
            try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
                holder.acquire("a", file);
                holder.close("a");
                int first = TableFileAccess.slot(h, 0);
                table.write(TableFileAccess.slot(h, 1), h, 0, 0, table.word(first, TOKEN), 0);
                table.writeWord(first, 0, 12_345); // another lock's
                holder.acquire("a", file); // in the second slot, and from now on it knows its entry
                assertThat(table.word(TableFileAccess.slot(h, 1), 1)).isNotZero();
                table.write(first, h, 0, 0, 0, 0);
                holder.watch("a");

                Files.delete(dir.resolve("session.jsonl.lock"));
                Puppet.Held held = other.acquire("b", file, PATIENT);

                holder.awaitLost("a");
                assertThat(held.nanos()).isGreaterThan(holder.heldTo("a"));
                assertThat(table.entriesOf(h)).hasSize(1);
            }
        }

        @Test
        void bothInUseLetNobodyIn() throws Exception {
            try (Puppet other = Puppet.start()) {
                other.acquire("warm", file);
                other.close("warm");
                long until = System.nanoTime() + 2_000_000_000L;
                table.write(TableFileAccess.slot(h, 0), 12_345, 0, 0, 1, 0);
                table.write(TableFileAccess.slot(h, 1), h, until, 0, 1, 0);
                table.write(TableFileAccess.slot(h, 2), h, until, 0, 1, 0);
                Puppet.Held held = other.acquire("b", file, PATIENT);
                assertThat(held.nanos()).isGreaterThan(until);
                assertThat(table.entriesOf(h)).hasSize(1);
            }
        }
    }

    @Nested
    class EntryOfALivingHolder {

        /** Another lock needs room, and code that reads guard files in the holder's JVM has dropped its bytes. */
        @Test
        void isNotClearedThoughItsBytesAreLost() throws Exception {
            Path neighbour = TableFileAccess.neighbour(file);
            try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
                other.acquire("warm", dir.resolve("warm.jsonl")); // from here on it must be faster than the keeper
                holder.acquire("a", file);
                int mine = table.entriesOf(h).get(0);
                for (int i = 0; i < TableFileAccess.WINDOW; i++) {
                    if (TableFileAccess.slot(h, i) != mine) {
                        table.write(TableFileAccess.slot(h, i), 1_000 + i, 0, 0, Long.MAX_VALUE / 2, 0);
                    }
                }
                table.writeWord(mine, TOKEN, 1); // as if it had been taken long ago
                holder.tell("walk", dir);

                other.acquire("b", neighbour);

                assertThat(table.entriesOf(h)).isEqualTo(List.of(mine));
                assertThat(table.word(mine, 1)).isGreaterThan(System.nanoTime());
                assertThat(holder.verify("a")).isEqualTo("held");
            }
        }
    }

    /** Both witnesses, the table and the record, are overwritten in place by an older state. */
    @Nested
    class RestoredBackup {

        private Path session;
        private TableFileAccess restored;

        @Test
        void isNoticedAtTheNextTickAndNotAtTheNextRenewal() throws Exception {
            try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
                restoreUnder(holder, other);
                Awaitility.await().atMost(Duration.ofSeconds(15)).until(
                        () -> restored.word(restored.entriesOf(TableFileAccess.hash(session)).get(0), 1) > System.nanoTime());
                assertThat(other.tryAcquire("b", session)).isFalse();
                assertThat(holder.verify("a")).isEqualTo("held");
            }
        }

        @Test
        void costsTheHolderItsLockIfAnotherWasFaster() throws Exception {
            try (Puppet holder = Puppet.start(); Puppet other = Puppet.start()) {
                restoreUnder(holder, other);
                Puppet.Reply reply = other.ask("acquire", "b", session, "timeout=10000");
                if (reply.ok()) { // it was faster than the tick
                    holder.awaitLost("a");
                    assertThat(holder.heldTo("a") - reply.number(1)).as("two valid holders, nanoseconds").isLessThan(10_000_000_000L);
                    assertThat(other.verify("b")).isEqualTo("held");
                } else {
                    assertThat(holder.verify("a")).isEqualTo("held");
                }
            }
        }

        /** The holder renews every 20 s. */
        private void restoreUnder(Puppet holder, Puppet other) throws Exception {
            Path backup = Files.createDirectory(dir.resolve("backup"));
            Path live = Files.createDirectory(dir.resolve("live"));
            session = live.resolve("session.jsonl");
            restored = new TableFileAccess(live);
            other.acquire("warm", live.resolve("warm.jsonl"));
            do { // once more, if the machine stood still for a whole lease
                holder.acquire("before", session, "lease=2000", PATIENT);
                holder.shell("cp -a '" + live + "/.' '" + backup + "/'");
                holder.close("before");
            } while (!Files.exists(backup.resolve("session.jsonl.lock")));
            Thread.sleep(2_300); // the lease in the backup is over
            holder.acquire("a", session, "lease=60000");
            holder.watch("a");
            for (String each : List.of("session.jsonl.lock", ".session-locks/board")) { // like rsync --inplace; cp would cut the files first
                holder.shell("dd status=none conv=notrunc if='" + backup.resolve(each) + "' of='" + live.resolve(each) + "'");
            }
        }
    }

    /** The first process must not decide how later processes may judge each other. */
    @Nested
    class HeaderOfTheTable {

        @Test
        void namesTheTimeNamespaceOfThoseWhoLiveOnceTheOtherIsGone() throws Exception {
            Tools.require("a time namespace of its own", "unshare", "--time", "--monotonic", "100000", "true");
            frozenHolderIsTakenOverOnceTheFirstUserIsGone("true", "unshare", "--time", "--monotonic", "100000");
        }

        @Test
        void namesBootAndNamespaceThoughTheFirstUserKnewNeither() throws Exception {
            Tools.require("a process without /proc", "unshare", "--mount", "/bin/sh", "-c", "mount -t tmpfs tmpfs /proc");
            frozenHolderIsTakenOverOnceTheFirstUserIsGone("mount -t tmpfs tmpfs /proc", "unshare", "--mount"); // a JVM does not start without it
            assertThat(table.word(0, TableFileAccess.BOOT)).as("or nothing is cleared after the next boot").isNotZero();
        }

        private void frozenHolderIsTakenOverOnceTheFirstUserIsGone(String before, String... wrapper) throws Exception {
            try (Puppet other = Puppet.start()) {
                Puppet holder;
                try (Puppet first = Puppet.wrappedBy(wrapper)) {
                    first.shell(before);
                    first.acquire("x", dir.resolve("first.jsonl"));
                    holder = Puppet.start();
                    holder.acquire("early", dir.resolve("early.jsonl"));
                    other.acquire("o", dir.resolve("other.jsonl"));
                    assertThat(first.verify("x")).isEqualTo("held");
                    long named = table.word(0, TableFileAccess.TIME_NAMESPACE);
                    Thread.sleep(6_000); // the keeper's deep check
                    assertThat(table.word(0, TableFileAccess.TIME_NAMESPACE)).as("while the first one lives").isEqualTo(named);
                    assertThat(first.verify("x")).isEqualTo("held");
                }
                try (holder) {
                    Awaitility.await().atMost(Puppet.PATIENCE).until(
                            () -> table.word(0, TableFileAccess.TIME_NAMESPACE) == Long.parseLong(holder.shell("readlink /proc/self/ns/time | tr -dc 0-9")));
                    holder.acquireAndFreeze("a", file, "lease=2000", PATIENT);
                    Puppet.Held held = other.acquire("b", file, "timeout=15000");
                    assertThat(held.token()).isPositive();
                    holder.jvm().wake();
                    holder.awaitLost("a");
                    assertThat(other.verify("b")).isEqualTo("held");
                }
            }
        }
    }
}
