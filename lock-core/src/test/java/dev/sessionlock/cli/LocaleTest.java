package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.internal.directory.FileNames;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The tool as cron starts it: without a locale, a JVM can name no file that is not ASCII. If such a file is a dead lock, that must not be "all well".
 */
class LocaleTest {
    private static final String CHINESE = "\\u4f1a\\u8bdd.jsonl";
    private static final String REMEDY = "LC_ALL=C.UTF-8";

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    @BeforeEach
    void plant() throws Exception {
        try (ToolProcess made = ToolProcess.startScript(scratch, "cd '" + directory + "' && for name in \"$(printf '\\344\\274\\232\\350\\257\\235').jsonl\" "
                + "\"$(printf 'caf\\351')\" plain; do printf '{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}' > \"$name.lock\" || exit 1; done")) {
            boolean all = made.exitCode() == 0;
            if (!all) {
                System.out.println("SKIPPED LocaleTest: files with such names cannot be made here");
            }
            assumeTrue(all, "files with such names cannot be made here");
        }
    }

    /** The name is written by a shell, which can write any bytes. */
    private ToolProcess start(String locale, String command, String session, String rest) throws Exception {
        return ToolProcess.startScript(scratch, "cd '" + directory + "' && exec env -i PATH=\"$PATH\" " + locale + " " + ToolProcess.quoted() + " " + command + " " + session
                + rest);
    }

    @Test
    void withoutOneWhatCannotBeNamedIsCountedAndNamed() throws Exception {
        try (ToolProcess list = start("", "list --json", ".", "")) {
            assertThat(list.exitCode()).isEqualTo(2);
            assertThat(JsonDocument.locks(list.out())).as("the others are shown").hasSize(1);
            assertThat(list.err().lines()).hasSize(1);
            assertThat(list.err()).contains("cannot look at 2 locks in .: caf\\xe9.lock, " + CHINESE + ".lock: ", REMEDY);
        }
        try (ToolProcess cron = start("", "list --older-than 1m", ".", "")) {
            assertThat(cron.exitCode()).isEqualTo(2);
            assertThat(cron.err()).contains(CHINESE);
        }
        try (ToolProcess clear = start("", "clear --yes", ".", "")) {
            assertThat(clear.exitCode()).isEqualTo(2);
            assertThat(clear.out()).contains("cleared   plain");
            assertThat(clear.err()).contains("2 locks", CHINESE, REMEDY);
        }
        try (ToolProcess watch = start("", "watch", ".", "")) {
            watch.awaitOut("cannot look at 2 locks in ").awaitOut(REMEDY);
            assertThat(watch.out()).contains("caf\\xe9.lock, " + CHINESE + ".lock");
        }
    }

    @Test
    void withoutOneASessionThatCannotBeNamedIsRefusedAndSaidWhy() throws Exception {
        String chinese = "\"$(printf '\\344\\274\\232\\350\\257\\235').jsonl\"";
        for (String command : new String[] {"status", "clear --yes", "run"}) {
            try (ToolProcess tool = start("", command, chinese, command.equals("run") ? " -- true" : "")) {
                assertThat(tool.exitCode()).as(command).isEqualTo(2);
                assertThat(tool.err()).contains(CHINESE + " is not in the encoding of file names", REMEDY);
            }
        }
    }

    @Test
    void withOneNamesAreWhatTheyAreAndBytesThatAreNoTextAreTold() throws Exception {
        try (ToolProcess list = start("LC_ALL=C.UTF-8", "list", ".", "")) {
            assertThat(list.exitCode()).isEqualTo(2);
            assertThat(list.out()).contains("\u4f1a\u8bdd.jsonl", "   plain", "2 locks in .");
            assertThat(list.err()).contains("cannot look at 1 lock in .: caf\\xe9.lock: its name is not UTF-8").doesNotContain(REMEDY);
        }
        try (ToolProcess status = start("LC_ALL=C.UTF-8", "status", "\"$(printf 'caf\\351')\"", "")) {
            assertThat(status.exitCode()).as("the file of another name would be free").isEqualTo(2);
            assertThat(status.err()).contains("caf\\xe9 is not UTF-8");
        }
    }

    @Test
    void bytesAreShownAsTextWhereTheyAreAndElseOneByOne() {
        assertThat(FileNames.shown("\u4f1a\u001b".getBytes(StandardCharsets.UTF_8))).isEqualTo("\u4f1a\\u001b");
        assertThat(FileNames.shown(new byte[] {'a', (byte) 0x9b, '\n', (byte) 0xff})).isEqualTo("a\\x9b\\x0a\\xff");
        assertThat(FileNames.isText(Path.of("\ufffd"))).as("a name that has it").isEqualTo(FileNames.encoding().equals("UTF-8"));
    }

    @Test
    void whatAStreamCannotEncodeIsEscaped() {
        Encoding ascii = new Encoding(StandardCharsets.US_ASCII);
        assertThat(new String(ascii.bytes("\u4f1a\ud83d\ude00 \u00e9 plain\n"), StandardCharsets.US_ASCII)).isEqualTo("\\u4f1a\\ud83d\\ude00 \\u00e9 plain\n");
        assertThat(new Encoding(StandardCharsets.UTF_8).bytes("\u4f1a\ud83d")).isEqualTo("\u4f1a\\ud83d".getBytes(StandardCharsets.UTF_8));
        assertThat(new Encoding(StandardCharsets.ISO_8859_1).shown("\u00e9\u4f1a")).isEqualTo("\u00e9\\u4f1a");
    }
}
