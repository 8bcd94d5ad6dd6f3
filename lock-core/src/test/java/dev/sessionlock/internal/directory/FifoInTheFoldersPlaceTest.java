package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Somebody puts a FIFO in the place of {@code .session-locks}, beside a living holder. Opening it would block until somebody writes to it. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FifoInTheFoldersPlaceTest {
    private static final LockOptions ONCE = LockOptions.defaults().withTimeout(Duration.ZERO);

    @TempDir
    private Path dir;
    private Path inner;
    private SessionLocks locks;

    @BeforeEach
    void open() {
        inner = dir.resolve(".session-locks");
        locks = SessionLocks.create();
    }

    @AfterEach
    void close() {
        locks.close();
    }

    private static void makeFifo(Path path) throws Exception {
        assertThat(new ProcessBuilder("mkfifo", path.toString()).inheritIO().start().waitFor()).isZero();
    }

    @Test
    void holdsNobodyUp() throws Exception {
        SessionLock lock = locks.acquire(dir.resolve("x"), ONCE);
        Files.move(inner, dir.resolve("away"));
        makeFifo(inner);

        await().atMost(Duration.ofSeconds(50)).until(() -> !lock.isHeld());
        lock.close();
        assertThatThrownBy(() -> locks.acquire(dir.resolve("x"), ONCE)).isInstanceOf(LockException.class)
                .hasMessageContaining(inner + " is not a directory; somebody put it there: remove it");

        Files.delete(inner);
        locks.acquire(dir.resolve("x"), ONCE).close();
    }

    @Test
    void isNoFolder() throws Exception {
        makeFifo(inner);
        assertThatThrownBy(() -> FolderStream.open(inner, "a")).isInstanceOf(NotDirectoryException.class).hasMessage(inner.toString());
        assertThatThrownBy(() -> FolderStream.open(dir.resolve("missing"), "a")).isInstanceOf(NoSuchFileException.class)
                .hasMessage(dir.resolve("missing").toString());
    }

    @Test
    void aFoldersFilesHaveTheirOwnPaths() throws Exception {
        Files.createFile(dir.resolve("ab"));
        Files.createFile(dir.resolve("b"));
        try (DirectoryStream<Path> all = FolderStream.open(dir, "a")) {
            assertThat(all).containsExactly(dir.resolve("ab"));
        }
    }
}
