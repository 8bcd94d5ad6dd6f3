package dev.sessionlock;

import java.nio.file.Path;
import java.time.Duration;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Told what happens to the locks of a {@link SessionLocks}, for metrics and alerts. Every method does nothing by default.
 *
 * <p>Calls come on the {@linkplain SessionLocks.Builder#executor executor}, never under a lock of ours and never on the
 * keeper's thread, so a slow listener delays nobody; they come one after the other, from changing threads and a moment late. One that
 * throws is logged and harms nothing. One that is slower than its locks loses events: some 65,000 wait at most, and those of acquisitions and
 * releases are dropped first; {@link LockStats#dropped} counts them. What an executor refuses is offered to it again for five seconds.
 *
 * <pre>{@code
 * SessionLocks locks = SessionLocks.builder().listener(new LockListener() {
 *     @Override public void lost(Event event, LockLostException why) {
 *         alerts.send("lost " + event.name() + ": " + why.reason());
 *     }
 * }).build();
 * }</pre>
 */
public interface LockListener {

    /**
     * What all the calls tell.
     *
     * @param name the lock's name
     * @param lockFile where its record lies; null if the engine has no files
     * @param token the fencing token; 0 where none was drawn
     * @param elapsed see the method
     */
    record Event(@NotNull String name, @Nullable Path lockFile, long token, @NotNull Duration elapsed) {
    }

    /**
     * A handle was given out.
     *
     * @param event {@code elapsed}: how long it was waited for
     */
    default void acquired(@NotNull Event event) {
    }

    /**
     * An acquisition could not be served at once and begins to wait, or gives up if its timeout is zero.
     *
     * @param event {@code elapsed}: zero; no token
     */
    default void contended(@NotNull Event event) {
    }

    /**
     * An acquisition gave up at its timeout, and its caller is thrown the same exception. Not told of {@code tryAcquire}, which does not wait.
     *
     * @param event {@code elapsed}: how long it waited; no token
     * @param why who held the lock then ({@link LockTimeoutException#report()}), and what to do
     */
    default void timedOut(@NotNull Event event, @NotNull LockTimeoutException why) {
    }

    /**
     * A handle that held to the end was closed.
     *
     * @param event {@code elapsed}: how long it was held
     */
    default void released(@NotNull Event event) {
    }

    /**
     * A handle was lost before it was closed.
     *
     * @param event {@code elapsed}: how long it was held
     * @param why the reason, and since when
     */
    default void lost(@NotNull Event event, @NotNull LockLostException why) {
    }

    /**
     * A lock was taken over from an owner that is dead, frozen past its lease, or left a torn record.
     *
     * @param event {@code elapsed}: zero; the token is the new holder's
     * @param evidence why the former owner does not count any more
     */
    default void reclaimed(@NotNull Event event, @NotNull String evidence) {
    }
}
