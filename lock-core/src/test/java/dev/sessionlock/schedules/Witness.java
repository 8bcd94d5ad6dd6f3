package dev.sessionlock.schedules;

import dev.sessionlock.LockMode;
import dev.sessionlock.SessionLock;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Judges one schedule from outside: what its users got, and in what order. Only one schedule runs at a time, and the scheduler orders all that happens in it. */
final class Witness {
    private static @Nullable Violation first;

    private final ScheduledEngine engine;
    private final List<SessionLock> open = new ArrayList<>();
    private long lastToken;

    Witness(ScheduledEngine engine) {
        this.engine = engine;
        first = null;
    }

    /** Something that must not happen has happened, and may have been thrown where it is only logged. */
    static void remember(Violation violation) {
        first = first == null ? violation : first;
    }

    /** Throws what was remembered. */
    static void judge() {
        if (first != null) {
            throw first;
        }
    }

    /** A user has got the lock, and has not yet done anything else. */
    void got(SessionLock mine) {
        long token = mine.token();
        long others = engine.otherToken();
        long before = lastToken;
        if (engine.isDrawnTooLate(token)) {
            throw new Violation("token " + token + " was drawn after another process had taken over with " + others + ", and given to a user");
        }
        for (SessionLock other : List.copyOf(open)) {
            // What is invalid once never becomes valid again. So whoever is valid now was so when the other one was found to be.
            boolean together = other.mode() == LockMode.SHARED && mine.mode() == LockMode.SHARED;
            if (!together && other.isHeld() && mine.isHeld()) {
                throw new Violation("two hold the lock at once, with tokens " + other.token() + " (" + other.mode() + ") and " + token + " (" + mine.mode() + ")");
            }
        }
        boolean old = mine.mode() == LockMode.SHARED ? token < before : token <= before; // readers may have one token
        if (mine.isHeld() && (old || token <= others)) {
            throw new Violation("token " + token + " after " + before + ", and " + others + " of another process");
        }
        lastToken = Math.max(lastToken, token);
        open.add(mine);
    }

    /** A user is about to close it. */
    void leaves(SessionLock mine) {
        open.remove(mine);
    }
}
