package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The shared table over boots, namespaces and several processes that open it. */
class SharedTableBootTest extends SharedTableFixture {
    @Test
    void theFirstAfterABootClearsTheExpiriesAndKeepsTheTokens() throws IOException {
        SharedTable before = open();
        long token = 0;
        for (int i = 0; i < 700; i++) { // in more than one file
            long h = LockName.hash("n" + i);
            bytes.inUse.add(h);
            TableEntry entry = claim(before, h);
            TableEntries.publish(entry, 0, TableEntry.NEVER);
            TableEntries.publish(entry, 1, 99);
            entry.setWaiterMark(7);
            token = entry.drawToken(WALL);
        }
        assertThat(dir.resolve("board-1")).exists();
        ProcessIdentity later = identity("00000000-0000-4000-8000-000000000001", "4026531834");

        assertThat(SharedTable.openIfReady(dir, later)).as("not before it was cleared").isNull();
        SharedTable after = SharedTable.openForUse(dir, mode, later, ALONE);

        for (int i = 0; i < 700; i++) {
            TableEntry entry = after.find(LockName.hash("n" + i));
            assertThat(entry.expiry(0)).isZero();
            assertThat(entry.expiry(1)).isZero();
            assertThat(entry.waiterMark()).isZero();
        }
        assertThat(after.find(LockName.hash("n699")).drawToken(0)).isGreaterThan(token);
        assertThat(SharedTable.openIfReady(dir, later)).isNotNull();
        TableEntries.publish(after.find(LockName.hash("n3")), 0, 5);
        assertThat(SharedTable.openForUse(dir, mode, later, ALONE).find(LockName.hash("n3")).expiry(0)).as("only the first one clears").isEqualTo(5);
    }

