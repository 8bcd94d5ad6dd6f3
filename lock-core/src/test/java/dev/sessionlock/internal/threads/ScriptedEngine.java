package dev.sessionlock.internal.threads;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One lock in memory whose engine answers as a test wants, by a clock that the test moves: for tests of the threads floor that need no disk and no thread. */
final class ScriptedEngine implements EngineLock, Clock {
    final List<String> calls = new ArrayList<>();
    /** The clock. */
    long now = 1_000_000_000_000L;
    /** What is in the way of a take; null if nothing is. */
    @Nullable Busy busy;
    HoldStatus status = HoldStatus.INTACT;
    boolean renews = true;
    /** Its clock counts the time for which the machine sleeps. */
    boolean mayRenewLate;
    boolean renewsLate = true;
    boolean othersWait;
    boolean handsOver = true;
    boolean reusable = true;
    boolean spinPays;
    /** Whether one more reader may share a hold. */
    boolean mayShare = true;
    final List<PastHold> history = new ArrayList<>();
    boolean keepsHistory;
    /** What happens just after each call. */
    Consumer<String> called = method -> { };
    /** The method that throws once. */
    @Nullable String faultAt;

    private final LockEngine engine = new LockEngine() {
        @Override
        public Clock clock() {
            return ScriptedEngine.this;
        }

        @Override
        public LockNamespace pin(LockId id) {
            return namespace;
        }

        @Override
        public Inspection inspect(LockId id) {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean closeIdle(boolean atOnce) {
            return true;
        }
    };
    private final LockEngine.LockNamespace namespace = name -> this;
    final LocalLocks locks = new LocalLocks(engine, task -> {
        throw new AssertionError("no thread is needed");
    });
    final LocalLock lock = new LocalLock(locks, this, new LocalLocks.LockKey(namespace, "session"));
    final EventPublisher publisher = new EventPublisher(null, null, false, Shutdown.WHILE_HOOKS_WORK);
    private long tokens;

    private final class ScriptedHold extends Hold {
        ScriptedHold(Terms terms) {
            super(terms, ++tokens, now, now + terms.leaseNanos(), null);
        }

        void renew() {
            renewed(now, now + terms().leaseNanos());
            recorded(token());
        }

        void reuse(String thread) {
            reused(terms().shared() ? token() : ++tokens, thread);
        }
    }

    AcquireRequest request(LockOptions options) {
        return new AcquireRequest(publisher, options, "session", null);
    }

    /** One try. Returns null if the lock is taken. */
    @Nullable Handle tryAcquire(LockOptions options) throws IOException {
        return lock.acquirer().tryAcquire(request(options), now);
    }

    private void call(String method) {
        calls.add(method);
        called.accept(method);
        if (method.equals(faultAt)) {
            faultAt = null;
            throw new StackOverflowError(method);
        }
    }

    // ---- the clock ----

    @Override
    public long nanos() {
        return now;
    }

    @Override
    public long wallMicros() {
        return now / 1_000;
    }

    // ---- the engine ----

    @Override
    public String name() {
        return "session";
    }

    @Override
    public @Nullable Path target() {
        if ("target".equals(faultAt)) {
            call("target");
        }
        return null;
    }

    @Override
    public @Nullable Path lockFile() {
        return null;
    }

    @Override
    public AcquireResult take(Terms terms) {
        call("take");
        return busy == null ? new ScriptedHold(terms) : busy;
    }

    @Override
    public @Nullable Hold handOver(Hold from, Terms terms) {
        call("handOver");
        return handsOver ? new ScriptedHold(terms) : null;
    }

    @Override
    public boolean isReusable(Hold hold) {
        return reusable;
    }

    @Override
    public boolean reuse(Hold hold, String thread) {
        call("reuse");
        ((ScriptedHold) hold).reuse(thread);
        return true;
    }

    @Override
    public boolean mayShare(Hold hold) {
        call("mayShare");
        return mayShare;
    }

    @Override
    public boolean keepsHistory() {
        return keepsHistory;
    }

    @Override
    public void note(PastHold ended) {
        history.add(ended);
    }

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) {
        call("renew");
        if (renews) {
            ((ScriptedHold) hold).renew();
        }
        return renews;
    }

    @Override
    public boolean mayRenewLate() {
        return mayRenewLate;
    }

    @Override
    public boolean renewLate(Hold hold, long holdUntilMillis) {
        call("renewLate");
        if (renewsLate) {
            ((ScriptedHold) hold).renew();
        }
        return renewsLate;
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) {
        call("check");
        return status;
    }

    @Override
    public void release(Hold hold) {
        call("release");
    }

    @Override
    public void abandon(Hold hold) {
        call("abandon");
    }

    @Override
    public boolean tidy() {
        call("tidy");
        return true;
    }

    @Override
    public LockReport inspect() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Cleared clear(boolean takeForeign) {
        call("clear");
        return new Cleared(ClearOutcome.NOTHING, "there is nothing");
    }

    @Override
    public void setWaiterMark(LockMode mode, boolean waits) {
        call(waits ? "setWaiterMark" : "setWaiterMark of a single try");
    }

    @Override
    public void declineAllAwaited() {
        call("declineAllAwaited");
    }

    @Override
    public boolean othersWait(Hold hold, long nanos) {
        return othersWait;
    }

    @Override
    public boolean spin(Busy found, long nanos) {
        call("spin");
        return spinPays;
    }

    @Override
    public String toString() {
        return "session";
    }
}
