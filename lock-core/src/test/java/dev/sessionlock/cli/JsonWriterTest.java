package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class JsonWriterTest {

    @Test
    void documentIsWrittenInTheOrderOfTheCalls() {
        String json = new JsonWriter().beginObject()
                .member("version", 1).member("none", (Object) null).member("yes", true).member("big", 1795556807978096L)
                .member("list", List.of("a", "b")).member("empty", List.of())
                .name("inner").beginArray().beginObject().endObject().beginObject().member("x", "y").endObject().endArray()
                .endObject().toString();

        assertThat(json).isEqualTo("{\"version\":1,\"none\":null,\"yes\":true,\"big\":1795556807978096,\"list\":[\"a\",\"b\"],\"empty\":[],"
                + "\"inner\":[{},{\"x\":\"y\"}]}");
    }

    @Test
    void whatJsonForbidsInTextsIsEscaped() {
        String json = new JsonWriter().value("q\" b\\ n\n r\r t\t nul\0 esc\u001b del\u007f e\u00e9 \ud83d\ude00 lone\ud83d").toString();

        assertThat(json).isEqualTo(
                "\"q\\\" b\\\\ n\\n r\\r t\\t nul\\u0000 esc\\u001b del\\u007f e\u00e9 \ud83d\ude00 lone\\ud83d\"");
    }

    @Property(tries = 500)
    void anyTextComesBackAsItWas(@ForAll String text) {
        String json = new JsonWriter().value(text).toString();
        byte[] onTheWire = json.getBytes(StandardCharsets.UTF_8);

        assertThat(json.chars()).allMatch(c -> c >= ' ');
        assertThat(read(new String(onTheWire, StandardCharsets.UTF_8))).isEqualTo(text);
    }

    /** A reader of its own, written from RFC 8259. */
    private static String read(String json) {
        assertThat(json).startsWith("\"").endsWith("\"");
        StringBuilder text = new StringBuilder();
        for (int i = 1; i < json.length() - 1; i++) {
            char c = json.charAt(i);
            assertThat(c).as("an unescaped quote").isNotEqualTo('"');
            if (c != '\\') {
                text.append(c);
                continue;
            }
            char escaped = json.charAt(++i);
            switch (escaped) {
                case '"', '\\' -> text.append(escaped);
                case 'n' -> text.append('\n');
                case 'r' -> text.append('\r');
                case 't' -> text.append('\t');
                case 'u' -> {
                    text.append((char) Integer.parseInt(json.substring(i + 1, i + 5), 16));
                    i += 4;
                }
                default -> throw new AssertionError("an unknown escape: " + escaped);
            }
        }
        return text.toString();
    }
}
