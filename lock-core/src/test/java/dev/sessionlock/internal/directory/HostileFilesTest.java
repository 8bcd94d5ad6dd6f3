package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever somebody writes into the files of locks: a report, or an exception that says so, and never any other. What was found once, or looks as if
 * something could be found there, is kept in {@code src/test/resources/hostile}, and tried by each build; what a run makes of it by chance is told by the seed
 * that a failure shows.
 */
class HostileFilesTest {
    private static final Path CORPUS = Path.of("src/test/resources/hostile");
    private static final LockOptions ONE_TRY = LockOptions.defaults().withTimeout(Duration.ZERO);
    /** How long each of the long ones goes on. */
    private static final Duration SOAK = Duration.ofMinutes(Long.getLong("fuzz.minutes", 10));
    private static final Duration BRIEF = Duration.ofSeconds(1);

    @TempDir
    private Path dir;
    private final SessionLocks locks = SessionLocks.create();

    @AfterEach
    void close() {
        locks.close();
    }

    /** A use of the directory in every way that there is. */
    private void use(String name) throws Exception {
        Path session = dir.resolve(name);
        onlyTyped(() -> locks.inspect(session));
        onlyTyped(() -> locks.list(dir).map(LockReport::toString).toList());
        onlyTyped(() -> locks.clear(dir, ClearOptions.dryRun()));
        onlyTyped(() -> locks.clear(session, ClearOptions.forReal()));
        onlyTyped(() -> tryOnce(name));
    }

    private long tryOnce(String name) throws Exception {
        try (SessionLock lock = locks.acquire(dir.resolve(name), ONE_TRY)) {
            return lock.token();
        }
    }

    private interface Call {
        Object run() throws Exception;
    }

    private static void onlyTyped(Call call) throws Exception {
        try {
            call.run();
        } catch (LockException e) {
            assertThat(e).hasMessageNotContaining("Exception: null");
        }
    }

    private static List<Path> corpus() throws IOException {
        try (Stream<Path> files = Files.list(CORPUS)) {
            return files.sorted().toList();
        }
    }

    /** Changes bytes by chance: values that are at the edge of something, above all. */
    private static final class Mutation {
        private static final String[] WORDS = {"9223372036854775807", "-9223372036854775808", "-1", "0", "1", "4294967296", "1e999", "null", "true", "[]", "{",
            "\"\"", "\"+1000000000-12-31T23:59:59Z\"", "\"-1000000000-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59.999Z\"", "\"0000-01-01T00:00:00Z\"", "\"\\ud800\"",
            "\"\\u0000\"", "99999999999999999999"};

        private final Random random;

        Mutation(Random random) {
            this.random = random;
        }

        /** Half of the time, of what is left a whole record with a right checksum is made, if it has the form of one. */
        byte[] of(byte[] file) {
            byte[] bytes = file;
            for (int i = random.nextInt(3); i >= 0; i--) {
                bytes = random.nextInt(3) > 0 ? withOtherValue(bytes) : withOtherBytes(bytes);
            }
            return random.nextBoolean() ? sealed(bytes) : bytes;
        }

        private byte[] withOtherValue(byte[] bytes) {
            String text = new String(bytes, StandardCharsets.ISO_8859_1);
            List<Integer> colons = new ArrayList<>();
            for (int at = text.indexOf("\":"); at >= 0 && colons.size() < 40; at = text.indexOf("\":", at + 1)) {
                colons.add(at + 2);
            }
            if (colons.isEmpty()) {
                return withOtherBytes(bytes);
            }
            int begin = colons.get(random.nextInt(colons.size()));
            int end = begin;
            while (end < text.length() && ",}".indexOf(text.charAt(end)) < 0) {
                end++;
            }
            return (text.substring(0, begin) + WORDS[random.nextInt(WORDS.length)] + text.substring(end)).getBytes(StandardCharsets.ISO_8859_1);
        }

        private byte[] withOtherBytes(byte[] bytes) {
            if (bytes.length == 0) {
                return new byte[random.nextInt(3000)];
            }
            byte[] other = bytes.clone();
            int at = random.nextInt(other.length);
            switch (random.nextInt(4)) {
                case 0 -> other[at] = (byte) random.nextInt();
                case 1 -> Arrays.fill(other, at, other.length, (byte) 0);
                case 2 -> other = Arrays.copyOf(other, at);
                default -> {
                    other = Arrays.copyOf(other, other.length + random.nextInt(2000));
                    System.arraycopy(bytes, 0, other, other.length - bytes.length, bytes.length);
                }
            }
            return other;
        }

