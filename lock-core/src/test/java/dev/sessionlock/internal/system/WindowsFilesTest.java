package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The rules for Windows on the files of this system. Named streams are extended attributes here. */
@EnabledOnOs({OS.LINUX, OS.MAC})
class WindowsFilesTest {
    private static final FileTime CREATED = FileTime.fromMillis(1_000_000_000_000L);

    @TempDir
    Path dir;

    private final WindowsFiles files = new WindowsFiles();

    @BeforeEach
    void requireStreams() throws IOException {
        assumeTrue(UsedFileSystem.hasStreams(dir), "the disk of the tests has no extended attributes, which play named streams");
    }

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

    @Test
    void clockCountsSleepOnWindowsAlone() {
        assertThat(SystemFiles.of(OperatingSystem.of("Windows 11")).clockCountsSleep()).isTrue();
        assertThat(SystemFiles.of(OperatingSystem.of("Linux")).clockCountsSleep()).isFalse();
        assertThat(SystemFiles.of(OperatingSystem.of("Mac OS X")).clockCountsSleep()).isFalse();
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

    /** {@link UsedFileSystem} plays another program. */
    @Nested
    class FileInUse {
        private final UsedFileSystem used = new UsedFileSystem();

        private Path used(String name, int times) throws IOException {
            Path file = used.wrap(Files.writeString(dir.resolve(name), name));
            used.use(name, times);
            return file;
        }

        @Test
        void isAskedForAgain() throws IOException {
            assertThat(files.remove(used("removed", 4)).kind()).isEqualTo(FileAnswer.Kind.DONE);
            assertThat(files.rename(used("renamed", 4), used("there", 4)).kind()).isEqualTo(FileAnswer.Kind.DONE);
            assertThat(files.link(used.wrap(dir.resolve("link")), used("linked", 4)).kind()).isEqualTo(FileAnswer.Kind.DONE);
            try (OpenFile open = files.open(used("opened", 4), true)) {
                assertThat(open.length()).isEqualTo("opened".length());
            }
            assertThat(dir.resolve("removed")).doesNotExist();
            assertThat(dir.resolve("there")).hasContent("renamed");
        }

        @Test
        void isReplacedOnPosixOnly() {
            assertThat(files.mayReplaceOpen()).isFalse();
            assertThat(files.mayReplaceMapped()).isFalse();
            assertThat(new PosixFiles(true).mayReplaceOpen()).isTrue();
        }

        /** It may have been lost while the file was in use. */
        @Test
        void conditionIsLookedAtBeforeEachTry() throws IOException {
            Path from = used("condition", 4);
            int[] looks = new int[1];
            assertThat(files.renameIf(() -> looks[0]++, from, used.wrap(dir.resolve("to"))).kind()).isEqualTo(FileAnswer.Kind.DONE);
            assertThat(looks[0]).isEqualTo(5);

            Path again = used("condition", 4);
            IOException lost = new IOException("lost");
            FileAnswer answer = files.renameIf(() -> {
                if (used.uses("condition") == 2) {
                    throw lost;
                }
            }, again, used.wrap(dir.resolve("to")));
            assertThat(answer.reason()).isSameAs(lost);
            assertThat(again).exists();
        }

        @Test
        void isGivenUpAfterAWhile() throws IOException {
            WindowsFiles hasty = new WindowsFiles(TimeUnit.MILLISECONDS.toNanos(300), UsedFileSystem.violations());
            FileAnswer answer = hasty.remove(used("forever", Integer.MAX_VALUE));
            assertThat(answer.kind()).isEqualTo(FileAnswer.Kind.IN_USE);
            assertThatExceptionOfType(FileSystemException.class).isThrownBy(answer::done).withMessageContaining("verwendet");
            assertThatExceptionOfType(FileSystemException.class).isThrownBy(answer::requireDone);
            assertThat(Integer.MAX_VALUE - used.uses("forever")).as("attempts").isBetween(2, 1_000);
        }

        @Test
        void interruptEndsTheWaitingAndStaysPending() throws IOException {
            Path file = used("wanted", Integer.MAX_VALUE);
            Thread.currentThread().interrupt();
            long start = System.nanoTime();
            FileAnswer answer = new WindowsFiles(TimeUnit.MINUTES.toNanos(1), UsedFileSystem.violations()).remove(file);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(answer.kind()).isEqualTo(FileAnswer.Kind.IN_USE);
            assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(30));
        }

        @Test
        void otherAnswersAreGivenAtOnce() throws IOException {
            WindowsFiles patient = new WindowsFiles(TimeUnit.MINUTES.toNanos(10), UsedFileSystem.violations());
            assertThat(patient.remove(dir.resolve("missing")).done()).isFalse();
            assertThat(patient.rename(dir.resolve("missing"), dir.resolve("to")).kind()).isEqualTo(FileAnswer.Kind.NOT_THERE);
            Path there = Files.createFile(dir.resolve("taken"));
            assertThat(patient.link(there, created("claim")).kind()).isEqualTo(FileAnswer.Kind.NAME_TAKEN);
            Path full = Files.createDirectory(dir.resolve("full"));
            Files.createFile(full.resolve("file"));
            assertThat(patient.remove(full).kind()).isEqualTo(FileAnswer.Kind.REFUSED);
            assertThat(patient.renameToFree(created("kept"), there).kind()).isEqualTo(FileAnswer.Kind.NAME_TAKEN);
            assertThat(patient.renameToFree(dir.resolve("missing"), dir.resolve("free")).kind()).isEqualTo(FileAnswer.Kind.NOT_THERE);
            assertThat(patient.renameToFree(full, dir.resolve("free")).kind()).isEqualTo(FileAnswer.Kind.DONE);
        }

        /** The JDK throws the same class for it as for a file in use. */
        @Test
        void diskThatRefusesIsNotAskedAgain() throws IOException {
            WindowsFiles patient = new WindowsFiles(TimeUnit.MINUTES.toNanos(10), new SharingViolations(() -> "in use"));
            Path file = used("refused", 2);
            assertThat(patient.link(used.wrap(dir.resolve("link")), file).kind()).isEqualTo(FileAnswer.Kind.REFUSED);
            assertThat(used.uses("refused")).as("one attempt").isEqualTo(1);
        }
    }

