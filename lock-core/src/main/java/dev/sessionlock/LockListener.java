package dev.sessionlock;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Hears what happens to the locks of a {@link SessionLocks}, for metrics and alerts. Every method does nothing by default.
 *
 * <p><b>Threads.</b> The calls come on the {@linkplain SessionLocks.Builder#executor executor}. They never come under a lock of the library, and never on the
 * thread that renews the leases, so a slow listener delays nobody. They come one after the other, from changing threads and a moment late.
 *
 * <p><b>Failures.</b> If a listener throws, the library logs that, and nothing else happens. If it is slower than its locks, it loses events. At most some
 * 65,000 events wait. The library drops acquisitions and releases first. {@link LockStats#dropped} counts all lost events. If the executor refuses a call, the
 * library offers it again for five seconds.
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
     * What every call has.
     *
     * @param name the lock's name
     * @param lockFile the path of its record; null if the engine has no files
     * @param token the fencing token; 0 if there is none
     * @param elapsed a duration; each method says which
     */
    record Event(String name, @Nullable Path lockFile, long token, Duration elapsed) {
    }

    /**
     * A handle was given out.
     *
     * @param event {@code elapsed}: how long the acquisition waited
     */
    default void acquired(Event event) {
    }

    /**
     * An acquisition did not get the lock at once. It begins to wait, or gives up if its timeout is zero.
     *
     * @param event {@code elapsed}: zero; no token
     */
    default void contended(Event event) {
    }

    /**
     * An acquisition gave up at its timeout. Its caller gets the same exception. There is no such call for {@code tryAcquire}, which does not wait.
     *
     * @param event {@code elapsed}: how long it waited; no token
     * @param why who held the lock at that time ({@link LockTimeoutException#report()}), and what to do
     */
    default void timedOut(Event event, LockTimeoutException why) {
    }

    /**
     * A handle was closed, and was not lost before.
     *
     * @param event {@code elapsed}: how long it was held
     */
    default void released(Event event) {
    }

    /**
     * A handle was lost before it was closed.
     *
     * @param event {@code elapsed}: how long it was held
     * @param why the reason, and since when
     */
    default void lost(Event event, LockLostException why) {
    }

    /**
     * A lock was taken over. Its former owner is dead, is frozen past its lease, or left a torn record.
     *
     * @param event {@code elapsed}: zero; the token is the new holder's
     * @param evidence why the former owner no longer counts
     */
    default void reclaimed(Event event, String evidence) {
    }
}
