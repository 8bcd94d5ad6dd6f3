package dev.sessionlock;

import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The lock was not acquired in time: somebody else held it for the whole {@linkplain LockOptions#timeout() timeout}. The attempt leaves nothing behind. You may try
 * again. Log the whole message: it says who holds the lock, and its last line says how to free it. The first line of the message has the form of OpenClaw's own message, so the
 * same {@code grep} finds both:
 *
 * <pre>
 * session file locked (timeout 10000ms): pid=30522 alive=true ageMs=127000 sessions/session.jsonl.lock
 *   held by   pid 30522 on moss, process started 14:02:11, thread "compactor-1", purpose "pre-compaction flush", since 14:19:03 (2 min 7 s)
 *   state     HELD: another process holds it
 *   evidence  pid 30522 runs (state S, waiting for something), and started when the holder did: alive
 *   evidence  the kernel lock is held by pid 30522
 *   lease     renewed 3 s ago; if the process freezes it runs out in 27 s; it ends at the latest at 14:24:03 (maxHold)
 *   to free   java -jar sessionlock.jar clear --token 1770617943000001 --yes sessions/session.jsonl
 * </pre>
 */
public final class LockTimeoutException extends LockException {
    private static final long serialVersionUID = 1L;

    /** Who held the lock at the timeout; not serialized. */
    private final transient @Nullable LockReport report;
    /** How long the caller waited. */
    private final Duration waited;

    /**
     * @param message the text above
     * @param report what is known about the lock at the timeout
     * @param waited how long the caller waited
     * @param cause why the engine could not try, if it could not; otherwise null
     */
    public LockTimeoutException(
            String message, LockReport report, Duration waited, @Nullable Throwable cause) {
        super(message, cause, true);
        this.report = Objects.requireNonNull(report, "report");
        this.waited = Objects.requireNonNull(waited, "waited");
    }

    /** {@return who held the lock at the timeout; null only in an exception that was serialized} */
    public @Nullable LockReport report() {
        return report;
    }

    /** {@return how long the caller waited} */
    public Duration waited() {
        return waited;
    }
}
