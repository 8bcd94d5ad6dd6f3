package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.Kernel;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The shared table. Two objects on one file stand for two processes: each has its own mapping of the same pages. */
class SharedTableTest {
    private static final ProcessIdentity SELF = identity("3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f", "4026531834");
    private static final long WALL = 1_770_617_943_000_000L;
    private static final long MINUTE = 60_000_000;

    private static final SharedTable.OtherNamespaces ALONE = step -> {
        step.run();
        return true;
    };

    @TempDir
    Path dir;
    private FileMode mode;
    private final KernelBytes bytes = new KernelBytes();

    /** Stands for the kernel: whose bytes are in use, and the one setup byte. */
    private static final class KernelBytes implements SharedTable.TableBytes {
        private final Set<Long> inUse = ConcurrentHashMap.newKeySet();
        private final ReentrantLock setup = new ReentrantLock();
        private final List<Long> cleared = new ArrayList<>();

        @Override
        public boolean holdingBoth(long h, Runnable clear) {
            if (!inUse.add(h)) {
                return false;
            }
            try {
                clear.run();
                cleared.add(h);
                return true;
            } finally {
                inUse.remove(h);
            }
        }

        @Override
        public <T> T holdingSetup(BytesStep<T> step) throws IOException {
            setup.lock();
            try {
                return step.run();
            } finally {
                setup.unlock();
            }
        }
    }

    private static ProcessIdentity identity(String boot, String timens) {
        return new ProcessIdentity(1, 1, null, boot, "1", timens, "moss", true);
    }

    @BeforeEach
    void modes() throws IOException {
        mode = FileMode.of(dir);
    }

    private SharedTable open() throws IOException {
        return SharedTable.openForUse(dir, mode, SELF, ALONE);
    }

