package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.seats.Schedule.Breed;
import dev.sessionlock.internal.seats.Schedule.Promise;
import dev.sessionlock.internal.seats.SimulatedDirectory.HostSystem;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import java.util.EnumSet;
import java.util.Set;

/**
 * Tests the simulation itself: protocols that each break one rule of PROTOCOL.md, and the promises of which the simulation must then see one broken.
 * Almost all are the real engine on a store that breaks the rule. (Protocols that are wrong only with real files and a real kernel are in
 * lock-testkit, NaiveLocksTest.)
 */
enum BrokenProtocol {

    NO_LOOK_AT_THE_OTHER_SEAT(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                @Override
                long readExpiry(int seat) {
                    return jvm[1 - seat] ? 0 : super.readExpiry(seat);
                }
            };
        }
    },

    LOOKS_BEFORE_IT_PUBLISHES(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                private final long[] seen = new long[2];
                private boolean published;

                @Override
                long readClock() {
                    for (int seat = 0; seat < 2 && !published; seat++) {
                        seen[seat] = super.readExpiry(seat);
                    }
                    return super.readClock();
                }

                @Override
                void writeExpiry(int seat, long value) {
                    published = value != 0;
                    super.writeExpiry(seat, value);
                }

                @Override
                long readExpiry(int seat) {
                    return published && jvm[1 - seat] ? seen[seat] : super.readExpiry(seat);
                }
            };
        }
    },

    /** As without the full fence: our write is still in the store buffer when we read the other's word. */
    NO_FENCE_BETWEEN_PUBLISHING_AND_LOOKING(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                private int buffered = -1;
                private long value;

                @Override
                void writeExpiry(int seat, long expiry) {
                    buffered = expiry == 0 ? -1 : seat;
                    value = expiry;
                    if (expiry == 0 || directory.expiries[seat] > ownNow()) {
                        buffered = -1;
                        super.writeExpiry(seat, expiry);
                    }
                }

                @Override
                boolean isWord(int seat, long meant, long written) {
                    return directory.expiries[seat] == meant;
                }

                @Override
                long draw(long wallMicros) {
                    if (buffered >= 0) {
                        super.writeExpiry(buffered, value);
                        buffered = -1;
                    }
                    return super.draw(wallMicros);
                }
            };
        }
    },

    NO_LOOK_AT_ITS_OWN_CLOCK_AT_THE_END(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                @Override
                void linked() {
                    lieOnce();
                }
            };
        }
    },

    LATE_RENEWAL_COUNTED(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                @Override
                void rewritten() {
                    lieOnce();
                }
            };
        }
    },

    SEAT_1_TAKEN_WHATEVER_THE_EXPIRY_OF_SEAT_0(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                @Override
                long readExpiry(int seat) {
                    return seat == 0 && !jvm[0] ? 0 : super.readExpiry(seat);
                }
            };
        }
    },

    TOKEN_DRAWN_BEFORE_THE_LOOK(Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new LyingStore(directory, journal, self, offset) {
                private long early;

                @Override
                void writeExpiry(int seat, long value) {
                    if (value != 0 && early == 0) {
                        early = super.draw(directory.wallMicros);
                    }
                    super.writeExpiry(seat, value);
                }

                @Override
                long draw(long wallMicros) {
                    long token = early != 0 ? early : super.draw(wallMicros);
                    early = 0;
                    return token;
                }
            };
        }
    },

    /** And not from the last token: two draws within a microsecond, or a clock that is set back. */
    TOKEN_FROM_THE_CLOCK_ALONE(Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                long draw(long wallMicros) {
                    return directory.token = wallMicros;
                }
            };
        }
    },

    RENEWALS_THAT_LET_THE_EXPIRY_LAPSE(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                private boolean published;

                @Override
                void writeExpiry(int seat, long value) {
                    if (value == 0 || !published) {
                        super.writeExpiry(seat, value);
                    }
                    published = value != 0;
                }
            };
        }
    },

    /** A process whose byte the kernel has lost publishes again, and does not see that the word belongs to another now. */
    EXPIRY_OVERWRITTEN_BLINDLY(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                boolean isWord(int seat, long meant, long written) {
                    return true;
                }
            };
        }
    },

    EXPIRY_SHORTER_THAN_THE_LEASE(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                void writeExpiry(int seat, long value) {
                    super.writeExpiry(seat, value == 0 ? 0 : value - 1_000_000_000L);
                }
            };
        }
    },

    EXPIRY_THAT_ENDS_THOUGH_TAKEOVER_IS_EXCLUDED(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                void writeExpiry(int seat, long value) {
                    super.writeExpiry(seat, value > Hold.NEVER / 2 ? ownNow() + 1_000_000_000L : value);
                }
            };
        }
    },

    KERNEL_THAT_GIVES_A_BYTE_TO_TWO(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                boolean kernelGives(int seat) {
                    directory.owner[seat] = this;
                    return true;
                }
            };
        }
    },

    LEASES_ON_THE_WALL_CLOCK(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                long ownNow() {
                    return directory.wallMicros * 1_000;
                }
            };
        }
    },

    /** A process that is frozen between the two stops everybody. */
    BOTH_BYTES_HELD_AT_ONCE(Promise.NEVER_STUCK) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                private boolean successorSeen;
                private boolean kept;

                @Override
                long readExpiry(int seat) {
                    long expiry = super.readExpiry(seat);
                    successorSeen = seat == 1 && jvm[0] && expiry > ownNow();
                    return expiry;
                }

                @Override
                void free(int seat) {
                    if (seat == 0 && successorSeen) {
                        successorSeen = false;
                        kept = true; // until it has tried the other one
                        return;
                    }
                    super.free(seat);
                    freeTheKept();
                }

                @Override
                boolean kernelGives(int seat) {
                    boolean given = super.kernelGives(seat);
                    if (!given) {
                        freeTheKept();
                    }
                    return given;
                }

                private void freeTheKept() {
                    if (kept) {
                        kept = false;
                        super.free(0);
                    }
                }
            };
        }
    },

    /** A process with the pid of a dead one vouches for its record. If it wants the lock itself, it waits for itself. */
    PID_WITHOUT_START_TIME(Promise.NEVER_STUCK) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset) {
                @Override
                Liveness look(long pid, long startTicks) {
                    return super.look(pid, -1);
                }
            };
        }
    },

    // Rule 8, where the clock counts the time for which the machine sleeps.

    LATE_RENEWAL_WITHOUT_LOOK_AT_THE_OTHER_SEAT(HostSystem.WINDOWS, Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
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

    LATE_RENEWAL_WITHOUT_LOOK_AT_THE_TOKEN(HostSystem.WINDOWS, Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
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

    LATE_RENEWAL_THAT_LOOKS_AT_THE_TOKEN_TOO_EARLY(HostSystem.WINDOWS, Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
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

    LATE_RENEWAL_WITHOUT_LOOK_AT_THE_CLOCK(HostSystem.WINDOWS, Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
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
    },

    STAT_JUDGE_AND_UNLINK(Promise.ONE_HOLDER, Promise.GROWING_TOKENS) {
        @Override
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset) {
            return new SimulatedStore(directory, journal, self, offset);
        }

        @Override
        EngineLock engine(SimulatedStore store, long process) {
            return new StealingEngine(store);
        }
    };

    /** Sometimes reports a wrong clock, as if nobody had read it. */
    private abstract static class LyingStore extends SimulatedStore {
        /** The clock as it was last read, and as it was when the expiry was published. */
        private long read;
        private long readBeforePublishing;
        private boolean lying;

        LyingStore(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long clockOffset) {
            super(directory, journal, self, clockOffset);
        }

        @Override
        long readClock() {
            if (lying) {
                lying = false;
                return readBeforePublishing;
            }
            read = super.readClock();
            return read;
        }

        @Override
        void writeExpiry(int seat, long value) {
            super.writeExpiry(seat, value);
            readBeforePublishing = read;
        }

        /** The next reading of the clock returns the time of the last publishing. */
        void lieOnce() {
            lying = true;
        }
    }

    private final HostSystem system;
    private final Set<Promise> breaks;

    BrokenProtocol(Promise breaks, Promise... or) {
        this(HostSystem.LINUX, breaks, or);
    }

    BrokenProtocol(HostSystem system, Promise breaks, Promise... or) {
        this.system = system;
        this.breaks = EnumSet.of(breaks, or);
    }

    /** {@return the system on which it is to be seen} */
    HostSystem system() {
        return system;
    }

    /** {@return the promises of which it must be seen to break one} */
    Set<Promise> breaks() {
        return breaks;
    }

    abstract SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long offset);

    EngineLock engine(SimulatedStore store, long process) {
        return new SeatEngine(store);
    }

    Breed breed() {
        return new Breed() {
            @Override
            public SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long clockOffset) {
                return BrokenProtocol.this.place(directory, journal, self, clockOffset);
            }

            @Override
            public EngineLock engine(SimulatedStore store, long process) {
                return BrokenProtocol.this.engine(store, process);
            }
        };
    }
}
