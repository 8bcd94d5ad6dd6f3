package dev.sessionlock.schedules;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** Which users of a scenario only read, in half of all scenarios. It has random numbers of its own: the other half is as it would be without readers. */
final class Sharing {
    private static final Duration BRIEFLY = Duration.ofMillis(100);
    /** By the scheduler's clock. The keeper finds every loss sooner. */
    private static final long LONGEST_TILL_TOLD_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final Random random;
    /** Whether anybody reads. */
    private final boolean any;
    /** Whether the engine knows of modes. */
    final boolean engineKnows;

    Sharing(long seed) {
        this.random = new Random(~seed);
        this.any = random.nextBoolean();
        this.engineKnows = random.nextBoolean();
    }

    /** {@return what one user asks for} */
    LockOptions of(LockOptions options) {
        if (!any || random.nextInt(3) == 0) {
            return options;
        }
        LockOptions shared = options.withMode(LockMode.SHARED).withTakeover(random.nextInt(10) > 0);
        return random.nextInt(8) == 0 ? shared.withMaxHold(BRIEFLY).withRevokeGrace(random.nextBoolean() ? Duration.ZERO : Duration.ofMillis(20)) : shared;
    }

    /** {@return whether a user stays for longer than it may, and loses the lock alone} */
    static boolean overstays(LockOptions options) {
        return options.maxHold().equals(BRIEFLY);
    }

    /** A user has its lock for as long as it may, and longer. */
    static void overstay(SessionLock lock) {
        for (long end = System.nanoTime() + LONGEST_TILL_TOLD_NANOS; lock.isHeld(); Scenario.sleepFor(10)) {
            if (System.nanoTime() > end) {
                throw new Violation("a lock is held for longer than maxHold");
            }
        }
    }

    /** Whether a user was told that it has lost its lock. */
    static final class Told {
        private boolean told;

        Told(SessionLock lock) {
            lock.onLost(why -> told = true);
        }

        /** Throws if its user has lost it and is not told soon. */
        void require(SessionLock lock) {
            for (long end = System.nanoTime() + LONGEST_TILL_TOLD_NANOS; !lock.isHeld() && !told; Scenario.sleepFor(10)) {
                if (System.nanoTime() > end) {
                    throw new Violation("a user has lost the lock, and is not told");
                }
            }
        }
    }
}
