package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.seats.SimulatedDirectory.HostSystem;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rule 8, broken once in each way, in the schedules of a system whose clock counts the time for which the machine sleeps. The sound rule is in {@link SeatSimulationTest}. */
class LateRenewalSimulationTest {
    private static final int MOST_SCHEDULES = 60_000;

    /** What is left out of a late renewal. */
    enum Broken {
        NO_LOOK_AT_THE_OTHER_SEAT(84) {
            @Override
            SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
                return new SimulatedStore(directory, journal, self, offset) {
                    @Override
                    long readExpiry(int seat) {
                        return renewsLate != null && renewsLate.seat != seat ? 0 : super.readExpiry(seat);
                    }
                };
            }
        },

        NO_LOOK_AT_THE_TOKEN(45) {
            @Override
            SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
                return new SimulatedStore(directory, journal, self, offset) {
                    @Override
                    long readLastToken() {
                        return renewsLate != null ? renewsLate.lastDrawn() : super.readLastToken();
                    }
                };
            }
        },

        TOKEN_LOOKED_AT_BEFORE_PUBLISHING_ALONE(9_355) {
            @Override
            SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
                return new SimulatedStore(directory, journal, self, offset) {
                    private boolean published;

                    @Override
                    void writeExpiry(int seat, long value) {
                        published = renewsLate != null;
                        super.writeExpiry(seat, value);
                    }

                    @Override
                    long readLastToken() {
                        boolean lies = renewsLate != null && published;
                        published = false;
                        return lies ? renewsLate.lastDrawn() : super.readLastToken();
                    }
                };
            }
        },

        NO_LOOK_AT_THE_CLOCK_AT_THE_END(2_543) {
            @Override
            SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
                return new SimulatedStore(directory, journal, self, offset) {
                    private long read;
                    private boolean rewritten;

                    @Override
                    long readClock() {
                        read = rewritten && renewsLate != null ? read : super.readClock();
                        rewritten = false;
                        return read;
                    }

                    @Override
                    void rewritten() {
                        rewritten = true;
                    }
                };
            }
        };

        /** The first schedule that catches it. The default build begins with it, and saves the search; the soak profile always searches. */
        private final long caughtBy;

        Broken(long caughtBy) {
            this.caughtBy = caughtBy;
        }

        abstract SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset);
    }

    @ParameterizedTest
    @EnumSource
    void simulationCatches(Broken broken) {
        LongStream all = LongStream.range(1, MOST_SCHEDULES);
        LongStream seeds = Boolean.getBoolean("soak") ? all : LongStream.concat(LongStream.of(broken.caughtBy), all);
        long caught = seeds.filter(seed -> isCaught(seed, broken)).findFirst().orElse(-1);
        System.out.println(broken + ": caught by schedule " + caught);
        assertThat(caught).as("the first of %d schedules that catches %s", MOST_SCHEDULES, broken).isPositive();
        new Schedule(caught, SimulatedStore::new, false, false, HostSystem.WINDOWS).run();
    }

    private static boolean isCaught(long seed, Broken broken) {
        try {
            new Schedule(seed, broken::place, false, false, HostSystem.WINDOWS).run();
            return false;
        } catch (Schedule.Broken e) {
            return e.promise() == Schedule.Promise.ONE_HOLDER || e.promise() == Schedule.Promise.GROWING_TOKENS;
        }
    }
}
