package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the system refused is told by its reason alone, never by the names of the files that its message shows. */
class ErrorMessagesTest {
    @TempDir
    Path dir;

    private String explained(IOException e, Path target) {
        return ErrorMessages.explain(e, "lock", target).getMessage();
    }

    @ParameterizedTest
    @ValueSource(strings = {"no space left", "quota exceeded", "read-only file system", "Too many open files", "x (Permission denied) x"})
    void nameOfADirectoryIsNoReason(String name) throws IOException {
        Path target = Files.createDirectory(dir.resolve(name)).resolve("session.jsonl");

        assertThat(explained(new FileSystemException(target + ".lock", null, "Input/output error"), target))
                .isEqualTo("cannot lock " + target + ": " + target + ".lock: Input/output error");
        assertThat(explained(new FileNotFoundException(target + ".lock (Input/output error)"), target))
                .isEqualTo("cannot lock " + target + ": " + target + ".lock (Input/output error)");
    }

    @Test
    void reasonIsFoundWhereverTheSystemPutsIt() {
        Path target = dir.resolve("session.jsonl");

        assertThat(explained(new FileSystemException(target + ".lock", null, "No space left on device"), target)).contains("the disk of " + dir + " is full");
        assertThat(explained(new IOException("No space left on device"), target)).contains("the disk of " + dir + " is full");
        assertThat(explained(new FileNotFoundException(target + ".lock (No space left on device)"), target)).contains("the disk of " + dir + " is full");
        assertThat(explained(new FileSystemException(target + ".lock", null, "Disk quota exceeded"), target)).contains("the disk quota for " + dir);
        assertThat(explained(new FileSystemException(target + ".lock", null, "Read-only file system"), target)).contains("on a read-only file system");
        assertThat(explained(new FileNotFoundException(target + ".lock (Permission denied)"), target)).contains("no permission for " + target + ".lock");
        assertThat(explained(new FileSystemException(target + ".lock", null, "Too many open files"), target)).contains("too many open files");
    }
}
