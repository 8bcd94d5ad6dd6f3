package dev.sessionlock.testkit.disk;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Each {@link SystemRule}, and that it is not there without. */
@EnabledOnOs(OS.LINUX)
class SystemRulesTest {
    @TempDir
    Path real;

    @BeforeEach
    void requireStreams() throws IOException {
        Path probe = Files.createFile(real.resolve("probe"));
        try {
            Files.setAttribute(probe, "user:probe", new byte[1]);
        } catch (IOException | UnsupportedOperationException e) {
            assumeTrue(false, "the disk of the tests has no extended attributes, which play named streams");
        }
    }

    private Path under(SystemRule... rules) {
        Set<SystemRule> all = EnumSet.noneOf(SystemRule.class);
        all.addAll(Arrays.asList(rules));
        return new LabFileSystemProvider(FileSystems.getDefault().provider(), new SystemRules(all)).getPath(real.toUri());
    }

    private static Path file(Path dir, String name) throws IOException {
        return Files.writeString(dir.resolve(name), name);
    }

    @Test
    void filesHaveNoKeys() throws IOException {
        Path file = file(under(SystemRule.NO_FILE_KEYS), "file");
        BasicFileAttributes before = Files.readAttributes(file, BasicFileAttributes.class);
        Files.delete(file);
        Files.writeString(file, "another");
        assertThat(before.fileKey()).isNull();
        assertThat(Files.getAttribute(file, "basic:fileKey")).isNull();
        assertThat(Files.readAttributes(file, BasicFileAttributes.class).creationTime()).isEqualTo(before.creationTime());
        assertThat(Files.readAttributes(file(under(), "plain"), BasicFileAttributes.class).fileKey()).isNotNull();
    }

