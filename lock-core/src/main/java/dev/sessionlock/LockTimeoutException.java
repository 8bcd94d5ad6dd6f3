package dev.sessionlock;

import java.time.Duration;
import java.util.Objects;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * The lock was not to be had in time. Nothing of the attempt is left behind. The first line of the message is greppable by those
 * who know OpenClaw's own:
 *
 * <pre>
 * session file locked (timeout 10000ms): pid=30522 alive=true ageMs=127000 sessions/session.jsonl.lock
 *   held by   pid 30522 on moss, process started 14:02:11, thread "compactor-1", purpose "pre-compaction flush", since 14:19:03 (2 min 7 s)
 *   lease     renewed 3 s ago; if the process freezes it runs out in 27 s; it ends at the latest at 14:24:03 (maxHold)
 *   to free   java -jar sessionlock.jar clear --token 1770617943000001 --yes sessions/session.jsonl
 * </pre>
 */
public final class LockTimeoutException extends LockException {
    private static final long serialVersionUID = 1L;

    /** Who held it when the time was over; not serialized. */
    private final transient @Nullable LockReport report;
    /** How long was waited. */
    private final Duration waited;

    /**
     * @param message the text above
     * @param report what was found when the time was over
     * @param waited how long was waited
     * @param cause what kept the engine from trying, if it could not; else null
     */
    public LockTimeoutException(
            @NotNull String message, @NotNull LockReport report, @NotNull Duration waited, @Nullable Throwable cause) {
        super(message, cause, true);
        this.report = Objects.requireNonNull(report, "report");
        this.waited = Objects.requireNonNull(waited, "waited");
    }

    /** {@return who held the lock when the time was over; null only in an exception that was serialized} */
    public @Nullable LockReport report() {
        return report;
    }

    /** {@return how long was waited} */
    public @NotNull Duration waited() {
        return waited;
    }
}
