package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessStatTest {
    private static final String FIELDS_4_TO_22 = "1 30522 30522 0 -1 4194560 1 0 0 0 5 3 0 0 20 0 38 0 8812345 4000000 900";

    @ParameterizedTest
    @ValueSource(strings = {"java", "", "a b", ") S 1", "((sd-pam))", ") Z 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 1 (x", "\u00ff", "tab\tnewline\n"})
    void theCommandMayReadLikeAnything(String command) {
        assertThat(ProcessStat.parse("30522 (" + command + ") S " + FIELDS_4_TO_22)).isEqualTo(new ProcessStat(30522, 'S', 8_812_345));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "30522", "30522 (java", "30522 (java) S 1 2 3", "(java) S", "x (java) S", ")(", "30522 (java)"})
    void whatIsNotAsTheManualSaysIsNotGuessedAt(String line) {
        assertThat(ProcessStat.parse(line.equals("x (java) S") ? "x (java) S " + FIELDS_4_TO_22 : line)).isNull();
    }

    @Test
    void aStartTimeThatIsNoNumberIsNotGuessedAt() {
        assertThat(ProcessStat.parse("30522 (java) S " + FIELDS_4_TO_22.replace("8812345", "soon"))).isNull();
    }

    @Test
    void aMissingOneIsToldFromABrokenOne(@TempDir Path dir) throws IOException {
        assertThatThrownBy(() -> ProcessStat.read(dir.resolve("stat")))
                .isInstanceOfAny(NoSuchFileException.class, FileNotFoundException.class);

        Path broken = Files.writeString(dir.resolve("stat"), "nonsense");
        assertThatThrownBy(() -> ProcessStat.read(broken)).isInstanceOf(IOException.class)
                .isNotInstanceOfAny(NoSuchFileException.class, FileNotFoundException.class)
                .hasMessageContaining(broken.toString());
    }
}
