package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileLock;
import java.util.PrimitiveIterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
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
    void thatAnotherProcessHasByNowIsDrawnAnew() throws IOException {
        ProcessMark mark = drawing(7, 7, 8);
        mark.take();
        loseBytes();
        GuardFiles other = new GuardFiles(dir, FileMode.of(dir)); // not closed before the end: that would drop our bytes as well
        other.enter(dir);
        assertThat(other.tryMark(7)).isNotNull();

        mark.verify((position, takenAt) -> true);

        assertThat(mark.getAsLong()).isEqualTo(8);
        assertThat(other.tryMark(8)).as("its own").isNull();
        other.leave();
    }

    @Test
    void thatNobodyElseHasTakenMeanwhileIsTakenAgain() throws IOException {
        ProcessMark mark = drawing(7, 7, 8);
        mark.take();
        loseBytes();

        mark.verify((position, takenAt) -> true);

        assertThat(mark.getAsLong()).isEqualTo(7);
        assertThat(guards.tryMark(7)).as("its own").isNull();
    }

    @Test
    void thatWasNeverTakenCannotBeLost() throws IOException {
        ProcessMark mark = drawing(7, 7);

        mark.verify((position, takenAt) -> false);

        try (FileLock free = guards.tryMark(7)) {
            assertThat(free).isNotNull();
        }
    }

    @Test
    void noThreadKeepsOthersOutWhenItIsDone() throws Exception {
        ProcessMark mark = drawing(7, 7);
        mark.take();
        inAnotherThread(() -> mark.verify((position, takenAt) -> false));
        mark.free();
        inAnotherThread(mark::take);
    }

    private interface Step {
        void run() throws IOException;
    }

    private static void inAnotherThread(Step step) throws Exception {
        CompletableFuture.runAsync(() -> {
            try {
                step.run();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }).get(20, TimeUnit.SECONDS);
    }

    /** As an interrupt of a thread that waits in the kernel does it: every byte of guard 0 is lost. */
    private void loseBytes() throws IOException {
        guards.tryProcess(0xabc).acquiredBy().close();
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
