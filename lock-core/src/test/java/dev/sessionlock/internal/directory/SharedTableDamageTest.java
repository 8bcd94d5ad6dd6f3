package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.Kernel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What people and crashes do to the files of the shared table. */
class SharedTableDamageTest extends SharedTableFixture {
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
