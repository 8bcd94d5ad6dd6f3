package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** File names whose bytes are no text in the encoding of this JVM, as a person is told of them. */
class FileNamesTest {
    @TempDir
    Path dir;

    /** {@return a file whose name has a byte that is neither ASCII nor UTF-8} */
    private Path noText(String name) {
        return Path.of(URI.create(dir.toUri() + name));
    }

    @Test
    void aPathIsTextIfItsTextNamesTheSameFile() {
        assertThat(FileNames.isText(dir.resolve("session.jsonl"))).isTrue();
        assertThat(FileNames.isText(noText("caf%e9.jsonl"))).isFalse();
    }

    @Test
    void aNameIsShownWithEscapesForItsBytes() {
        assertThat(FileNames.shown(dir.resolve("session.jsonl"))).isEqualTo("session.jsonl");
        assertThat(FileNames.shown(noText("caf%e9%20%25~.jsonl"))).isEqualTo("caf\\xe9 %~.jsonl");
        assertThat(FileNames.shown(new byte[] {'a', (byte) 0x80, ' ', '~', 0x7f, 0x1f, (byte) 0xff})).isEqualTo("a\\x80 ~\\x7f\\x1f\\xff");
        assertThat(FileNames.shown("caf\u00e9".getBytes(StandardCharsets.UTF_8))).isEqualTo("caf\u00e9");
        assertThat(FileNames.shown(Path.of("/"))).isEqualTo("/");
    }

    @Test
    void locksThatListCannotShowAreFoundInOrder() throws IOException {
        Files.createFile(dir.resolve("session.jsonl.lock"));
        Files.createFile(noText("caf%e9.jsonl"));
        boolean made = Files.exists(Files.createFile(noText("b%e9.lock")));
        assumeTrue(made, "this file system refuses such names");
        Files.createFile(noText("a%e9.lock"));

        assertThat(FileNames.locksWithoutText(dir)).extracting(FileNames::shown).containsExactly("a\\xe9.lock", "b\\xe9.lock");
        assertThatIOException().isThrownBy(() -> FileNames.locksWithoutText(dir.resolve("missing"))).isExactlyInstanceOf(NoSuchFileException.class);
    }

    @Test
    void isToldWhatToDoByTheEncodingOfThisJvm() {
        boolean utf8 = FileNames.encoding().equalsIgnoreCase("UTF-8");

        assertThat(FileNames.encoding()).isEqualTo(System.getProperty("sun.jnu.encoding"));
        assertThat(FileNames.why()).startsWith(utf8 ? "not UTF-8, so that Java cannot name it" : "not in the encoding of file names").contains(utf8 ? "rename it" : "LC_ALL=C.UTF-8");
    }
}
