package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The real code of the shared table on words in memory; each read and write is a step. There are three processes, each on a thread of its own; one
 * runs at a time, chosen by a seed. The kernel bytes exclude nobody here: each process believes that it has those that it asks for. So the promises
 * must hold without them.
 */
class SharedTableSimulationTest {
    private static final ProcessIdentity SELF = new ProcessIdentity(1, 1, null, "3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f", "1", "4026531834", "moss", true);
    private static final int HEADER_TIMENS = 48;
    private static final int HEADER_FILES = 24;
    private static final int ENTRY = 64;
    private static final int ENTRIES = 32;
    private static final long LEASE = 1_000;
    private static final int SCHEDULES = Integer.getInteger("sim.boards", 1_000);

    /** What goes wrong in the words: the test must notice that a rule is broken. */
    private enum Broken {
        NOTHING,
        /** A slot that another process has claimed meanwhile is not seen, as if nobody had looked again after claiming. */
        SECOND_LOOK_SEES_NOTHING,
        /** A process that clears an entry sees expiries as past. */
        EXPIRIES_ARE_NOT_SEEN,
        /** An owner assumes that its entry is valid. */
        VALIDITY_IS_NOT_CHECKED,
        /** The high-water mark of the tokens is not raised. */
        TOKENS_ARE_FORGOTTEN
    }

