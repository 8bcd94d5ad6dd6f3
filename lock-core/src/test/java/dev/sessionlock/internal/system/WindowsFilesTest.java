package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rules for Windows on the files of this system. Named streams are extended attributes here. */
class WindowsFilesTest {
    private static final FileTime CREATED = FileTime.fromMillis(1_000_000_000_000L);

    @TempDir
    Path dir;

    private final WindowsFiles files = new WindowsFiles();

    /** As Windows shows it: without a key, and with the time of creation of whatever had the name before. */
    private record Seen(BasicFileAttributes real, FileTime creationTime) implements BasicFileAttributes {
        @Override
        public FileTime lastModifiedTime() {
            return real.lastModifiedTime();
        }

        @Override
        public FileTime lastAccessTime() {
            return real.lastAccessTime();
        }

        @Override
        public boolean isRegularFile() {
            return real.isRegularFile();
        }

        @Override
        public boolean isDirectory() {
            return real.isDirectory();
        }

        @Override
        public boolean isSymbolicLink() {
            return real.isSymbolicLink();
        }

        @Override
        public boolean isOther() {
            return real.isOther();
        }

        @Override
        public long size() {
            return real.size();
        }

        @Override
        public Object fileKey() {
            return null;
        }
    }

    private Object identity(Path path) throws IOException {
        return files.identity(path, new Seen(Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS), CREATED));
    }

    private Path created(String name) throws IOException {
        Path file = Files.createFile(dir.resolve(name));
        files.giveIdentity(file);
        return file;
    }

    @Nested
    class OurFiles {
        @Test
        void staysTheSameUnderAllItsNamesAndWhateverIsWritten() throws IOException {
            Path claim = created("claim");
            Object its = identity(claim);
            Path lock = Files.createLink(dir.resolve("x.lock"), claim);
            assertThat(identity(lock)).isEqualTo(its);
            Files.writeString(lock, "a record");
            assertThat(identity(claim)).isEqualTo(its);
            Files.move(lock, dir.resolve("aside"), StandardCopyOption.ATOMIC_MOVE);
            assertThat(identity(dir.resolve("aside"))).isEqualTo(its);
        }

        @Test
        void aNewFileOfTheSameNameAndContentIsAnother() throws IOException {
            Object before = identity(created("guard-00"));
            Files.delete(dir.resolve("guard-00"));
            assertThat(identity(created("guard-00"))).isNotEqualTo(before);
            Files.delete(dir.resolve("guard-00"));
            assertThat(identity(Files.createFile(dir.resolve("guard-00")))).isNotEqualTo(before);
        }

        @Test
        void directoryKeepsItsOwnWhateverIsCreatedInIt() throws IOException {
            Path folder = Files.createDirectory(dir.resolve(".session-locks"));
            files.giveIdentity(folder);
            Object its = identity(folder);
            Files.createFile(folder.resolve("guard-00"));
            Files.setLastModifiedTime(folder, FileTime.fromMillis(0));
            assertThat(identity(folder)).isEqualTo(its);
            Files.move(folder, dir.resolve("moved"));
            assertThat(identity(dir.resolve("moved"))).isEqualTo(its);
            assertThat(identity(Files.createDirectory(folder))).isNotEqualTo(its);
        }

        @Test
        void aCopyWithItsStreamsWasCreatedAtAnotherTime() throws IOException {
            Path file = created("board");
            BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
            assertThat(files.identity(file, new Seen(attributes, FileTime.fromMillis(0)))).isNotEqualTo(identity(file));
        }

        @Test
        void otherNameIsFoundWhereItMayBe() throws IOException {
            Path claim = created("claim");
            Path home = Files.createDirectory(dir.resolve("home"));
            Files.createFile(home.resolve("other"));
            assertThat(files.hasOtherName(claim, dir, home)).isFalse();
            Files.createLink(home.resolve("x.lock"), claim);
            assertThat(files.hasOtherName(claim, dir, home)).isTrue();
            assertThat(files.hasOtherName(claim, dir)).isFalse();
            assertThat(files.hasOtherName(home.resolve("x.lock"), dir)).isTrue();
            assertThat(files.hasOtherName(dir.resolve("missing"), dir, dir.resolve("missing"))).isFalse();
        }
    }

    @Nested
    class FilesOfOthers {
        @Test
        void isTheSameUntilItIsWrittenAnew() throws IOException {
            Path lock = Files.writeString(dir.resolve("x.lock"), "{\"pid\":1}");
            Object its = identity(lock);
            assertThat(identity(lock)).isEqualTo(its);
            Files.delete(lock);
            Files.writeString(lock, "{\"pid\":2}");
            Files.setLastModifiedTime(lock, FileTime.fromMillis(0));
            assertThat(identity(lock)).isNotEqualTo(its);
        }

        @Test
        void linkIsNotFollowed() throws IOException {
            Path target = created("target");
            Path link = Files.createSymbolicLink(dir.resolve("link"), target);
            assertThat(identity(link)).isNotEqualTo(identity(target));
        }

        @Test
        void isGone() {
            assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> {
                Path file = created("claim");
                BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
                Files.delete(file);
                files.identity(file, attributes);
            });
        }
    }

    /** Between creating a file and giving it its number, others see it without. */
    @Nested
    class IdentityThatIsJustBeingGiven {
        @Test
        void isWaitedFor() throws Exception {
            Path file = Files.createFile(dir.resolve("guard-01"));
            Thread creator = new Thread(() -> {
                try {
                    Thread.sleep(50);
                    files.giveIdentity(file);
                } catch (IOException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            });
            creator.start();
            assertThat(files.awaitIdentity(file)).isTrue();
            creator.join();
        }

        @Test
        void halfOfItDoesNotCount() throws IOException {
            Path file = Files.createFile(dir.resolve("guard-02"));
            Object none = identity(file);
            Files.setAttribute(file, "user:" + WindowsFiles.ID, "half".getBytes(StandardCharsets.US_ASCII));
            assertThat(identity(file)).isEqualTo(none);
        }

        @Test
        void isNotWaitedForIfNobodyIsThereOrLongAgo() throws IOException {
            assertThat(files.awaitIdentity(dir.resolve("missing"))).isFalse();
            Path old = Files.createFile(dir.resolve("guard-03"));
            Files.setLastModifiedTime(old, CREATED);
            long start = System.nanoTime();
            assertThat(files.awaitIdentity(old)).isFalse();
            assertThat(System.nanoTime() - start).isLessThan(5_000_000_000L);
        }

        @Test
        void interruptStaysPending() throws IOException {
            Path file = Files.createFile(dir.resolve("guard-04"));
            Thread.currentThread().interrupt();
            assertThat(files.awaitIdentity(file)).isFalse();
            assertThat(Thread.interrupted()).isTrue();
        }
    }
}
