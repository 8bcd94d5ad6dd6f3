package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Somebody puts something else at the name of a record file, or of the folder of the record files. It must not become the record of the next lock,
 * nor of one that is held.
 */
class ReplacedRecordFileTest {
    @TempDir
    Path temp;
    private Path dir;
    private Path session;
    private Path elsewhere;

    enum Obstacle { OTHER_FILE, LINK, FIFO, DIRECTORY }

    @BeforeEach
    void makeDirectory() throws IOException {
        dir = Files.createDirectory(temp.resolve("sessions"));
        session = dir.resolve("session.jsonl");
        elsewhere = Files.writeString(temp.resolve("elsewhere"), "somebody's file");
    }

    @ParameterizedTest
    @EnumSource
    void spareOneThatWasReplacedIsNotUsed(Obstacle obstacle) throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(session).close();
            replaceRecordFiles(obstacle);
            lockAsEver(locks);
            assertThat(elsewhere).hasContent("somebody's file");
        }
    }

    @ParameterizedTest
    @EnumSource
    void oneInUseThatWasReplacedIsNotUsedAgain(Obstacle obstacle) throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            try (SessionLock lock = locks.acquire(session)) {
                replaceRecordFiles(obstacle);
                lock.renew();
                lock.verifyHeld();
            }
            lockAsEver(locks);
            assertThat(elsewhere).hasContent("somebody's file");
        }
    }

    /** Its files have the names that this process knows, but are other files. */
    @Test
    void folderThatWasReplacedByACopyOfItIsNoticedByWhoeverLocksNext() throws Exception {
        Path folder = dir.resolve(".session-locks");
        try (SessionLocks locks = SessionLocks.create()) {
            locks.acquire(session).close();
            assertThat(new ProcessBuilder("cp", "-a", folder.toString(), dir.resolve("copy").toString()).start().waitFor()).isZero();
            Files.move(folder, dir.resolve("aside"));
            Files.move(dir.resolve("copy"), folder);
            lockAsEver(locks);
        }
    }

    private void lockAsEver(SessionLocks locks) throws Exception {
        Path record = dir.resolve("session.jsonl.lock");
        for (int i = 0; i < 2; i++) {
            try (SessionLock lock = locks.acquire(session)) {
                assertThat(Files.isRegularFile(record, LinkOption.NOFOLLOW_LINKS)).as("an ordinary file").isTrue();
                assertThat(Files.readString(record)).contains("\"token\":" + lock.token() + ",");
                assertThat(Files.getAttribute(record, "unix:nlink", LinkOption.NOFOLLOW_LINKS)).as("hard links are still used").isEqualTo(2);
                lock.verifyHeld();
            }
            assertThat(Files.exists(record, LinkOption.NOFOLLOW_LINKS)).isFalse();
        }
    }

    private void replaceRecordFiles(Obstacle obstacle) throws Exception {
        try (DirectoryStream<Path> recordFiles = Files.newDirectoryStream(dir.resolve(".session-locks"), "claim-*")) {
            for (Path recordFile : recordFiles) {
                Files.delete(recordFile);
                switch (obstacle) {
                    case OTHER_FILE -> Files.writeString(recordFile, "something else");
                    case LINK -> Files.createSymbolicLink(recordFile, elsewhere);
                    case FIFO -> assertThat(new ProcessBuilder("mkfifo", recordFile.toString()).start().waitFor()).isZero();
                    case DIRECTORY -> Files.createFile(Files.createDirectory(recordFile).resolve("something"));
                }
            }
        }
    }
}
