package dev.sessionlock.schedules;

import java.util.ArrayList;
import java.util.List;

/** The threads that the library has started. */
final class LibraryThreads {
    private LibraryThreads() {
    }

    /** {@return the names of those that run} */
    static List<String> now() {
        ThreadGroup root = Thread.currentThread().getThreadGroup();
        while (root.getParent() != null) {
            root = root.getParent();
        }
        ThreadGroup[] groups = new ThreadGroup[16];
        List<String> threads = new ArrayList<>();
        for (int i = root.enumerate(groups) - 1; i >= 0; i--) {
            if (groups[i].getName().equals("sessionlock")) {
                Thread[] ours = new Thread[groups[i].activeCount() + 4];
                for (int j = groups[i].enumerate(ours) - 1; j >= 0; j--) {
                    threads.add(ours[j].getName());
                }
            }
        }
        return threads;
    }
}
