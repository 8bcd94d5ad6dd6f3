package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileLock;
import java.util.PrimitiveIterator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** The marks of processes that share a table: no two living ones have the same. */
class ProcessMarkTest extends GuardsFixture {
    private ProcessMark drawing(long... draws) {
        PrimitiveIterator.OfLong all = LongStream.concat(LongStream.of(draws), LongStream.iterate(1_000, last -> last + 1)).iterator();
        return new ProcessMark(guards, all::nextLong);
    }

    @Test
    void twoThatDrawTheSameDoNotKeepTheSame() throws IOException {
        ProcessMark one = drawing(7, 7);
        ProcessMark other = drawing(7, 7, 7, 9);
        one.take();
        other.take();
        assertThat(one.getAsLong()).isEqualTo(7);
        assertThat(other.getAsLong()).isEqualTo(9);

        one.free();
        ProcessMark late = drawing(7, 9, 7);
        late.take();
        assertThat(late.getAsLong()).as("free again").isEqualTo(7);
    }

    @Test
    void zeroIsNobodys() throws IOException {
        ProcessMark mark = drawing(0, 1L << 16);
        mark.take();
        assertThat(mark.getAsLong()).isEqualTo(1);
    }

    @Test
    void thatWasLostIsTakenAgainOrDrawnAnew() throws IOException {
        ProcessMark mark = drawing(7, 7, 8);
        mark.take();
        mark.verify((position, takenAt) -> true);
        mark.verify((position, takenAt) -> null);
        assertThat(mark.getAsLong()).isEqualTo(7);
        mark.verify((position, takenAt) -> false);
        assertThat(mark.getAsLong()).as("nobody else had it").isEqualTo(7);

        FileLock[] thief = new FileLock[1];
        mark.free();
        mark.take();
        assertThat(mark.getAsLong()).isEqualTo(8);
        mark.verify((position, takenAt) -> {
            assertThat(position).isEqualTo(GuardLayout.positionOfMark(8));
            return true;
        });
        mark.free();
        thief[0] = guards.tryMark(8);
        ProcessMark robbed = drawing(8, 8, 11);
        robbed.take();
        assertThat(robbed.getAsLong()).isEqualTo(11);
        thief[0].release();
    }

    @Test
    void whereAllAreTakenAnyWillDo() throws IOException {
        ProcessMark first = new ProcessMark(guards, () -> 5);
        ProcessMark second = new ProcessMark(guards, () -> 5);
        first.take();
        second.take();
        assertThat(second.getAsLong()).isEqualTo(5);
        second.free();
        assertThat(guards.tryMark(5)).as("the first one's").isNull();
    }
}
