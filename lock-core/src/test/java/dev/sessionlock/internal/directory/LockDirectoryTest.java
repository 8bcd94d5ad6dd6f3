package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.io.UncheckedIOException;
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
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One directory as this process has it open. */
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
        lost.acquiredBy().close(); // as an interrupt does
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
        LockPlace place = directory.place("s.jsonl");
        LockPlace.Slip slip = place.write(
                new LockRecord(1, 0, -1, -1, "s.jsonl", 7, null, -1, null, null, null, null, null, true, 1000, 0, 0));
        place.link(slip, LockPlace.Spot.LOCK);
        assertThat(place.isStillAt(slip, LockPlace.Spot.LOCK)).isTrue();
        Path moved = Files.move(place.lockFile(), temp.resolve("moved"));
        assertThat(place.isStillAt(slip, LockPlace.Spot.LOCK)).as("changed of late, and looked at each time").isFalse();
        Files.move(moved, place.lockFile());
        Awaitility.await().pollInterval(Duration.ofMillis(3_300)).atMost(Duration.ofSeconds(60)) // each try changes the names anew
                .until(() -> isNotLookedAt(place, slip, moved));

        Files.move(place.lockFile(), moved);
        Files.setLastModifiedTime(dir, FileTime.from(Instant.now().minusSeconds(3_600))); // as tar and rsync do, having changed names there
        Awaitility.await().atMost(Duration.ofSeconds(60)).until(() -> !place.isStillAt(slip, LockPlace.Spot.LOCK));
        place.retire(slip);
    }

    @Test
    void namesChangeByBothTimesOfADirectorySinceEachOfThemIsBlindSomewhere() throws Exception {
        FileTime longAgo = FileTime.from(Instant.now().minusSeconds(3_600));
        Files.setLastModifiedTime(dir, longAgo); // which tells of no change of names
        FileTime changed = (FileTime) Files.getAttribute(dir, "unix:ctime");
        DirectoryState state = DirectoryState.of(dir);
        assertThat(state.changed()).isEqualTo(changed);
        assertThat(state.modified()).isEqualTo(longAgo);
        assertThat(state.isSettled()).as("changed a moment ago, whatever the other one says").isFalse();
        assertThat(directory.namesChanged()).as("changed a moment ago, whatever the other one says").isNull();
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

    /** A look at the directory counts for a moment: a record that is away for less than that is not missed, unless it is looked at. */
    private static boolean isNotLookedAt(LockPlace place, LockPlace.Slip slip, Path moved) throws IOException {
        if (!place.isStillAt(slip, LockPlace.Spot.LOCK)) {
            return false;
        }
        Files.move(place.lockFile(), moved);
        boolean missed = !place.isStillAt(slip, LockPlace.Spot.LOCK);
        place.lookAfresh();
        assertThat(place.isStillAt(slip, LockPlace.Spot.LOCK)).as("who looks afresh looks in any case").isFalse();
        Files.move(moved, place.lockFile());
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
        directory.place("s.jsonl").lookAfresh(); // as a user's verifyHeld does
        Files.move(aside, inner);
        assertThat(directory.verify()).as("others may have come in meanwhile").isFalse();

        LockDirectory again = OPEN.pin(dir, false);
        try {
            assertThat(again.guards()).as("the same files may not be opened twice").isSameAs(directory.guards());
            assertThat(again.verify()).isTrue();
            LockPlace place = again.place("s.jsonl");
            assertThat(place.tryByte(0)).isTrue();
            place.lookAfresh();
            assertThat(place.displaced()).as("or each lock that is taken here would be lost at the keeper's next look").isNull();
            place.freeByte(0);
        } finally {
            OPEN.unpin(again);
        }
    }

    @Test
    void oneThatIsAwayIsMissedByALookAroundThoughAllWasLookedAtAMomentAgo() throws IOException {
        LockPlace place = directory.place("s.jsonl");
        place.lookAround();
        assertThat(place.displaced()).isNull();
        Files.move(dir.resolve(".session-locks"), temp.resolve("aside"));
        place.lookAround();
        assertThat(place.displaced()).contains("was replaced");
    }

    @Test
    void oneThatIsForgottenSaysSoToWhoeverStillHoldsALockThere() {
        LockPlace place = directory.place("s.jsonl");
        OPEN.forget(directory);
        assertThat(place.displaced()).as("another of the same inode number may lie there by now").contains("was replaced");
    }

    @Test
    void aByteThatWasGivenBackIsNotTakenForOurs() throws IOException {
        LockPlace place = directory.place("s.jsonl");
        assertThat(place.tryByte(0)).isTrue();
        assertThat(place.kernelHasByte(0)).as("not asked yet").isNull();
        place.lookAfresh();
        assertThat(place.kernelHasByte(0)).isTrue();
        place.freeByte(0);
        place.lookAfresh();
        assertThat(place.kernelHasByte(0)).isFalse();
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
            assertThat(there.kernelHas(1, Guards.positionOf(1, 0), 0)).isTrue();
        } finally {
            held.release();
            OPEN.unpin(there);
        }
    }

    /** The kernel shows its locks a page at a time, and a lock that stays may slip through while others come and go. */
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
                    assertThat(directory.kernelHas(0, Guards.positionOf(64 * 1_000 * h, 0), 0)).isTrue();
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
        assertThat(directory.kernelHas(5, Guards.positionOf(h, 0), Clock.SYSTEM.nanos())).as("not asked yet").isNull();
        assertThat(directory.verify()).isTrue();
        for (long position : new long[] {Guards.positionOf(h, 0), Guards.positionOf(h, 1), Guards.positionOf(h + 64, 0)}) {
            assertThat(directory.kernelHas(5, position, 0)).isTrue();
            assertThat(directory.kernelHas(5, position, Clock.SYSTEM.nanos())).as("taken after the look").isNull();
            assertThat(directory.kernelHas(6, position, 0)).isFalse();
        }
        assertThat(directory.kernelHas(5, Guards.positionOf(h + 64, 1), 0)).isFalse();
        two.release();
        directory.verify();
        assertThat(directory.kernelHas(5, Guards.positionOf(h, 1), 0)).isFalse();
        assertThat(directory.kernelHas(5, Guards.positionOf(h, 0), 0)).isTrue();
        one.release();
        three.release();
    }

    @Test
    void aBoardThatWasRemovedIsMadeAnewUnlessEverythingIsJustBeingDeleted() throws IOException {
        Board before = directory.board();
        Path board = dir.resolve(".session-locks/board");
        Files.delete(board);
        assertThat(directory.verify()).isTrue();
        assertThat(board).as("rm -rf may be under way").doesNotExist();
        assertThat(directory.verify()).isTrue();
        assertThat(directory.board()).isNotSameAs(before);
        assertThat(directory.board().isInPlace()).isTrue();
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

    @Test
    void namesAreKeptApartWhereTheFileSystemDoesAndOneWhereItFolds() throws IOException {
        assertThat(directory.key("Session")).isEqualTo("Session");
        Path other = Files.createDirectory(temp.resolve("folding"));
        FileMode mode = FileMode.of(other);
        Files.createDirectory(other.resolve(".session-locks"));
        Guards guards = new Guards(other.resolve(".session-locks"), mode);
        LockDirectory folding = new LockDirectory(other, FileKey.of(other.resolve(".session-locks")), new Traits(null, true), mode, guards);
        try {
            assertThat(folding.key("SESSION")).isEqualTo(folding.key("session"));
            LockPlace capitals = folding.place("SESSION.jsonl");
            LockPlace small = folding.place("session.jsonl");
            assertThat(capitals.tryByte(0)).isTrue();
            assertThat(small.tryByte(0)).as("one lock, though two spellings").isFalse();
            assertThat(small.findLine()).isNull();
            Lines.publish(capitals.claimLine(), 0, 42);
            assertThat(small.findLine().until(0)).isEqualTo(42);
            capitals.freeByte(0);
            assertThat(small.tryByte(0)).isTrue();
            small.freeByte(0);
        } finally {
            guards.leave();
        }
    }

    @Test
    void aNetworkFileSystemHasNoBoardAndItsLinesAreThisProcesssOwn() throws IOException {
        Path other = Files.createDirectory(temp.resolve("nfs"));
        FileMode mode = FileMode.of(other);
        Files.createDirectory(other.resolve(".session-locks"));
        Guards guards = new Guards(other.resolve(".session-locks"), mode);
        LockDirectory network = new LockDirectory(other, FileKey.of(other.resolve(".session-locks")), new Traits("nfs4", false), mode, guards);
        try {
            assertThat(network.board()).isNull();
            LockPlace place = network.place("x");
            assertThat(place.shared()).isFalse();
            assertThat(place.findLine()).isNull();
            long first = place.claimLine().drawToken(5);
            assertThat(place.claimLine().drawToken(0)).isGreaterThan(first);
            assertThat(other.resolve(".session-locks/board")).doesNotExist();
        } finally {
            guards.leave();
        }
    }

    @Test
    void withoutHardLinksARecordIsCreatedWholeOrNotAtAllAndRewrittenInPlace() throws IOException {
        directory.withoutHardLinks();
        LockPlace place = directory.place("x");
        LockRecord record = new LockRecord(1, 0, -1, -1, "x", 7, null, -1, null, null, null, null, null, true, 1000, 0, 0);
        LockPlace.Slip slip = place.write(record);
        assertThat(place.link(slip, LockPlace.Spot.LOCK)).isTrue();
        assertThat(place.isAt(slip, LockPlace.Spot.LOCK)).isTrue();
        assertThat(place.find(LockPlace.Spot.LOCK).content()).isEqualTo(new LockContent.Ours(record));
        LockPlace.Slip second = place.write(record);
        assertThat(place.link(second, LockPlace.Spot.LOCK)).as("the name is taken").isFalse();
        assertThat(place.isAt(second, LockPlace.Spot.LOCK)).isFalse();
        LockRecord renewed = new LockRecord(1, 0, -1, -1, "x", 8, null, -1, null, null, null, null, null, true, 1000, 9, 9);
        place.rewrite(slip, renewed);
        assertThat(place.find(LockPlace.Spot.LOCK).content()).isEqualTo(new LockContent.Ours(renewed));
        Files.move(dir.resolve("x.lock"), dir.resolve("aside")); // kept, so that its inode is not used again
        Files.writeString(dir.resolve("x.lock"), "a stranger's");
        place.rewrite(slip, record);
        assertThat(dir.resolve("x.lock")).as("not ours any more").hasContent("a stranger's");
        place.recycle(slip);
        place.recycle(second);
        assertThat(dir.resolve(".session-locks").toFile().list((d, name) -> name.startsWith("claim-"))).isEmpty();
    }

    @Test
    void withoutHardLinksAStrangersFileOfTheSameInodeNumberIsNotTakenForOurs() throws IOException {
        directory.withoutHardLinks();
        LockPlace place = directory.place("x");
        LockRecord record = new LockRecord(1, 0, -1, -1, "x", 7, null, -1, null, null, null, null, null, true, 1000, 0, 0);
        for (int i = 0; i < 20; i++) {
            LockPlace.Slip slip = place.write(record);
            assertThat(place.link(slip, LockPlace.Spot.LOCK)).isTrue();
            Files.delete(dir.resolve("x.lock"));
            Files.writeString(dir.resolve("x.lock"), "a stranger's"); // ext4 gives it the number that has just become free
            assertThat(place.isAt(slip, LockPlace.Spot.LOCK)).isFalse();
            place.rewrite(slip, record);
            assertThat(dir.resolve("x.lock")).hasContent("a stranger's");
            Files.delete(dir.resolve("x.lock"));
            place.retire(slip);
        }
    }
}
