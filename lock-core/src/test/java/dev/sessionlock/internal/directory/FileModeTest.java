package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.sessionlock.internal.system.CurrentUser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whoever may write to the directory can open what the library creates there, whatever the umask of the first process was. */
class FileModeTest {
    @TempDir
    Path dir;

    private static String mode(Path path) throws IOException {
        return Integer.toOctalString((int) Files.getAttribute(path, "unix:mode") & 07777);
    }

    @ParameterizedTest
    @CsvSource({"700, 600", "755, 644", "770, 660", "775, 664", "777, 666", "2770, 660", "2775, 664", "1777, 666", "3777, 666", "500, 400"})
    void filesAndFoldersFollowTheDirectory(String directory, String file) throws IOException {
        Assumptions.assumeTrue(CurrentUser.isRoot() || directory.charAt(0) != '5', "only root makes files where nobody may write");
        Path home = Files.createDirectory(dir.resolve("home"));
        Files.setAttribute(home, "unix:mode", Integer.parseInt(directory, 8));
        FileMode mode = FileMode.of(home);

        mode.createIfMissing(home.resolve("guard-00"));
        mode.createDirectoryIfMissing(home.resolve("inner"));
        Path made = home.resolve("claim");
        mode.create(made).file().close();

        assertThat(mode(home.resolve("guard-00"))).isEqualTo(file);
        assertThat(mode(made)).isEqualTo(file);
        assertThat(mode(home.resolve("inner"))).isEqualTo(directory);
    }

    /** Where links are refused, an empty file in the place of a lock would keep everybody out for half a minute. */
    @Test
    void whatCannotBeOpenedOnceItIsMadeIsNotLeft() throws IOException {
        Assumptions.assumeFalse(CurrentUser.isRoot(), "root may open everything");
        Path home = Files.createDirectory(dir.resolve("home"));
        Files.setAttribute(home, "unix:mode", 0300); // so no file that is created there may be read
        FileMode mode = FileMode.of(home);

        assertThatIOException().isThrownBy(() -> mode.create(home.resolve("session.jsonl.lock")));

        assertThat(home.resolve("session.jsonl.lock")).doesNotExist();
        Files.setAttribute(home, "unix:mode", 0700);
    }

    @Test
    void whatIsThereKeepsItsModeAndContent() throws IOException {
        Path file = Files.writeString(dir.resolve("guard-00"), "x");
        Files.setAttribute(file, "unix:mode", 0640);
        Path folder = Files.createDirectory(dir.resolve("inner"));
        Files.setAttribute(folder, "unix:mode", 0711);

        FileMode.of(dir).createIfMissing(file);
        FileMode.of(dir).createDirectoryIfMissing(folder);

        assertThat(mode(file)).isEqualTo("640");
        assertThat(file).hasContent("x");
        assertThat(mode(folder)).isEqualTo("711");
    }

    @Test
    void whatIsNoOrdinaryFileIsNamedAndNotFollowed() throws IOException {
        Path elsewhere = dir.resolve("elsewhere");
        Path link = Files.createSymbolicLink(dir.resolve("link"), elsewhere);
        FileMode mode = FileMode.of(dir);

        assertThatIOException().isThrownBy(() -> mode.createIfMissing(link)).withMessageContaining(link + " is not an ordinary file");
        assertThat(elsewhere).doesNotExist();
        assertThatIOException().isThrownBy(() -> mode.createIfMissing(Files.createDirectory(dir.resolve("d"))))
                .withMessageContaining("not an ordinary file");
        assertThatIOException().isThrownBy(() -> mode.createDirectoryIfMissing(link)).withMessageContaining("not a directory");
        assertThatIOException().isThrownBy(() -> mode.createDirectoryIfMissing(Files.createFile(dir.resolve("f"))))
                .withMessageContaining("not a directory");
    }
}
