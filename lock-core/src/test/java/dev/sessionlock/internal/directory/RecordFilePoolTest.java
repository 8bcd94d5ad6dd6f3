package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.Kernel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Spare record files: reused while no lock uses them, never while they may be linked somewhere, and swept when their process is gone. */
class RecordFilePoolTest {
    private static final byte[] ONE = "one".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    private static final byte[] TWO = "two".getBytes(java.nio.charset.StandardCharsets.US_ASCII);

    @TempDir
    Path dir;
    private GuardFiles guards;
    private RecordFilePool pool;

    @BeforeEach
    void open() throws IOException {
        guards = new GuardFiles(dir, FileMode.of(dir));
        guards.enter(dir);
        pool = new RecordFilePool(dir, FileMode.of(dir), guards);
    }

    @AfterEach
    void close() throws IOException {
        pool.close();
        guards.leave();
    }

    private String[] files() {
        String[] names = dir.toFile().list((d, name) -> name.startsWith("claim-"));
        Arrays.sort(names);
        return names;
    }

    @Test
    void oneThatCameBackIsUsedAgain() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        file.write(ONE);
        assertThat(file.path()).hasBinaryContent(ONE);
        assertThat(file.path().getFileName().toString()).matches("claim-[0-9a-f]{1,13}-0");
        pool.recycle(file);
        RecordFilePool.PooledFile again = pool.take();
        assertThat(again.path()).isEqualTo(file.path());
        assertThat(again.key()).isEqualTo(FileKey.of(file.path()));
        again.write(TWO);
        assertThat(again.path()).hasBinaryContent(TWO);
        assertThat(files()).hasSize(1);
        pool.recycle(again);
    }

    @Test
    void twoAtOnceAreTwoFiles() throws IOException {
        RecordFilePool.PooledFile one = pool.take();
        RecordFilePool.PooledFile two = pool.take();
        one.write(ONE);
        two.write(TWO);
        assertThat(one.path()).hasBinaryContent(ONE);
        assertThat(two.path()).hasBinaryContent(TWO);
        assertThat(two.path().getFileName().toString()).matches("claim-[0-9a-f]{1,13}-1");
        assertThat(two).hasToString(two.path().toString());
        pool.recycle(one);
        pool.recycle(two);
    }

    @Test
    void thirtyTwoKeepTheirDescriptorsAndAreSpareAfterwards() throws IOException {
        List<RecordFilePool.PooledFile> all = takeMany(33);
        for (RecordFilePool.PooledFile file : all) {
            file.rest();
        }
        for (RecordFilePool.PooledFile file : all) {
            pool.recycle(file);
        }
        assertThat(files()).as("one is too many").hasSize(32).contains(all.get(0).path().getFileName().toString());

        for (RecordFilePool.PooledFile file : takeMany(33)) {
            pool.recycle(file);
        }
        assertThat(files()).as("none rested, and one is too many").hasSize(32);
    }

    @Test
    void thoseThatAreHeldForLongLeaveTheirDescriptorsToThoseThatComeAndGo() throws IOException {
        long before = Kernel.openFilesIn(dir);
        List<RecordFilePool.PooledFile> held = takeMany(40);
        for (RecordFilePool.PooledFile file : held) {
            file.rest();
            file.restForLong();
        }
        assertThat(Kernel.openFilesIn(dir) - before).as("half of them, and guard 0, with the byte of the process").isLessThanOrEqualTo(16 + 1);
        RecordFilePool.PooledFile file = pool.take();
        file.write(ONE);
        file.rest();
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(16 + 2);
        pool.recycle(file);
        assertThat(pool.take().path()).as("none is made anew for each").isEqualTo(file.path());

        pool.recycle(held.get(0));
        RecordFilePool.PooledFile again = pool.take();
        assertThat(again.path()).isEqualTo(held.get(0).path());
        again.write(TWO);
        assertThat(again.path()).hasBinaryContent(TWO);
    }

    @Test
    void aRemovedSpareFileIsNotCreatedAnewUnderItsName() throws IOException {
        RecordFilePool.PooledFile file = takeMany(17).get(0);
        file.restForLong();
        pool.recycle(file);
        Files.delete(file.path());
        RecordFilePool.PooledFile next = pool.take();
        assertThat(next.path()).exists().isNotEqualTo(file.path());
        assertThat(file.path()).doesNotExist();
        pool.retire(next);
    }

    @Test
    void manyRemovedSpareFilesCostOneTryAndNotOneEach() throws IOException {
        List<RecordFilePool.PooledFile> many = takeMany(32);
        for (RecordFilePool.PooledFile file : many) {
            file.restForLong(); // the first half is closed
        }
        Collections.reverse(many);
        for (RecordFilePool.PooledFile file : many) {
            pool.recycle(file);
            Files.delete(file.path());
        }
        RecordFilePool.PooledFile next = pool.take();
        next.write(ONE);
        assertThat(next.path()).hasBinaryContent(ONE);
        pool.retire(next);
    }

    @Test
    void thoseThatAreGivenUpAreClosedAndCountNoMore() throws IOException {
        long before = Kernel.openFilesIn(dir);
        for (RecordFilePool.PooledFile file : takeMany(40)) {
            pool.retire(file);
        }
        assertThat(Kernel.openFilesIn(dir) - before).as("guard 0, with the byte of the process").isLessThanOrEqualTo(1);
        RecordFilePool.PooledFile file = pool.take();
        file.rest();
        assertThat(Kernel.openFilesIn(dir) - before).as("it stays open, for few are").isEqualTo(2);
        pool.recycle(file);

        assertThat(pool.take().path()).isEqualTo(file.path());
    }

    @Test
    void oneThatIsOpenedAgainCountsAmongTheOpenOnes() throws IOException {
        RecordFilePool.PooledFile file = takeMany(17).get(0);
        file.restForLong();
        pool.recycle(file);
        long before = Kernel.openFilesIn(dir);
        RecordFilePool.PooledFile again = pool.take();
        assertThat(Kernel.openFilesIn(dir) - before).isOne();

        again.restForLong();

        assertThat(Kernel.openFilesIn(dir) - before).as("it is one of 17 again").isZero();
    }

    @Test
    void itsProcessByteTellsItsTimeNamespace() throws IOException {
        RecordFilePool other = new RecordFilePool(dir, FileMode.of(dir), guards, 0xabc);
        RecordFilePool.PooledFile file = other.take();

        assertThat(processOf(file) >>> GuardLayout.RANDOM_BITS).isEqualTo(0xabc);

        other.recycle(file);
        other.close();
    }

    private static long processOf(RecordFilePool.PooledFile file) {
        return Long.parseLong(file.path().getFileName().toString().split("-")[1], 16);
    }

    @Test
    void noThreadKeepsOthersOutWhenItIsDone() throws Exception {
        List<RecordFilePool.PooledFile> many = takeMany(40);
        many.get(0).rest();
        anotherThreadTakesOne();
        pool.recycle(many.get(1));
        anotherThreadTakesOne();
        pool.retire(many.get(2));
        anotherThreadTakesOne();
        pool.dropSpares();
        anotherThreadTakesOne();
        pool.verify((position, takenAt) -> true);
        anotherThreadTakesOne();
        pool.close();
        anotherThreadTakesOne();
    }

    private void anotherThreadTakesOne() throws Exception {
        CompletableFuture.runAsync(() -> {
            try {
                pool.retire(pool.take());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }).get(20, TimeUnit.SECONDS);
    }

    private List<RecordFilePool.PooledFile> takeMany(int many) throws IOException {
        List<RecordFilePool.PooledFile> all = new ArrayList<>();
        for (int i = 0; i < many; i++) {
            all.add(pool.take());
        }
        return all;
    }

    @Test
    void whoMayWriteToTheDirectoryMayWriteToThem() throws IOException {
        assumeTrue(dir.getFileSystem().supportedFileAttributeViews().contains("posix"), "there are no POSIX permissions here");
        Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxr-x"));
        RecordFilePool shared = new RecordFilePool(dir, FileMode.of(dir), guards);

        RecordFilePool.PooledFile file = shared.take();

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.path()))).isEqualTo("rw-rw-r--");
        shared.retire(file);
        shared.close();
    }

    @Test
    void oneThatMayStillBeLinkedSomewhereIsNeverUsedAgain() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        file.write(ONE);
        Path moved = Files.createLink(dir.resolve("somewhere"), file.path());
        pool.retire(file);
        assertThat(file.path()).doesNotExist();
        RecordFilePool.PooledFile next = pool.take();
        assertThat(next.key()).isNotEqualTo(file.key());
        next.write(TWO);
        assertThat(moved).hasBinaryContent(ONE);
        pool.retire(next);
    }

    @Test
    void manyInUseCostNoDescriptorEachAndAreStillWritten() throws IOException {
        List<RecordFilePool.PooledFile> all = new ArrayList<>();
        long before = Kernel.openFilesIn(dir);
        for (int i = 0; i < 200; i++) {
            RecordFilePool.PooledFile file = pool.take();
            file.write(ONE);
            file.rest();
            all.add(file);
        }
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(32 + 2);
        for (RecordFilePool.PooledFile file : all) {
            file.write(TWO);
            assertThat(file.path()).hasBinaryContent(TWO);
        }
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(32 + 2);
        for (RecordFilePool.PooledFile file : all) {
            pool.recycle(file);
        }
        assertThat(files()).as("the spare ones").hasSizeLessThanOrEqualTo(32);
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(32 + 2);
    }

    @Test
    void aRestingOneThatWasRemovedIsNotMadeAgainByAWrite() throws IOException {
        List<RecordFilePool.PooledFile> all = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            all.add(pool.take());
        }
        for (RecordFilePool.PooledFile file : all) {
            file.rest();
        }
        for (RecordFilePool.PooledFile file : all) {
            Files.delete(file.path());
        }
        assertThat(all).anySatisfy(file -> assertThatThrownBy(() -> file.write(ONE)).isInstanceOf(NoSuchFileException.class));
        assertThat(files()).isEmpty();
        for (RecordFilePool.PooledFile file : all) {
            pool.retire(file);
        }
    }

    @Test
    void theSpareOnesGoAtTheEndAndTheProcesssByteWithThem() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        long process = processOf(file);
        pool.recycle(file);
        assertThat(guards.tryProcess(process)).as("it is alive").isNull();

        pool.close();

        assertThat(files()).isEmpty();
        try (FileLock gone = guards.tryProcess(process)) {
            assertThat(gone).isNotNull();
        }
    }

    // ---- litter ----

    @Test
    void theLitterOfOneThatIsGoneIsSweptAndThatOfTheLivingIsNot() throws IOException {
        RecordFilePool.PooledFile mine = pool.take();
        pool.recycle(pool.take());
        Files.createFile(dir.resolve("claim-abc-0"));
        Files.createFile(dir.resolve("claim-abc-17"));
        Files.createFile(dir.resolve("claim-0-0"));
        Files.createFile(dir.resolve("claim-def-0"));
        Files.createFile(dir.resolve("claim-abcd-0"));
        GuardFiles other = new GuardFiles(dir, FileMode.of(dir)); // not closed before the end: that would drop our bytes as well
        other.enter(dir);
        FileLock alive = other.tryProcess(0xdef);
        int before = files().length;

        pool.sweep();

        assertThat(files()).hasSize(before - 4).contains("claim-def-0", mine.path().getFileName().toString());
        alive.release();
        pool.sweep();
        assertThat(files()).doesNotContain("claim-def-0").contains(mine.path().getFileName().toString());
        pool.recycle(mine);
        other.leave();
    }

    /** A power cut may lose its content. Its two names are then the only sign that it is a lock of ours. */
    @Test
    void theRecordOfOneThatIsGoneKeepsItsFirstNameAsLongAsItLiesInALocksPlace() throws IOException {
        Path record = Files.createFile(dir.resolve("claim-abc-0"));
        Path lock = Files.createLink(dir.resolve("session.jsonl.lock"), record);
        Files.createFile(dir.resolve("claim-abc-1"));
        Files.createLink(dir.resolve("claim-abc-1.link"), dir.resolve("claim-abc-1")); // killed while it tested whether links are refused

        pool.sweep();

        assertThat(files()).contains("claim-abc-0").doesNotContain("claim-abc-1.link");
        assertThat(RecordFilePool.contains(dir, lock, FileKey.of(lock))).isTrue();
        Files.delete(lock);
        pool.sweep();
        assertThat(files()).doesNotContain("claim-abc-0", "claim-abc-1");
    }

    @Test
    void aFileOfAnotherInodeIsNoneOfThemWhateverNamesItHas() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        Path other = Files.createFile(dir.resolve("other"));
        assertThat(RecordFilePool.contains(dir, other, FileKey.of(other))).isFalse();
        Path twice = Files.createLink(dir.resolve("twice"), other);
        assertThat(RecordFilePool.contains(dir, twice, FileKey.of(twice))).isFalse();
        assertThat(RecordFilePool.contains(dir.resolve("missing"), twice, FileKey.of(twice))).isFalse();
        pool.retire(file);
    }

    @Test
    void whatSomebodyAppendedGoesWithTheNextWriteThatKnowsOfIt() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        file.write(TWO);
        Files.writeString(file.path(), "more", java.nio.file.StandardOpenOption.APPEND);
        file.mayBeLonger();
        file.write(TWO);
        assertThat(file.path()).hasBinaryContent(TWO);
        pool.retire(file);
    }

    @Test
    void aSweepLeavesTheFilesOfItsOwnProcessAlone() throws IOException {
        pool.sweep();
        RecordFilePool.PooledFile file = pool.take();
        pool.sweep();
        assertThat(file.path()).exists();
        pool.recycle(file);
    }

    @Test
    void whatOnlyLooksLikeARecordFileIsLeftAlone() throws IOException {
        List<String> names = List.of("claim-", "claim--", "claim-xyz-0", "claim-fffffffffffffffff-0", "claim--1-0", "claim-0x1-0", "claim-ab");
        for (String name : names) {
            Files.createFile(dir.resolve(name));
        }
        pool.sweep();
        assertThat(files()).contains(names.toArray(new String[0]));
    }

    @Test
    void twoProcessesDoNotUseEachOthersNames() throws IOException {
        RecordFilePool others = new RecordFilePool(dir, FileMode.of(dir), guards);
        RecordFilePool.PooledFile mine = pool.take();
        RecordFilePool.PooledFile theirs = others.take();
        assertThat(mine.path()).isNotEqualTo(theirs.path());
        pool.sweep();
        others.sweep();
        assertThat(mine.path()).exists();
        assertThat(theirs.path()).exists();
        pool.recycle(mine);
        others.recycle(theirs);
        others.close();
    }

    @Test
    void spareOnesAreGivenUpOnceItsByteWasLost() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        pool.recycle(file);
        pool.verify((position, takenAt) -> true);
        assertThat(file.path()).exists();

        pool.verify((position, takenAt) -> false);

        assertThat(file.path()).as("others may have taken it for litter").doesNotExist();
    }

    @Test
    void spareOnesAreGivenUpWithOneThatWasSwept() throws IOException {
        RecordFilePool.PooledFile spare = pool.take();
        RecordFilePool.PooledFile swept = pool.take();
        pool.recycle(spare);
        Files.delete(swept.path());

        long before = Kernel.openFilesIn(dir);

        pool.giveUpSwept(swept);

        assertThat(files()).isEmpty();
        assertThat(before - Kernel.openFilesIn(dir)).as("both are closed").isEqualTo(2);
        assertThat(swept.isLetGo()).isTrue();
    }

    @Test
    void aFileThatSomebodyPutInItsPlaceIsNotDeletedWithIt() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        assertThat(file.isInPlace()).isTrue();
        assertThat(file.isLetGo()).isFalse();
        Files.move(Files.writeString(dir.resolve("other"), "somebody's"), file.path(), StandardCopyOption.REPLACE_EXISTING);
        assertThat(file.isInPlace()).isFalse();

        pool.retire(file);

        assertThat(file.path()).hasContent("somebody's");
        assertThat(file.isLetGo()).isTrue();
    }

    @Test
    void whoNeverTookItsByteHasNoneToLose() throws IOException {
        pool.verify((position, takenAt) -> false);

        assertThat(pool.take().path()).exists();
    }

    /** Another process has it by now, and counts as alive by it. */
    @Test
    void whoLostItsByteToAnotherIsAnotherProcessFromThenOn() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        long process = processOf(file);
        guards.tryProcess(0xabc).acquiredBy().close(); // as an interrupt of a thread that waits in the kernel does it: every byte of guard 0 is lost
        GuardFiles other = new GuardFiles(dir, FileMode.of(dir)); // not closed before the end: that would drop our bytes as well
        other.enter(dir);
        assertThat(other.tryProcess(process)).isNotNull();

        pool.verify((position, takenAt) -> true);

        RecordFilePool.PooledFile next = pool.take();
        assertThat(processOf(next)).isNotEqualTo(process);
        assertThat(other.tryProcess(processOf(next))).as("it is alive under its new number").isNull();
        pool.retire(file);
        pool.recycle(next);
        other.leave();
    }

    @Test
    void whoLostItsByteTakesItAgain() throws IOException {
        RecordFilePool.PooledFile file = pool.take();
        pool.verify((position, takenAt) -> false);
        assertThat(guards.tryProcess(processOf(file))).as("it is alive").isNull();
        assertThat(processOf(pool.take())).as("under the same number").isEqualTo(processOf(file));
        assertThat(file.path()).exists();
        pool.sweep();
        assertThat(file.path()).as("not litter").exists();
        pool.verify((position, takenAt) -> true);
        pool.verify((position, takenAt) -> null);
        pool.recycle(file);
    }
}