    @Test
    void theFirstAfterABootMakesALargeOneSmallAgainAndTokensGrowOn() throws IOException {
        SharedTable before = open();
        long token = 0;
        for (int i = 0; i < 30_000; i++) {
            long h = LockName.hash("session-" + i);
            bytes.inUse.add(h);
            token = claim(before, h).drawToken(WALL + 30_000 - i);
        }
        assertThat(sizeOfAll()).isGreaterThan(2 << 20);

        SharedTable after = SharedTable.openForUse(dir, mode, identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834"), ALONE);

        assertThat(sizeOfAll()).isLessThan(20_000);
        assertThat(after.find(LockName.hash("session-0"))).isNull();
        assertThat(claim(after, LockName.hash("session-7")).drawToken(0)).as("the clock set back").isGreaterThan(WALL + 30_000);
        assertThat(after.isInPlace()).isTrue();
    }

    /** A process without {@code /proc} does not notice that there was a boot, so it may have come first and hold a lock. */
    @Test
    void theFirstAfterABootClearsNothingBesideAnotherThatMayHaveComeBefore() throws IOException {
        long h = LockName.hash("session.jsonl");
        TableEntries.publish(claim(open(), h), 0, 42);
        ProcessIdentity later = identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834");

        assertThat(SharedTable.openForUse(dir, mode, later, step -> false).find(h).expiry(0)).isEqualTo(42);
    }

    /** Processes that came while that other one lived may hold locks. Those that come after it has ended are not the first. */
    @ParameterizedTest
    @ValueSource(ints = {1, 20_000})
    void whatTheFirstAfterABootHasPublishedStandsOnceTheOtherIsGone(int locks) throws IOException {
        SharedTable before = open();
        for (int i = 0; i < locks; i++) {
            long h = LockName.hash("session-" + i);
            bytes.inUse.add(h);
            claim(before, h).drawToken(WALL);
        }
        ProcessIdentity later = identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834");
        SharedTable first = SharedTable.openForUse(dir, mode, later, step -> false);
        TableEntries.publish(claim(first, LockName.hash("session-0")), 0, 42);

        SharedTable second = SharedTable.openForUse(dir, mode, later, ALONE);

        assertThat(second.find(LockName.hash("session-0")).expiry(0)).isEqualTo(42);
        assertThat(first.isInPlace()).isTrue();
        assertThat(SharedTable.openIfReady(dir, later)).as("nothing is left to be done").isNotNull();
    }

    /** As in a container whose /proc shows only processes (subset=pid): the boot is unknown, the namespace is known. */
    @Test
    void aProcessThatDoesNotKnowItsBootIsOfNoKnownNamespace() {
        assertThat(TableLayout.namespaceNumber(identity(null, "4026531834"))).isZero();
        assertThat(TableLayout.namespaceNumber(identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834"))).isNotZero();
    }

    /** As on macOS: of two processes one may have asked in vain for its boot. It must not look like one that would have noticed a boot. */
    @Test
    void whereThereAreNoTimeNamespacesAProcessThatKnowsItsBootIsToldFromOneThatDoesNot() {
        assertThat(TableLayout.namespaceNumber(identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", null))).isNotZero();
        assertThat(TableLayout.namespaceNumber(identity(null, null))).isZero();
    }

    @Test
    void litterThatCannotBeRemovedDoesNotPreventATable() throws IOException {
        Files.createDirectories(dir.resolve("board.new-1/full"));

        assertThat(claim(open(), 7)).isNotNull();
    }

    /** As in a directory with the sticky bit, where a file of another user can be written to but not replaced. */
    @Test
    void aLargeOneThatCannotBeReplacedIsClearedWhereItLies() throws IOException {
        SharedTable before = open();
        long h = LockName.hash("session-0");
        for (int i = 0; i < 20_000; i++) {
            long each = LockName.hash("session-" + i);
            bytes.inUse.add(each);
            claim(before, each).drawToken(WALL);
        }
        TableEntries.publish(before.find(h), 0, 42);
        ProcessIdentity later = identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834");

        Path file = dir.resolve(TableLayout.FILE);
        Path kept = dir.resolve("kept");
        SharedTable after = SharedTable.openForUse(dir, mode, later, step -> {
            Files.move(file, kept);
            Files.createDirectory(file);
            try {
                step.run();
            } finally {
                Files.delete(file);
                Files.move(kept, file);
            }
            return true;
        });

        assertThat(after.find(h).expiry(0)).isZero();
        assertThat(after.find(h).lastToken()).isEqualTo(WALL);
        assertThat(after.isInPlace()).isTrue();
        assertThat(SharedTable.openIfReady(dir, later)).isNotNull();
    }

    @Test
    void theFirstAfterABootClearsTheWaiterMarksToo() throws IOException {
        long h = LockName.hash("session.jsonl");
        claim(open(), h).setWaiterMark(7);

        SharedTable later = SharedTable.openForUse(dir, mode, identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834"), ALONE);

        assertThat(later.find(h).waiterMark()).isZero();
    }

    /** Clearing the expiries of the living would allow two holders. */
    @Test
    void whereABootIsNotKnownNothingIsCleared() throws IOException {
        long h = LockName.hash("session.jsonl");
        TableEntries.publish(claim(open(), h), 0, 42);
        assertThat(SharedTable.openIfReady(dir, identity(null, "4026531834"))).isNotNull();
        assertThat(SharedTable.openForUse(dir, mode, identity(null, "4026531834"), ALONE).find(h).expiry(0)).as("it does not know its own boot").isEqualTo(42);

        Files.delete(dir.resolve(TableLayout.FILE));
        TableEntries.publish(claim(SharedTable.openForUse(dir, mode, identity(null, null), ALONE), h), 0, 43);
        assertThat(SharedTable.openIfReady(dir, SELF)).isNotNull();
        assertThat(open().find(h).expiry(0)).as("the table does not name its boot").isEqualTo(43);
    }

    @Test
    void bootIdsThatAreNoUuidsAreToldApartToo() throws IOException {
        long h = LockName.hash("session.jsonl");
        TableEntries.publish(claim(SharedTable.openForUse(dir, mode, identity("boot-1", "ns-1"), ALONE), h), 0, 42);

        assertThat(SharedTable.openIfReady(dir, identity("boot-1", "ns-1")).comparable()).isTrue();
        assertThat(SharedTable.openIfReady(dir, identity("boot-1", "ns-2")).comparable()).isFalse();
        assertThat(SharedTable.openIfReady(dir, identity("boot-2", "ns-1"))).isNull();
        assertThat(SharedTable.openForUse(dir, mode, identity("boot-2", "ns-1"), ALONE).find(h).expiry(0)).isZero();
    }

    @Test
    void threadsThatMakeItGrowOneAfterTheOtherDoNotStopEachOther() throws Exception {
        SharedTable table = open();
        ExecutorService other = Executors.newSingleThreadExecutor();
        try {
            for (int i = 0; i < 1_500; i++) {
                long h = LockName.hash("session-" + i + ".jsonl");
                bytes.inUse.add(h);
                if (i % 2 == 0) {
                    claim(table, h);
                } else {
                    other.submit(() -> claim(table, h)).get(30, TimeUnit.SECONDS);
                }
            }
        } finally {
            other.shutdownNow();
        }
        assertThat(table.find(LockName.hash("session-1499.jsonl"))).hasToString(table.find(LockName.hash("session-1499.jsonl")).toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f", "00000000-0000-0000-0000-000000000001", "00000000-0000-4000-0000-000000000000"})
    void aTableIsOfOurNamespaceOnceItNamesThatAndTheBoot(String boot) throws IOException {
        ProcessIdentity us = identity(boot, "4026531834");
        assertThat(SharedTable.openForUse(dir, mode, us, ALONE).isOfOurNamespace()).isTrue();
        assertThat(SharedTable.openForUse(dir, mode, identity(boot, "4026532999"), ALONE).isOfOurNamespace()).as("another's").isFalse();
        assertThat(SharedTable.openIfReady(dir, identity(null, "4026531834")).isOfOurNamespace()).as("of one that knows no boot").isTrue();

        Files.delete(dir.resolve(TableLayout.FILE));
        SharedTable.openForUse(dir, mode, identity(null, "4026531834"), ALONE);
        SharedTable table = SharedTable.openIfReady(dir, us);
        assertThat(table.isOfOurNamespace()).as("whoever made it knew no boot").isFalse();
        table.publishOurNamespace();
        assertThat(table.isOfOurNamespace()).isTrue();
    }

    @Test
    void anotherTimeNamespaceReadsTheExpiriesButMustNotCompareThem() throws IOException {
        TableEntries.publish(claim(open(), 64), 0, 99);
        ProcessIdentity contained = identity(SELF.boot(), "4026532999");

        SharedTable table = SharedTable.openForUse(dir, mode, contained, ALONE);

        assertThat(table.comparable()).isFalse();
        assertThat(table.find(64).expiry(0)).isEqualTo(99);
        assertThat(open().comparable()).isTrue();
    }
}
