package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each of the broken protocols is caught. If one no longer is, the simulation has gone blind; it does not mean that the rule may go. The sound
 * protocol must pass the very schedule that broke the other.
 */
class BrokenProtocolsTest {
    private static final long FIRST_SEED = 1;
    private static final int MOST_SCHEDULES = 40_000;
    /**
     * For protocols that most schedules catch late: the first schedule that catches each. The default build begins with it, and saves the search. If
     * it no longer catches its protocol, all are searched, which only takes time. The soak profile always searches.
     */
    private static final Map<BrokenProtocol, Long> CAUGHT_BY = Map.of(BrokenProtocol.RENEWALS_THAT_LET_THE_EXPIRY_LAPSE, 6_329L,
            BrokenProtocol.EXPIRY_OVERWRITTEN_BLINDLY, 25_511L, BrokenProtocol.LATE_RENEWAL_THAT_LOOKS_AT_THE_TOKEN_TOO_EARLY, 9_355L,
            BrokenProtocol.LATE_RENEWAL_WITHOUT_LOOK_AT_THE_CLOCK, 2_543L);

    @ParameterizedTest
    @EnumSource
    void simulationCatches(BrokenProtocol broken) {
        for (long seed : seeds(broken)) {
            Schedule.Broken caught = run(seed, broken.breed(), broken);
            if (caught != null && broken.breaks().contains(caught.promise())) {
                System.out.println(broken + ": caught by schedule " + seed + "; " + caught.getMessage());
                assertThat(run(seed, SimulatedStore::new, broken)).as("the sound protocol on the schedule that broke the other").isNull();
                return;
            }
        }
        fail("%s: not caught by %d schedules", broken, MOST_SCHEDULES);
    }

    private static long[] seeds(BrokenProtocol broken) {
        LongStream all = LongStream.range(FIRST_SEED, FIRST_SEED + MOST_SCHEDULES);
        Long first = Boolean.getBoolean("soak") ? null : CAUGHT_BY.get(broken);
        return (first == null ? all : LongStream.concat(LongStream.of(first), all)).toArray();
    }

    private static Schedule.Broken run(long seed, Schedule.Breed breed, BrokenProtocol broken) {
        try {
            new Schedule(seed, breed, false, false, broken.system()).run();
            return null;
        } catch (Schedule.Broken e) {
            return e;
        }
    }
}
