package dev.sessionlock.cli;

import static dev.sessionlock.cli.ScreenTest.row;
import static dev.sessionlock.cli.ScreenTest.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockReport.State;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChangeLogTest {
    private final ChangeLog log = new ChangeLog(ZoneOffset.ofHours(1));

    private List<String> lines(LockRow... rows) {
        return log.lines(snapshot(rows)).stream().map(line -> line.substring("2026-11-24T15:19:03+01:00  ".length())).toList();
    }

    @Test
    void eachLineHasItsTime() {
        assertThat(log.lines(snapshot(row("a", State.HELD, 3, 1, 0, null))))
                .containsExactly("2026-11-24T15:19:03+01:00  held        a  pid 30522 compactor-1, flush");
    }

    @Test
    void takenReleasedAndTakenByAnother() {
        assertThat(lines()).isEmpty();
        assertThat(lines(row("a", State.HELD, 0, 1, 0, null))).containsExactly("taken       a  pid 30522 compactor-1, flush");
        assertThat(lines(row("a", State.HELD, 1, 1, 0, null))).isEmpty();
        assertThat(lines(row("a", State.HELD, 0, 2, 0, null))).containsExactly(
                "released    a  pid 30522 compactor-1, held about 1 s", "taken       a  pid 30522 compactor-1, flush");
        assertThat(lines()).containsExactly("released    a  pid 30522 compactor-1, held about 0 s");
        assertThat(lines()).isEmpty();
    }

    @Test
    void longIsToldOnceAHold() {
        lines();
        assertThat(lines(row("a", State.HELD, 61, 1, 0, null))).containsExactly("taken       a  pid 30522 compactor-1, flush",
                "long        a  pid 30522 compactor-1, flush, for 1 min 1 s");
        assertThat(lines(row("a", State.HELD, 90, 1, 0, null))).isEmpty();
        assertThat(lines(row("a", State.HELD, 61, 2, 0, null))).anyMatch(line -> line.startsWith("long"));
    }

    @Test
    void newStateIsTold() {
        lines(row("a", State.HELD, 3, 1, 0, null));
        assertThat(lines(row("a", State.EXPIRED, 33, 1, 0, null)))
                .containsExactly("expired     a  was held, pid 30522 compactor-1, flush");
        assertThat(lines(row("a", State.STALE, 34, 1, 0, null)))
                .containsExactly("stale       a  was expired, pid 30522 compactor-1, flush");
    }

    @Test
    void longWaitIsToldOnceAWait() {
        lines();
        lines(row("a", State.HELD, 3, 1, 1, Duration.ofSeconds(3)));
        assertThat(lines(row("a", State.HELD, 11, 1, 2, Duration.ofSeconds(11))))
                .containsExactly("waited for  a  2 for 11 s, held by pid 30522 compactor-1, flush");
        assertThat(lines(row("a", State.HELD, 12, 1, 2, Duration.ofSeconds(12)))).isEmpty();
        assertThat(lines(row("a", State.HELD, 13, 1, 0, null))).isEmpty();
        assertThat(lines(row("a", State.HELD, 30, 1, 1, Duration.ofSeconds(10)))).hasSize(1);
    }

    @Test
    void whatIsOnlyWaitedForIsNotTaken() {
        lines();
        assertThat(lines(row("a", State.FREE, 0, 1, 1, Duration.ofSeconds(1)))).isEmpty();
        assertThat(lines()).isEmpty();
    }
}
