package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each of the broken protocols is caught. One that no longer is means that the simulation has gone blind, not that the rule may go. The
 * sound protocol must stand the very schedule that broke the other.
 */
class BrokenProtocolsTest {
    private static final long FIRST_SEED = 1;
    private static final int MOST_SCHEDULES = 40_000;

    @ParameterizedTest
    @EnumSource
    void simulationCatches(BrokenProtocol broken) {
        for (long seed = FIRST_SEED; seed < FIRST_SEED + MOST_SCHEDULES; seed++) {
            Schedule.Broken caught = run(seed, broken.breed());
            if (caught != null && broken.breaks().contains(caught.promise())) {
                System.out.println(broken + ": caught after " + (seed - FIRST_SEED + 1) + " schedules; " + caught.getMessage());
                assertThat(run(seed, SimulatedStore::new)).as("the sound protocol on the schedule that broke the other").isNull();
                return;
            }
        }
        fail("%s: not caught by %d schedules", broken, MOST_SCHEDULES);
    }

    private static Schedule.Broken run(long seed, Schedule.Breed breed) {
        try {
            new Schedule(seed, breed, false).run();
            return null;
        } catch (Schedule.Broken e) {
            return e;
        }
    }
}
