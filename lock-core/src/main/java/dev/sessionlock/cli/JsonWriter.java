package dev.sessionlock.cli;

import java.util.List;
import org.jetbrains.annotations.Nullable;

/** Writes one JSON document (RFC 8259): the names and values in the order of the calls. What is absent is {@code null}. */
final class JsonWriter {
    private final StringBuilder text = new StringBuilder();
    private boolean first = true;

    JsonWriter beginObject() {
        return begin('{');
    }

    JsonWriter endObject() {
        return end('}');
    }

    JsonWriter beginArray() {
        return begin('[');
    }

    JsonWriter endArray() {
        return end(']');
    }

    private JsonWriter begin(char bracket) {
        separate();
        text.append(bracket);
        first = true;
        return this;
    }

    private JsonWriter end(char bracket) {
        text.append(bracket);
        first = false;
        return this;
    }

    JsonWriter name(String name) {
        separate();
        quote(name);
        text.append(':');
        first = true;
        return this;
    }

    JsonWriter value(@Nullable Object value) {
        separate();
        if (value == null || value instanceof Number || value instanceof Boolean) {
            text.append(value);
        } else {
            quote(value.toString());
        }
        return this;
    }

    JsonWriter member(String name, @Nullable Object value) {
        return name(name).value(value);
    }

    JsonWriter member(String name, List<String> values) {
        name(name).beginArray();
        values.forEach(this::value);
        return endArray();
    }

    private void separate() {
        if (!first) {
            text.append(',');
        }
        first = false;
    }

    private void quote(String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                default -> {
                    if (c < ' ' || c == 0x7f || isLone(value, i)) { // a lone surrogate cannot be written as UTF-8
                        text.append(String.format("\\u%04x", (int) c));
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        text.append('"');
    }

    private static boolean isLone(String value, int at) {
        char c = value.charAt(at);
        boolean paired = Character.isHighSurrogate(c) && at + 1 < value.length() && Character.isLowSurrogate(value.charAt(at + 1))
                || Character.isLowSurrogate(c) && at > 0 && Character.isHighSurrogate(value.charAt(at - 1));
        return Character.isSurrogate(c) && !paired;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
