package dev.sessionlock.testkit.contract;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.Lease;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileLockInterruptionException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A small engine of another kind, similar to one over a database: the state of each lock is a row, here a file, and each step is a transaction, here
 * under a file lock. It is correct, unless it is given a fault.
 */
final class StateFileEngines implements FileLockEngine {
    /** The faults that it can have. */
    enum Fault {
        NONE, TOKEN_STANDS_STILL, RELEASED_BY_ANYONE, NEVER_TAKEN_OVER, ALWAYS_TAKEN_OVER, HOLDER_DOES_NOT_KNOW_ITS_LEASE,
        NEVER_RENEWED, SOMETIMES_DOES_NOT_LOOK, DEATH_IS_NOT_NOTICED
    }

    private static final ReentrantLock IN_THIS_JVM = new ReentrantLock();
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final Fault fault;

    StateFileEngines(Fault fault) {
        this.fault = fault;
    }

    @Override
    public LockId idOf(Path target, boolean networkAllowed) {
        Path absolute = target.toAbsolutePath();
        return new LockId(absolute.getParent(), absolute.getFileName().toString(), networkAllowed);
    }

    @Override
    public LockNamespace pin(LockId id) {
        return new Table(id.parent(), fault);
    }

    private record Table(Path directory, Fault fault) implements LockNamespace {
        @Override
        public EngineLock lock(String name) {
            return new Engine(directory.resolve(name), fault);
        }
    }

    @Override
    public Inspection inspect(LockId id) throws IOException {
        return new Inspection(id, new Engine(id.parent().resolve(id.name()), fault).inspect());
    }

    @Override
    public boolean closeIdle(boolean atOnce) {
        return true;
    }

    private static final class RowHold extends Hold {
        RowHold(Terms terms, long token, long now, long deadline, String reclaimed) {
            super(terms, token, now, deadline, reclaimed);
        }

        void renew(long now) {
            renewed(now, deadline() == NEVER ? NEVER : now + terms().leaseNanos());
        }
    }

    /** The content of a lock's row. */
    private static final class Row {
        private final Properties values = new Properties();

        long get(String key) {
            return Long.parseLong(values.getProperty(key, "0"));
        }

        void set(String key, long value) {
            values.setProperty(key, Long.toString(value));
        }

        boolean isHeldBy(Hold hold) {
            return get("pid") == ProcessHandle.current().pid() && get("token") == hold.token() && get("held") == 1;
        }
    }

    private interface Step<T> {
        T in(Row row);
    }

    private static final class Engine implements EngineLock {
        private final Path target;
        private final Fault fault;
        private final long pid = ProcessHandle.current().pid();

        Engine(Path target, Fault fault) {
            this.target = target;
            this.fault = fault;
        }

        private <T> T transaction(Step<T> step) throws IOException {
            IN_THIS_JVM.lock();
            // An interrupt breaks off the locking of such a file, and neither its reading nor its writing.
            try (RandomAccessFile file = new RandomAccessFile(target.resolveSibling(target.getFileName() + ".row").toFile(), "rw")) {
                file.getChannel().lock(); // until it is closed
                Row row = read(file);
                T result = step.in(row);
                write(file, row);
                return result;
            } catch (ClosedByInterruptException | FileLockInterruptionException e) {
                Thread.interrupted(); // nothing was done yet
                try {
                    return transaction(step);
                } finally {
                    Thread.currentThread().interrupt();
                }
            } finally {
                IN_THIS_JVM.unlock();
            }
        }

        private static Row read(RandomAccessFile file) throws IOException {
            byte[] bytes = new byte[(int) file.length()];
            file.readFully(bytes);
            Row row = new Row();
            row.values.load(new StringReader(new String(bytes, StandardCharsets.UTF_8)));
            return row;
        }

        private static void write(RandomAccessFile file, Row row) throws IOException {
            StringWriter text = new StringWriter();
            row.values.store(text, null);
            byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
            file.setLength(bytes.length);
            file.seek(0);
            file.write(bytes);
        }

        private long now() {
            return System.nanoTime();
        }

        @Override
        public String name() {
            return target.getFileName().toString();
        }

        @Override
        public Path target() {
            return target;
        }

        @Override
        public Path lockFile() {
            return null;
        }

        @Override
        public AcquireResult take(Terms terms) throws IOException {
            return transaction(row -> {
                String reclaimed = null;
                if (row.get("held") == 1 && !(fault == Fault.SOMETIMES_DOES_NOT_LOOK && now() % 4 == 0)) {
                    boolean dead = fault != Fault.DEATH_IS_NOT_NOTICED && ProcessHandle.of(row.get("pid")).filter(ProcessHandle::isAlive)
                            .isEmpty();
                    boolean over = now() >= row.get("until") && (row.get("takeover") == 1 || fault == Fault.ALWAYS_TAKEN_OVER);
                    if (!dead && (!over || fault == Fault.NEVER_TAKEN_OVER)) {
                        return new Busy(Busy.NOTHING, now() + LOOK_AGAIN_NANOS, "another process holds it");
                    }
                    reclaimed = dead ? "its process is gone" : "its lease is over";
                }
                return enter(row, terms, reclaimed);
            });
        }

