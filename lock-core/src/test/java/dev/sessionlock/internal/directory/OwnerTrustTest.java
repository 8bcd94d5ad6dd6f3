package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.internal.system.CurrentUser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whose files are used, and where others may put one in the place of ours. */
class OwnerTrustTest {
    private static final Path FILE = Path.of("/sessions/.session-locks/board");
    private static final int ROOT = 0;
    private static final int OWNER = 61_000;
    private static final int STRANGER = 62_000;

    @BeforeEach
    void requireUsers() {
        if (!CurrentUser.isKnown()) {
            System.out.println("SKIPPED a test of owners: the user of this process is not known here");
        }
        Assumptions.assumeTrue(CurrentUser.isKnown(), "users are not known here");
    }

    private static Map<String, Object> file(int owner, int names) {
        return Map.of("isRegularFile", true, "fileKey", "inode", "nlink", names, "uid", owner);
    }

    @Nested
    class OfAFile {
        private final OwnerTrust trust = new OwnerTrust(0755, OWNER);

        private void assertUsed(OwnerTrust by, Map<String, Object> unix, Object key) {
            assertThatCode(() -> by.requireFile(FILE, unix, key)).doesNotThrowAnyException();
        }

        @Test
        void itsOwnerIsRootOrThatOfTheDirectory() {
            assertUsed(trust, file(ROOT, 1), null);
            assertUsed(trust, file(OWNER, 1), null);
            assertThatIOException().isThrownBy(() -> trust.requireFile(FILE, file(STRANGER, 1), null)).withMessageContaining("belongs to user " + STRANGER)
                    .withMessageContaining("chown " + OWNER + " " + FILE);
        }

        @Test
        void itsOwnerIsAnybodyWhereAnybodyMayWrite() {
            assertUsed(new OwnerTrust(0775, OWNER), file(STRANGER, 1), null);
            assertUsed(new OwnerTrust(01777, OWNER), file(STRANGER, 1), null);
        }

        /** A second name may be that of somebody's own file; a record has two. */
        @Test
        void itHasOneNameUnlessItIsKnown() {
            assertThatIOException().isThrownBy(() -> trust.requireFile(FILE, file(ROOT, 2), null)).withMessageContaining("has 2 names");
            assertUsed(trust, file(ROOT, 2), "inode");
            assertThatIOException().isThrownBy(() -> trust.requireFile(FILE, file(ROOT, 1), "another")).isExactlyInstanceOf(NoSuchFileException.class);
        }

        @Test
        void itIsAnOrdinaryFile() {
            assertThatIOException().isThrownBy(() -> trust.requireFile(FILE, Map.of("isRegularFile", false), null)).withMessageContaining("not an ordinary file");
        }
    }

    @Nested
    class OfTheFolder {
        private void require(int mode, int owner, int itsMode) throws IOException {
            new OwnerTrust(mode, OWNER).requireFolder(FILE.getParent(), Map.of("uid", owner, "mode", itsMode));
        }

        @Test
        void itsOwnerIsRootOrThatOfTheDirectory() throws IOException {
            require(0755, ROOT, 0755);
            require(0755, OWNER, 0755);
            assertThatIOException().isThrownBy(() -> require(0755, STRANGER, 0755)).withMessageContaining("belongs to user " + STRANGER);
        }

        @Test
        void itsOwnerIsAnybodyWhereAnybodyMayReplaceItAnyway() throws IOException {
            require(0777, STRANGER, 0755);
            require(01777, STRANGER, 01777);
            assertThatIOException().as("there nobody but its owner could").isThrownBy(() -> require(01777, STRANGER, 0755));
        }
    }

    @Nested
    class OfNames {
        @TempDir
        Path temp;
        private Path above;
        private Path home;
        private Path folder;

        @BeforeEach
        void make() throws IOException {
            above = Files.createDirectory(temp.toRealPath().resolve("above"));
            home = Files.createDirectory(above.resolve("sessions"));
            folder = Files.createDirectory(home.resolve(LockDirectory.INNER));
            mode(above, 0755);
            mode(home, 0755);
            mode(folder, 0755);
            for (Path dir = temp.toRealPath(); dir != null; dir = dir.getParent()) {
                int mode = (int) Files.getAttribute(dir, "unix:mode");
                Assumptions.assumeTrue((mode & 022) == 0 || (mode & 01000) != 0, "others may rename the directory of temporary files");
            }
        }

        private void mode(Path path, int mode) throws IOException {
            Files.setAttribute(path, "unix:mode", mode);
        }

        @Test
        void nobodyElseChangesThemWhereNobodyElseMayWrite() throws IOException {
            assertThat(OwnerTrust.othersChangeNames(home)).isFalse();
            Files.delete(folder);
            assertThat(OwnerTrust.othersChangeNames(home)).as("it will be made with the directory's mode").isFalse();
        }

        @Test
        void othersChangeThemWhereOthersMayWrite() throws IOException {
            for (int writable : new int[] {0775, 0757, 01777}) { // also what is sticky: they may make what is not there yet
                mode(home, writable);
                assertThat(OwnerTrust.othersChangeNames(home)).isTrue();
                mode(home, 0755);
                mode(folder, writable);
                assertThat(OwnerTrust.othersChangeNames(home)).isTrue();
                mode(folder, 0755);
            }
        }

        @Test
        void othersChangeThemWhereOthersMayRenameADirectoryAbove() throws IOException {
            mode(above, 0777);
            assertThat(OwnerTrust.othersChangeNames(home)).isTrue();
            mode(above, 01777);
            assertThat(OwnerTrust.othersChangeNames(home)).as("the sticky bit keeps them from that").isFalse();
        }

        @Test
        void anotherOwnerChangesThem() throws IOException {
            if (!CurrentUser.isRoot()) {
                System.out.println("SKIPPED a test of owners: only root gives a directory away");
            }
            Assumptions.assumeTrue(CurrentUser.isRoot(), "only root gives a directory away");
            for (Path path : new Path[] {above, home, folder}) {
                Files.setAttribute(path, "unix:uid", STRANGER);
                assertThat(OwnerTrust.othersChangeNames(home)).isTrue();
                Files.setAttribute(path, "unix:uid", ROOT);
            }
            assertThat(OwnerTrust.othersChangeNames(home)).isFalse();
        }
    }
}
