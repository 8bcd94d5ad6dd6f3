package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrintableTest {
    /** Written anew here: C0, DEL, C1, lines and paragraphs, marks and overrides of direction, the invisible, tags, half characters. */
    private static final Pattern DANGEROUS = Pattern.compile("[\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u200b\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e"
            + "\\u2060-\\u206f\\ufeff\\ufff0-\\ufffb\\ufffe\\uffff\\x{e0000}-\\x{e007f}\\ud800-\\udfff]");

    @Test
    void whatMovesACursorBeginsALineTurnsOrHidesBecomesAnEscape() {
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            String text = Character.toString(c);
            if (DANGEROUS.matcher(text).find()) {
                assertThat(Printable.text("a" + text + "b")).as("U+%04X", c).matches("a(\\\\u[0-9a-f]{4}){1,2}b");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "\u4f1a\u8bdd.jsonl", "e\u0301", "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u05e9\u05dc\u05d5\u05dd", "C:\\x\\u001b", "\ufffd", "\ud83e\udee8 is of a newer Unicode than JDK 17's"})
    void ordinaryTextStays(String text) {
        assertThat(Printable.text(text)).isSameAs(text);
    }

    @Property(tries = 2000)
    void nothingIsLostAndNothingDangerousIsLeft(@ForAll("texts") String text) {
        String shown = Printable.text(text);
        assertThat(DANGEROUS.matcher(shown).find()).isFalse();
        assertThat(new String(shown.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8)).as("it can be written").isEqualTo(shown);
        assertThat(Printable.text(shown)).as("escaped again").isSameAs(shown);
        if (text.indexOf('\\') < 0) {
            assertThat(unescaped(shown)).isEqualTo(text);
        }
        assertThat(Printable.lines(text).lines()).hasSize((int) text.chars().filter(c -> c == '\n').count() + (text.endsWith("\n") || text.isEmpty() ? 0 : 1));
        assertThat(DANGEROUS.matcher(Printable.lines(text).replace("\n", "")).find()).isFalse();
    }

    @Property(tries = 1000)
    void aShellWordIsPrintable(@ForAll("texts") String text) {
        String word = Printable.shellWord(text);
        assertThat(Printable.text(word)).isSameAs(word);
    }

    @Provide
    Arbitrary<String> texts() {
        Arbitrary<Integer> any = Arbitraries.frequencyOf(Tuple.of(3, Arbitraries.integers().between(0, 0xff)),
                Tuple.of(2, Arbitraries.integers().between(0x2000, 0x2070)), Tuple.of(2, Arbitraries.integers().between(0xd7f0, 0xe010)),
                Tuple.of(1, Arbitraries.integers().between(0xff00, 0x10010)), Tuple.of(1, Arbitraries.integers().between(0xdfff0, 0xe0200)),
                Tuple.of(2, Arbitraries.integers().between(0, Character.MAX_CODE_POINT)));
        return any.list().ofMaxSize(40).map(list -> {
            StringBuilder text = new StringBuilder();
            list.forEach(text::appendCodePoint);
            return text.toString();
        });
    }

    private static String unescaped(String shown) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < shown.length(); i++) {
            if (shown.charAt(i) == '\\') {
                text.append((char) Integer.parseInt(shown.substring(i + 2, i + 6), 16));
                i += 5;
            } else {
                text.append(shown.charAt(i));
            }
        }
        return text.toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "a b", "it's", "\u001b[2J'\\", "line\nfeed", "\u009b1m\u202e \u4f1a\u8bdd", "$(id)`id`!", "-", ""})
    void aShellReadsAWordAsTheText(String text) throws Exception {
        Process bash = new ProcessBuilder("bash", "-c", "printf %s " + Printable.shellWord(text)).start();
        try {
            assertThat(new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).isEqualTo(text);
        } finally {
            bash.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void anExceptionPrintsWithEscapesAllTheWayDown() {
        IOException raw = new IOException("outer", new NoSuchFileException("/d/x\n2026 ERROR forged\u001b[2J"));
        raw.addSuppressed(new IllegalStateException("\u009b", raw)); // a cycle, too
        StringWriter printed = new StringWriter();
        Printable.throwable(raw).printStackTrace(new PrintWriter(printed, true));

        assertThat(printed.toString()).contains("java.io.IOException: outer", "Caused by: java.nio.file.NoSuchFileException: /d/x\\u000a2026 ERROR forged\\u001b[2J",
                "Suppressed: java.lang.IllegalStateException: \\u009b", "at dev.sessionlock.internal.system.PrintableTest.anException");
        IOException harmless = new IOException("outer", new NoSuchFileException("/d/\u4f1a\u8bdd"));
        assertThat(Printable.throwable(harmless)).isSameAs(harmless);
    }
}
