package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.threads.Grant.State;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.LockEngine;
import dev.sessionlock.spi.Terms;
import java.lang.ref.ReferenceQueue;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The life of a grant, in memory: no disk, no thread. */
class GrantTest {
    private static final long LEASE = TimeUnit.SECONDS.toNanos(10);
    private static final LockOptions OPTIONS = LockOptions.defaults().withLinger(Duration.ofSeconds(1)).withMaxHold(Duration.ofSeconds(5));

    private final ReferenceQueue<Handle> forgotten = new ReferenceQueue<>();
    private long now = 1_000;
    private final Clock clock = new Clock() {
        @Override
        public long nanos() {
            return now;
        }

        @Override
        public long wallMicros() {
            return now / 1_000;
        }
    };
    private final EngineLock engine = answering(EngineLock.class, Map.of("isReusable", true, "reuse", true, "toString", "the lock"));
    private final LocalLocks locks = new LocalLocks(answering(LockEngine.class, Map.of("clock", clock)), task -> {
        throw new AssertionError("no thread is needed");
    });
    private final LocalLock lock = new LocalLock(locks, engine, new LocalLocks.LockKey(answering(LockEngine.LockNamespace.class, Map.of()), "session.jsonl"));
    private final AcquireRequest request = new AcquireRequest(new EventPublisher(null, null, false, 0), OPTIONS, "session.jsonl", null);
    private final Grant grant = new Grant(lock, new Given(), request, Thread.currentThread(), 0);
    private final Handle handle = new Handle(grant, forgotten, null);

    private final class Given extends Hold {
        Given() {
            super(new Terms(LEASE, true, 5_000, "thread", null, false), 1, now, now + LEASE, null);
        }
    }

    private static <T> T answering(Class<T> type, Map<String, Object> answers) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, args) -> answers.get(method.getName())));
    }

    private static LockLostException lost(Reason reason) {
        return new LockLostException(reason, Instant.EPOCH, "lost");
    }

    private void linger() {
        assertThat(grant.remove(handle.ref())).isTrue();
        grant.linger(false);
    }

    // ---- its states ----

    @Test
    void isHeldAtFirst() {
        assertThat(grant.state()).isEqualTo(State.HELD);
        assertThat(grant.isLive()).isTrue();
        assertThat(grant.hasUser()).isTrue();
        assertThat(grant.isValid(now)).isTrue();
    }

    @Test
    void lingersAndIsReusedByTheNextUser() {
        linger();
        assertThat(grant.state()).isEqualTo(State.LINGERING);
        assertThat(grant.isLive()).isTrue();
        assertThat(grant.hasUser()).isFalse();
        assertThat(grant.owner()).isNull();
        assertThat(grant.reuse(Thread.currentThread(), forgotten)).isNotNull();
        assertThat(grant.state()).isEqualTo(State.HELD);
        assertThat(grant.owner()).isSameAs(Thread.currentThread());
    }

    @Test
    void isRevokedOnceWhenItsUserLosesIt() {
        LockLostException first = lost(Reason.MAX_HOLD);
        assertThat(grant.lose(first)).isTrue();
        assertThat(grant.lose(lost(Reason.LEAKED))).isFalse();
        assertThat(grant.lost()).isSameAs(first);
        assertThat(grant.revokedAt()).isEqualTo(now);
        assertThat(grant.state()).isEqualTo(State.REVOKED);
        assertThat(grant.isLive()).as("it has its grace").isTrue();
        assertThat(grant.hasUser()).isTrue();
        assertThat(grant.isValid(now)).isFalse();
        assertThat(grant.isReusable()).isFalse();
    }

    /** Nobody is told, and the next who asks gives it back. */
    @Test
    void goesOnLingeringIfItIsLostThoughNobodyCanReuseIt() {
        linger();
        assertThat(grant.lose(lost(Reason.LEASE_EXPIRED))).isTrue();
        assertThat(grant.state()).isEqualTo(State.LINGERING);
        assertThat(grant.reuse(Thread.currentThread(), forgotten)).isNull();
        assertThat(grant.state()).isEqualTo(State.LINGERING);
    }

    @Test
    void endsFromWhateverStateItIsInAndCanBeginToEndAgain() {
        grant.lose(lost(Reason.MAX_HOLD));
        assertThat(grant.beginEnding()).isTrue();
        assertThat(grant.beginEnding()).as("giving it back had failed").isTrue();
        assertThat(grant.isLive()).isFalse();
        grant.ended();
        assertThat(grant.state()).isEqualTo(State.ENDED);
        assertThat(grant.beginEnding()).isFalse();
        assertThat(grant.abandon()).isFalse();
        assertThat(grant.state()).isEqualTo(State.ENDED);
    }

    @Test
    void whatEndsStaysSoThoughItIsLostMeanwhile() {
        grant.beginEnding();
        grant.lose(lost(Reason.LEASE_EXPIRED));
        assertThat(grant.state()).isEqualTo(State.ENDING);
        assertThat(grant.abandon()).isFalse();
    }

    @Test
    void whatIsAbandonedNeverEndsAndIsLost() {
        assertThat(grant.abandon()).isTrue();
        assertThat(grant.lose(lost(Reason.SHUTDOWN))).isTrue();
        assertThat(grant.state()).isEqualTo(State.ABANDONED);
        assertThat(grant.beginEnding()).isFalse();
        assertThat(grant.isLive()).isFalse();
    }

    // ---- its bounds ----

    @Test
    void isValidUntilMaxHoldUnlessItsUserMakesProgress() {
        long start = now;
        now = start + TimeUnit.SECONDS.toNanos(5) - 1;
        assertThat(grant.isValid(now)).isTrue();
        assertThat(grant.holdLeft(now)).isEqualTo(1);
        assertThat(grant.isValid(now + 1)).isFalse();
        assertThat(grant.expiry(now + 1)).isEqualTo(Reason.MAX_HOLD);
        grant.progressed(start, now);
        assertThat(grant.holdLeft(now)).isEqualTo(TimeUnit.SECONDS.toNanos(5));
        assertThat(grant.isValid(start + LEASE)).isFalse();
        assertThat(grant.expiry(start + LEASE)).isEqualTo(Reason.LEASE_EXPIRED);
    }

    /** It was closed and taken again between the look and the progress. */
    @Test
    void progressOfTheLastUserIsNotTheNextOnes() {
        long last = grant.progressAt();
        linger();
        now += 100;
        grant.reuse(Thread.currentThread(), forgotten);
        grant.progressed(last, now + 50);
        assertThat(grant.progressAt()).isEqualTo(now);
    }

    @Test
    void maxHoldDoesNotRunWhileNobodyHasIt() {
        linger();
        now += TimeUnit.SECONDS.toNanos(9);
        assertThat(grant.isValid(now)).isTrue();
        grant.reuse(Thread.currentThread(), forgotten);
        assertThat(grant.holdLeft(now)).isEqualTo(TimeUnit.SECONDS.toNanos(5));
    }

    @Test
    void isNotReusedOnceItsLeaseIsOver() {
        linger();
        now += LEASE;
        assertThat(grant.reuse(Thread.currentThread(), forgotten)).isNull();
        assertThat(grant.state()).isEqualTo(State.LINGERING);
    }

    @Test
    void hasLingeredForLongEnoughAfterItsLinger() {
        linger();
        assertThat(grant.hasLingered(now)).isFalse();
        now += TimeUnit.SECONDS.toNanos(1);
        assertThat(grant.hasLingered(now)).isTrue();
        grant.reuse(Thread.currentThread(), forgotten);
        assertThat(grant.hasLingered(now)).isFalse();
    }
}
