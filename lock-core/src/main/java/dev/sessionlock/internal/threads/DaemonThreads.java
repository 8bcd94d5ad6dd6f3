package dev.sessionlock.internal.threads;

import org.jspecify.annotations.Nullable;

/** The threads of the library. */
final class DaemonThreads {
    private DaemonThreads() {
    }

    /**
     * {@return a daemon thread that keeps nothing of the thread that happens to start it: no class loader, no inherited values, no thread group} A user
     * may interrupt a whole group, and the interrupt of a thread that waits in the kernel drops locks.
     */
    static Thread make(Runnable task, String name) {
        Thread thread = new Thread(Group.OURS, task, name, 0, false);
        thread.setContextClassLoader(null);
        thread.setDaemon(true);
        return thread;
    }

    /** Made at first use. */
    private static final class Group {
        /** Below the root, beside the users' groups; null for the starting thread's, where a security manager forbids it. */
        private static final @Nullable ThreadGroup OURS = find();

        private static @Nullable ThreadGroup find() {
            try {
                ThreadGroup root = Thread.currentThread().getThreadGroup();
                while (root.getParent() != null) {
                    root = root.getParent();
                }
                return new ThreadGroup(root, "sessionlock");
            } catch (SecurityException e) {
                return null;
            }
        }
    }
}
