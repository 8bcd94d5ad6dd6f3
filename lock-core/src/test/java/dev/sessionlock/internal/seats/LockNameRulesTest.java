package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which names and files have a lock, to the byte where a byte decides. */
class LockNameRulesTest {
    @TempDir
    Path dir;

    private static void assertRefused(ThrowingCallable call, String word) {
        assertThatThrownBy(call).isExactlyInstanceOf(LockException.class).hasMessageContaining(word);
    }

    @Test
    void longestNameIsTheOneWhoseFilesStillFit() throws Exception {
        String name = "ä".repeat(121); // of two bytes each
        LockNameRules.requireLockable(name, dir.resolve(name));
        assertRefused(() -> LockNameRules.requireLockable(name + "x", dir.resolve(name)), "243 bytes long");
    }

    @Test
    void nameThatIsNotTextIsRefused() throws Exception {
        LockNameRules.requireText(dir.resolve("caf"), dir.resolve("caf"));
        Path noText = Path.of(URI.create(dir.toUri() + "caf%e9")); // a byte of another encoding
        assertRefused(() -> LockNameRules.requireText(noText, noText), "is not text in the encoding");
    }

    @Test
    void emptyPathIsRefused() throws Exception {
        LockNameRules.requireNamed(Path.of("x"));
        assertRefused(() -> LockNameRules.requireNamed(Path.of("")), "the path is empty");
    }

    @Test
    void fileMayExistAndNeedNot() throws Exception {
        LockNameRules.requireFile(dir, "absent");
        LockNameRules.requireFile(dir, Files.createFile(dir.resolve("present")).getFileName().toString());
    }

    @Test
    void directoryIsRefused() throws IOException {
        Files.createDirectory(dir.resolve("sub"));
        assertRefused(() -> LockNameRules.requireFile(dir, "sub"), "it is a directory");
    }

    @Test
    void deviceIsRefused() {
        assertRefused(() -> LockNameRules.requireFile(Path.of("/dev"), "null"), "FIFO, socket or device");
    }

    @ParameterizedTest
    @ValueSource(strings = {".session-locks", ".session-locks/below", "."})
    void whatIsTheLocksOwnIsRefused(String parent) {
        assertRefused(() -> LockNameRules.requireFile(dir.resolve(parent), parent.equals(".") ? ".session-locks" : "x"), "is the locks' own");
    }

    @Test
    void pathInAnotherFileSystemIsRefused() throws Exception {
        LockNameRules.requireDefaultFileSystem(dir);
        URI zip = URI.create("jar:" + dir.resolve("a.zip").toUri());
        try (FileSystem other = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
            assertRefused(() -> LockNameRules.requireDefaultFileSystem(other.getPath("/x")), "not on a file system of this machine");
        }
    }
}
