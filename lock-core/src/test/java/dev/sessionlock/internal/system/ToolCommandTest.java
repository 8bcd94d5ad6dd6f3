package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ToolCommandTest {
    @Test
    void libraryDoesNotKnowWhereTheToolIs() {
        assertThat(ToolCommand.words()).isEqualTo("java -jar sessionlock.jar");
    }

    @Test
    void wordsAreQuotedForAShellWhereTheyMustBe() {
        assertThat(Printable.shellWord("/opt/a-b_c/session.jsonl")).isEqualTo("/opt/a-b_c/session.jsonl");
        assertThat(Printable.shellWord("/it's $HOME/x")).isEqualTo("'/it'\\''s $HOME/x'");
        assertThat(Printable.shellWord("")).isEqualTo("''");
    }
}
