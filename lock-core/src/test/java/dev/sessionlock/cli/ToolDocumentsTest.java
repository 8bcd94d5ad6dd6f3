package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ToolDocumentsTest {
    @TempDir
    private Path directory;

    @BeforeEach
    void write() throws Exception {
        ToolDocuments.main(new String[] {directory.toString(), "src/main/launcher/sessionlock"});
    }

    @Test
    void manPageTellsOfEachCommandOptionAndExitCode() throws Exception {
        List<String> page = Files.readAllLines(directory.resolve("sessionlock.1"));

        assertThat(page).filteredOn(line -> line.startsWith(".SS ")).containsExactly(
                ".SS run", ".SS status", ".SS why", ".SS history", ".SS list", ".SS clear", ".SS watch", ".SS doctor", ".SS demo");
        assertThat(page).contains(".B \\-\\-no\\-takeover", ".B \\-\\-older\\-than D", "   76  run: the lock was lost, whatever the job said");
        assertThat(page).as("each form on a line of its own").containsSequence(".br", ".B sessionlock run [...] FILE \\-c COMMAND");
        assertThat(page).noneMatch(line -> line.contains("${") || line.contains("demo\\-actor") || line.contains("@|"));
        assertThat(page).filteredOn(line -> line.startsWith(".") || line.startsWith("'"))
                .allMatch(line -> line.matches("\\.(TH|SH|SS|PP|TP|B|br|nf|fi)( .*)?"));
    }

    @Test
    void completionKnowsCommandsAndOptions() throws Exception {
        Needs.program("bash");

        assertThat(completed("sessionlock sta")).containsExactly("status");
        assertThat(completed("sessionlock list --old")).containsExactly("--older-than");
        assertThat(completed("sessionlock demo-")).isEmpty();
    }

    private List<String> completed(String typed) throws Exception {
        String script = "source '" + directory.resolve("sessionlock-completion.sh") + "'; COMP_WORDS=(" + typed + "); COMP_LINE='" + typed + "'; "
                + "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_POINT=${#COMP_LINE}; _complete_sessionlock; echo ${COMPREPLY[@]}"; // compopt complains on stderr
        Process bash = new ProcessBuilder("bash", "-c", script).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        String said = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
        assertThat(bash.waitFor()).isZero();
        return said.isEmpty() ? List.of() : List.of(said.split(" "));
    }
}
