package dev.sessionlock.internal.threads;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockReentryException;
import dev.sessionlock.internal.system.WallClock;

/** A thread asks for a lock that it has. */
final class Reentry {

    private Reentry() {
    }

    /**
     * Under the state lock. Makes a further handle of what the thread has, if it may have two. There is no upgrade: two readers that waited for each other to
     * leave would wait for ever.
     *
     * @param mine what it has, which is valid
     * @throws LockReentryException if it may not
     */
    static Handle again(Grant mine, AcquireRequest request) throws LockReentryException {
        if (mine.options().mode() == LockMode.SHARED && request.options().mode() == LockMode.EXCLUSIVE) {
            throw new LockReentryException("this thread holds " + request.shown() + " in shared mode, since " + sinceWhen(mine) + ", and asks for it exclusively: "
                    + "there is no upgrade. Close the shared lock, then acquire exclusively, then read again, since another writer may have come between");
        } else if (!request.options().reentrant()) {
            throw new LockReentryException("this thread holds " + request.shown() + " already, since " + sinceWhen(mine)
                    + ": waiting for itself would never end. Close the outer handle first, or ask with withReentrant(true)");
        }
        Handle handle = new Handle(mine, mine.lock().locks().forgotten(), request.acquiredHere());
        request.publisher().acquiredAgain();
        return handle;
    }

    private static String sinceWhen(Grant mine) {
        return WallClock.iso(mine.acquiredAt()) + (mine.options().purpose() == null ? "" : " (" + mine.options().purpose() + ")");
    }
}
