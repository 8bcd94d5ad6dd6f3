package dev.sessionlock.schedules;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One lock in memory, under the scheduler: its engine fails where the plan says so, and another process takes the lock, too. A thread switch is possible where the
 * code {@linkplain #pass() passes}, and nowhere else, so the fields are plain ones. What the library must never do with an engine is a {@link Violation}.
 */
final class ScheduledEngine implements LockEngine, EngineLock, Clock {
    private static final int KERNEL_BYTE = 0;

    /** The kernel byte that a thread of this JVM waits for, or has got and not yet used. */
    private enum Byte { NONE, WAITED_FOR, ACQUIRED, ACCEPTED }

    /** Where an engine throws. */
    enum Moment { BEFORE, AFTER }

    /** Something that happens at the beginning of the next call of a method. */
    record Event(String method, Runnable action) {
    }

    /** One call that throws: the {@code count}th of a method, 1 or more. */
    record Fault(String method, int count, Moment moment, Throwable thrown) {
    }

    private final LockNamespace namespace = new Place();
    private final List<Fault> faults;
    private final Set<HoldStatus> statuses;
    private final boolean handsOver;
    /** Whether readers that use a hold again keep its token, as an engine does that knows of modes. */
    private final boolean knowsModes;
    private final Map<String, Integer> calls = new HashMap<>();

    /** What this JVM has got and not given back; null if nothing. */
    private @Nullable ScheduledHold out;
    /** A take that threw after it had taken: it is ours, and nobody here knows it. */
    private boolean halfTaken;
    private Byte kernelByte = Byte.NONE;
    private long lastToken;
    private long slept;
    private final AtomicInteger moments = new AtomicInteger();
    /** Who is in calls that exclude each other. */
    private final List<String> callers = new ArrayList<>();

    /** Another process has the lock; null if not. */
    private @Nullable CountDownLatch otherHolds;
    private long otherToken;
    private boolean otherWaits;
    /** What has still to happen at the beginning of a call. */
    private final List<Event> events = new ArrayList<>();
    private final List<Event> happened = new ArrayList<>();

    /**
     * @param faults which calls throw
     * @param statuses what the checks report, each once
     * @param handsOver whether a hold can be handed over within this JVM
     * @param knowsModes whether it knows of shared locks
     */
    ScheduledEngine(List<Fault> faults, Set<HoldStatus> statuses, boolean handsOver, boolean knowsModes) {
        this.knowsModes = knowsModes;
        this.faults = faults;
        this.statuses = new LinkedHashSet<>(statuses);
        this.handsOver = handsOver;
    }

    /** One object, so that all who ask meet in one lock. */
    private final class Place implements LockNamespace {
        @Override
        public EngineLock lock(String name) {
            return ScheduledEngine.this;
        }

        @Override
        public boolean equals(Object other) {
            return this == other;
        }

        /** The same in each run: how a hash table is walked through depends on it, step by step. */
        @Override
        public int hashCode() {
            return 1;
        }
    }

    private final class ScheduledHold extends Hold {
        /** Its lease ran out, and another process has had the lock since. */
        boolean takenOver;
        /** The tokens drawn for it after that. */
        final Set<Long> late = new HashSet<>();

        ScheduledHold(Terms terms) {
            super(terms, ++lastToken, nanos(), nanos() + terms.leaseNanos(), null);
        }

        void renew() {
            recorded(token());
            renewed(nanos(), nanos() + terms().leaseNanos());
        }

        void reuse(String thread) {
            long token = knowsModes && terms().shared() ? token() : ++lastToken;
            if (takenOver) {
                late.add(token);
            }
            reused(token, thread);
        }
    }

    // ---- the scheduler ----

    /** Here another thread may go on. A yield would not do: some schedulers let a thread that yields go on at once. */
    void pass() {
        moments.incrementAndGet();
    }

    /** What an engine does when it is called. */
    private interface Call<T> {
        T run() throws IOException;
    }

    /** A call that excludes all others. */
    private <T> T alone(String method, Call<T> call) throws IOException {
        callers.add(method + " by " + Thread.currentThread().getName());
        try {
            pass();
            if (callers.size() != 1) {
                throw new Violation("the engine is called by several threads at once: " + callers);
            }
            return mayFail(method, call);
        } finally {
            callers.remove(method + " by " + Thread.currentThread().getName());
        }
    }

    /** As {@link #alone}, of a method that throws no exception of the engine. */
    private void aloneQuietly(String method, Runnable call) {
        try {
            alone(method, () -> {
                call.run();
                return true;
            });
        } catch (IOException e) {
            throw new Violation("the plan has " + method + " throw what it may not", e);
        }
    }

    private <T> T mayFail(String method, Call<T> call) throws IOException {
        playIfDue(method);
        int count = calls.merge(method, 1, Integer::sum);
        failIfDue(method, count, Moment.BEFORE);
        T result = call.run();
        pass();
        failIfDue(method, count, Moment.AFTER);
        return result;
    }

    private void playIfDue(String method) {
        for (Event event : List.copyOf(events)) {
            if (event.method().equals(method)) {
                play(event);
            }
        }
    }

    private void failIfDue(String method, int count, Moment moment) throws IOException {
        for (Fault fault : faults) {
            if (fault.method().equals(method) && fault.moment() == moment && fault.count() == count) {
                ScheduledEngine.<RuntimeException>raise(fault.thrown());
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static <X extends Throwable> void raise(Throwable thrown) throws X {
        throw (X) thrown;
    }

    // ---- for the scenario ----

    /** {@return whether nothing of the lock is in this JVM's hands} */
    boolean hasAllBack() {
        return out == null && !halfTaken && kernelByte == Byte.NONE;
    }

    /** {@return what this JVM has, in words} */
    String whatIsOut() {
        return out != null ? "a hold with token " + out.token() : halfTaken ? "a hold whose take threw" : "a kernel byte, " + kernelByte;
    }

    /** {@return the token of the other process's last hold} */
    long otherToken() {
        return otherToken;
    }

    /** {@return whether a token was drawn after another process had taken over: a late write with it would pass the fence} */
    boolean isDrawnTooLate(long token) {
        return out != null && out.late.contains(token);
    }

    /** The other process tries. Returns whether it has the lock now. */
    boolean otherTakes(boolean waits) {
        CountDownLatch held = new CountDownLatch(1); // before it looks: the scheduler may switch threads there
        boolean free = out == null && !halfTaken && (kernelByte == Byte.NONE || kernelByte == Byte.WAITED_FOR) && otherHolds == null;
        otherWaits = waits && !free;
        if (free) {
            otherHolds = held;
            otherToken = ++lastToken;
        }
        return free;
    }

    void otherReleases() {
        CountDownLatch held = otherHolds;
        otherHolds = null;
        otherWaits = false;
        if (held != null) {
            held.countDown();
        }
    }

    /** This process is stopped for an hour. Returns whether another process has taken over meanwhile. */
    boolean freeze() {
        CountDownLatch held = new CountDownLatch(1); // as above
        slept += TimeUnit.HOURS.toNanos(1);
        ScheduledHold frozen = out; // read once: about once in a thousand schedules Fray lets a worker go on, here of all places
        boolean takesOver = frozen != null && !frozen.takenOver && otherHolds == null;
        if (takesOver) {
            frozen.takenOver = true;
            otherHolds = held;
            otherToken = ++lastToken;
        }
        return takesOver;
    }

    /** Has something happen at the beginning of a call. */
    void plan(Event event) {
        events.add(event);
    }

    /** Has it happen now, unless it has happened. */
    void play(Event event) {
        if (events.remove(event)) {
            event.action().run();
            happened.add(event);
        }
    }

    /** {@return whether it has happened, and is over} */
    boolean hasHappened(Event event) {
        return happened.contains(event);
    }

    /** {@return whether it has still to happen} */
    boolean isPlanned(Event event) {
        return events.contains(event);
    }

    // ---- the clock: the scheduler's, which goes on from step to step, and the time for which the process was stopped ----

    @Override
    public long nanos() {
        return System.nanoTime() + slept;
    }

    @Override
    public long wallMicros() {
        return nanos() / 1_000;
    }

    // ---- the engine ----

    @Override
    public Clock clock() {
        return this;
    }

    @Override
    public boolean outliveTheProcess() {
        return false;
    }

    @Override
    public LockNamespace pin(LockId id) {
        return namespace;
    }

    @Override
    public String name() {
        return "session";
    }

    @Override
    public @Nullable Path target() {
        return null;
    }

    @Override
    public @Nullable Path lockFile() {
        return null;
    }

    @Override
    public AcquireResult take(Terms terms) throws IOException {
        AcquireResult result = alone("take", () -> {
            if (out != null) {
                throw new Violation("a take while the token " + out.token() + " is out");
            } else if (otherHolds != null || kernelByte == Byte.ACQUIRED) {
                return new Busy(KERNEL_BYTE, Long.MAX_VALUE, "another process holds it");
            }
            kernelByte = kernelByte == Byte.ACCEPTED ? Byte.NONE : kernelByte;
            halfTaken = true; // a take that throws from here on leaves it so; the next one goes on with it
            return new ScheduledHold(terms);
        });
        if (result instanceof ScheduledHold taken) {
            halfTaken = false;
            out = taken;
        }
        return result;
    }

    @Override
    public @Nullable Hold handOver(Hold from, Terms terms) throws IOException {
        return alone("handOver", () -> {
            if (from.terms().mode() != terms.mode()) {
                throw new Violation("a hold of mode " + from.terms().mode() + " is handed over for " + terms.mode());
            } else if (!isOut(from, "handed over") || !handsOver || out.takenOver || nanos() >= out.deadline()) {
                return null;
            }
            out = new ScheduledHold(terms);
            return out;
        });
    }

    /** {@return whether it is out} If not, its release must have thrown. */
    private boolean isOut(Hold hold, String what) {
        if (hold != out && faults.stream().noneMatch(fault -> fault.method().equals("release"))) {
            throw new Violation("a hold that is not out is " + what + ": " + hold.token());
        }
        return hold == out;
    }

    @Override
    public boolean isReusable(Hold hold) {
        return true;
    }

    @Override
    public boolean reuse(Hold hold, String thread) {
        pass();
        playIfDue("reuse");
        if (!isOut(hold, "used again")) {
            return false;
        }
        out.reuse(thread);
        pass();
        return true;
    }

    @Override
    public boolean mayShare(Hold hold) {
        pass();
        playIfDue("mayShare");
        if (!hold.terms().shared()) {
            throw new Violation("a hold that is not shared gets one more user");
        }
        return isOut(hold, "shared") && !otherWaits;
    }

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) throws IOException {
        return alone("renew", () -> {
            boolean inTime = isOut(hold, "renewed") && !out.takenOver && nanos() < out.deadline();
            if (inTime) {
                out.renew();
            }
            return inTime;
        });
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) throws IOException {
        return alone("check", () -> {
            if (!isOut(hold, "checked")) {
                return HoldStatus.LOST;
            }
            HoldStatus next = statuses.isEmpty() ? HoldStatus.INTACT : statuses.iterator().next();
            statuses.remove(next);
            return next;
        });
    }

    @Override
    public void release(Hold hold) {
        aloneQuietly("release", () -> out = hold == out ? null : out);
    }

    @Override
    public boolean tidy() {
        aloneQuietly("tidy", () -> halfTaken = false);
        return true;
    }

    @Override
    public LockReport inspect() {
        return new LockReport(name(), null, State.FREE, null, new Facts(ProcessState.UNKNOWN, false, null));
    }

    // ---- other processes ----

    @Override
    public boolean othersWait(Hold hold, long nanos) {
        return otherWaits;
    }

    @Override
    public void setWaiterMark(LockMode mode, boolean waits) {
        aloneQuietly("setWaiterMark", () -> { });
    }

    @Override
    public void awaitKernel(int what) throws IOException {
        kernelByte = kernelByte == Byte.NONE ? Byte.WAITED_FOR : kernelByte;
        mayFail("awaitKernel", () -> {
            for (CountDownLatch held = otherHolds; held != null; held = otherHolds) {
                awaitUninterrupted(held);
            }
            kernelByte = Byte.ACQUIRED;
            return true;
        });
    }

    private static void awaitUninterrupted(CountDownLatch held) {
        try {
            held.await();
        } catch (InterruptedException e) {
            throw new Violation("somebody interrupts a thread that waits in the kernel", e);
        }
    }

    @Override
    public void acceptAwaited(int what) {
        aloneQuietly("acceptAwaited", () -> kernelByte = Byte.ACCEPTED);
    }

    @Override
    public void declineAwaited(int what) {
        aloneQuietly("declineAwaited", () -> kernelByte = Byte.NONE);
    }

    @Override
    public void declineAllAwaited() {
        aloneQuietly("declineAllAwaited", () -> kernelByte = kernelByte == Byte.ACCEPTED ? Byte.NONE : kernelByte);
    }

    @Override
    public boolean closeIdle(boolean atOnce) {
        return true;
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    /** As that of {@link Place}. */
    @Override
    public int hashCode() {
        return 2;
    }

    @Override
    public String toString() {
        return "session";
    }
}