    @Test
    void filesHaveNoModes() throws IOException {
        Path file = file(under(SystemRule.NO_MODES), "file");
        assertThat(Files.getFileAttributeView(file, PosixFileAttributeView.class)).isNull();
        assertThat(file.getFileSystem().supportedFileAttributeViews()).doesNotContain("posix", "unix");
        assertThatThrownBy(() -> Files.getAttribute(file, "unix:ino")).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void directoriesCannotBeOpened() throws IOException {
        assertThatThrownBy(() -> FileChannel.open(under(SystemRule.NO_OPEN_DIRECTORIES), READ).close()).isInstanceOf(AccessDeniedException.class);
        FileChannel.open(under(), READ).close();
    }

    @Test
    void onlyWhoMayWriteForces() throws IOException {
        assertThat(forced(List.of(SystemRule.FORCED_BY_WRITERS_ONLY), READ)).isFalse();
        assertThat(forced(List.of(SystemRule.FORCED_BY_WRITERS_ONLY), WRITE)).isTrue();
        assertThat(forced(List.of(), READ)).isTrue();
    }

    /** {@return whether the lab counts a forcing by a channel as one} */
    private boolean forced(List<SystemRule> rules, OpenOption how) throws IOException {
        Path dir = under(rules.toArray(new SystemRule[0]));
        Path file = file(dir, "file");
        Path journal = real.resolveSibling(real.getFileName() + "-journal");
        try (OutputStream out = Files.newOutputStream(journal)) {
            ((LabFileSystemProvider) dir.getFileSystem().provider()).arm(dir, Plan.NOTHING, true, new FaultInjector.Lab() {
                @Override
                public void stopped(String operation, StackTraceElement[] at) {
                    throw new AssertionError(operation);
                }

                @Override
                public void befallen(String operation, StackTraceElement[] at) {
                    throw new AssertionError(operation);
                }

                @Override
                public void frozen(String operation, StackTraceElement[] at) {
                    throw new AssertionError(operation);
                }
            }, out);
            try (FileChannel open = FileChannel.open(file, how)) {
                open.force(true);
            }
            return Effect.readAll(journal).stream().anyMatch(effect -> effect instanceof Effect.Began began && began.type() == OperationType.FORCE);
        } finally {
            Files.deleteIfExists(journal);
        }
    }

    @Test
    void lockEndsWithItsHandleAlone() throws Exception {
        Path file = file(under(SystemRule.LOCKS_OF_HANDLES), "file");
        String inode = ":" + Files.getAttribute(real.resolve("file"), "unix:ino") + " ";
        try (FileChannel holder = FileChannel.open(file, READ, WRITE)) {
            FileLock lock = holder.lock(10, 1, false);
            FileChannel.open(file, READ).close();
            assertThat(Files.readString(Path.of("/proc/locks"))).contains(inode);
            assertThat(lock.isValid()).isTrue();
        }
        assertThat(Files.readString(Path.of("/proc/locks"))).doesNotContain(inode);
        try (FileChannel next = FileChannel.open(file, READ, WRITE)) {
            assertThat(next.tryLock(10, 1, false)).isNotNull();
        }
    }

    /** The JDK opens and closes a file to read its extended attributes. */
    @Test
    void lookingAtTheStreamsOfALockedFileEndsNoLock() throws Exception {
        Path file = file(under(SystemRule.LOCKS_OF_HANDLES, SystemRule.NO_FILE_KEYS), "file");
        Files.setAttribute(file, "user:id", new byte[] {7});
        String inode = ":" + Files.getAttribute(real.resolve("file"), "unix:ino") + " ";
        try (FileChannel holder = FileChannel.open(file, READ, WRITE)) {
            holder.lock(10, 1, false);
            ByteBuffer id = ByteBuffer.allocate(1);
            Files.getFileAttributeView(file, UserDefinedFileAttributeView.class).read("id", id);
            assertThat(id.get(0)).isEqualTo((byte) 7);
            assertThat(Files.readString(Path.of("/proc/locks"))).contains(inode);
        }
    }

    @Test
    void lockedRangeIsMandatory() throws IOException {
        Path file = file(under(SystemRule.MANDATORY_LOCKS), "0123456789");
        try (FileChannel holder = FileChannel.open(file, READ, WRITE); FileChannel other = FileChannel.open(file, READ, WRITE)) {
            FileLock lock = holder.lock(4, 2, false);
            assertThat(holder.write(ByteBuffer.wrap(new byte[] {'x'}), 4)).isOne();
            assertThatIOException().isThrownBy(() -> other.write(ByteBuffer.wrap(new byte[] {'y'}), 5));
            assertThatIOException().isThrownBy(() -> other.read(ByteBuffer.allocate(10), 0));
            assertThat(other.read(ByteBuffer.allocate(4), 0)).isEqualTo(4);
            lock.release();
            FileLock shared = holder.lock(4, 2, true);
            assertThat(other.read(ByteBuffer.allocate(10), 0)).isEqualTo(10);
            assertThatIOException().isThrownBy(() -> other.write(ByteBuffer.wrap(new byte[] {'y'}), 5));
            shared.release();
            assertThat(other.write(ByteBuffer.wrap(new byte[] {'y'}), 5)).isOne();
        }
    }

    @Test
    void shareModesKeepOthersOut() throws Exception {
        OpenOption noDelete = null;
        for (Object constant : Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants()) {
            noDelete = constant.toString().equals("NOSHARE_DELETE") ? (OpenOption) constant : noDelete;
        }
        Path file = file(under(SystemRule.SHARE_MODES), "file");
        try (FileChannel open = FileChannel.open(file, READ, noDelete)) {
            assertThatThrownBy(() -> Files.delete(file)).isExactlyInstanceOf(FileSystemException.class);
            assertThatThrownBy(() -> Files.move(file, file.resolveSibling("to"))).isExactlyInstanceOf(FileSystemException.class);
            assertThat(Files.readString(file)).isEqualTo("file").hasSize((int) open.size());
        }
        Files.delete(file);
    }

    @Test
    void openFileIsNotReplaced() throws Exception {
        Path dir = under(SystemRule.OPEN_FILES_ARE_NOT_REPLACED);
        Path fresh = file(dir, "fresh");
        Path file = file(dir, "file");
        try (FileChannel open = FileChannel.open(file, READ)) {
            assertThatThrownBy(() -> Files.move(fresh, file, ATOMIC_MOVE)).isInstanceOf(AccessDeniedException.class);
            Files.move(file, dir.resolve("aside"), ATOMIC_MOVE);
            assertThat(open.isOpen()).isTrue();
        }
        Files.move(fresh, dir.resolve("aside"), ATOMIC_MOVE);
        Process reader = new ProcessBuilder("sleep", "60").redirectInput(real.resolve("aside").toFile()).start();
        try {
            assertThatThrownBy(() -> Files.move(file(dir, "fresh"), dir.resolve("aside"), ATOMIC_MOVE)).as("another process has it open")
                    .isInstanceOf(AccessDeniedException.class);
            Files.move(real.resolve("fresh"), real.resolve("aside"), REPLACE_EXISTING); // by no rule
        } finally {
            reader.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void mappedFileStays() throws IOException {
        Path dir = under(SystemRule.MAPPED_FILES_STAY);
        Path file = file(dir, "file");
        try (FileChannel open = FileChannel.open(file, READ, WRITE)) {
            MappedByteBuffer mapped = open.map(FileChannel.MapMode.READ_WRITE, 0, 4);
            assertThatThrownBy(() -> open.truncate(1)).isInstanceOf(FileSystemException.class);
            assertThatThrownBy(() -> Files.delete(file)).isInstanceOf(AccessDeniedException.class);
            assertThatThrownBy(() -> Files.move(file(dir, "fresh"), file, ATOMIC_MOVE)).isInstanceOf(AccessDeniedException.class);
            Files.move(file, dir.resolve("renamed"));
            assertThat(mapped.get(0)).isEqualTo((byte) 'f');
        }
    }

    @Test
    void namesFold() throws IOException {
        Path dir = under(SystemRule.CASE_FOLDS, SystemRule.OTHER_SPELLINGS);
        file(dir, "Session.jsonl");
        assertThat(dir.resolve("SESSION.JSONL")).hasContent("Session.jsonl");
        assertThat(dir.resolve("session.jsonl.")).exists();
        assertThat(dir.resolve("SESSIO~1.JSO").toRealPath()).hasToString(real.toRealPath().resolve("Session.jsonl").toString());
        assertThatThrownBy(() -> FileChannel.open(dir.resolve("session.JSONL"), WRITE, CREATE_NEW).close()).isInstanceOf(FileAlreadyExistsException.class);
        Files.move(dir.resolve("Session.jsonl"), dir.resolve("session.jsonl"), ATOMIC_MOVE);
        assertThat(real.resolve("session.jsonl")).as("renamed to another spelling").exists();
        file(dir, "e\u0301");
        assertThat(dir.resolve("\u00e9")).as("NFC of an NFD name").doesNotExist();
        assertThat(under(SystemRule.FORMS_FOLD).resolve("\u00e9")).exists();
        assertThat(under().resolve("SESSION.JSONL")).doesNotExist();
    }

    @Test
    void thereIsNoProc() {
        assertThat(under(SystemRule.NO_PROC).getFileSystem().getPath("/proc/self")).doesNotExist();
        assertThat(under(SystemRule.NO_PROC).getFileSystem().getPath("/proc/self").toFile()).doesNotExist();
        assertThat(under().getFileSystem().getPath("/proc/self")).exists();
    }

    @Test
    void hardLinksAreRefused() throws IOException {
        Path file = file(under(SystemRule.NO_HARD_LINKS), "file");
        assertThatThrownBy(() -> Files.createLink(file.resolveSibling("link"), file)).isInstanceOf(FileSystemException.class);
    }

    @Test
    void rulesTravelToAnotherJvm() {
        SystemRules rules = SystemRules.NONE.and(SystemRule.CASE_FOLDS).and(SystemRule.NO_PROC);
        assertThat(SystemRules.parse(rules.asArgument().substring(rules.asArgument().indexOf('=') + 1))).isEqualTo(rules);
        assertThat(SystemRules.parse("")).isEqualTo(SystemRules.NONE);
    }
}
