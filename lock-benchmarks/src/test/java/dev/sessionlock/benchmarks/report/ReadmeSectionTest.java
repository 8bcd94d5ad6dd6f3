package dev.sessionlock.benchmarks.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadmeSectionTest {
    private static final String BEFORE = "# A title\n\nText with trailing blanks  \n\tand ümlauts\r\n";
    private static final String AFTER = "\n\n## More\n```\n$1 \\0 code\n```\nblanks and no newline at the end  ";

    @TempDir
    private Path directory;

    @Test
    void replacesWhatIsBetweenTheMarkersAndNothingElse() throws IOException {
        Path readme = readme(BEFORE + ReadmeSection.BEGIN + "\nold\nlines\n" + ReadmeSection.END + AFTER);

        ReadmeSection.of(readme).write("\nnew $1 text\n\n");

        assertThat(Files.readString(readme)).isEqualTo(BEFORE + ReadmeSection.BEGIN + "\nnew $1 text\n" + ReadmeSection.END + AFTER);
    }

    @Test
    void writingTwiceIsWritingOnce() throws IOException {
        Path readme = readme(BEFORE + ReadmeSection.BEGIN + ReadmeSection.END + AFTER);

        ReadmeSection.of(readme).write("content");
        String once = Files.readString(readme);
        ReadmeSection.of(readme).write("content");

        assertThat(Files.readString(readme)).isEqualTo(once);
    }

    @Test
    void leavesPermissionsAsTheyAreAndNoOtherFile() throws IOException {
        Path readme = readme(ReadmeSection.BEGIN + ReadmeSection.END);
        Files.setPosixFilePermissions(readme, PosixFilePermissions.fromString("rw-r--r--"));

        ReadmeSection.of(readme).write("content");

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(readme))).isEqualTo("rw-r--r--");
        try (Stream<Path> all = Files.list(directory)) {
            assertThat(all).containsExactly(readme);
        }
    }

    @Test
    void refusesAReadmeWithoutBothMarkersOnceAndInOrder() throws IOException {
        List<String> bad = List.of("nothing", ReadmeSection.BEGIN, ReadmeSection.END, ReadmeSection.END + ReadmeSection.BEGIN,
                ReadmeSection.BEGIN + ReadmeSection.BEGIN + ReadmeSection.END);
        for (String text : bad) {
            Path readme = readme(text);

            assertThatThrownBy(() -> ReadmeSection.of(readme)).isExactlyInstanceOf(IOException.class)
                    .hasMessageContaining(readme.toString()).hasMessageContaining("<!-- benchmarks:");
            assertThat(Files.readString(readme)).isEqualTo(text);
        }
    }

    @Test
    void saysThatThereIsNoReadme() {
        assertThatThrownBy(() -> ReadmeSection.of(directory.resolve("absent.md"))).hasMessageStartingWith("there is no ")
                .hasMessageContaining("--readme");
    }

    /** The default target of {@code report}, relative to this module. */
    @Test
    void theRepositorysReadmeHasTheSectionAndItsChart() throws IOException {
        Path readme = Path.of("..", ReportCommand.README);

        ReadmeSection.of(readme);
        assertThat(Files.readString(readme)).contains("![Cycles a second of each lock](" + ReportCommand.CHART + ")");
        assertThat(readme.resolveSibling(ReportCommand.CHART)).isRegularFile();
        assertThat(Files.readString(Path.of("..", "README.md"))).contains("](lock-benchmarks/" + ReportCommand.CHART + ")")
                .doesNotContain(ReadmeSection.BEGIN);
    }

    private Path readme(String text) throws IOException {
        return Files.writeString(directory.resolve("README.md"), text);
    }
}