    private static final class Violation extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Violation(String what) {
            super(what);
        }
    }

    @Test
    void oneEntryForEachLockAndNoneIsTakenFromTheLiving() {
        for (int seed = 1; seed <= SCHEDULES / 2; seed++) {
            new Run(seed, Broken.NOTHING).run();
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NOTHING")
    void brokenRuleIsSeen(Broken broken) {
        assertThatThrownBy(() -> {
            for (int seed = 1; seed <= SCHEDULES; seed++) {
                new Run(seed, broken).run();
            }
        }).isInstanceOf(Violation.class);
    }

    /** One run, wholly determined by its seed. */
    private static final class Run {
        private final SplittableRandom random;
        private final int seed;
        private final Broken broken;
        private final long[] words = new long[(ENTRIES + 1) * ENTRY / 8];
        private final List<Actor> actors = new ArrayList<>();
        private final Map<Long, Long> lastToken = new HashMap<>();
        /** Who holds which lock by which entry, and expiry when. */
        private final Map<Actor, Hold> holds = new HashMap<>();
        private final Semaphore back = new Semaphore(0);
        private long now = 10_000_000_000L;

        private record Hold(long lock, String line, long deadline) {
        }

        Run(int seed, Broken broken) {
            this.seed = seed;
            this.random = new SplittableRandom(seed);
            this.broken = broken;
            words[HEADER_TIMENS / 8] = Long.parseLong(SELF.timeNamespace());
            words[HEADER_FILES / 8] = 1;
            for (int i = 0; i < SharedTable.WINDOW; i++) { // a full window: a process that wants an entry must clear others
                words[(1 + i) * ENTRY / 8] = i < SharedTable.WINDOW - 2 ? h(100 + i) : 0;
                words[(1 + i) * ENTRY / 8 + 3] = i < SharedTable.WINDOW - 2 ? Long.MAX_VALUE / 2 : 0; // never idle
            }
        }

        /** All locks have the same window. */
        static long h(int number) {
            return (long) ENTRIES * (number + 1) << 6;
        }

        void run() {
            for (int i = 0; i < 3; i++) {
                actors.add(new Actor(i));
            }
            try {
                actors.forEach(Thread::start);
                for (int steps = 0; steps < 4_000 && actors.stream().anyMatch(actor -> !actor.over); steps++) {
                    Actor actor = actors.get(random.nextInt(actors.size()));
                    if (random.nextInt(60) == 0) {
                        now += random.nextLong(3 * LEASE) * (1 << 16);
                    }
                    if (!actor.over) {
                        actor.turn.release();
                        back.acquireUninterruptibly();
                        if (actor.failure != null) {
                            throw actor.failure;
                        }
                    }
                }
                assertOneEntryEach();
            } finally {
                actors.forEach(actor -> {
                    actor.stopped = true;
                    actor.turn.release();
                });
                actors.forEach(actor -> {
                    try {
                        actor.join();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
            }
        }

        /** Whatever is left is repaired by the next process. */
        private void assertOneEntryEach() {
            if (actors.stream().anyMatch(actor -> !actor.over)) {
                return;
            }
            now += 1L << 50;
            SharedTable late = new SharedTable(new TableWords[] {new Words(null)}, SELF, clock(null));
            for (int lock = 1; lock <= 3; lock++) {
                long lines = 0;
                try {
                    late.findOnly(h(lock));
                } catch (IOException e) {
                    throw new Violation(e.toString());
                }
                for (int i = 1; i <= ENTRIES; i++) {
                    lines += words[i * ENTRY / 8] == h(lock) ? 1 : 0;
                }
                check(lines <= 1, "lock " + lock + " has " + lines + " lines at the end");
            }
        }

        private void check(boolean holds, String what) {
            if (!holds) {
                throw new Violation("seed " + seed + ": " + what);
            }
        }

        private Clock clock(Actor actor) {
            return new Clock() {
                @Override
                public long nanos() {
                    if (actor != null) {
                        actor.step();
                    }
                    return now;
                }

                @Override
                public long wallMicros() {
                    return 0;
                }
            };
        }

        /** The words as one process sees them: each access is a step. */
        private final class Words implements TableWords {
            private final Actor actor;

            Words(Actor actor) {
                this.actor = actor;
            }

            private void step() {
                if (actor != null) {
                    actor.step();
                }
            }

            @Override
            public long get(int offset) {
                step();
                if (actor != null && broken == Broken.EXPIRIES_ARE_NOT_SEEN && actor.claiming && offset >= ENTRY && (offset % ENTRY == 8 || offset % ENTRY == 16)) {
                    return 0;
                }
                if (actor != null && broken == Broken.SECOND_LOOK_SEES_NOTHING && actor.claimedAt >= 0 && offset % ENTRY == 0 && offset != actor.claimedAt) {
                    return 0;
                }
                return words[offset / 8];
            }

            @Override
            public void set(int offset, long value) {
                step();
                words[offset / 8] = value;
            }

            @Override
            public boolean replace(int offset, long expected, long value) {
                step();
                if (words[offset / 8] != expected) {
                    return false;
                }
                words[offset / 8] = value;
                if (offset >= ENTRY && offset % ENTRY == 0 && value == 0) {
                    freed(offset, expected);
                }
                if (actor != null && offset >= ENTRY && offset % ENTRY == 0 && expected == 0) {
                    actor.claimedAt = offset;
                }
                return true;
            }

            @Override
            public void raise(int offset, long least) {
                if (broken != Broken.TOKENS_ARE_FORGOTTEN) {
                    TableWords.super.raise(offset, least);
                }
            }

            @Override
            public int size() {
                return words.length * 8;
            }

            @Override
            public boolean isReadOnly() {
                return false;
            }
        }

        private void freed(int offset, long said) {
            holds.forEach((holder, hold) -> check(now >= hold.deadline() || !hold.line().startsWith("entry at " + offset + " ") || isOverwritten(holder, offset),
                    "the line of " + holder + " was freed, which holds lock " + hold.lock() + " there (" + said + ")"));
        }

        /** {@return whether the word of a holder is no longer there: whoever gets a byte publishes over it} */
        private boolean isOverwritten(Actor holder, int offset) {
            return words[offset / 8 + 1] != holder.published;
        }

        /** A process: takes a lock, holds it for a while, and gives it back, a few times. */
        private final class Actor extends Thread {
            private final int number;
            private final Semaphore turn = new Semaphore(0);
            private final SharedTable table;
            private volatile boolean stopped;
            private volatile boolean over;
            private volatile RuntimeException failure;
            private int claimedAt = -1;
            /** Looks for an entry, and clears others for it. */
            private boolean claiming;
            private long published;

            Actor(int number) {
                super("process-" + number);
                this.number = number;
                this.table = new SharedTable(new TableWords[] {new Words(this)}, SELF, clock(this)).markedBy(() -> number + 1);
                setDaemon(true);
            }

            private void step() {
                if (Thread.currentThread() != this) {
                    return;
                }
                back.release();
                turn.acquireUninterruptibly();
                if (stopped) {
                    throw new Stopped();
                }
            }

            @Override
            public void run() {
                turn.acquireUninterruptibly();
                try {
                    SplittableRandom own = new SplittableRandom(seed * 31L + number);
                    for (int i = 0; i < 3 && !stopped; i++) {
                        use(h(1 + (own.nextInt(3) == 0 ? 1 + number % 2 : 0)), own);
                    }
                } catch (Stopped e) {
                    return;
                } catch (IOException e) {
                    failure = new Violation(e.toString());
                } catch (RuntimeException e) {
                    failure = e;
                } finally {
                    over = true;
                    back.release();
                }
            }

            private void use(long h, SplittableRandom own) throws IOException {
                TableEntry found = table.find(h);
                long word = found == null ? 0 : found.expiry(0);
                claimedAt = -1;
                claiming = true;
                TableEntry entry = claim(h);
                claiming = false;
                claimedAt = -1;
                if (entry == null || isUsed(word)) {
                    return;
                }
                step();
                long expiry = (now >> 16) + LEASE << 16 | number + 1;
                if (!entry.replaceExpiry(0, word, expiry) && !entry.replaceExpiry(0, 0, expiry)) {
                    return;
                }
                published = expiry;
                long token = entry.drawToken(0);
                if (entry.hasExpiry(0, expiry) && (broken == Broken.VALIDITY_IS_NOT_CHECKED || entry.isValid()) && now < expiry) {
                    enter(h, entry, expiry, token);
                    for (int i = own.nextInt(30); i > 0; i--) {
                        step();
                    }
                    holds.remove(this);
                }
                entry.replaceExpiry(0, expiry, 0);
            }

            private @Nullable TableEntry claim(long h) throws IOException {
                try {
                    return table.findOrClaim(h, Long.MAX_VALUE / 4, null, new SharedTable.TableBytes() {
                        @Override
                        public boolean holdingBoth(long other, Runnable clear) {
                            clear.run();
                            return true;
                        }

                        @Override
                        public <T> T holdingSetup(BytesStep<T> step) {
                            throw new IllegalStateException("full"); // of entries in use: it comes again later
                        }
                    });
                } catch (IllegalStateException e) {
                    return null;
                }
            }

            /** {@return whether the word of its entry belongs to a living process: its byte, and its record, exclude others} */
            private boolean isUsed(long word) {
                return word != 0 && word > now;
            }

            private void enter(long h, TableEntry entry, long expiry, long token) {
                String at = entry.toString().substring(0, entry.toString().indexOf('['));
                if (words[offset(at) / 8 + 1] != expiry) {
                    return; // overwritten
                }
                long slot = words[offset(at) / 8];
                check(slot == h || ((slot ^ h ^ MappedEntry.CLEARING) & ~TableEntry.MARK_BITS) == 0, this + " holds lock " + h + " on a line that is not its");
                holds.forEach((other, hold) -> check(hold.lock() != h || now >= hold.deadline() || hold.line().equals(at)
                        || words[offset(hold.line()) / 8 + 1] != other.published, this + " and " + other + " hold one lock on two lines"));
                check(lastToken.getOrDefault(h, 0L) < token || holds.values().stream().anyMatch(hold -> hold.lock() == h),
                        "token " + token + " after " + lastToken.get(h));
                lastToken.merge(h, token, Math::max);
                holds.put(this, new Hold(h, at, expiry));
            }

            private int offset(String line) {
                return Integer.parseInt(line.replaceAll("\\D", ""));
            }

            @Override
            public String toString() {
                return getName();
            }
        }
    }

    private static final class Stopped extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }
}
