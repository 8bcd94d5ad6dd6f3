package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether one look at a directory replaces the looks at its files. */
class DirectoryStateTest {
    private static final FileTime LONG_AGO = FileTime.fromMillis(1_700_000_000_000L);
    private static final FileTime OTHER = FileTime.fromMillis(1_700_000_000_001L);

    private static FileTime ago(long millis) {
        return FileTime.fromMillis(System.currentTimeMillis() - millis);
    }

    private static boolean isSettled(FileTime changed, FileTime modified) {
        return new DirectoryState("inode", changed, modified).isSettled();
    }

    @Test
    void isSettledOnceBothTimesAreOlderThanAnyTimeStampIsCoarse() {
        assertThat(isSettled(LONG_AGO, LONG_AGO)).isTrue();
        assertThat(isSettled(ago(60_000), ago(60_000))).isTrue();
        assertThat(isSettled(ago(500), LONG_AGO)).as("a file was replaced, and the time set back").isFalse();
        assertThat(isSettled(LONG_AGO, ago(500))).isFalse();
        assertThat(isSettled(null, LONG_AGO)).as("not a Unix: a file may have been replaced, and the time set back").isFalse();
        assertThat(isSettled(null, ago(500))).isFalse();
    }

    @Test
    void isNotSettledByATimeALittleAheadOfTheClock() {
        assertThat(isSettled(LONG_AGO, ago(-500))).isFalse();
        assertThat(isSettled(LONG_AGO, ago(-60_000))).as("far ahead: another change would show").isTrue();
    }

    @Test
    void isTheSameOnlyWithTheSameInodeAndBothTimes() {
        DirectoryState state = new DirectoryState("inode", LONG_AGO, LONG_AGO);
        assertThat(state).isEqualTo(new DirectoryState("inode", LONG_AGO, LONG_AGO)).hasSameHashCodeAs(new DirectoryState("inode", LONG_AGO, LONG_AGO));
        assertThat(state).isNotEqualTo(new DirectoryState("another", LONG_AGO, LONG_AGO)).isNotEqualTo(new DirectoryState("inode", OTHER, LONG_AGO))
                .isNotEqualTo(new DirectoryState("inode", LONG_AGO, OTHER)).isNotEqualTo(new DirectoryState("inode", null, LONG_AGO));
    }

    @Test
    void isAnotherOnceAFileIsMade(@TempDir Path dir) throws Exception {
        Files.setLastModifiedTime(dir, LONG_AGO);
        DirectoryState before = DirectoryState.of(dir);
        assertThat(DirectoryState.of(dir)).isEqualTo(before);

        Files.createFile(dir.resolve("file"));

        assertThat(DirectoryState.of(dir)).isNotEqualTo(before);
    }
}
