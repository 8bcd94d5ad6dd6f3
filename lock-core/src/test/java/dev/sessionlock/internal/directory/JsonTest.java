package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** JSON as far as lock files need it: the members of a lock are read; everything else must be well formed and is ignored. */
class JsonTest {

    @Test
    void numbersTextsAndTruthsAreRead() throws Exception {
        assertThat(Json.object(" {\"a\":0, \"b\" : -9223372036854775808,\"c\":\"x\\n\\u00e4\\\"\",\"d\":true,\n\"e\":false}\n"))
                .containsExactlyInAnyOrderEntriesOf(Map.of("a", 0L, "b", Long.MIN_VALUE, "c", "x\nä\"", "d", true, "e", false));
        assertThat(Json.object("{}")).isEmpty();
        assertThat(Json.object("{\"9\":9}")).containsEntry("9", 9L);
    }

    /** If such a member were ignored, a lock with a member of the wrong kind would look like one without that member. */
    @ParameterizedTest
    @ValueSource(strings = {"[]", "[ ]", "[1]", "[1,2]", "[[],[{}]]", "{}", "{ }", "{\"a\":1}", "{\"a\":{},\"b\":[]}", "null", "1.5", "1e3",
            "99999999999999999999", "-"})
    void unknownMembersAreIgnored(String other) throws Exception {
        Map<String, Object> members = Json.object("{\"before\":1,\"other\":" + other + ",\"after\":2}");

        assertThat(members).containsEntry("before", 1L).containsEntry("after", 2L).hasSize(3);
        assertThat(members.get("other")).isNotNull().isNotInstanceOfAny(Long.class, String.class, Boolean.class, Map.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":[", "{\"a\":[1", "{\"a\":[1,", "{\"a\":{", "{\"a\":tr", "{\"a\":\"\\", "{\"a\":\"\\u00",
            "{\"a\":1", "{\"a\":1,"})
    void whatEndsTooSoonIsToldFromWhatIsWrong(String text) {
        assertThatThrownBy(() -> Json.object(text)).isInstanceOf(Json.EndsTooSoonException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "{}x", "{} {}", "{a:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1,}", "{,}", "{\"a\":[1 2]}", "{\"a\":[1,]}", "{\"a\":yes}",
            "{\"a\":\"\\x\"}", "{\"a\":\"\\u00g0\"}", "{\"a\":\"\n\"}", "{\"a\":}"})
    void whatIsWrongIsSaidToBe(String text) {
        assertThatThrownBy(() -> Json.object(text)).isInstanceOf(Json.SyntaxException.class).isNotInstanceOf(Json.EndsTooSoonException.class);
    }

    @Test
    void thirtyTwoLevelsAreReadAndMoreAreRefused() throws Exception {
        assertThat(Json.object("{\"a\":" + "[".repeat(32) + "1" + "]".repeat(32) + "}")).containsKey("a");
        assertThatThrownBy(() -> Json.object("{\"a\":" + "[".repeat(33) + "1" + "]".repeat(33) + "}")).hasMessage("too deep");
    }
}
