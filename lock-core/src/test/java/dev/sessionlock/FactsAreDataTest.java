package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** No code decides by parsing words that other code wrote for a person. */
class FactsAreDataTest {
    /** What takes a sentence apart, or asks what it says. */
    private static final Pattern PARSED = Pattern.compile("\\b(?:evidence|advice|inWords|inBrief|proof|why|text|getMessage)\\(\\)\\)?\\s*\\.(?:toLowerCase\\([^)]*\\)\\.)?"
            + "(?:contains|startsWith|endsWith|matches|equals|indexOf|lastIndexOf|isEmpty|split|stream|substring|charAt)\\(");
    /** Between processes of the testkit words are all that there is, and the first line of a timeout is promised to programs. */
    private static final List<String> WORDS_OF_A_PROTOCOL = List.of("LockEngineContract.java", "SharedModeContract.java");
    /** It shortens the text that its own method has just found. */
    private static final String OWN_WORDS = "e.getMessage().substring(0, e.getMessage().length() - ";

    @Test
    void nobodyParsesSentences() throws IOException {
        List<String> found = new ArrayList<>();
        for (String module : List.of("lock-core", "lock-testkit")) {
            try (Stream<Path> files = Files.walk(Path.of("..", module, "src", "main", "java"))) {
                for (Path file : files.filter(each -> each.toString().endsWith(".java") && !WORDS_OF_A_PROTOCOL.contains(each.getFileName().toString())).toList()) {
                    Files.readAllLines(file).stream().filter(line -> PARSED.matcher(line).find() && !line.contains(OWN_WORDS))
                            .forEach(line -> found.add(file.getFileName() + ": " + line.strip()));
                }
            }
        }
        assertThat(found).as("use LockReport.facts(), Sentence.topic(), Remedy.kind() or SystemReason").isEmpty();
    }
}
