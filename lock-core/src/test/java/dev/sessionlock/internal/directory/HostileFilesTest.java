package dev.sessionlock.internal.directory;

import static dev.sessionlock.internal.directory.HostileUse.ONE_TRY;
import static dev.sessionlock.internal.directory.HostileUse.onlyTyped;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files of any content in the places of locks, side by side: those that {@link LockFileFuzzTest} tries one by one, and some that are too big for
 * that.
 */
class HostileFilesTest {
    private static final Path CORPUS = Path.of("src/test/resources/dev/sessionlock/internal/directory/LockFileFuzzTestInputs");

    @TempDir
    private Path dir;
    private HostileUse directory;

    @BeforeEach
    void open() {
        directory = new HostileUse(dir);
    }

    @AfterEach
    void close() {
        directory.close();
    }

    static List<Path> corpus() throws IOException {
        try (Stream<Path> files = Files.walk(CORPUS)) { // what Jazzer has found lies in a directory of its own
            return files.filter(Files::isRegularFile).sorted().toList();
        }
    }

    @Test
    void ofTheCorpusHarmsNobodyAndHidesNoOther() throws Exception {
        Files.createDirectories(dir.resolve(".session-locks"));
        for (Path file : corpus()) {
            Files.copy(file, dir.resolve(file.getFileName()));
            Files.copy(file, dir.resolve(".session-locks/takeover-" + file.getFileName()));
        }
        try (SessionLock lock = directory.locks().acquire(dir.resolve("another"), ONE_TRY)) {
            for (Path file : corpus()) {
                String name = file.getFileName().toString();
                assertThatCode(() -> {
                    onlyTyped(() -> directory.locks().inspect(dir.resolve(name.substring(0, name.length() - ".lock".length()))));
                    onlyTyped(() -> directory.tryOnce(name.substring(0, name.length() - ".lock".length())));
                    onlyTyped(() -> directory.tryOnce(name));
                }).as(name).doesNotThrowAnyException();
                Files.copy(file, dir.resolve(name), StandardCopyOption.REPLACE_EXISTING);
            }
            directory.use("x");
            assertThat(directory.locks().list(dir).map(LockReport::name)).hasSizeGreaterThan(corpus().size()).contains("another");
            lock.verifyHeld();
        }
    }

    @Test
    void ofAHundredMegabytesIsNotRead() throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(dir.resolve("x.lock").toFile(), "rw")) {
            file.write(LockRecords.of(4_000_000_000L, 5, Duration.ofSeconds(-1), true), 0, 100);
            file.setLength(100_000_000);
        }
        LockReport report = directory.locks().inspect(dir.resolve("x"));
        assertThat(report.evidence()).contains("in the lock's place lies a file of 100000000 bytes");
        directory.use("x");
    }

    @Test
    void whoseNameIsLongInBytesHidesNoOther() throws Exception {
        String name = "\u4f1a".repeat(83);
        Files.writeString(dir.resolve(name + ".lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-01-01T00:00:00Z\"}");
        try (SessionLock lock = directory.locks().acquire(dir.resolve("x"), ONE_TRY)) {
            assertThat(directory.locks().list(dir).map(LockReport::name)).containsExactly("x", name);
            assertThat(directory.locks().inspect(dir.resolve("x")).owner().token()).isEqualTo(lock.token());
        }
    }
}
