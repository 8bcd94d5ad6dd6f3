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

/** Spare record files: reused while they are nobody's, never while they may be linked somewhere, and swept when their process is gone. */
class ClaimsTest {
    private static final byte[] ONE = "one".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    private static final byte[] TWO = "two".getBytes(java.nio.charset.StandardCharsets.US_ASCII);

    @TempDir
    Path dir;
    private Guards guards;
    private Claims claims;

    @BeforeEach
    void open() throws IOException {
        guards = new Guards(dir, FileMode.of(dir));
        guards.enter(dir);
        claims = new Claims(dir, FileMode.of(dir), guards);
    }

    @AfterEach
    void close() throws IOException {
        claims.close();
        guards.leave();
    }

    private String[] files() {
        String[] names = dir.toFile().list((d, name) -> name.startsWith("claim-"));
        Arrays.sort(names);
        return names;
    }

    @Test
    void oneThatCameBackIsUsedAgain() throws IOException {
        Claims.Claim claim = claims.take();
        claim.write(ONE);
        assertThat(claim.path()).hasBinaryContent(ONE);
        assertThat(claim.path().getFileName().toString()).matches("claim-[0-9a-f]{1,13}-0");
        claims.recycle(claim);
        Claims.Claim again = claims.take();
        assertThat(again.path()).isEqualTo(claim.path());
        assertThat(again.key()).isEqualTo(FileKey.of(claim.path()));
        again.write(TWO);
        assertThat(again.path()).hasBinaryContent(TWO);
        assertThat(files()).hasSize(1);
        claims.recycle(again);
    }

    @Test
    void twoAtOnceAreTwoFiles() throws IOException {
        Claims.Claim one = claims.take();
        Claims.Claim two = claims.take();
        one.write(ONE);
        two.write(TWO);
        assertThat(one.path()).hasBinaryContent(ONE);
        assertThat(two.path()).hasBinaryContent(TWO);
        assertThat(two.path().getFileName().toString()).endsWith("-1");
        claims.recycle(one);
        claims.recycle(two);
    }

    @Test
    void thirtyTwoKeepTheirDescriptorsAndAreSpareAfterwards() throws IOException {
        List<Claims.Claim> all = takeMany(33);
        for (Claims.Claim claim : all) {
            claim.rest();
        }
        for (Claims.Claim claim : all) {
            claims.recycle(claim);
        }
        assertThat(files()).as("one is too many").hasSize(32).contains(all.get(0).path().getFileName().toString());

        for (Claims.Claim claim : takeMany(33)) {
            claims.recycle(claim);
        }
        assertThat(files()).as("none rested, and one is too many").hasSize(32);
    }

    @Test
    void thoseThatAreHeldForLongLeaveTheirDescriptorsToThoseThatComeAndGo() throws IOException {
        long before = Kernel.openFilesIn(dir);
        List<Claims.Claim> held = takeMany(40);
        for (Claims.Claim claim : held) {
            claim.rest();
            claim.restForLong();
        }
        assertThat(Kernel.openFilesIn(dir) - before).as("half of them, and guard 0, with the byte of the process").isLessThanOrEqualTo(16 + 1);
        Claims.Claim claim = claims.take();
        claim.write(ONE);
        claim.rest();
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(16 + 2);
        claims.recycle(claim);
        assertThat(claims.take().path()).as("none is made anew for each").isEqualTo(claim.path());

        claims.recycle(held.get(0));
        Claims.Claim again = claims.take();
        assertThat(again.path()).isEqualTo(held.get(0).path());
        again.write(TWO);
        assertThat(again.path()).hasBinaryContent(TWO);
    }

    @Test
    void aSpareOneThatAHandHasRemovedIsNotMadeAnewUnderItsName() throws IOException {
        Claims.Claim claim = takeMany(17).get(0);
        claim.restForLong();
        claims.recycle(claim);
        Files.delete(claim.path());
        Claims.Claim next = claims.take();
        assertThat(next.path()).exists().isNotEqualTo(claim.path());
        assertThat(claim.path()).doesNotExist();
        claims.retire(next);
    }

    @Test
    void manySpareOnesThatAHandHasRemovedCostOneTryAndNotOneEach() throws IOException {
        List<Claims.Claim> many = takeMany(32);
        for (Claims.Claim claim : many) {
            claim.restForLong(); // the first half is closed
        }
        Collections.reverse(many);
        for (Claims.Claim claim : many) {
            claims.recycle(claim);
            Files.delete(claim.path());
        }
        Claims.Claim next = claims.take();
        next.write(ONE);
        assertThat(next.path()).hasBinaryContent(ONE);
        claims.retire(next);
    }

