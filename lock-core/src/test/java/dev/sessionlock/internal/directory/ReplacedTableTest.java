package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Another table lies in the place of the one that is open here, and no keeper has looked since. A process that opens the new table sees nothing of
 * what is published on the old one. So whoever takes a lock now must use the new one before it has the lock.
 */
class ReplacedTableTest {
    @TempDir
    Path dir;
    private Path session;

    @BeforeEach
    void names() {
        session = dir.resolve("session.jsonl");
    }

    private void replace(String file) throws Exception {
        Path table = dir.resolve(LockDirectory.INNER).resolve(file);
        Path copy = Files.copy(table, dir.resolve("copy"));
        Files.move(copy, table, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** What a process that opens the table now sees of the lock. */
    private long expiry(Path of) throws Exception {
        SharedTable table = SharedTable.openToLook(dir.resolve(LockDirectory.INNER), ProcessIdentity.current());
        try {
            return table.find(LockName.hash(of.getFileName().toString())).expiry(0);
        } finally {
            table.close();
        }
    }

    @Test
    void lockIsTakenOnTheNewOne() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(session).close();
            replace(TableLayout.FILE);
            try (SessionLock lock = locks.acquire(session)) {
                assertThat(expiry(session)).isNotZero();
                lock.ensureHeld();
            }
        }
    }

    /** Also the file that contains the entry of the lock. */
    @Test
    void sameGoesForEachOfItsFiles() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            Path last = session;
            for (int i = 0; !Files.exists(dir.resolve(LockDirectory.INNER).resolve("board-1")); i++) {
                last = dir.resolve("session-" + i);
                locks.acquire(last).close();
            }
            replace("board-1");
            try (SessionLock lock = locks.acquire(last)) {
                assertThat(expiry(last)).isNotZero();
                lock.ensureHeld();
            }
        }
    }

    /** A process that creates the table anew comes later, and finds the record. */
    @Test
    void lockIsTakenWhereTheTableIsMissing() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(session).close();
            Files.delete(dir.resolve(LockDirectory.INNER).resolve(TableLayout.FILE));
            try (SessionLock lock = locks.acquire(session)) {
                lock.ensureHeld();
            }
        }
    }

    /** While its inode and its times stay the same, one look at the folder replaces the looks at its files. */
    @Nested
    class OnceTheFolderHasBeenQuiet {
        private Path inner;
        private SessionLocks locks;

        @BeforeEach
        void waitUntilQuiet() throws Exception {
            inner = dir.resolve(LockDirectory.INNER);
            locks = SessionLocks.create();
            locks.acquire(session).close();
            Awaitility.await().until(() -> DirectoryState.of(inner).isSettled());
            Awaitility.await().pollInterval(Duration.ofMillis(60)).during(Duration.ofMillis(200)).until(() -> { // not quiet for a moment
                locks.acquire(session).close();
                return true;
            });
        }

        @AfterEach
        void close() {
            locks.close();
        }

        private void requireNewTableIsUsed() throws Exception {
            try (SessionLock lock = locks.acquire(session)) {
                assertThat(expiry(session)).isNotZero();
                assertThat(Files.readString(dir.resolve("session.jsonl.lock"))).contains("\"token\":" + lock.token() + ",");
                lock.verifyHeld();
            }
        }

        @Test
        void aTableThatIsReplacedIsNoticed() throws Exception {
            replace(TableLayout.FILE);
            requireNewTableIsUsed();
        }

        /** tar and rsync set it back. */
        @Test
        void soItIsIfTheTimeOfTheFolderIsSetBack() throws Exception {
            FileTime before = Files.getLastModifiedTime(inner);
            replace(TableLayout.FILE);
            Files.setLastModifiedTime(inner, before);
            requireNewTableIsUsed();
        }

        @Test
        void soIsAFolderThatIsReplacedByACopy() throws Exception {
            assertThat(new ProcessBuilder("cp", "-a", inner.toString(), dir.resolve("copy").toString()).start().waitFor()).isZero();
            Files.move(inner, dir.resolve("aside"));
            Files.move(dir.resolve("copy"), inner);
            requireNewTableIsUsed();
        }

        @Test
        void soIsARecordFile() throws Exception {
            FileTime before = Files.getLastModifiedTime(inner);
            try (DirectoryStream<Path> recordFiles = Files.newDirectoryStream(inner, "claim-*")) {
                for (Path recordFile : recordFiles) {
                    Files.move(Files.writeString(dir.resolve("other"), "something else"), recordFile, StandardCopyOption.ATOMIC_MOVE);
                }
            }
            Files.setLastModifiedTime(inner, before);
            requireNewTableIsUsed();
        }
    }
}