        private static byte[] sealed(byte[] bytes) {
            String text = new String(bytes, StandardCharsets.ISO_8859_1);
            int crc = text.indexOf(RecordCodec.CRC);
            if (crc < 0 || crc > RecordCodec.SIZE - 20) {
                return bytes;
            }
            byte[] record = new byte[RecordCodec.SIZE];
            Arrays.fill(record, (byte) ' ');
            System.arraycopy(bytes, 0, record, 0, crc);
            byte[] digits = RecordCodec.digits(RecordCodec.checksum(record, crc));
            byte[] end = (RecordCodec.CRC + new String(digits, StandardCharsets.US_ASCII) + '"').getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(end, 0, record, crc, end.length);
            record[RecordCodec.SIZE - 2] = '}';
            record[RecordCodec.SIZE - 1] = '\n';
            return record;
        }
    }

    private interface Step {
        void run(Random random) throws Exception;
    }

    /** Repeats a step for some time, each time with a seed that a failure tells. */
    private static void repeat(Duration span, Step step) {
        long end = System.nanoTime() + span.toNanos();
        long first = System.nanoTime();
        int steps = 0;
        for (long seed = first; System.nanoTime() < end; seed++, steps++) {
            Random random = new Random(seed);
            assertThatCode(() -> step.run(random)).as("with new Random(%sL)", seed).doesNotThrowAnyException();
        }
        System.out.println("HostileFilesTest: " + steps + " steps in " + span.toSeconds() + " s");
    }

    @Nested
    class TheLockFile {
        private final List<byte[]> seeds = new ArrayList<>();

        @BeforeEach
        void readSeeds() throws IOException {
            for (Path file : corpus()) {
                seeds.add(Files.readAllBytes(file));
            }
            ProcessHandle self = ProcessHandle.current();
            seeds.add(LockRecords.of(self.pid(), -1, Duration.ofSeconds(30), true));
            seeds.add(LockRecords.of(4_000_000_000L, 5, Duration.ofSeconds(-1), false));
            seeds.add(LockRecords.ofBoot("3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f", "elsewhere"));
            seeds.add(("{\"pid\":" + self.pid() + ",\"createdAt\":\"2026-01-01T00:00:00Z\",\"maxHoldMs\":1,\"starttime\":5}").getBytes(StandardCharsets.US_ASCII));
        }

        @Test
        void ofTheCorpusHarmsNobodyAndHidesNoOther() throws Exception {
            Files.createDirectories(dir.resolve(".session-locks"));
            for (Path file : corpus()) {
                Files.copy(file, dir.resolve(file.getFileName()));
                Files.copy(file, dir.resolve(".session-locks/takeover-" + file.getFileName()));
            }
            try (SessionLock lock = locks.acquire(dir.resolve("another"), ONE_TRY)) {
                for (Path file : corpus()) {
                    String name = file.getFileName().toString();
                    assertThatCode(() -> {
                        onlyTyped(() -> locks.inspect(dir.resolve(name.substring(0, name.length() - ".lock".length()))));
                        onlyTyped(() -> tryOnce(name.substring(0, name.length() - ".lock".length())));
                        onlyTyped(() -> tryOnce(name));
                    }).as(name).doesNotThrowAnyException();
                    Files.copy(file, dir.resolve(name), StandardCopyOption.REPLACE_EXISTING);
                }
                use("x");
                assertThat(locks.list(dir).map(LockReport::name)).hasSizeGreaterThan(corpus().size()).contains("another");
                lock.verifyHeld();
            }
        }

        @Test
        void ofAHundredMegabytesIsNotRead() throws Exception {
            try (RandomAccessFile file = new RandomAccessFile(dir.resolve("x.lock").toFile(), "rw")) {
                file.write(LockRecords.of(4_000_000_000L, 5, Duration.ofSeconds(-1), true), 0, 100);
                file.setLength(100_000_000);
            }
            LockReport report = locks.inspect(dir.resolve("x"));
            assertThat(report.evidence()).contains("in the lock's place lies a file of 100000000 bytes");
            use("x");
        }

