package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.Kernel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The entries of the shared table, and the words in them. */
class SharedTableTest extends SharedTableFixture {
    private static final long MINUTE = 60_000_000;

    // ---- entries ----

    @Test
    void aLockHasNoEntryBeforeOneIsClaimedAndThenAlwaysTheSame() throws IOException {
        SharedTable one = open();
        SharedTable other = open();
        long h = LockName.hash("session.jsonl");

        assertThat(one.find(h)).isNull();
        TableEntry entry = claim(one, h);
        TableEntries.publish(entry, 0, 42);
        TableEntries.publish(entry, 1, 43);

        for (SharedTable table : List.of(one, other, open())) {
            assertThat(table.find(h).expiry(0)).isEqualTo(42);
            assertThat(table.find(h).expiry(1)).isEqualTo(43);
            assertThat(claim(table, h).expiry(0)).isEqualTo(42);
            assertThat(table.find(h).isValid()).isTrue();
        }
        assertThat(one.find(h + 64)).as("its neighbour has none").isNull();
    }

    @Test
    void thousandsOfLocksHaveAnEntryEachAndTwoProcessesSeeTheSame() throws IOException {
        SharedTable one = open();
        SharedTable other = open();
        Map<Long, Long> written = new HashMap<>();
        for (int i = 0; i < 6_000; i++) {
            long h = LockName.hash("session-" + i + ".jsonl");
            bytes.inUse.add(h); // they are all held, so none is idle
            TableEntry entry = claim(i % 2 == 0 ? one : other, h);
            TableEntries.publish(entry, 0, i + 1);
            entry.drawToken(WALL);
            written.put(h, i + 1L);
        }
        for (Map.Entry<Long, Long> entry : written.entrySet()) {
            assertThat(one.find(entry.getKey()).expiry(0)).isEqualTo(entry.getValue());
            assertThat(other.find(entry.getKey()).expiry(0)).isEqualTo(entry.getValue());
        }
        assertThat(bytes.cleared).as("no line of a held lock is cleared").isEmpty();
        assertThat(dir.resolve("board-1")).exists();
        assertThat(open().find(LockName.hash("session-5999.jsonl")).expiry(0)).as("who comes later").isEqualTo(6_000);
    }

