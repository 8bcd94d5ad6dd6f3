package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Committing new content: in one step, under the lock, or not at all. */
class ReplaceTest {
    @TempDir
    Path dir;
    private final SessionLocks locks = SessionLocks.create();
    private Path session;
    private Path fresh;

    @BeforeEach
    void files() throws IOException {
        session = Files.writeString(dir.resolve("session.jsonl"), "old");
        fresh = Files.writeString(dir.resolve("session.jsonl.new"), "new");
    }

    @AfterEach
    void close() {
        locks.close();
        Patience.untilLetGo(dir);
    }

    @Test
    void theNewContentIsInPlaceAndItsFileGone() throws Exception {
        Object inode = Files.getAttribute(fresh, "unix:ino");
        Files.setAttribute(fresh, "unix:mode", 0640);
        try (SessionLock lock = locks.acquire(session)) {
            lock.replace(fresh);
            assertThat(session).hasContent("new");
            assertThat(Files.getAttribute(session, "unix:ino")).as("renamed, not copied").isEqualTo(inode);
            assertThat((int) Files.getAttribute(session, "unix:mode") & 0777).as("it keeps its own permissions").isEqualTo(0640);
            assertThat(fresh).doesNotExist();
            lock.verifyHeld();
        }
        assertThat(Listing.of(dir)).containsOnlyKeys("session.jsonl");
    }

    @Test
    void aTargetThatDoesNotExistYetIsMade() throws Exception {
        Files.delete(session);
        try (SessionLock lock = locks.acquire(session)) {
            lock.replace(fresh);
        }
        assertThat(session).hasContent("new");
    }

    @Test
    void aTargetThatIsASymbolicLinkIsReplacedAndWhatItPointsToIsNot() throws Exception {
        Path elsewhere = Files.writeString(dir.resolve("elsewhere"), "untouched");
        Files.delete(session);
        Files.createSymbolicLink(session, elsewhere);
        try (SessionLock lock = locks.acquire(session)) {
            lock.replace(fresh);
        }
        assertThat(session).isRegularFile().hasContent("new");
        assertThat(Files.isSymbolicLink(session)).isFalse();
        assertThat(elsewhere).hasContent("untouched");
    }

    @Test
    void aTargetReachedByAnotherPathIsTheSame() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("link"), dir);
        try (SessionLock lock = locks.acquire(link.resolve("session.jsonl"))) {
            lock.replace(fresh);
        }
        assertThat(session).hasContent("new");
    }

    @Test
    void whatIsNotAnOrdinaryFileIsRefused() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("link"), fresh);
        Path folder = Files.createDirectory(dir.resolve("folder"));
        try (SessionLock lock = locks.acquire(session)) {
            for (Path wrong : new Path[] {dir.resolve("missing"), link, folder}) {
                assertThatThrownBy(() -> lock.replace(wrong)).isInstanceOf(LockException.class)
                        .hasMessageContainingAll(wrong.toString(), "not an ordinary file", "as it was");
            }
            assertThat(session).hasContent("old");
            assertThat(link).isSymbolicLink();
            assertThat(folder).isDirectory();
            lock.verifyHeld();
        }
    }

    @Test
    void theTargetItselfIsRefusedByAnyNameOfIt() throws Exception {
        Path hard = Files.createLink(dir.resolve("hard"), session);
        try (SessionLock lock = locks.acquire(session)) {
            for (Path same : new Path[] {session, dir.resolve("./session.jsonl"), hard}) {
                assertThatThrownBy(() -> lock.replace(same)).isInstanceOf(LockException.class).hasMessageContaining("target itself");
            }
        }
        assertThat(session).hasContent("old");
        assertThat(hard).exists();
    }

    @Test
    void aTargetThatIsADirectoryIsNotReplaced() throws Exception {
        Path folder = dir.resolve("folder");
        try (SessionLock lock = locks.acquire(folder)) {
            Files.createDirectory(folder); // while it is held: a directory itself is not locked
            Files.writeString(folder.resolve("x"), "x");
            assertThatThrownBy(() -> lock.replace(fresh)).isInstanceOf(LockException.class).hasMessageContaining("as it was");
        }
        assertThat(folder.resolve("x")).hasContent("x");
        assertThat(fresh).hasContent("new");
    }

    @Test
    void aFileOnAnotherFileSystemIsRefusedInWords() throws Exception {
        Path shm = Path.of("/dev/shm");
        boolean two = Files.isWritable(shm) && !Files.getFileStore(shm).equals(Files.getFileStore(dir));
        if (!two) {
            System.out.println("SKIPPED aFileOnAnotherFileSystemIsRefusedInWords: /dev/shm is not another file system");
        }
        assumeTrue(two, "/dev/shm is not another file system");
        Path far = Files.writeString(Files.createTempFile(shm, "replace", ".new"), "new");
        try (SessionLock lock = locks.acquire(session)) {
            assertThatThrownBy(() -> lock.replace(far)).isInstanceOf(LockException.class)
                    .hasMessageContainingAll("another file system", "beside the target");
            assertThat(far).hasContent("new");
        } finally {
            Files.delete(far);
        }
        assertThat(session).hasContent("old");
    }

    @Test
    void afterALossTheTargetIsAsItWas() throws Exception {
        try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withMaxHold(Duration.ofMillis(100)))) {
            await().until(() -> !lock.isHeld());
            assertThatThrownBy(() -> lock.replace(fresh)).isInstanceOf(LockLostException.class);
        }
        assertThat(session).hasContent("old");
        assertThat(fresh).hasContent("new");
    }

    @Test
    void anInterruptedThreadCommitsAsAnyOther() throws Exception {
        try (SessionLock lock = locks.acquire(session)) {
            Thread.currentThread().interrupt();
            lock.replace(fresh);
            assertThat(Thread.interrupted()).as("the interrupt is not swallowed").isTrue();
            lock.verifyHeld();
        } finally {
            Thread.interrupted();
        }
        assertThat(session).hasContent("new");
    }

    @Test
    void aReadOnlyFileIsCommittedToo() throws Exception {
        Files.setAttribute(fresh, "unix:mode", 0444);
        try (SessionLock lock = locks.acquire(session)) {
            lock.replace(fresh);
        }
        assertThat(session).hasContent("new");
    }

    @Test
    void nobodyTakesOverFromACompactionWithoutTakeover() throws Exception {
        LockOptions compaction = LockOptions.defaults().withTakeover(false).withLease(Duration.ofSeconds(1));
        try (SessionLock lock = locks.acquire(session, compaction)) {
            assertThat(Files.readString(lock.lockFile())).contains("\"takeover\":false");
            assertThat(locks.inspect(session).owner().leaseUntil()).isNull();
            assertThat(locks.inspect(session).evidence()).anyMatch(fact -> fact.contains("excludes takeover"));
            lock.replace(fresh);
        }
        assertThat(session).hasContent("new");
    }
}