    @Nested
    class Names {
        @Test
        void dotsAndSpacesAtTheEndDoNotCount() throws IOException {
            assertThat(files.nameOf(dir.resolve("session.jsonl"))).isEqualTo("session.jsonl");
            assertThat(files.nameOf(dir.resolve("session.jsonl. . "))).isEqualTo("session.jsonl");
            assertThat(files.nameOf(dir.resolve("con1"))).isEqualTo("con1");
            assertThat(files.nameOf(dir.resolve("tilde~1"))).isEqualTo("tilde~1");
        }

        @ParameterizedTest
        @ValueSource(strings = {"nul", "NUL.jsonl", "Con", "aux.tar.gz", "com1", "LPT9.x", "com²", "nul .txt", "x.jsonl::$DATA", "...", "conin$"})
        void devicesAndStreamsAreRefused(String name) {
            assertThatExceptionOfType(FileSystemException.class).isThrownBy(() -> files.nameOf(dir.resolve(name))).withMessageContaining("choose another name");
        }

        /** The type of a share's file system is NTFS as a rule. */
        @Test
        void shareOfAnotherMachineIsKnownByItsPath() {
            assertThat(files.networkOf(Path.of("\\\\server\\share\\sessions"))).isNotNull();
            assertThat(files.networkOf(Path.of("C:\\sessions"))).isNull();
            assertThat(new PosixFiles(false).networkOf(Path.of("\\\\server\\share"))).isNull();
        }

