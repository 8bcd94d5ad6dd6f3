package dev.sessionlock.internal.system;

/**
 * Makes sure, before anything is begun, that the stack has room for what is about to be called. A {@link StackOverflowError} in the middle of the
 * JDK's {@code tryLock} would leave its table of locks inconsistent. One in {@link java.util.concurrent.locks.ReentrantLock#lock} would leave a lock
 * that nobody gives back. One in the linking of a lambda or in the loading of a class would make that code fail for ever (JLS 12.4.2, JVMS 5.4.3.6).
 * An overflow in here, at the entrance, has changed nothing.
 */
public final class StackRoom {
    /** Some 80 KB interpreted: classes are loaded and lambdas linked at the first calls. */
    private static final int COLD_FRAMES = 800;
    private static final int COLD_CALLS = 200;
    /** Some 40 KB interpreted and 7 KB compiled. The code called may still be interpreted when this is compiled. */
    private static final int WARM_FRAMES = 400;
    private static final int WARM_CALLS = 50_000;
    /** Some 4 KB compiled, as all code is by then, or 20 KB interpreted: twice what an acquisition needs. Costs a tenth of a microsecond. */
    private static final int FRAMES = 200;

    /** Some 2 KB compiled: several times what giving back a lock needs, even if that is interpreted. */
    private static final int LITTLE_FRAMES = 100;

    /** The approximate number of calls: threads may overwrite each other's counts. */
    private static int calls;

    private StackRoom() {
    }

    /** @throws StackOverflowError if there is not enough room */
    public static void require() {
        if (calls < COLD_CALLS) {
            requireWhileCold();
        } else if (calls < WARM_CALLS) {
            require(WARM_FRAMES);
            calls++;
        } else {
            require(FRAMES);
        }
    }

    /**
     * As {@link #require}, for a path in memory alone, which leaves nothing behind: only while its classes may still have to be loaded.
     *
     * @throws StackOverflowError if there is not enough room
     */
    public static void requireWhileCold() {
        if (calls < COLD_CALLS) {
            require(COLD_FRAMES);
            calls++;
        }
    }

    /**
     * As {@link #require}, for a small step that must be undone again: undoing it may take more stack than doing it.
     *
     * @throws StackOverflowError if there is not enough room
     */
    static void requireALittle() {
        require(LITTLE_FRAMES);
    }

    private static void require(int frames) {
        if (depth(frames) != frames) {
            throw new AssertionError("frames were lost");
        }
    }

    private static int depth(int frames) {
        return frames == 0 ? 0 : depth(frames - 1) + 1;
    }
}
