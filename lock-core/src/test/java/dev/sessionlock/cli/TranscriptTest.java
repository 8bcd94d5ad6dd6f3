package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The demo's proof is worth what this is. */
class TranscriptTest {
    private static final Transcript.Line ONE = new Transcript.Line("w1-00001", "message 1 of writer w1");
    private static final Transcript.Line TWO = new Transcript.Line("w1-00002", "message 2 of writer w1");

    @TempDir
    private Path directory;
    private Transcript transcript;

    @BeforeEach
    void open() {
        transcript = new Transcript(directory.resolve("session.jsonl"));
    }

    @Test
    void wholeLineIsReadInBothFormsAndNoBeginningEndOrMixtureOfOneIs() {
        for (String text : new String[] {ONE.written(), ONE.compact()}) {
            assertThat(Transcript.Line.parse(text)).isEqualTo(ONE);
            for (int cut = 0; cut < text.length(); cut++) {
                assertThat(Transcript.Line.parse(text.substring(0, cut))).as("torn at %d", cut).isNull();
                assertThat(Transcript.Line.parse(text.substring(0, cut) + TWO.written())).as("torn at %d, and another behind", cut)
                        .isIn(null, cut == 0 ? TWO : null);
            }
        }
        assertThat(Transcript.Line.parse(ONE.compact().replace("message 1", "message 2"))).as("altered").isNull();
    }

    @Test
    void tornTailIsCutOffAndNothingElse() throws IOException {
        transcript.repairTail();
        assertThat(transcript.file()).doesNotExist();

        transcript.append(ONE.written() + "\n");
        assertThat(transcript.isTorn()).isFalse();
        transcript.repairTail();
        assertThat(transcript.lines()).containsExactly(ONE.written());

        transcript.append(TWO.written().substring(0, 40));
        assertThat(transcript.isTorn()).isTrue();
        transcript.repairTail();
        assertThat(transcript.lines()).containsExactly(ONE.written());

        Files.writeString(transcript.file(), "torn, and nothing before");
        transcript.repairTail();
        assertThat(transcript.file()).isEmptyFile();
        assertThat(transcript.isTorn()).isFalse();
    }

    @Test
    void compactionKeepsEveryLineAlsoWhatItCannotRead() throws IOException {
        transcript.append(ONE.written() + "\n" + "garbage\n" + TWO.compact() + "\n");

        assertThat(transcript.compacted()).hasContent(ONE.compact() + "\ngarbage\n" + TWO.compact() + "\n");
        assertThat(transcript.has("w1-00002")).isTrue();
        assertThat(transcript.has("w1-00003")).isFalse();
    }
}