        @Test
        void countAsTheyAreElsewhere() throws IOException {
            assertThat(new PosixFiles(false).nameOf(dir.resolve("nul."))).isEqualTo("nul.");
            assertThat(new PosixFiles(true).mayFoldUnseen()).isTrue();
            assertThat(new PosixFiles(false).mayFoldUnseen()).isFalse();
            assertThat(SystemFiles.of(OperatingSystem.of("Mac OS X")).mayFoldUnseen()).isTrue();
            assertThat(SystemFiles.of(OperatingSystem.of("Windows Server 2022"))).isInstanceOf(WindowsFiles.class);
            assertThat(SystemFiles.of(OperatingSystem.of("FreeBSD"))).isInstanceOf(PosixFiles.class);
        }
    }

    @Nested
    class OpenedFile {
        @Test
        void isReadAndWrittenAsElsewhere() throws IOException {
            for (SystemFiles system : List.of(files, new PosixFiles(false))) {
                Path path = Files.writeString(dir.resolve("open"), "0123456789");
                try (OpenFile open = system.open(path, false)) {
                    open.seek(2);
                    open.write("ab".getBytes(StandardCharsets.US_ASCII));
                    open.write("cdX".getBytes(StandardCharsets.US_ASCII), 2);
                    byte[] read = new byte[3];
                    open.seek(1);
                    open.readFully(read);
                    assertThat(read).asString(StandardCharsets.US_ASCII).isEqualTo("1ab");
                    open.setLength(7);
                    assertThat(open.length()).isEqualTo(7);
                    assertThat(open.map(true, 7).get(4)).isEqualTo((byte) 'c');
                    open.setLength(9);
                    open.force();
                    open.seek(8);
                    assertThatExceptionOfType(EOFException.class).isThrownBy(() -> open.readFully(read));
                }
                assertThat(path).hasContent("01abcd6\0\0");
            }
        }

        @Test
        void noInterruptClosesIt() throws IOException {
            Path path = created("interrupted");
            try (OpenFile open = files.open(path, false)) {
                Thread.currentThread().interrupt();
                open.write("whole".getBytes(StandardCharsets.US_ASCII));
                assertThat(Thread.interrupted()).isTrue();
                assertThat(open.length()).isEqualTo(5);
            }
            assertThat(path).hasContent("whole");
        }

        private static Thread interrupter(Thread writer, AtomicBoolean over) {
            return new Thread(() -> {
                while (!over.get()) {
                    writer.interrupt();
                }
            });
        }

        private static void end(Thread interrupter, AtomicBoolean over) {
            over.set(true);
            while (interrupter.isAlive()) {
                Thread.onSpinWait();
            }
            Thread.interrupted();
        }

        /** An interrupt may come at any moment, also in the middle of a write. */
        @Test
        void neitherDoesOneThatComesMeanwhile() throws Exception {
            Path path = created("interrupted");
            Thread writer = Thread.currentThread();
            AtomicBoolean over = new AtomicBoolean();
            Thread interrupter = interrupter(writer, over);
            byte[] record = new byte[1024];
            try (OpenFile open = files.open(path, false)) {
                interrupter.start();
                for (int i = 0; i < 3_000; i++) {
                    Arrays.fill(record, (byte) i);
                    open.seek(0);
                    open.write(record);
                    byte[] read = new byte[1024];
                    open.seek(0);
                    open.readFully(read);
                    assertThat(read).isEqualTo(record);
                }
            } finally {
                end(interrupter, over);
            }
        }

        @Test
        void isNotOpenedAgainAsAnotherFile() throws Exception {
            Path path = created("replaced");
            Thread writer = Thread.currentThread();
            AtomicBoolean over = new AtomicBoolean();
            try (OpenFile open = files.open(path, false)) {
                Files.delete(path);
                created("replaced");
                Thread interrupter = interrupter(writer, over);
                interrupter.start();
                try {
                    assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> {
                        for (long start = System.nanoTime(); System.nanoTime() - start < TimeUnit.SECONDS.toNanos(20); ) {
                            open.seek(0);
                            open.write(new byte[1024]);
                        }
                    });
                } finally {
                    end(interrupter, over);
                }
            }
            assertThat(path).isEmptyFile();
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
