package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.Kernel;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.nio.channels.Channel;
import java.nio.channels.FileLock;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One directory as this process has opened it. */
class LockDirectoryTest {
    private static final OpenDirectories OPEN = OpenDirectories.OF_THIS_PROCESS;

    @TempDir
    Path temp;
    private Path dir;
    private LockDirectory directory;

    @BeforeEach
    void open() throws IOException {
        dir = Files.createDirectory(temp.resolve("sessions")).toRealPath();
        directory = OPEN.pin(dir, false);
    }

    @AfterEach
    void close() {
        OPEN.unpin(directory);
        OPEN.closeIdle(true);
    }

    @Test
    void itIsOneObjectHoweverItIsNamed() throws IOException {
        Path link = Files.createSymbolicLink(temp.resolve("link"), dir);
        for (Path name : new Path[] {dir, link, dir.resolve("../sessions"), dir.resolve(".")}) {
            LockDirectory same = OPEN.pin(name, false);
            assertThat(same).isSameAs(directory);
            OPEN.unpin(same);
        }
        assertThatThrownBy(() -> OPEN.pin(Files.createFile(temp.resolve("file")), false)).isInstanceOf(NotDirectoryException.class);
    }

    @Test
    void whatIsSuspectedIsLookedAtByTheKeeperHoweverOftenUsersLook() throws IOException {
        FileLock lost = directory.guards().trySeat(1, 0);
        lost.acquiredBy().close(); // like an interrupt
        directory.guards().trySeat(64 + 1, 0);
        assertThat(directory.isSuspect()).isTrue();
        for (int i = 0; i < 20; i++) {
            directory.verify();
        }
        assertThat(directory.isSuspect()).isTrue();
        for (int i = 0; i < 3; i++) {
            directory.isLookedAt();
        }
        assertThat(directory.isSuspect()).isFalse();
    }

    @Test
    void whileItIsPinnedItStaysOpenAndThenItGoes() throws IOException {
        directory.guards().trySeat(1, 0).release();
        OPEN.closeIdle(true);
        assertThat(OPEN.all()).contains(directory);
        OPEN.unpin(directory);
        OPEN.closeIdle(true);
        assertThat(OPEN.all()).doesNotContain(directory);
        LockDirectory again = OPEN.pin(dir, false);
        assertThat(again).isNotSameAs(directory);
        directory = again;
        directory.guards().trySeat(1, 0).release();
    }