        @Test
        void whoseNameIsLongInBytesHidesNoOther() throws Exception {
            String name = "\u4f1a".repeat(83);
            Files.writeString(dir.resolve(name + ".lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-01-01T00:00:00Z\"}");
            try (SessionLock lock = locks.acquire(dir.resolve("x"), ONE_TRY)) {
                assertThat(locks.list(dir).map(LockReport::name)).containsExactly("x", name);
                assertThat(locks.inspect(dir.resolve("x")).owner().token()).isEqualTo(lock.token());
            }
        }

        @Test
        void changedByChanceHarmsNobody() {
            repeat(BRIEF, this::step);
        }

        @Test
        @Tag("soak")
        @Timeout(value = 1, unit = TimeUnit.DAYS) // fuzz.minutes says how long
        void changedByChanceHarmsNobodyForLong() {
            repeat(SOAK, this::step);
        }

        private void step(Random random) throws Exception {
            byte[] file = new Mutation(random).of(seeds.get(random.nextInt(seeds.size())));
            LockContent.parse(file);
            Files.write(dir.resolve("x.lock"), file);
            use("x");
            Files.deleteIfExists(dir.resolve("x.lock"));
        }
    }

    /** Mapped by this process, which holds locks, and by others. The bytes keep what is held apart; what the table says is lost with it. */
    @Nested
    class TheTable {
        private static final int WORDS = 257 * 8;

        @Test
        void overwrittenByChanceHarmsNobody() throws Exception {
            overwriteFor(BRIEF);
        }

        @Test
        @Tag("soak")
        @Timeout(value = 1, unit = TimeUnit.DAYS) // fuzz.minutes says how long
        void overwrittenByChanceHarmsNobodyForLong() throws Exception {
            overwriteFor(SOAK);
        }

        @Test
        void headersThatNoTableHas() throws Exception {
            locks.acquire(dir.resolve("x"), ONE_TRY).close();
            long[] boards = {0x8000_0000_7fff_ffffL, Long.MIN_VALUE, -1, 0, 2, 13, 1_000_000, Long.MAX_VALUE};
            for (int word : new int[] {3, 0, 1, 2, 4, 5, 6, 7}) {
                for (long value : word == 3 ? boards : new long[] {boards[0]}) {
                    long before = exchange(word, value);
                    onlyTyped(() -> locks.inspect(dir.resolve("x")));
                    onlyTyped(() -> tryOnce("x"));
                    exchange(word, before);
                }
            }
        }

        /** {@return the word of the header that was there} */
        private long exchange(int word, long value) throws IOException {
            try (RandomAccessFile board = new RandomAccessFile(dir.resolve(".session-locks/board").toFile(), "rw")) {
                byte[] bytes = new byte[8];
                board.seek(word * 8L);
                board.readFully(bytes);
                board.seek(word * 8L);
                board.write(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(value).array());
                return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).getLong();
            }
        }

        private void overwriteFor(Duration span) throws Exception {
            SessionLock held = locks.acquire(dir.resolve("held"), LockOptions.defaults());
            repeat(span, this::step);
            onlyTyped(() -> {
                held.close();
                return null;
            });
            Files.delete(dir.resolve(".session-locks/board"));
            // Until it is noticed that the file was removed, the old words count: the greatest token, say.
            await().atMost(Duration.ofSeconds(60)).ignoreExceptionsInstanceOf(LockException.class).until(() -> tryOnce("x") > 0);
        }

        private void step(Random random) throws Exception {
            try (RandomAccessFile board = new RandomAccessFile(dir.resolve(".session-locks/board").toFile(), "rw")) {
                for (int i = random.nextInt(50); i >= 0; i--) {
                    int line = random.nextInt(3) == 0 ? 0 : random.nextInt(WORDS / 8);
                    board.seek((line * 8L + random.nextInt(8)) * 8);
                    board.write(ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(word(random)).array());
                }
            } catch (java.io.FileNotFoundException e) {
                assertThat(dir.resolve(".session-locks")).isDirectory(); // it is just being made anew
            }
            use(random.nextBoolean() ? "x" : "y" + random.nextInt(5));
        }

        private static long word(Random random) {
            return switch (random.nextInt(8)) {
                case 0 -> Long.MAX_VALUE;
                case 1 -> Long.MIN_VALUE;
                case 2 -> -1;
                case 3 -> 0;
                case 4 -> System.nanoTime() + random.nextInt();
                case 5 -> LockName.hash(random.nextBoolean() ? "x" : "held");
                case 6 -> random.nextInt(20);
                default -> random.nextLong();
            };
        }
    }
}
