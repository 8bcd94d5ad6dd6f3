package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The files of {@code .session-locks}, by the beginnings of their names. */
class FolderStreamTest {
    @TempDir
    Path dir;

    @Test
    void namesFilesAsIfTheFolderItselfWereOpened() throws IOException {
        Files.createFile(dir.resolve("claim-1"));
        Files.createFile(dir.resolve("guard-00"));
        try (DirectoryStream<Path> claims = FolderStream.open(dir, "claim-")) {
            assertThat(claims).containsExactly(dir.resolve("claim-1"));
        }
    }

    @Test
    void saysWhatIsWrongWithTheFolderAndNotWithTheDotBehindIt() throws IOException {
        Path file = Files.createFile(dir.resolve("file"));
        assertThatThrownBy(() -> FolderStream.open(file, "")).isInstanceOf(NotDirectoryException.class).hasMessage(file.toString());
        Path nothing = dir.resolve("nothing");
        assertThatThrownBy(() -> FolderStream.open(nothing, "")).isInstanceOf(NoSuchFileException.class).hasMessage(nothing.toString());
    }

    @Nested
    class Closing {
        /** The JDK's UnixException is such a one. A sweep, or an acquisition, would end with it, past all that handles an IOException. */
        @Test
        void failsWithAnIOExceptionWhereTheJdkThrowsWhatItDoesNotDeclare() {
            Exception undeclared = new Exception("Input/output error");
            assertThatThrownBy(closing(undeclared)::close).isInstanceOf(IOException.class).hasCause(undeclared).hasMessageContaining(dir.toString())
                    .hasMessageContaining("Input/output error");
        }

        @Test
        void failsAsItIsWithWhatIsExpected() {
            for (Exception thrown : List.of(new FileSystemException("full"), new UncheckedIOException(new IOException()))) {
                assertThatThrownBy(closing(thrown)::close).isSameAs(thrown);
            }
        }

        private FolderStream closing(Exception thrown) {
            return new FolderStream(dir, new DirectoryStream<>() {
                @Override
                public Iterator<Path> iterator() {
                    return List.<Path>of().iterator();
                }

                @Override
                public void close() {
                    throw FolderStreamTest.<RuntimeException>unchecked(thrown);
                }
            });
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Exception> T unchecked(Exception thrown) throws T {
        throw (T) thrown;
    }
}
