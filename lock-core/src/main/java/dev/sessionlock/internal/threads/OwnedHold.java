package dev.sessionlock.internal.threads;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What the engine has given of one lock and not yet got back. Every method that calls the engine is called under the lock's engine lock.
 *
 * <p>Whatever the engine throws, nothing is lost: {@link #hold} is set by the assignment that makes the call, or by the next one, with no call in between. So if
 * something is thrown later, before the hold has a grant, the keeper finds a hold without a grant and gives it back. Likewise {@link #untidy} is set before the
 * engine is called and cleared after it has tidied up. Keep these idioms: {@code ThrowableTest} and {@code StackOverflowTest} throw at each call.
 */
final class OwnedHold {
    private final EngineLock engine;
    @GuardedBy("LocalLock.engineLock")
    private @Nullable Hold hold;
    /** The engine may have something left to tidy up: a call may have failed half-way. Read by any thread. */
    private volatile boolean untidy;

    OwnedHold(EngineLock engine) {
        this.engine = engine;
    }

    /** {@return what the engine has given; null if nothing} */
    @Nullable Hold hold() {
        return hold;
    }

    /** {@return whether the engine has given a hold} Also asked without the engine lock, where a stale answer does no harm. */
    boolean isPresent() {
        return hold != null;
    }

    /** Any thread: something was begun that the keeper has to finish if it fails. */
    void markUntidy() {
        untidy = true;
    }

    /** Any thread. Returns whether the keeper has something to tidy up. */
    boolean isUntidy() {
        return untidy;
    }

    /** One try. Returns what is in the way; null if there is a hold now. */
    @Nullable Busy take(Terms terms) throws IOException {
        untidy = true; // until it is given back in good order
        AcquireResult result = engine.take(terms);
        if (result instanceof Hold taken) {
            hold = taken;
            return null;
        }
        return (Busy) result;
    }

    /** Turns the hold into one on new terms. Returns false if the engine can't: then it is as it was, and must be given back. */
    boolean handOver(Terms terms) throws IOException {
        Hold passed = engine.handOver(hold, terms);
        if (passed == null) {
            return false;
        }
        hold = passed;
        return true;
    }

    /**
     * Gives the hold back, if there is one. If the engine throws, nothing has changed here, and this can be called again.
     *
     * @param soon whether the engine may do it later: the keeper must not be kept waiting
     */
    void giveBack(boolean soon) {
        Hold given = hold;
        if (given != null) {
            if (soon) {
                engine.releaseSoon(given);
            } else {
                engine.release(given);
            }
            hold = null;
        }
        untidy = true;
    }

    /** Retries what was left half-way. Called when there is no hold. */
    void tidy() {
        untidy = !engine.tidy();
    }
}