    private TableEntry claim(SharedTable table, long h) throws IOException {
        return table.findOrClaim(h, WALL, mode, bytes);
    }

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
        for (int i = 0; i < 100_000; i++) {
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

    private long sizeOfAll() throws IOException {
        long sum = 0;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(dir, "board*")) {
            for (Path file : files) {
                sum += Files.size(file);
            }
        }
        return sum;
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

        // Its entry is cleared, then claimed for it anew: the floor remembers.
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

    /** A hash whose window in the first file begins at a given slot. */
    private static long h(int place, int number) {
        return (place + 256L * (number + 1)) << 6;
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

    // ---- boots ----

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
        assertThat(TableLayout.namespaceNumber(identity("99999999-6b0c-4d3e-9f21-0a1b2c3d4e5f", null))).isZero();
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
        assertThat(open().find(h).expiry(0)).as("the board does not name its boot").isEqualTo(43);
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

    @Test
    void anotherTimeNamespaceReadsTheExpiriesButMustNotCompareThem() throws IOException {
        TableEntries.publish(claim(open(), 64), 0, 99);
        ProcessIdentity contained = identity(SELF.boot(), "4026532999");

        SharedTable table = SharedTable.openForUse(dir, mode, contained, ALONE);

        assertThat(table.comparable()).isFalse();
        assertThat(table.find(64).expiry(0)).isEqualTo(99);
        assertThat(open().comparable()).isTrue();
    }

    // ---- what people and crashes do to the file ----

    @Test
    void itIsWrittenOutBeforeItIsMapped() throws IOException {
        open();
        Path file = dir.resolve(TableLayout.FILE);

        assertThat(Files.size(file)).isEqualTo(64 * 257);
        assertThat(blocks(file)).as("a page without a block behind it kills the JVM on a full disk").isGreaterThanOrEqualTo(Files.size(file));

        SharedTable table = open();
        for (int i = 0; i < 2_000; i++) {
            bytes.inUse.add(LockName.hash("n" + i));
            claim(table, LockName.hash("n" + i));
        }
        for (int i = 1; Files.exists(dir.resolve("board-" + i)); i++) {
            Path further = dir.resolve("board-" + i);
            assertThat(Files.size(further)).isEqualTo(64L * ((256 << i) + 1));
            assertThat(blocks(further)).isGreaterThanOrEqualTo(Files.size(further));
        }
    }

    /** In bytes, from stat(1): Java does not tell it. */
    private static long blocks(Path file) throws IOException {
        Process stat = new ProcessBuilder("stat", "-c", "%b %B", file.toString()).start();
        try {
            String[] said = new String(stat.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.US_ASCII).trim().split(" ");
            return Long.parseLong(said[0]) * Long.parseLong(said[1]);
        } finally {
            stat.destroyForcibly();
        }
    }

    @Test
    void oneThatIsNotThereOrUnfinishedIsMadeAnew() throws IOException {
        Path file = dir.resolve(TableLayout.FILE);
        open();
        byte[] whole = Files.readAllBytes(file);
        for (int length : new int[] {0, 1, 8, 63, 64, 65, whole.length / 2, whole.length - 1}) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertThat(SharedTable.openIfReady(dir, SELF)).as("cut to " + length).isNull();
            TableEntry entry = claim(open(), 64);
            TableEntries.publish(entry, 0, 5);
            assertThat(open().find(64).expiry(0)).isEqualTo(5);
        }
        byte[] withoutMagic = whole.clone();
        Arrays.fill(withoutMagic, 0, 8, (byte) 0);
        Files.write(file, withoutMagic);
        assertThat(SharedTable.openIfReady(dir, SELF)).isNull();
        assertThat(open().find(64)).isNull();
    }

    @Test
    void garbageInItsPlaceIsMadeAnewAsAWholeAndNotOnlyInPart() throws IOException {
        Path file = dir.resolve(TableLayout.FILE);
        byte[] garbage = new byte[100_000];
        new Random(5).nextBytes(garbage);
        Files.write(file, garbage);

        SharedTable table = open();
        assertThat(Files.size(file)).isEqualTo(64 * 257);
        for (int i = 0; i < 300; i++) {
            long h = LockName.hash("n" + i);
            assertThat(table.find(h)).isNull();
            TableEntry entry = claim(table, h);
            assertThat(entry.expiry(0)).isZero();
            assertThat(entry.drawToken(WALL)).isBetween(WALL, WALL + 1_000);
        }
        assertThat(SharedTable.openIfReady(dir, SELF)).isNotNull();
    }

    @Test
    void appendedBytesDoNotMoveAnyEntry() throws IOException {
        SharedTable early = open();
        for (int i = 0; i < 100; i++) {
            TableEntries.publish(claim(early, LockName.hash("n" + i)), 0, i + 1);
        }
        Files.write(dir.resolve(TableLayout.FILE), new byte[64 * 64], java.nio.file.StandardOpenOption.APPEND);

        for (SharedTable late : List.of(open(), SharedTable.openIfReady(dir, SELF), SharedTable.openToLook(dir, SELF))) {
            for (int i = 0; i < 100; i++) {
                TableEntry entry = late.find(LockName.hash("n" + i));
                assertThat(entry).as("n" + i).isNotNull();
                assertThat(entry.expiry(0)).isEqualTo(i + 1);
            }
        }
    }

    @Test
    void oneOfAnotherVersionIsRefusedInWordsAndLeftAsItIs() throws IOException {
        open();
        Path file = dir.resolve(TableLayout.FILE);
        setWord(file, 8, 2);
        byte[] before = Files.readAllBytes(file);
        long files = Kernel.openFilesIn(dir);

        assertThat(SharedTable.openIfReady(dir, SELF)).isNull();
        assertThatIOException().isThrownBy(this::open).withMessageContaining("another version of sessionlock").withMessageContaining("format 2");
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
        assertThat(Kernel.openFilesIn(dir)).as("the first one may have been collected").isLessThanOrEqualTo(files);
    }

    @Test
    void oneOfWhichAFurtherFileIsMissingOrCutShortIsMadeAnew() throws IOException {
        for (long files : new long[] {2, 5, Long.MAX_VALUE}) {
            SharedTable before = open();
            setWord(dir.resolve(TableLayout.FILE), 24, files);
            assertThatIOException().isThrownBy(() -> before.find(64)).withMessageContaining("board-1").withMessageContaining("missing or cut short");
            assertThat(before.isInPlace()).isFalse();
            assertThat(SharedTable.openIfReady(dir, SELF)).isNull();
            assertThat(open().find(64)).isNull();
            assertThat(before.isInPlace()).isFalse();
        }
        SharedTable grown = open();
        for (int i = 0; !Files.exists(dir.resolve("board-2")); i++) {
            bytes.inUse.add(LockName.hash("n" + i));
            claim(grown, LockName.hash("n" + i));
        }
        assertThat(grown.isInPlace()).isTrue();
        assertThat(SharedTable.openIfReady(dir, SELF)).isNotNull();
        cut(dir.resolve("board-1"), 4096);
        assertThat(grown.isInPlace()).isFalse();
        assertThat(SharedTable.openIfReady(dir, SELF)).isNull();
        TableEntry entry = claim(open(), 64);
        TableEntries.publish(entry, 0, 5);
        assertThat(SharedTable.openIfReady(dir, SELF).find(64).expiry(0)).isEqualTo(5);
        assertThat(Files.size(dir.resolve("board-1"))).as("the old one, which others may have mapped").isEqualTo(4096);
    }

    @Test
    void theFileThatOthersHaveMappedIsNeverWrittenToWhenItIsMadeAnew() throws IOException {
        SharedTable old = open();
        TableEntry entry = claim(old, 64);
        Path kept = Files.createLink(dir.resolve("kept"), dir.resolve(TableLayout.FILE));
        cut(kept, 4096);
        byte[] before = Files.readAllBytes(kept);

        assertThat(old.isInPlace()).isFalse();
        SharedTable fresh = open();
        assertThat(fresh.find(64)).isNull();
        claim(fresh, 128);
        assertThat(Files.readAllBytes(kept)).isEqualTo(before);
        assertThat(old.isInPlace()).isFalse();
        assertThat(fresh.isInPlace()).isTrue();
        assertThat(entry.expiry(1)).as("what is left of it").isZero();
    }

    @Test
    void oneThatWasOverwrittenInPlaceIsNotInPlace() throws IOException {
        SharedTable table = open();
        try (RandomAccessFile out = new RandomAccessFile(dir.resolve(TableLayout.FILE).toFile(), "rw")) {
            out.write(new byte[64 * 257]);
        }
        assertThat(table.isInPlace()).isFalse();
        assertThat(SharedTable.openIfReady(dir, SELF)).isNull();
        claim(open(), 64);
        assertThat(table.find(64)).as("the old one is another file").isNull();
    }

    @Test
    void whatIsLeftOfOneThatWasNeverFinishedIsSweptWithTheNext() throws IOException {
        Path left = Files.write(dir.resolve("board-1.new-17"), new byte[100]);
        open();
        assertThat(left).doesNotExist();
        try (java.util.stream.Stream<Path> all = Files.list(dir)) {
            assertThat(all).containsExactly(dir.resolve(TableLayout.FILE));
        }
    }

    @Test
    void nonsenseAsTheNumberOfFilesHarmsNothing() throws IOException {
        open();
        setWord(dir.resolve(TableLayout.FILE), 24, Long.MIN_VALUE);
        assertThat(open().find(64)).isNull();
    }

    private static void cut(Path file, long length) throws IOException {
        try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
            out.setLength(length);
        }
    }