    @Test
    void thoseThatAreGivenUpAreClosedAndCountNoMore() throws IOException {
        long before = Kernel.openFilesIn(dir);
        for (Claims.Claim claim : takeMany(40)) {
            claims.retire(claim);
        }
        assertThat(Kernel.openFilesIn(dir) - before).as("guard 0, with the byte of the process").isLessThanOrEqualTo(1);
        Claims.Claim claim = claims.take();
        claim.rest();
        claims.recycle(claim);

        assertThat(claims.take().path()).as("it was open, for few are").isEqualTo(claim.path());
    }

    @Test
    void noThreadKeepsOthersOutWhenItIsDone() throws Exception {
        List<Claims.Claim> many = takeMany(40);
        many.get(0).rest();
        anotherThreadTakesOne();
        claims.recycle(many.get(1));
        anotherThreadTakesOne();
        claims.retire(many.get(2));
        anotherThreadTakesOne();
        claims.dropSpares();
        anotherThreadTakesOne();
        claims.verify((position, takenAt) -> true);
        anotherThreadTakesOne();
        claims.close();
        anotherThreadTakesOne();
    }

    private void anotherThreadTakesOne() throws Exception {
        CompletableFuture.runAsync(() -> {
            try {
                claims.retire(claims.take());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }).get(20, TimeUnit.SECONDS);
    }

    private List<Claims.Claim> takeMany(int many) throws IOException {
        List<Claims.Claim> all = new ArrayList<>();
        for (int i = 0; i < many; i++) {
            all.add(claims.take());
        }
        return all;
    }

    @Test
    void whoMayWriteToTheDirectoryMayWriteToThem() throws IOException {
        assumeTrue(dir.getFileSystem().supportedFileAttributeViews().contains("posix"), "there are no POSIX permissions here");
        Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxrwxr-x"));
        Claims shared = new Claims(dir, FileMode.of(dir), guards);

        Claims.Claim claim = shared.take();

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(claim.path()))).isEqualTo("rw-rw-r--");
        shared.retire(claim);
        shared.close();
    }

    @Test
    void oneThatMayStillBeLinkedSomewhereIsNeverUsedAgain() throws IOException {
        Claims.Claim claim = claims.take();
        claim.write(ONE);
        Path moved = Files.createLink(dir.resolve("somewhere"), claim.path());
        claims.retire(claim);
        assertThat(claim.path()).doesNotExist();
        Claims.Claim next = claims.take();
        assertThat(next.key()).isNotEqualTo(claim.key());
        next.write(TWO);
        assertThat(moved).hasBinaryContent(ONE);
        claims.retire(next);
    }

    @Test
    void manyInUseCostNoDescriptorEachAndAreStillWritten() throws IOException {
        List<Claims.Claim> all = new ArrayList<>();
        long before = Kernel.openFilesIn(dir);
        for (int i = 0; i < 200; i++) {
            Claims.Claim claim = claims.take();
            claim.write(ONE);
            claim.rest();
            all.add(claim);
        }
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(32 + 2);
        for (Claims.Claim claim : all) {
            claim.write(TWO);
            assertThat(claim.path()).hasBinaryContent(TWO);
        }
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(32 + 2);
        for (Claims.Claim claim : all) {
            claims.recycle(claim);
        }
        assertThat(files()).as("the spare ones").hasSizeLessThanOrEqualTo(32);
        assertThat(Kernel.openFilesIn(dir) - before).isLessThanOrEqualTo(32 + 2);
    }

    @Test
    void aRestingOneThatWasRemovedIsNotMadeAgainByAWrite() throws IOException {
        List<Claims.Claim> all = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            all.add(claims.take());
        }
        for (Claims.Claim claim : all) {
            claim.rest();
        }
        for (Claims.Claim claim : all) {
            Files.delete(claim.path());
        }
        assertThat(all).anySatisfy(claim -> assertThatThrownBy(() -> claim.write(ONE)).isInstanceOf(NoSuchFileException.class));
        assertThat(files()).isEmpty();
        for (Claims.Claim claim : all) {
            claims.retire(claim);
        }
    }

    @Test
    void theSpareOnesGoAtTheEndAndTheProcesssByteWithThem() throws IOException {
        Claims.Claim claim = claims.take();
        long process = Long.parseLong(claim.path().getFileName().toString().split("-")[1], 16);
        claims.recycle(claim);
        assertThat(guards.tryProcess(process)).as("it is alive").isNull();

        claims.close();

        assertThat(files()).isEmpty();
        try (FileLock gone = guards.tryProcess(process)) {
            assertThat(gone).isNotNull();
        }
    }

    // ---- litter ----

    @Test
    void theLitterOfOneThatIsGoneIsSweptAndThatOfTheLivingIsNot() throws IOException {
        Claims.Claim mine = claims.take();
        claims.recycle(claims.take());
        Files.createFile(dir.resolve("claim-abc-0"));
        Files.createFile(dir.resolve("claim-abc-17"));
        Files.createFile(dir.resolve("claim-0-0"));
        Files.createFile(dir.resolve("claim-def-0"));
        Files.createFile(dir.resolve("claim-abcd-0"));
        Guards other = new Guards(dir, FileMode.of(dir)); // not closed before the end: that would drop our bytes as well
        other.enter(dir);
        FileLock alive = other.tryProcess(0xdef);
        int before = files().length;

        claims.sweep();

        assertThat(files()).hasSize(before - 4).contains("claim-def-0", mine.path().getFileName().toString());
        alive.release();
        claims.sweep();
        assertThat(files()).doesNotContain("claim-def-0").contains(mine.path().getFileName().toString());
        claims.recycle(mine);
        other.leave();
    }

    /** A power cut may take what it says: then its two names are all that tells that it is a lock of ours. */
    @Test
    void theRecordOfOneThatIsGoneKeepsItsFirstNameAsLongAsItLiesInALocksPlace() throws IOException {
        Path record = Files.createFile(dir.resolve("claim-abc-0"));
        Path lock = Files.createLink(dir.resolve("session.jsonl.lock"), record);
        Files.createFile(dir.resolve("claim-abc-1"));
        Files.createLink(dir.resolve("claim-abc-1.link"), dir.resolve("claim-abc-1")); // killed while it found out whether links are refused

        claims.sweep();

        assertThat(files()).contains("claim-abc-0").doesNotContain("claim-abc-1.link");
        assertThat(Claims.contains(dir, lock, FileKey.of(lock))).isTrue();
        Files.delete(lock);
        claims.sweep();
        assertThat(files()).doesNotContain("claim-abc-0", "claim-abc-1");
    }

    @Test
    void aFileOfAnotherInodeIsNoneOfThemWhateverNamesItHas() throws IOException {
        Claims.Claim claim = claims.take();
        Path other = Files.createFile(dir.resolve("other"));
        assertThat(Claims.contains(dir, other, FileKey.of(other))).isFalse();
        Path twice = Files.createLink(dir.resolve("twice"), other);
        assertThat(Claims.contains(dir, twice, FileKey.of(twice))).isFalse();
        assertThat(Claims.contains(dir.resolve("missing"), twice, FileKey.of(twice))).isFalse();
        claims.retire(claim);
    }

    @Test
    void whatSomebodyAppendedGoesWithTheNextWriteThatKnowsOfIt() throws IOException {
        Claims.Claim claim = claims.take();
        claim.write(TWO);
        Files.writeString(claim.path(), "more", java.nio.file.StandardOpenOption.APPEND);
        claim.mayBeLonger();
        claim.write(TWO);
        assertThat(claim.path()).hasBinaryContent(TWO);
        claims.retire(claim);
    }

    @Test
    void aSweepLeavesTheClaimsOfItsOwnProcessAloneAlsoBeforeTheFirst() throws IOException {
        claims.sweep();
        Claims.Claim claim = claims.take();
        claims.sweep();
        assertThat(claim.path()).exists();
        claims.recycle(claim);
    }

    @Test
    void whatOnlyLooksLikeAClaimIsLeftAlone() throws IOException {
        List<String> names = List.of("claim-", "claim--", "claim-xyz-0", "claim-fffffffffffffffff-0", "claim--1-0", "claim-0x1-0", "claim-ab");
        for (String name : names) {
            Files.createFile(dir.resolve(name));
        }
        claims.sweep();
        assertThat(files()).contains(names.toArray(new String[0]));
    }

    @Test
    void twoProcessesDoNotUseEachOthersNames() throws IOException {
        Claims others = new Claims(dir, FileMode.of(dir), guards);
        Claims.Claim mine = claims.take();
        Claims.Claim theirs = others.take();
        assertThat(mine.path()).isNotEqualTo(theirs.path());
        claims.sweep();
        others.sweep();
        assertThat(mine.path()).exists();
        assertThat(theirs.path()).exists();
        claims.recycle(mine);
        others.recycle(theirs);
        others.close();
    }

    @Test
    void whoLostItsByteTakesItAgain() throws IOException {
        Claims.Claim claim = claims.take();
        claims.verify((position, takenAt) -> false);
        assertThat(claim.path()).exists();
        claims.sweep();
        assertThat(claim.path()).as("not litter").exists();
        claims.verify((position, takenAt) -> true);
        claims.verify((position, takenAt) -> null);
        claims.recycle(claim);
    }
}
