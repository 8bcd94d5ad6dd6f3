package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The demo proves only as much as this class is right. */
class TranscriptTest {
    private static final Transcript.TranscriptLine ONE = new Transcript.TranscriptLine("w1-00001", "message 1 of writer w1");
    private static final Transcript.TranscriptLine TWO = new Transcript.TranscriptLine("w1-00002", "message 2 of writer w1");

    @Test
    void wholeLineIsReadInBothFormsAndNoBeginningEndOrMixtureOfOneIs() {
        for (String text : new String[] {ONE.written(), ONE.compact()}) {
            assertThat(Transcript.TranscriptLine.parse(text)).isEqualTo(ONE);
            for (int cut = 0; cut < text.length(); cut++) {
                assertThat(Transcript.TranscriptLine.parse(text.substring(0, cut))).as("torn at %d", cut).isNull();
                assertThat(Transcript.TranscriptLine.parse(text.substring(0, cut) + TWO.written())).as("torn at %d, and another behind", cut)
                        .isIn(null, cut == 0 ? TWO : null);
            }
        }
        assertThat(Transcript.TranscriptLine.parse(ONE.compact().replace("message 1", "message 2"))).as("altered").isNull();
    }

    @Test
    void compactionKeepsEveryLineAlsoWhatItCannotRead() {
        List<String> lines = List.of(ONE.written(), "garbage", TWO.compact());

        assertThat(Transcript.compacted(lines)).containsExactly(ONE.compact(), "garbage", TWO.compact());
        assertThat(Transcript.has(lines, "w1-00002")).isTrue();
        assertThat(Transcript.has(lines, "w1-00003")).isFalse();
    }
}
