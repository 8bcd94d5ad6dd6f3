package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** What the engine knows of the holders before: whether they were others, what it took away, and how great their tokens were. */
class SeatEngineHistoryTest extends SeatEngineFixture {
    @Nested
    class WhoTakesItAgain {

        private void assertWasOthers(Party party, boolean others) throws IOException {
            SeatHold hold = party.take();
            assertThat(party.engine.wasOthers(hold)).isEqualTo(others);
            party.engine.release(hold);
        }

        @Test
        void isToldWhetherAnotherProcessHadItMeanwhile() throws IOException {
            assertWasOthers(one, false);
            assertWasOthers(one, false);
            assertWasOthers(two, false); // the first time: it does not know yet that the lock is shared
            assertWasOthers(one, true);
            assertWasOthers(one, false);
            assertWasOthers(two, true);
        }

        @Test
        void isNotToldOfWhatItDidItself() throws IOException {
            SeatHold hold = one.take();
            one.engine.reuse(hold, "another thread");
            hold = (SeatHold) one.engine.handOver(hold, WITHOUT_TAKEOVER);
            one.engine.release(hold);
            assertWasOthers(one, false);
            one.afterDraw = () -> directory.expiries[0] = 0; // it fails once it has drawn its token
            one.busy();
            assertWasOthers(one, false);
        }
    }

    /** What a successor says of the holder before it: the log, the count of reclaimed locks and the listeners tell it to people. */
    @Nested
    class WhyItWasReclaimed {

        private SeatHold comeInFromTheSecondSeat() throws IOException {
            two.busy();
            directory.pass(20 * MILLI);
            return two.take();
        }

        @Test
        void isNothingIfTheOtherIsJustTakingTheLockOrGivingItBack() throws IOException {
            two.engine.release(two.take());
            directory.owner[0] = one; // between its byte and its word, on a busy machine

            SeatHold hold = comeInFromTheSecondSeat();

            assertThat(hold.seat).isOne();
            assertThat(hold.reclaimed()).isNull();
        }

        @Test
        void isThatItsHolderIsFrozenIfItsLeaseIsOver() throws IOException {
            one.take();

            assertThat(takeOver().reclaimed()).isEqualTo("its holder is frozen past its lease");
        }

        @Test
        void isThatItsHolderIsDeadIfItsProcessIs() throws IOException {
            one.take();
            one.gone();
            directory.pass(LEASE + GRACE + MILLI);
            directory.owner[0] = three; // which has not published anything yet

            assertThat(comeInFromTheSecondSeat().reclaimed()).isEqualTo("pid 70100 does not exist");
        }

        @Test
        void isThatItsHolderIsFrozenIfItsRecordWasRemoved() throws IOException {
            one.take();
            directory.put(RecordLocation.LOCK, null);

            assertThat(takeOver().reclaimed()).isEqualTo("its holder is frozen past its lease");
        }
    }

    /**
     * Somebody has removed {@code .session-locks}. Processes that held or knew the lock go on with its bytes and its table; processes that come later
     * create new ones. Only the record excludes the ones from the others, and no table says which token the others have drawn last.
     */
    @Nested
    class TokensOverAReplacedDirectory {
        private final Terms others = new Terms(2 * LEASE, true, -1, "writer-2", null, true);
        private final SimulatedDirectory replacement = new SimulatedDirectory(directory);
        private final Party late = new Party(70_400, 0, replacement);

        @BeforeEach
        void lockWasTakenThereBefore() {
            replacement.token = 1; // otherwise it looks at x.lock before it draws
        }

        private void pass(long nanos) {
            directory.pass(nanos);
            replacement.pass(nanos);
        }

        private void assertLateComesInWithAGreaterToken(Event meanwhile) throws IOException {
            late.afterDraw = () -> {
                meanwhile.happen();
                pass(1_000); // that much it takes
            };
            SeatHold hold = late.take();
            assertThat(hold.token()).isGreaterThan(directory.token);
            assertThat(recordAt(RecordLocation.LOCK).token()).isEqualTo(hold.token());
            assertThat(replacement.token).isEqualTo(hold.token());
        }

        @Test
        void growThoughTheOldHolderHandsOverBetweenDrawingAndLinking() throws IOException {
            SeatHold old = one.take();
            pass(MILLI);

            assertLateComesInWithAGreaterToken(() -> {
                pass(MILLI / 2);
                one.engine.release(one.engine.handOver(old, others));
            });
        }

        @Test
        void growThoughTheOldHolderHandsOverFor260Milliseconds() throws IOException {
            SeatHold old = one.take();

            assertLateComesInWithAGreaterToken(() -> {
                Hold last = old;
                for (int i = 0; i < 26; i++) {
                    pass(10 * MILLI);
                    last = one.engine.handOver(last, i % 2 == 0 ? others : TERMS);
                }
                one.engine.release(last);
            });
        }

        @Test
        void growThoughAnotherComesAndGoesOnTheOldBytesMeanwhile() throws IOException {
            assertLateComesInWithAGreaterToken(() -> {
                pass(2 * MILLI);
                one.engine.release(one.take());
            });
        }

        @Test
        void growThoughTheMachineWasSuspendedMeanwhile() throws IOException {
            assertLateComesInWithAGreaterToken(() -> {
                directory.wallMicros += 5_000_000; // its monotonic clock stood still
                replacement.wallMicros += 5_000_000;
                one.engine.release(one.take());
            });
        }

        @Test
        void growThoughADeadOnesRecordWasInTheWay() throws IOException {
            directory.leave(RecordLocation.LOCK, ofTheDead(7));
            SeatHold hold = late.take();

            assertThat(hold.token()).isEqualTo(recordAt(RecordLocation.LOCK).token()).isEqualTo(replacement.token);
        }

        @Test
        void areDrawnOnceOnTheGoodPath() throws IOException {
            long before = replacement.token;
            SeatHold hold = late.take();

            assertThat(hold.token()).isEqualTo(replacement.wallMicros).isNotEqualTo(before);
        }
    }
}
