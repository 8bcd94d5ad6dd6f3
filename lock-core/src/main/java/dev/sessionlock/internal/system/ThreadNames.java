package dev.sessionlock.internal.system;

import org.jspecify.annotations.Nullable;

/**
 * Names of threads, as records and histories have them.
 *
 * <p>A lock that no thread waited for ({@link dev.sessionlock.SessionLocks#acquireAsync}) belongs to no thread, and names none. The thread that asked for it may have
 * ended since, or serve others: its stack would say nothing about the lock.
 */
public final class ThreadNames {
    /** What stands for no thread. Virtual threads mostly have no name, either. */
    public static final String NONE = "";

    private ThreadNames() {
    }

    /** {@return whether a name tells one thread from others; null is an unknown one} */
    public static boolean isNamed(@Nullable String thread) {
        return thread != null && !thread.isEmpty();
    }

    /** {@return the thread in a sentence, such as {@code thread "writer-1"}; null is no thread} */
    public static String inWords(@Nullable String thread) {
        return isNamed(thread) ? "thread \"" + thread + '"' : "no named thread (acquireAsync, or a virtual thread)";
    }
}
