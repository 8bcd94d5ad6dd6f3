package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ScreenTest {
    static final Instant NOW = Instant.parse("2026-11-24T14:19:03Z");

    static LockRow row(String session, State state, long ageSeconds, long token, int waiting, @Nullable Duration waited) {
        LockOwner owner = new LockOwner(30522, null, null, NOW.minusSeconds(ageSeconds), "compactor-1", "flush", token, null);
        LockReport report = new LockReport(session, Path.of("/d", session + ".lock"), state, owner, List.of(), "");
        boolean needsPerson = state == State.EXPIRED;
        return new LockRow(session, new ReportView(Path.of("/d", session), report, NOW), needsPerson, waiting, waited, Duration.ofMinutes(1));
    }

    static ViewSnapshot snapshot(LockRow... rows) {
        List<LockRow> sorted = new ArrayList<>(List.of(rows));
        sorted.sort(LockRow.WORST_FIRST);
        return new ViewSnapshot(sorted, 0, List.of(), NOW);
    }

    private static List<String> draw(ViewSnapshot snapshot, int columns, int lines, boolean colour) {
        return new Screen("/srv/sessions", colour, new Encoding(StandardCharsets.UTF_8)).lines(snapshot, new Screen.Size(columns, lines));
    }

    @Test
    void whatNeedsAPersonComesFirstThenWhatIsLongAndBothAreMarked() {
        ViewSnapshot snapshot = snapshot(
                row("young.jsonl", State.HELD, 3, 1, 0, null),
                row("older.jsonl", State.HELD, 9, 2, 1, Duration.ofSeconds(2)),
                row("long.jsonl", State.HELD, 1324, 3, 0, null),
                row("starving.jsonl", State.HELD, 2, 4, 2, Duration.ofSeconds(11)),
                row("frozen.jsonl", State.EXPIRED, 40, 5, 0, null));

        List<String> lines = draw(snapshot, 120, 24, false);

        assertThat(lines.get(0)).startsWith("/srv/sessions  5 locked, 1 needs a person, 1 held long, 2 waited for").hasSize(120);
        assertThat(lines.subList(1, lines.size())).containsExactly(
                "   AGE         STATE    SESSION         WHO                    PURPOSE  WAITING",
                "!! 40 s        expired  frozen.jsonl    pid 30522 compactor-1  flush",
                "!  22 min 4 s  held     long.jsonl      pid 30522 compactor-1  flush",
                "!  2 s         held     starving.jsonl  pid 30522 compactor-1  flush    2 for 11 s",
                "   9 s         held     older.jsonl     pid 30522 compactor-1  flush    1 for 2 s",
                "   3 s         held     young.jsonl     pid 30522 compactor-1  flush");
    }

    @Test
    void colourIsForTerminalsThatHaveIt() {
        ViewSnapshot snapshot = snapshot(
                row("frozen.jsonl", State.EXPIRED, 40, 5, 0, null), row("long.jsonl", State.HELD, 99, 3, 0, null));

        List<String> coloured = draw(snapshot, 80, 24, true);
        assertThat(coloured.get(2)).startsWith("\u001b[1;31m!! 40 s").endsWith("\u001b[0m");
        assertThat(coloured.get(3)).startsWith("\u001b[1;33m!  1 min 39 s").endsWith("\u001b[0m");
        assertThat(draw(snapshot, 80, 24, false)).noneMatch(line -> line.contains("\u001b"));
    }

    @Test
    void tableFitsEveryTerminalHoweverMuchThereIs() {
        LockRow[] all = new LockRow[3000];
        for (int i = 0; i < all.length; i++) {
            String session = "会議/ä\u0301-" + "session".repeat(i % 30) + i + ".jsonl";
            all[i] = row(session, State.HELD, i, i, i % 3, i % 3 == 0 ? null : Duration.ofSeconds(i));
        }
        ViewSnapshot snapshot = snapshot(all);
        for (int columns = 1; columns < 200; columns += 7) {
            for (int height : new int[] {1, 2, 3, 4, 24, 50}) {
                List<String> lines = draw(snapshot, columns, height, false);
                assertThat(lines).hasSizeLessThanOrEqualTo(height);
                int width = columns;
                assertThat(lines).allMatch(line -> widthOf(line) <= width);
            }
        }
        List<String> lines = draw(snapshot, 100, 24, false);
        assertThat(lines).hasSize(24);
        assertThat(lines.get(23)).isEqualTo("and 2979 more");
        assertThat(lines.get(2)).startsWith("!  49 min 59 s").contains("…", ".jsonl");
    }

    private static int widthOf(String line) {
        return line.codePoints().map(c -> c == 0x301 ? 0 : c > 0x2e80 ? 2 : 1).sum();
    }

    @Test
    void terminalWithoutUnicodeGetsATilde() {
        Screen ascii = new Screen("/srv", false, new Encoding(StandardCharsets.US_ASCII));
        List<String> lines = ascii.lines(snapshot(row("s".repeat(300), State.HELD, 1, 1, 0, null)), new Screen.Size(60, 10));
        assertThat(lines.get(2)).contains("~sss").doesNotContain("…");
    }

    @Test
    void nothingLockedIsSaid() {
        assertThat(draw(snapshot(), 60, 10, true)).hasSize(2).last().isEqualTo("nothing is locked or waited for");
        assertThat(draw(snapshot(), 60, 1, true)).hasSize(1);
    }

    @Test
    void whatARecordSaysDoesNotMoveTheCursor() {
        LockOwner owner = new LockOwner(1, null, null, NOW, "t\u001b[2J", "p\r\n", 1L, null);
        LockReport report = new LockReport("s", Path.of("/d/s.lock"), State.HELD, owner, List.of(), "");
        ViewSnapshot snapshot = snapshot(new LockRow("s", new ReportView(Path.of("/d/s"), report, NOW), false, 0, null, Duration.ofMinutes(1)));
        List<String> lines = draw(snapshot, 80, 10, false);
        assertThat(lines).noneMatch(line -> line.matches(".*\\p{Cntrl}.*")).last().asString().contains("t\\u001b[2J", "p\\u000d\\u000a");
    }
}