    private static void setWord(Path file, int at, long value) throws IOException {
        try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
            out.seek(at);
            out.write(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value).array());
        }
    }

    @Test
    void oneThatWasReplacedIsNoticed() throws IOException {
        SharedTable table = open();
        assertThat(table.isInPlace()).isTrue();
        Files.delete(dir.resolve(TableLayout.FILE));
        assertThat(table.isInPlace()).isFalse();
        open();
        assertThat(table.isInPlace()).isFalse();
    }

    @Test
    void anythingElseInItsPlaceIsRefusedInWords() throws IOException {
        Path elsewhere = Files.write(dir.resolve("elsewhere"), new byte[] {1, 2, 3});
        Files.createSymbolicLink(dir.resolve(TableLayout.FILE), elsewhere);
        assertThatIOException().isThrownBy(this::open).withMessageContaining("not an ordinary file");
        assertThat(Files.readAllBytes(elsewhere)).containsExactly(1, 2, 3);

        Files.delete(dir.resolve(TableLayout.FILE));
        Files.createDirectory(dir.resolve(TableLayout.FILE));
        assertThatIOException().isThrownBy(this::open).withMessageContaining("not an ordinary file");
    }

    @Test
    void whoOnlyLooksMakesNothing() throws IOException {
        assertThat(SharedTable.openToLook(dir, SELF)).isNull();
        assertThat(dir).isEmptyDirectory();

        TableEntries.publish(claim(open(), 64), 0, 9);
        assertThat(SharedTable.openToLook(dir, SELF).find(64).expiry(0)).isEqualTo(9);
    }

    @Test
    void anInterruptedThreadOpensItAsAnyOther() throws IOException {
        Thread.currentThread().interrupt();
        try {
            TableEntries.publish(claim(open(), 64), 0, 9);
            assertThat(SharedTable.openIfReady(dir, SELF).find(64).expiry(0)).isEqualTo(9);
        } finally {
            assertThat(Thread.interrupted()).as("the interrupt is not swallowed").isTrue();
        }
    }
}