        private RowHold enter(Row row, Terms terms, String reclaimed) {
            long now = now();
            long token = fault == Fault.TOKEN_STANDS_STILL ? 7 : Math.max(clockMicros(), row.get("token") + 1);
            row.set("held", 1);
            row.set("pid", pid);
            row.set("token", token);
            row.set("takeover", terms.takeover() ? 1 : 0);
            row.set("until", now + terms.leaseNanos() + terms.graceNanos());
            row.set("hand-" + pid, 0);
            boolean bounded = terms.takeover() && fault != Fault.HOLDER_DOES_NOT_KNOW_ITS_LEASE;
            return new RowHold(terms, token, now, bounded ? now + terms.leaseNanos() : Hold.NEVER, reclaimed);
        }

        private static long clockMicros() {
            return Clock.SYSTEM.wallMicros();
        }

        @Override
        public Hold handOver(Hold from, Terms terms) throws IOException {
            return transaction(row -> row.isHeldBy(from) && now() < from.deadline() ? enter(row, terms, null) : null);
        }

        @Override
        public boolean renew(Hold hold, long holdUntilMillis) throws IOException {
            if (fault == Fault.NEVER_RENEWED) {
                return true;
            }
            return transaction(row -> {
                boolean its = row.isHeldBy(hold) && now() < hold.deadline();
                if (its) {
                    long now = now();
                    row.set("until", now + hold.terms().leaseNanos() + hold.terms().graceNanos());
                    ((RowHold) hold).renew(now);
                }
                return its;
            });
        }

        @Override
        public HoldStatus check(Hold hold, boolean deeply) throws IOException {
            return transaction(row -> {
                if (row.get("release") == hold.token()) {
                    row.set("release", 0);
                    return HoldStatus.REQUESTED;
                }
                return row.isHeldBy(hold) ? HoldStatus.INTACT : HoldStatus.LOST;
            });
        }

        @Override
        public void release(Hold hold) {
            try {
                transaction(row -> {
                    if (row.isHeldBy(hold) || fault == Fault.RELEASED_BY_ANYONE) {
                        row.set("held", 0);
                    }
                    return null;
                });
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public void abandon(Hold hold) {
        }

        @Override
        public boolean tidy() {
            return true;
        }

        @Override
        public LockReport inspect() throws IOException {
            return transaction(this::report);
        }

        /** Facts alone: the library puts them into words. */
        private LockReport report(Row row) {
            if (row.get("held") == 0) {
                return new LockReport(name(), null, State.FREE, null, new Facts(ProcessState.UNKNOWN, false, null));
            }
            boolean alive = ProcessHandle.of(row.get("pid")).filter(ProcessHandle::isAlive).isPresent();
            Lease lease = new Lease(null, Duration.ofNanos(row.get("until") - now()), row.get("takeover") == 1, null);
            State state = !alive ? State.STALE : lease.isOver() && lease.takeover() ? State.EXPIRED : State.HELD;
            return new LockReport(name(), null, state, new LockOwner(row.get("pid"), null, null, null, null, null, row.get("token"), null),
                    new Facts(alive ? ProcessState.ALIVE : ProcessState.DEAD, false, null).withLease(lease));
        }

        @Override
        public Cleared clear(boolean takeForeign) {
            return new Cleared(ClearOutcome.KEPT, "it is not cleared here");
        }

        @Override
        public void askForRelease(long token) throws IOException {
            transaction(row -> {
                row.set("release", token);
                return null;
            });
        }

        @Override
        public boolean withdrawAsking(long token) throws IOException {
            return transaction(row -> {
                boolean unheard = row.get("release") == token;
                row.set("release", 0);
                return unheard;
            });
        }

        @Override
        public void setWaiterMark(LockMode mode, boolean waits) {
            try {
                transaction(row -> {
                    row.set("hand-" + pid, now());
                    return null;
                });
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public boolean othersWait(Hold hold, long nanos) {
            try {
                return transaction(row -> row.values.stringPropertyNames().stream()
                        .anyMatch(key -> key.startsWith("hand-") && !key.equals("hand-" + pid) && now() - row.get(key) < nanos));
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public void awaitKernel(int what) {
            throw new AssertionError("nothing was named to wait for");
        }

        @Override
        public void acceptAwaited(int what) {
        }

        @Override
        public void declineAwaited(int what) {
        }

        @Override
        public void declineAllAwaited() {
        }

        @Override
        public String toString() {
            return target.toString();
        }
    }
}
