package dev.sessionlock.testkit.contract;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LeaseHold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileLockInterruptionException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;
import java.util.function.Function;

/**
 * Locks on names, in one directory of lease files: a small engine, and a right one. Its processes run on one machine and see each other's pids. The
 * directory is emptied at boot, as {@code /run} is, and only then. If a process freezes within a step, which takes microseconds, all others wait for it.
 */
final class LeaseFileEngine implements LockEngine {
    private final LockNamespace namespace;

    LeaseFileEngine(Path directory) {
        long me = UUID.randomUUID().getMostSignificantBits(); // never 0; the system may use our pid again, but nobody uses this again
        namespace = name -> new LeaseFile(name, directory.resolve(URLEncoder.encode(name, StandardCharsets.UTF_8) + ".lease"), me);
    }

    @Override
    public LockNamespace pin(LockId id) {
        return namespace;
    }

    private record LeaseFile(String name, Path path, long me) implements EngineLock {
        // The five numbers in a file. TOKEN stays when the lock is released, since the next one must be greater. HOLDER is an engine; 0 if the lock is free.
        // UNTIL is a time of System.nanoTime(), which the processes of a boot share. ASKED is the token whose holder is to release; negative once told.
        private static final int TOKEN = 0, HOLDER = 1, PID = 2, UNTIL = 3, ASKED = 4, NUMBERS = 5;

        /** Only one thread of all processes is in a step. A process that is killed in one leaves the old numbers or the new ones. */
        private <T> T step(Function<LongBuffer, T> change) throws IOException {
            synchronized (LeaseFile.class) { // the kernel locks a file for a process, not for a thread
                try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) { // an interrupt does not break off its read and write
                    file.getChannel().lock(); // until the file is closed
                    byte[] bytes = new byte[NUMBERS * Long.BYTES]; // zeros, if the file is new
                    file.read(bytes);
                    T result = change.apply(ByteBuffer.wrap(bytes).asLongBuffer());
                    file.seek(0);
                    file.write(bytes);
                    return result;
                } catch (ClosedByInterruptException | FileLockInterruptionException e) {
                    Thread.interrupted(); // nothing was done yet
                    try {
                        return step(change);
                    } finally {
                        Thread.currentThread().interrupt();
                    }
                }
            }
        }

        @Override
        public AcquireResult take(Terms terms) throws IOException {
            return step(lease -> {
                long now = System.nanoTime();
                boolean held = lease.get(HOLDER) != 0 && lease.get(HOLDER) != me; // a lease of ours is left from a try that threw
                boolean dead = held && ProcessHandle.of(lease.get(PID)).isEmpty();
                if (held && !dead && now < lease.get(UNTIL)) {
                    return new Busy(Busy.NOTHING, now + 5_000_000, "pid " + lease.get(PID) + " holds it");
                }
                long token = Math.max(Clock.SYSTEM.wallMicros(), lease.get(TOKEN) + 1);
                lease.put(TOKEN, token).put(HOLDER, me).put(PID, ProcessHandle.current().pid()).put(UNTIL, LeaseHold.othersWaitUntil(terms, now));
                return new LeaseHold(terms, token, now, dead ? "its process is gone" : held ? "its lease is over" : null);
            });
        }

        private boolean isOurs(LongBuffer lease, Hold hold) {
            return lease.get(HOLDER) == me && lease.get(TOKEN) == hold.token();
        }

        @Override
        public boolean renew(Hold hold, long holdUntilMillis) throws IOException {
            long now = System.nanoTime();
            boolean inTime = step(lease -> isOurs(lease, hold) && System.nanoTime() < hold.deadline()
                    && lease.put(UNTIL, LeaseHold.othersWaitUntil(hold.terms(), now)) != null);
            if (inTime) {
                ((LeaseHold) hold).renewedAt(now); // not before others can see it
            }
            return inTime;
        }

        @Override
        public HoldStatus check(Hold hold, boolean deeply) throws IOException {
            return step(lease -> {
                boolean asked = Math.abs(lease.get(ASKED)) == hold.token();
                lease.put(ASKED, asked ? -hold.token() : lease.get(ASKED));
                return !isOurs(lease, hold) ? HoldStatus.LOST : asked ? HoldStatus.REQUESTED : HoldStatus.INTACT;
            });
        }

        @Override
        public void release(Hold hold) {
            free(lease -> isOurs(lease, hold));
        }

        @Override
        public boolean tidy() {
            return free(lease -> lease.get(HOLDER) == me);
        }

        private boolean free(Function<LongBuffer, Boolean> condition) {
            try {
                return step(lease -> (condition.apply(lease) ? lease.put(HOLDER, 0) : lease) != null);
            } catch (IOException e) {
                return false; // tidy() is called again, until it returns true
            }
        }

        @Override
        public void askForRelease(long token) throws IOException {
            step(lease -> lease.put(ASKED, token));
        }

        @Override
        public boolean withdrawAsking(long token) throws IOException {
            return step(lease -> lease.get(ASKED) == token && lease.put(ASKED, 0) != null);
        }

        @Override
        public LockReport inspect() throws IOException {
            return step(lease -> {
                ProcessState process = ProcessHandle.of(lease.get(PID)).isPresent() ? ProcessState.ALIVE : ProcessState.DEAD;
                State state = lease.get(HOLDER) == 0 ? State.FREE : process == ProcessState.DEAD ? State.STALE
                        : System.nanoTime() < lease.get(UNTIL) ? State.HELD : State.EXPIRED;
                LockOwner owner = state == State.FREE ? null : new LockOwner(lease.get(PID), null, null, null, null, null, lease.get(TOKEN), null);
                return new LockReport(name, null, state, owner, new LockReport.Facts(process, false, null));
            });
        }
    }
}
