package dev.sessionlock.internal.system;

/**
 * Where a stack is nearly used up, fails before anything has been begun. A {@code StackOverflowError} in the middle is worse: one that a
 * {@code ReentrantLock} throws on its way out leaves it locked for ever, and one in a {@code finally} leaves undone what it was to do.
 */
public final class StackRoom {
    /** Frames of the interpreter take some 100 bytes, those of compiled code half of it. */
    private static final int FRAMES = 256;

    private StackRoom() {
    }

    /**
     * Makes sure that there is room for what is about to be begun.
     *
     * @throws StackOverflowError if there is not
     */
    public static void require() {
        descend(FRAMES);
    }

    /** {@return a number, so that no compiler leaves the descent out} */
    private static int descend(int frames) {
        return frames == 0 ? 0 : descend(frames - 1) + 1;
    }
}
