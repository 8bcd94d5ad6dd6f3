package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.ClearReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.NotALockFileException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What a power cut leaves of the first lock of a session whose file does not exist yet: names are on the disk, contents are not. Created by hand
 * here; {@link CrashedHolderTest} lets the lab create it.
 */
class EmptiedRecordTest {
    @TempDir
    Path dir;
    private Path file;
    private Path lockFile;
    private final SessionLocks locks = SessionLocks.create();

    @BeforeEach
    void aHolderThatIsCutOff() throws Exception {
        file = dir.resolve("new.jsonl");
        lockFile = dir.resolve("new.jsonl.lock");
        try (Puppet holder = Puppet.start()) {
            holder.acquire("a", file);
            holder.jvm().kill();
        }
        contentIsLost(lockFile, 31);
    }

    @AfterEach
    void close() {
        locks.close();
    }

    private static void contentIsLost(Path file, int secondsAgo) throws IOException {
        try (RandomAccessFile it = new RandomAccessFile(file.toFile(), "rw")) {
            it.setLength(0);
        }
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(secondsAgo)));
    }

    /** What else was lost. */
    private enum Loss {
        NOTHING_ELSE {
            @Override
            void of(Path inner) {
            }
        },
        ANOTHER_BOOT {
            @Override
            void of(Path inner) throws IOException {
                try (RandomAccessFile table = new RandomAccessFile(inner.resolve("board").toFile(), "rw")) {
                    table.seek(32);
                    table.writeLong(4711);
                }
            }
        },
        THE_TABLE {
            @Override
            void of(Path inner) throws IOException {
                contentIsLost(inner.resolve("board"), 31);
            }
        },
        THE_RECORD_FILES {
            @Override
            void of(Path inner) throws IOException {
                try (DirectoryStream<Path> recordFiles = Files.newDirectoryStream(inner, "claim-*")) {
                    for (Path recordFile : recordFiles) {
                        Files.delete(recordFile);
                    }
                }
            }
        };

        abstract void of(Path inner) throws IOException;
    }

    @ParameterizedTest
    @EnumSource
    void sessionCanBeLockedAgain(Loss loss) throws Exception {
        loss.of(dir.resolve(".session-locks"));
        assertThat(locks.inspect(file).state()).isEqualTo(State.TORN);
        assertThat(locks.inspect(file).advice()).contains("the next acquisition replaces it");
        try (SessionLock lock = locks.acquire(file)) {
            lock.verifyHeld();
        }
        assertThat(lockFile).doesNotExist();
    }

    @ParameterizedTest
    @EnumSource
    void sessionCanBeCleared(Loss loss) throws Exception {
        loss.of(dir.resolve(".session-locks"));
        assertThat(locks.clear(dir, ClearOptions.forReal())).extracting(ClearReport::outcome).containsExactly(ClearReport.Outcome.CLEARED);
        assertThat(lockFile).doesNotExist();
    }

    @Test
    void sessionIsWaitedForWhileItMayStillBeBeingWritten() throws Exception {
        contentIsLost(lockFile, 10);
        assertThat(locks.tryAcquire(file)).isEmpty();
        assertThat(locks.clear(file, ClearOptions.forReal())).extracting(ClearReport::outcome).containsExactly(ClearReport.Outcome.REFUSED);
        assertThat(lockFile).exists();
    }

    @Test
    void sessionWithoutAnyEvidenceIsRefusedAndNothingIsTouched() throws Exception {
        Loss.THE_RECORD_FILES.of(dir.resolve(".session-locks"));
        Loss.THE_TABLE.of(dir.resolve(".session-locks"));
        for (int i = 0; i < 2; i++) {
            Assertions.assertThatThrownBy(() -> locks.acquire(file)).isInstanceOf(NotALockFileException.class)
                    .hasMessageContaining("an empty file, and no new.jsonl beside it").hasMessageContaining("power cut").hasMessageContaining("move it away");
        }
        assertThat(locks.inspect(file).state()).isEqualTo(State.TORN);
        assertThat(locks.inspect(file).advice()).contains("rm " + lockFile);
        assertThat(locks.clear(file, ClearOptions.forReal())).extracting(ClearReport::outcome).containsExactly(ClearReport.Outcome.REFUSED);
        assertThat(lockFile).exists();
    }
}
