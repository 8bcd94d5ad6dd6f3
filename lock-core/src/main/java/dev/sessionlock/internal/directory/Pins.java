package dev.sessionlock.internal.directory;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * How often an open directory is pinned: it is not closed meanwhile.
 *
 * <p>From 0, to 0, and to "closing", the count goes under the lock of {@link OpenDirectories} alone: these changes decide whether the directory may be closed. A
 * directory that is pinned already is pinned once more, and unpinned but for the last pin, by one atomic step without that lock: nothing depends on whether the
 * count is 1 or 2. So an acquisition of a known lock, which is pinned for as long as it is known, does not take the lock of all directories.
 */
final class Pins {
    private static final int CLOSING = -1;

    private final AtomicInteger count = new AtomicInteger();

    // ---- without a lock ----

    /** Adds a pin if there is one already. Returns whether there was. */
    boolean addIfPinned() {
        int now = count.get();
        while (now > 0) {
            if (count.compareAndSet(now, now + 1)) {
                return true;
            }
            now = count.get();
        }
        return false;
    }

    /** Removes a pin if it isn't the last one. Returns whether it was removed. */
    boolean removeUnlessLast() {
        int now = count.get();
        while (now > 1) {
            if (count.compareAndSet(now, now - 1)) {
                return true;
            }
            now = count.get();
        }
        return false;
    }

    // ---- under the lock of OpenDirectories ----

    /** Adds a pin, to one that is not closing. Returns how many there are now. */
    int add() {
        return count.incrementAndGet();
    }

    /** Removes a pin. Returns how many there are now. */
    int remove() {
        return count.decrementAndGet();
    }

    boolean isPinned() {
        return count.get() > 0;
    }

    /** Only while there is no pin. */
    void setClosing(boolean closing) {
        count.set(closing ? CLOSING : 0);
    }

    /** {@return whether the directory is closed, or about to be, or an error broke its closing off} */
    boolean isClosing() {
        return count.get() < 0;
    }
}