    @Test
    void processesThatClaimAtOnceNeverShareAnEntry() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            Map<Long, String> entries = new ConcurrentHashMap<>();
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                int first = t;
                SharedTable table = open();
                all.add(threads.submit(() -> {
                    for (int i = first; i < 2_000; i += 4) {
                        long h = LockName.hash("n" + i);
                        bytes.inUse.add(h);
                        TableEntry entry = claim(table, h);
                        TableEntries.publish(entry, 0, h);
                        entries.put(h, entry.toString());
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get(60, TimeUnit.SECONDS);
            }
            SharedTable fresh = open();
            for (long h : entries.keySet()) {
                assertThat(fresh.find(h).expiry(0)).isEqualTo(h);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void anUnusedEntryIsClearedBeforeTheTableGrows() throws IOException {
        SharedTable table = open();
        fillWindowOf(table, 0, WALL - 2 * MINUTE);

        TableEntry late = claim(table, h(0, 99));

        assertThat(late.expiry(0)).as("cleared").isZero();
        assertThat(bytes.cleared).hasSize(1);
        assertThat(dir.resolve("board-1")).doesNotExist();
    }

    @Test
    void aRecentlyUsedEntryIsNotClearedWhileTheTableCanGrow() throws IOException {
        SharedTable table = open();
        fillWindowOf(table, 0, WALL);

        claim(table, h(0, 99));

        assertThat(bytes.cleared).isEmpty();
        assertThat(dir.resolve("board-1")).exists();
        for (int i = 0; i < SharedTable.WINDOW; i++) {
            assertThat(table.find(h(0, i)).expiry(0)).isEqualTo(i + 1);
        }
    }

    /** It used to be 64 MB after 900,000 names in a minute or two. Such a file stays until somebody stops all processes and removes it. */
    @Test
    void namesThatAreUsedOneAfterTheOtherDoNotMakeItGrowWithoutEnd() throws IOException {
        SharedTable table = open();
        for (int i = 0; i < 40_000; i++) { // an entry each would take more than what is allowed below
            long wall = WALL + 25L * i; // the speed at which one thread takes and gives back locks
            table.findOrClaim(LockName.hash("session-" + i), wall, mode, bytes).drawToken(wall);
        }

        assertThat(sizeOfAll()).isLessThan(2 << 20);
    }

    @Test
    void locksThatAreHeldAtOnceAllFindRoom() throws IOException {
        SharedTable table = open();
        for (int i = 0; i < 30_000; i++) {
            long h = LockName.hash("session-" + i);
            bytes.inUse.add(h);
            TableEntries.publish(claim(table, h), 0, TableEntry.NEVER);
        }

        for (int i = 0; i < 30_000; i++) {
            assertThat(table.find(LockName.hash("session-" + i)).expiry(0)).isEqualTo(TableEntry.NEVER);
        }
    }

    @Test
    void aTokenIsNeverDrawnAgainThoughItsEntryWasCleared() throws IOException {
        SharedTable table = open();
        SharedTable other = open();
        fillWindowOf(table, 0, WALL - 2 * MINUTE);
        long before = table.find(h(0, 0)).drawToken(WALL + 5_000); // the first one is the newest
        Set<Long> all = new HashSet<>();
        for (int i = 100; i < 100 + SharedTable.WINDOW - 1; i++) {
            all.add(claim(other, h(0, i)).drawToken(0));
        }
        bytes.cleared.clear();
        TableEntry again = claim(other, h(0, 0));

        assertThat(again.drawToken(0)).as("the same lock, the clock set back").isGreaterThan(before);
        assertThat(all).hasSize(SharedTable.WINDOW - 1);

        // Its entry is cleared, then claimed for it anew: the high-water mark remembers.
        TableEntries.publish(other.find(h(0, 0)), 0, 0);
        assertThat(clearAllIdle(other)).contains(h(0, 0));
        assertThat(claim(table, h(0, 0)).drawToken(0)).isGreaterThan(before + 1);
    }

    private List<Long> clearAllIdle(SharedTable table) throws IOException {
        bytes.cleared.clear();
        for (int i = 200; i < 200 + 3 * SharedTable.WINDOW; i++) {
            table.findOrClaim(h(0, i), WALL + 10 * MINUTE, mode, bytes);
        }
        return bytes.cleared;
    }

    @Test
    void anEntryOfAHeldLockIsNotClearedHoweverOldItsToken() throws IOException {
        SharedTable table = open();
        fillWindowOf(table, 0, WALL - 2 * MINUTE);
        for (int i = 0; i < SharedTable.WINDOW; i++) {
            bytes.inUse.add(h(0, i));
        }
        claim(table, h(0, 99));

        assertThat(bytes.cleared).isEmpty();
        assertThat(table.find(h(0, 3)).expiry(0)).isEqualTo(4);
    }

    @Test
    void anEntryThatChangedItsLockMeanwhileIsLeftAlone() throws IOException {
        SharedTable table = open();
        fillWindowOf(table, 0, WALL - 2 * MINUTE);
        TableEntry[] newcomer = new TableEntry[1];
        SharedTable.TableBytes late = new SharedTable.TableBytes() {
            @Override
            public boolean holdingBoth(long h, Runnable clear) throws IOException {
                if (newcomer[0] == null) { // another process clears and claims it between our look and our getting the bytes
                    newcomer[0] = open().findOrClaim(h(0, 77), WALL, mode, bytes);
                    TableEntries.publish(newcomer[0], 0, 777);
                }
                if (h == h(0, 77)) {
                    return false; // it is in use
                }
                clear.run();
                return true;
            }

            @Override
            public <T> T holdingSetup(BytesStep<T> step) throws IOException {
                return step.run();
            }
        };
        table.findOrClaim(h(0, 99), WALL, mode, late);

        assertThat(newcomer[0].isValid()).isTrue();
        assertThat(newcomer[0].expiry(0)).isEqualTo(777);
    }

    @Test
    void aFullTableSaysSo() throws IOException {
        SharedTable table = open();
        SharedTable.TableBytes nothingIdleAndNoRoom = new SharedTable.TableBytes() {
            @Override
            public boolean holdingBoth(long h, Runnable clear) {
                return false;
            }

            @Override
            public <T> T holdingSetup(BytesStep<T> step) throws IOException {
                throw new IOException("No space left on device");
            }
        };
        fillWindowOf(table, 0, WALL);

        assertThatIOException().isThrownBy(() -> table.findOrClaim(h(0, 99), WALL, mode, nothingIdleAndNoRoom))
                .withMessageContaining("No space left");
        assertThat(table.find(h(0, 3)).expiry(0)).as("the others are as they were").isEqualTo(4);
    }

    private void fillWindowOf(SharedTable table, int place, long token) throws IOException {
        for (int i = 0; i < SharedTable.WINDOW; i++) {
            TableEntry entry = claim(table, h(place, i));
            TableEntries.publish(entry, 0, i + 1);
            entry.raiseToken(token);
        }
    }

    // ---- words ----

    @Test
    void tokensGrowOverAllProcessesAndAreNotBelowTheWallClock() throws Exception {
        long h = LockName.hash("x");
        SharedTable first = open();
        claim(first, h);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Future<long[]>> drawn = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                TableEntry entry = open().find(h);
                drawn.add(threads.submit(() -> {
                    long[] tokens = new long[5_000];
                    for (int i = 0; i < tokens.length; i++) {
                        tokens[i] = entry.drawToken(WALL + i);
                    }
                    return tokens;
                }));
            }
            Set<Long> all = new HashSet<>();
            for (Future<long[]> one : drawn) {
                long[] tokens = one.get(60, TimeUnit.SECONDS);
                for (int i = 0; i < tokens.length; i++) {
                    assertThat(tokens[i]).isGreaterThanOrEqualTo(WALL + i).isGreaterThan(i == 0 ? 0 : tokens[i - 1]);
                    assertThat(all.add(tokens[i])).as("drawn once").isTrue();
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void aRaisedTokenIsALowerBoundAndNeverLowered() throws IOException {
        TableEntry entry = claim(open(), 64);
        entry.raiseToken(WALL + 1_000);
        assertThat(entry.drawToken(WALL)).isEqualTo(WALL + 1_001);
        entry.raiseToken(5);
        assertThat(entry.drawToken(WALL)).isEqualTo(WALL + 1_002);
    }

    @Test
    void aWaiterMarkIsSeenByOthers() throws IOException {
        TableEntry mine = claim(open(), 64);
        TableEntry theirs = open().find(64);
        assertThat(theirs.waiterMark()).isZero();
        mine.setWaiterMark(12_345);
        assertThat(theirs.waiterMark()).isEqualTo(12_345);
    }

    // ---- its files ----

    /** A table of two files; {@code board-1} is the second. */
    private SharedTable ofTwoFiles() throws IOException {
        SharedTable table = open();
        for (int i = 0; i <= SharedTable.WINDOW; i++) {
            bytes.inUse.add(h(0, i));
            claim(table, h(0, i));
        }
        assertThat(dir.resolve("board-1")).exists();
        assertThat(dir.resolve("board-2")).doesNotExist();
        return table;
    }

    @Test
    void isNotInPlaceIfAFurtherFileWasReplaced() throws IOException {
        SharedTable table = ofTwoFiles();
        assertThat(table.isInPlace()).isTrue();
        Files.move(Files.copy(dir.resolve("board-1"), dir.resolve("copy")), dir.resolve("board-1"), StandardCopyOption.REPLACE_EXISTING);

        assertThat(table.isInPlace()).isFalse();
    }

    @Test
    void isNotInPlaceIfAFurtherFileThatItHasNotOpenedWasCutShortOrRemoved() throws IOException {
        SharedTable before = open();
        ofTwoFiles();
        assertThat(before.isInPlace()).isTrue();
        try (RandomAccessFile cut = new RandomAccessFile(dir.resolve("board-1").toFile(), "rw")) {
            cut.setLength(cut.length() - 1);
        }
        assertThat(before.isInPlace()).isFalse();
        Files.delete(dir.resolve("board-1"));
        assertThat(before.isInPlace()).isFalse();
    }

    @Test
    void whatAnotherProcessAddsMeanwhileIsUsed() throws IOException {
        SharedTable table = open();
        fillWindowOf(table, 0, WALL);
        for (int i = 0; i < SharedTable.WINDOW; i++) {
            bytes.inUse.add(h(0, i));
        }
        SharedTable.TableBytes late = new SharedTable.TableBytes() {
            @Override
            public boolean holdingBoth(long h, Runnable clear) {
                return bytes.holdingBoth(h, clear);
            }

            @Override
            public <T> T holdingSetup(BytesStep<T> step) throws IOException {
                claim(open(), h(0, 98)); // it was faster
                return bytes.holdingSetup(step);
            }
        };

        assertThat(table.findOrClaim(h(0, 99), WALL, mode, late)).isNotNull();

        assertThat(dir.resolve("board-1")).exists();
        assertThat(dir.resolve("board-2")).doesNotExist();
    }

    @Test
    void costsNoDescriptorOnceItIsClosed() throws IOException {
        long before = Kernel.openFilesIn(dir);
        SharedTable table = ofTwoFiles();
        assertThat(Kernel.openFilesIn(dir) - before).isEqualTo(2);

        table.close();

        assertThat(Kernel.openFilesIn(dir) - before).isZero();
    }
}
