package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads what the tool prints, strictly (RFC 8259), and checks it against the form that programs rely on. */
final class JsonDocument {
    private static final List<String> OF_A_LOCK = List.of("lock", "target", "state", "pid", "host", "since", "ageMs", "token", "leaseUntil",
            "evidence", "advice", "needsPerson", "waiting", "waiters");
    private final String text;
    private int at;

    private JsonDocument(String text) {
        this.text = text;
    }

    /** {@return the locks of a document of status or list} */
    static List<Map<String, Object>> locks(String text) {
        return locks(text, OF_A_LOCK);
    }

    /** {@return the locks of a document of clear} */
    static List<Map<String, Object>> cleared(String text) {
        List<String> members = new ArrayList<>(OF_A_LOCK);
        members.add("outcome");
        List<Map<String, Object>> locks = locks(text, members);
        assertThat(locks).allSatisfy(lock -> assertThat(lock.get("outcome")).isIn("cleared", "would-clear", "released", "refused"));
        return locks;
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> locks(String text, List<String> members) {
        assertThat(text.lines()).as("one document, on one line").hasSize(1);
        JsonDocument document = new JsonDocument(text.strip());
        Map<String, Object> all = (Map<String, Object>) document.value();
        assertThat(document.at).as("nothing behind it").isEqualTo(document.text.length());
        assertThat(all.keySet()).containsExactly("version", "locks");
        assertThat(all.get("version")).isEqualTo(1L);
        List<Map<String, Object>> locks = (List<Map<String, Object>>) all.get("locks");
        assertThat(locks).allSatisfy(lock -> check(lock, members));
        return locks;
    }

    private static void check(Map<String, Object> lock, List<String> members) {
        assertThat(lock.keySet()).containsExactlyElementsOf(members);
        assertThat(lock.get("state")).isIn("FREE", "HELD", "EXPIRED", "STALE", "FOREIGN", "TORN", "NOT_A_LOCK");
        assertThat((String) lock.get("lock")).startsWith("/").isEqualTo(lock.get("target") + ".lock");
        for (String number : List.of("pid", "ageMs", "token")) {
            assertThat(lock.get(number)).satisfiesAnyOf(v -> assertThat(v).isNull(), v -> assertThat(v).isInstanceOf(Long.class));
        }
        for (String time : List.of("since", "leaseUntil")) {
            if (lock.get(time) != null) {
                Instant.parse((String) lock.get(time));
            }
        }
        assertThat(lock.get("needsPerson")).isInstanceOf(Boolean.class);
        assertThat((List<?>) lock.get("waiters")).allSatisfy(pid -> assertThat(pid).isInstanceOf(Long.class));
        assertThat((List<?>) lock.get("evidence")).allSatisfy(fact -> assertThat(fact).isInstanceOf(String.class));
    }

    private Object value() {
        char c = text.charAt(at);
        if (c == '{') {
            return object();
        } else if (c == '[') {
            return array();
        } else if (c == '"') {
            return string();
        }
        int start = at;
        while (at < text.length() && ",]}".indexOf(text.charAt(at)) < 0) {
            at++;
        }
        String word = text.substring(start, at);
        return switch (word) {
            case "null" -> null;
            case "true" -> true;
            case "false" -> false;
            default -> Long.parseLong(word);
        };
    }

    private Map<String, Object> object() {
        Map<String, Object> members = new LinkedHashMap<>();
        expect('{');
        while (text.charAt(at) != '}') {
            if (!members.isEmpty()) {
                expect(',');
            }
            String name = string();
            expect(':');
            assertThat(members).doesNotContainKey(name);
            members.put(name, value());
        }
        expect('}');
        return members;
    }

    private List<Object> array() {
        List<Object> values = new ArrayList<>();
        expect('[');
        while (text.charAt(at) != ']') {
            if (!values.isEmpty()) {
                expect(',');
            }
            values.add(value());
        }
        expect(']');
        return values;
    }

    private String string() {
        StringBuilder value = new StringBuilder();
        expect('"');
        for (; text.charAt(at) != '"'; at++) {
            char c = text.charAt(at);
            assertThat(c).as("no raw control character").isGreaterThanOrEqualTo(' ');
            if (c == '\\') {
                c = text.charAt(++at);
                switch (c) {
                    case 'n' -> c = '\n';
                    case 'r' -> c = '\r';
                    case 't' -> c = '\t';
                    case 'u' -> {
                        c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                        at += 4;
                    }
                    default -> assertThat("\"\\/").contains("" + c);
                }
            }
            value.append(c);
        }
        expect('"');
        return value.toString();
    }

    private void expect(char c) {
        assertThat(text.charAt(at++)).as("at " + at + " of " + text).isEqualTo(c);
    }
}