    @Test
    void aRecordIsLookedAtAgainOnceANameHasChangedThereAndNotBefore() throws Exception {
        LockStore store = directory.store("s.jsonl");
        LockStore.RecordFile recordFile = store.write(
                new LockRecord(1, 0, -1, -1, "s.jsonl", 7, null, -1, null, null, null, null, null, true, 1000, 0, 0));
        store.link(recordFile, LockStore.RecordLocation.LOCK);
        assertThat(store.isStillAt(recordFile, LockStore.RecordLocation.LOCK)).isTrue();
        Path moved = Files.move(store.lockFile(), temp.resolve("moved"));
        assertThat(store.isStillAt(recordFile, LockStore.RecordLocation.LOCK)).as("changed of late, and looked at each time").isFalse();
        Files.move(moved, store.lockFile());
        Awaitility.await().pollInterval(Duration.ofMillis(3_300)).atMost(Duration.ofSeconds(60)) // each try changes the names anew
                .until(() -> isNotLookedAt(store, recordFile, moved));

        Files.move(store.lockFile(), moved);
        Files.setLastModifiedTime(dir, FileTime.from(Instant.now().minusSeconds(3_600))); // like tar and rsync, after names were changed there
        Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> !store.isStillAt(recordFile, LockStore.RecordLocation.LOCK));
        store.retire(recordFile);
    }

    @Test
    void namesChangeByBothTimesOfADirectorySinceEachOfThemIsBlindSomewhere() throws Exception {
        FileTime longAgo = FileTime.from(Instant.now().minusSeconds(3_600));
        Files.setLastModifiedTime(dir, longAgo); // this shows no change of names
        FileTime changed = (FileTime) Files.getAttribute(dir, "unix:ctime");
        DirectoryState state = DirectoryState.of(dir);
        assertThat(state.changed()).isEqualTo(changed);
        assertThat(state.modified()).isEqualTo(longAgo);
        assertThat(state.isSettled()).as("changed a moment ago, whatever the other one says").isFalse();
        assertThat(directory.changes().namesChanged()).as("changed a moment ago, whatever the other one says").isNull();
    }

    @Test
    void whereASystemHasNoTimeOfChangeThatOfModificationCountsAlone() throws IOException {
        try (FileSystem zip = FileSystems.newFileSystem(temp.resolve("other.zip"), Map.of("create", "true"))) {
            Path elsewhere = Files.createDirectory(zip.getPath("/sessions"));
            DirectoryState state = DirectoryState.of(elsewhere);
            assertThat(state.changed()).isNull();
            assertThat(state.modified()).isEqualTo(Files.getLastModifiedTime(elsewhere));
        }
    }

    /**
     * A look at the directory is valid for a moment. A record that is away for less than that is not missed, unless somebody looks at the record
     * itself.
     */
    private static boolean isNotLookedAt(LockStore store, LockStore.RecordFile recordFile, Path moved) throws IOException {
        if (!store.isStillAt(recordFile, LockStore.RecordLocation.LOCK)) {
            return false;
        }
        Files.move(store.lockFile(), moved);
        boolean missed = !store.isStillAt(recordFile, LockStore.RecordLocation.LOCK);
        store.lookAfresh();
        assertThat(store.isStillAt(recordFile, LockStore.RecordLocation.LOCK)).as("who looks afresh looks in any case").isFalse();
        Files.move(moved, store.lockFile());
        return !missed;
    }

    @Test
    void oneThatWasMadeAgainIsAnother() throws IOException {
        assertThat(directory.isInPlace()).isTrue();
        Files.move(dir.resolve(".session-locks"), dir.resolve("aside"));
        assertThat(directory.isInPlace()).isFalse();
        assertThat(directory.verify()).isFalse();
        OPEN.forget(directory);
        LockDirectory fresh = OPEN.pin(dir, false);
        assertThat(fresh).isNotSameAs(directory);
        assertThat(fresh.isInPlace()).isTrue();
        OPEN.unpin(fresh);
    }

    @Test
    void oneThatWasAwayAtALookIsOpenedAnewThoughItIsBack() throws IOException {
        Path inner = dir.resolve(".session-locks");
        Path aside = Files.move(inner, temp.resolve("aside"));
        directory.store("s.jsonl").lookAfresh(); // like a user's verifyHeld
        Files.move(aside, inner);
        assertThat(directory.verify()).as("others may have come in meanwhile").isFalse();

        LockDirectory again = OPEN.pin(dir, false);
        try {
            assertThat(again.guards()).as("the same files may not be opened twice").isSameAs(directory.guards());
            assertThat(again.verify()).isTrue();
            LockStore store = again.store("s.jsonl");
            assertThat(store.tryByte(0)).isTrue();
            store.lookAfresh();
            assertThat(store.displaced()).as("or each lock that is taken here would be lost at the keeper's next look").isNull();
            store.freeByte(0);
        } finally {
            OPEN.unpin(again);
        }
    }

    @Test
    void oneThatIsAwayIsMissedByALookAroundThoughAllWasLookedAtAMomentAgo() throws IOException {
        LockStore store = directory.store("s.jsonl");
        store.lookAround();
        assertThat(store.displaced()).isNull();
        Files.move(dir.resolve(".session-locks"), temp.resolve("aside"));
        store.lookAround();
        assertThat(store.displaced()).contains("was replaced");
    }

    @Test
    void oneThatIsForgottenSaysSoToWhoeverStillHoldsALockThere() {
        LockStore store = directory.store("s.jsonl");
        OPEN.forget(directory);
        assertThat(store.displaced()).as("another of the same inode number may lie there by now").contains("was replaced");
    }

    @Test
    void aByteThatWasGivenBackIsNotTakenForOurs() throws IOException {
        LockStore store = directory.store("s.jsonl");
        assertThat(store.tryByte(0)).isTrue();
        assertThat(store.kernelHasByte(0)).as("not asked yet").isNull();
        store.lookAfresh();
        assertThat(store.kernelHasByte(0)).isTrue();
        store.freeByte(0);
        store.lookAfresh();
        assertThat(store.kernelHasByte(0)).isFalse();
    }

    @Test
    void oneThatWasMovedKeepsItsBytesUnderItsNewPath() throws IOException {
        FileLock held = directory.guards().trySeat(1, 0);
        Path moved = Files.move(dir, temp.resolve("moved"));
        LockDirectory there = OPEN.pin(moved, false);
        try {
            assertThat(there.guards()).as("the same files may not be opened twice").isSameAs(directory.guards());
            assertThat(there.guards().trySeat(1, 0)).isNull();
            assertThat(there.verify()).isTrue();
            assertThat(there.heldBytes().has(1, GuardLayout.positionOf(1, 0), 0)).isTrue();
        } finally {
            held.release();
            OPEN.unpin(there);
        }
    }

    /** The kernel shows its locks a page at a time, so a lock that stays may be missing while others come and go. */
    @Test
    void whatTheKernelHasIsNotTakenForLostWhileOtherLocksComeAndGo() throws Exception {
        List<FileLock> held = new ArrayList<>();
        for (long h = 1; h <= 400; h++) {
            held.add(directory.guards().trySeat(64 * 1_000 * h, 0));
        }
        AtomicBoolean over = new AtomicBoolean();
        Thread others = new Thread(() -> comeAndGo(over));
        others.start();
        try {
            for (int look = 0; look < 50; look++) {
                directory.verify();
                for (long h = 1; h <= 400; h++) {
                    assertThat(directory.heldBytes().has(0, GuardLayout.positionOf(64 * 1_000 * h, 0), 0)).isTrue();
                }
            }
        } finally {
            over.set(true);
            others.join();
            for (FileLock lock : held) {
                lock.release();
            }
        }
    }

    private void comeAndGo(AtomicBoolean over) {
        try {
            for (long h = 1; !over.get(); h++) {
                directory.guards().trySeat(h % 64, 0).release();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void whatTheKernelHasIsSeenAlsoOfNeighboursThatItJoins() throws IOException {
        long h = 64 * 9 + 5;
        FileLock one = directory.guards().trySeat(h, 0);
        FileLock two = directory.guards().trySeat(h, 1);
        FileLock three = directory.guards().trySeat(h + 64, 0);
        assertThat(directory.heldBytes().has(5, GuardLayout.positionOf(h, 0), Clock.SYSTEM.nanos())).as("not asked yet").isNull();
        assertThat(directory.verify()).isTrue();
        for (long position : new long[] {GuardLayout.positionOf(h, 0), GuardLayout.positionOf(h, 1), GuardLayout.positionOf(h + 64, 0)}) {
            assertThat(directory.heldBytes().has(5, position, 0)).isTrue();
            assertThat(directory.heldBytes().has(5, position, Clock.SYSTEM.nanos())).as("taken after the look").isNull();
            assertThat(directory.heldBytes().has(6, position, 0)).isFalse();
        }
        assertThat(directory.heldBytes().has(5, GuardLayout.positionOf(h + 64, 1), 0)).isFalse();
        two.release();
        directory.verify();
        assertThat(directory.heldBytes().has(5, GuardLayout.positionOf(h, 1), 0)).isFalse();
        assertThat(directory.heldBytes().has(5, GuardLayout.positionOf(h, 0), 0)).isTrue();
        one.release();
        three.release();
    }

    @Test
    void aRemovedTableIsCreatedAnewUnlessAllIsBeingDeleted() throws IOException {
        SharedTable before = directory.table();
        Path tableFile = dir.resolve(".session-locks/board");
        Files.delete(tableFile);
        assertThat(directory.verify()).isTrue();
        assertThat(tableFile).as("rm -rf may be under way").doesNotExist();
        assertThat(directory.verify()).isTrue();
        assertThat(directory.table()).isNotSameAs(before);
        assertThat(directory.table().isInPlace()).isTrue();
    }

    @Test
    void whileAllIsBeingDeletedASweepMakesNoGuardFileAnew() throws IOException {
        Path inner = dir.resolve(".session-locks");
        Path litter = Files.createFile(inner.resolve("claim-abc-0"));
        Files.delete(inner.resolve("guard-00"));
        directory.verify();
        directory.sweep();
        assertThat(inner.resolve("guard-00")).as("rm -rf may be under way").doesNotExist();

        directory.verify(); // nothing else was deleted: it stays in use
        directory.sweep();
        assertThat(inner.resolve("guard-00")).exists();
        assertThat(litter).doesNotExist();
    }

    @Test
    void onlyOldRequestsToLetGoAreSwept() throws IOException {
        Path inner = dir.resolve(".session-locks");
        Path old = Files.createFile(inner.resolve("release-1"));
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minusSeconds(700)));
        Path fresh = Files.createFile(inner.resolve("release-2"));
        directory.sweep();
        assertThat(old).doesNotExist();
        assertThat(fresh).exists();
    }

    /** Its spare record files are litter then, which others sweep. */
    @Test
    void closesItsGuardFilesThoughTheDiskKeepsItsSpareOnes() throws Exception {
        RecordFilePool pool = directory.recordFiles();
        RecordFilePool.PooledFile one = pool.take();
        RecordFilePool.PooledFile other = pool.take();
        pool.recycle(one);
        pool.recycle(other);
        assumeTrue(changeAttribute("+i", other.path()), "skipped: chattr +i is not to be had here, which keeps a file from being deleted");
        try {
            OPEN.unpin(directory);
            OPEN.closeIdle(true);
            assertThat(Kernel.openFilesIn(dir)).isZero();
            assertThat(other.path()).exists();
            assertThat(one.path()).doesNotExist();
        } finally {
            changeAttribute("-i", other.path());
            directory = OPEN.pin(dir, false);
        }
        directory.sweep();
        assertThat(other.path()).doesNotExist();
    }

    private static boolean changeAttribute(String change, Path file) throws IOException, InterruptedException {
        try {
            return new ProcessBuilder("chattr", change, file.toString()).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** A process must not lock anything in a directory that it has closed in part: its mark, for one, may be another process's by now. */
    @Test
    void isClosedBeforeItIsOpenedAgainIfThatFailed() throws Exception {
        closingFailsOnce(directory.guards());
        OPEN.unpin(directory);
        OPEN.closeIdle(true);

        LockDirectory again = OPEN.pin(dir, false);
        LockDirectory before = directory;
        directory = again;

        assertThat(again).isNotSameAs(before);
        LockStore store = again.store("x");
        assertThat(store.tryByte(0)).isTrue();
        TableEntries.publish(store.claimEntry(), 0, 42);
        store.freeByte(0);
    }

    /** A channel on which a thread has waited, as on Windows: closing it fails after it is closed. */
    private void closingFailsOnce(GuardFiles guards) throws Exception {
        RandomAccessFile file = new RandomAccessFile(temp.resolve("other").toFile(), "rw") {
            @Override
            public void close() throws IOException {
                super.close();
                throw new IOException("the disk has lost something");
            }
        };
        Field others = GuardFiles.class.getDeclaredField("others");
        others.setAccessible(true);
        Field waitedOn = OtherChannels.class.getDeclaredField("waitedOn");
        waitedOn.setAccessible(true);
        @SuppressWarnings("unchecked")
        Set<Channel> channels = (Set<Channel>) waitedOn.get(others.get(guards));
        channels.add(file.getChannel());
    }

    /** What is moved aside is put back, or deleted, in the next moment. */
    @Test
    void onlyWhatWasMovedAsideLongAgoIsSwept() throws IOException {
        Path inner = dir.resolve(".session-locks");
        Path fresh = Files.createFile(inner.resolve(OldFiles.asideName()));
        Files.setLastModifiedTime(fresh, FileTime.from(Instant.now().minusSeconds(700))); // a record that was written long ago
        directory.sweep();
        assertThat(fresh).exists();
    }

    @Test
    void namesAreKeptApartWhereTheFileSystemDoesAndOneWhereItFolds() throws IOException {
        assertThat(directory.key("Session")).isEqualTo("Session");
        Path other = Files.createDirectory(temp.resolve("folding"));
        FileMode mode = FileMode.of(other);
        Files.createDirectory(other.resolve(".session-locks"));
        GuardFiles guards = new GuardFiles(other.resolve(".session-locks"), mode);
        LockDirectory folding = new LockDirectory(other, FileKey.of(other.resolve(".session-locks")), new FileSystemTraits(null, true), mode, guards);
        try {
            assertThat(folding.key("SESSION")).isEqualTo(folding.key("session"));
            LockStore capitals = folding.store("SESSION.jsonl");
            LockStore small = folding.store("session.jsonl");
            assertThat(capitals.tryByte(0)).isTrue();
            assertThat(small.tryByte(0)).as("one lock, though two spellings").isFalse();
            assertThat(small.findEntry()).isNull();
            TableEntries.publish(capitals.claimEntry(), 0, 42);
            assertThat(small.findEntry().expiry(0)).isEqualTo(42);
            capitals.freeByte(0);
            assertThat(small.tryByte(0)).isTrue();
            small.freeByte(0);
        } finally {
            guards.leave();
        }
    }

    @Test
    void aNetworkFileSystemHasNoTableAndItsEntriesAreLocal() throws IOException {
        Path other = Files.createDirectory(temp.resolve("nfs"));
        FileMode mode = FileMode.of(other);
        Files.createDirectory(other.resolve(".session-locks"));
        GuardFiles guards = new GuardFiles(other.resolve(".session-locks"), mode);
        LockDirectory network = new LockDirectory(other, FileKey.of(other.resolve(".session-locks")), new FileSystemTraits("nfs4", false), mode, guards);
        try {
            assertThat(network.table()).isNull();
            LockStore store = network.store("x");
            assertThat(store.shared()).isFalse();
            assertThat(store.findEntry()).isNull();
            long first = store.claimEntry().drawToken(5);
            assertThat(store.claimEntry().drawToken(0)).isGreaterThan(first);
            assertThat(other.resolve(".session-locks/board")).doesNotExist();
        } finally {
            guards.leave();
        }
    }

    @Test
    void withoutHardLinksARecordIsCreatedWholeOrNotAtAllAndRewrittenInPlace() throws IOException {
        directory.withoutHardLinks();
        LockStore store = directory.store("x");
        LockRecord record = new LockRecord(1, 0, -1, -1, "x", 7, null, -1, null, null, null, null, null, true, 1000, 0, 0);
        LockStore.RecordFile recordFile = store.write(record);
        assertThat(store.link(recordFile, LockStore.RecordLocation.LOCK)).isTrue();
        assertThat(store.isAt(recordFile, LockStore.RecordLocation.LOCK)).isTrue();
        assertThat(store.find(LockStore.RecordLocation.LOCK).content()).isEqualTo(new LockContent.Ours(record));
        LockStore.RecordFile second = store.write(record);
        assertThat(store.link(second, LockStore.RecordLocation.LOCK)).as("the name is taken").isFalse();
        assertThat(store.isAt(second, LockStore.RecordLocation.LOCK)).isFalse();
        LockRecord renewed = new LockRecord(1, 0, -1, -1, "x", 8, null, -1, null, null, null, null, null, true, 1000, 9, 9);
        store.rewrite(recordFile, renewed);
        assertThat(store.find(LockStore.RecordLocation.LOCK).content()).isEqualTo(new LockContent.Ours(renewed));
        Files.move(dir.resolve("x.lock"), dir.resolve("aside")); // kept, so that its inode is not used again
        Files.writeString(dir.resolve("x.lock"), "another program's");
        store.rewrite(recordFile, record);
        assertThat(dir.resolve("x.lock")).as("not ours any more").hasContent("another program's");
        store.recycle(recordFile);
        store.recycle(second);
        assertThat(dir.resolve(".session-locks").toFile().list((d, name) -> name.startsWith("claim-"))).isEmpty();
    }

    @Test
    void withoutHardLinksAForeignFileWithOurInodeNumberIsNotOurs() throws IOException {
        directory.withoutHardLinks();
        LockStore store = directory.store("x");
        LockRecord record = new LockRecord(1, 0, -1, -1, "x", 7, null, -1, null, null, null, null, null, true, 1000, 0, 0);
        for (int i = 0; i < 20; i++) {
            LockStore.RecordFile recordFile = store.write(record);
            assertThat(store.link(recordFile, LockStore.RecordLocation.LOCK)).isTrue();
            Files.delete(dir.resolve("x.lock"));
            Files.writeString(dir.resolve("x.lock"), "another program's"); // ext4 gives it the inode number that has just become free
            assertThat(store.isAt(recordFile, LockStore.RecordLocation.LOCK)).isFalse();
            store.rewrite(recordFile, record);
            assertThat(dir.resolve("x.lock")).hasContent("another program's");
            Files.delete(dir.resolve("x.lock"));
            store.retire(recordFile);
        }
    }
}
