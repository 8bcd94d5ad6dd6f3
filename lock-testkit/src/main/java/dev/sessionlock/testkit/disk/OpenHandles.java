package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The handles that this JVM has open, by file. On the real system, closing any channel of a file drops all locks of the process on it. So a channel stays open until
 * no other handle has a lock.
 */
final class OpenHandles {
    /** What a handle does with its file, and may allow others to do. */
    enum Access {
        READ, WRITE, DELETE;

        /** {@return whether an option of {@code com.sun.nio.file.ExtendedOpenOption} forbids it to others} */
        boolean isForbiddenBy(Set<? extends OpenOption> options) {
            return options.stream().anyMatch(option -> option.toString().equals("NOSHARE_" + name()));
        }
    }

    /** What is open of one file. */
    private static final class OfOneFile {
        private final List<HandleChannel> handles = new ArrayList<>();
        private final List<FileChannel> parked = new ArrayList<>();
    }

    // guarded by this
    private final Map<Object, OfOneFile> files = new HashMap<>();

    /** {@return whether a file may be opened beside the handles on it} */
    synchronized boolean mayOpen(Object file, Set<Access> wanted, Set<Access> forbidden) {
        OfOneFile open = files.get(file);
        return open == null || open.handles.stream().noneMatch(other -> wanted.stream().anyMatch(other.forbidden()::contains)
                || forbidden.stream().anyMatch(other.wanted()::contains));
    }

    synchronized void opened(HandleChannel handle) {
        files.computeIfAbsent(handle.file(), file -> new OfOneFile()).handles.add(handle);
    }

    synchronized boolean isOpen(Object file) {
        OfOneFile open = files.get(file);
        return open != null && !open.handles.isEmpty();
    }

    /** {@return whether another handle has locked a byte of a range; for reading, only an exclusive lock counts} */
    synchronized boolean isLockedByAnother(HandleChannel asking, long position, long size, boolean reading) {
        OfOneFile open = files.get(asking.file());
        return open != null && open.handles.stream().anyMatch(other -> other != asking && other.hasLock(position, size, reading));
    }

    /** A handle has given its locks back, and is closed. */
    synchronized void closed(HandleChannel handle, FileChannel real) throws IOException {
        OfOneFile open = files.get(handle.file());
        if (open == null || !open.handles.remove(handle)) {
            real.close();
            return;
        }
        open.parked.add(real);
        if (open.handles.stream().noneMatch(HandleChannel::hasLocks)) {
            for (FileChannel parked : open.parked) {
                parked.close();
            }
            open.parked.clear();
            if (open.handles.isEmpty()) {
                files.remove(handle.file());
            }
        }
    }
}
