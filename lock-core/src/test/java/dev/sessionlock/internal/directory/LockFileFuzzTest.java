package dev.sessionlock.internal.directory;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever somebody writes into a lock file: the result is a report, or an exception that says so. A build tries the inputs in
 * {@code LockFileFuzzTestInputs}. In the soak profile Jazzer generates more, for {@code -Dfuzz.minutes} (10), and adds those that fail.
 */
class LockFileFuzzTest {
    @TempDir
    private static Path dir;
    private static HostileUse directory;

    @BeforeAll
    static void open() {
        directory = new HostileUse(dir);
    }

    @AfterAll
    static void close() {
        directory.close();
    }

    /** Records of processes that live now, which no file can contain. */
    static Stream<byte[]> records() {
        ProcessHandle self = ProcessHandle.current();
        return Stream.of(LockRecords.of(self.pid(), -1, Duration.ofSeconds(30), true),
                LockRecords.of(4_000_000_000L, 5, Duration.ofSeconds(-1), false),
                LockRecords.ofBoot("3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f", "elsewhere"),
                ("{\"pid\":" + self.pid() + ",\"createdAt\":\"2026-01-01T00:00:00Z\",\"maxHoldMs\":1,\"starttime\":5}").getBytes(StandardCharsets.US_ASCII));
    }

    @MethodSource("records")
    @FuzzTest(maxDuration = "10m")
    void anythingInALockFileHarmsNobody(byte[] file) throws Exception {
        if (file == null) {
            return; // an input of Jazzer's own
        }
        tryWith(file);
        byte[] sealed = sealed(file);
        if (sealed != null && !Arrays.equals(sealed, file)) {
            tryWith(sealed);
        }
    }

    private static void tryWith(byte[] file) throws Exception {
        LockContent.parse(file);
        Files.write(dir.resolve("x.lock"), file);
        directory.use("x");
        Files.deleteIfExists(dir.resolve("x.lock"));
    }

    /** {@return the bytes as a whole record with a valid checksum, which no fuzzer guesses; null if they do not have the form of a record} */
    static byte[] sealed(byte[] file) {
        String text = new String(file, StandardCharsets.ISO_8859_1);
        int crc = text.indexOf(RecordCodec.CRC);
        int end = RecordCodec.SIZE - RecordCodec.CRC.length() - RecordCodec.CRC_DIGITS - 3;
        if (crc < 0 || crc > end) {
            return null;
        }
        byte[] record = new byte[RecordCodec.SIZE];
        Arrays.fill(record, (byte) ' ');
        System.arraycopy(file, 0, record, 0, crc);
        String digits = new String(RecordCodec.digits(RecordCodec.checksum(record, crc)), StandardCharsets.US_ASCII);
        byte[] seal = (RecordCodec.CRC + digits + '"').getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(seal, 0, record, crc, seal.length);
        record[RecordCodec.SIZE - 2] = '}';
        record[RecordCodec.SIZE - 1] = '\n';
        return record;
    }
}
