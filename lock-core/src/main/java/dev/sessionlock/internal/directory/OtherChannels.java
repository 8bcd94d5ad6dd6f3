package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Channels that carry a byte and are not those that are open as {@link GuardFiles}. Either such a channel was closed under us, or a thread has waited on it, where
 * the system wants a channel of its own for that ({@link SystemFiles#channelToWaitOn}).
 */
final class OtherChannels {
    private final SystemFiles system;
    private final Mutex lock = new Mutex();
    /** Which file each is open on. Kept while a lock of it is reachable. */
    private final Map<Channel, Object> files = new WeakHashMap<>();
    /** Those on which a thread waits, or has waited for a byte that is still ours. Always empty on POSIX. */
    private final Set<Channel> waitedOn = ConcurrentHashMap.newKeySet();

    OtherChannels() {
        this(SystemFiles.OF_THIS_PROCESS);
    }

    /** @param system what says on which channel a thread waits */
    OtherChannels(SystemFiles system) {
        this.system = system;
    }

    /**
     * {@return the channel on which a thread waits for a byte of a guard file}
     *
     * @param open the guard file's own channel, which may be the one
     * @param key which file that is
     * @throws NoSuchFileException if another file is there by now
     */
    FileChannel toWaitOn(FileChannel open, Path file, @Nullable Object key) throws IOException {
        FileChannel its = system.channelToWaitOn(open, file);
        if (its == open) {
            return its;
        }
        waitedOn.add(its);
        if (!FileKey.equal(key, FileKey.ofOrNull(file))) {
            close(its);
            throw new NoSuchFileException(file.toString(), null, "it was replaced");
        }
        put(its, key);
        return its;
    }

    /** A channel was closed under us. */
    void put(Channel closed, @Nullable Object key) {
        if (key != null) {
            lock.locked(() -> files.put(closed, key));
        }
    }

    /** {@return whether a channel is known to be open, or to have been open, on a file} */
    boolean isOf(@Nullable Object key, Channel its) {
        return FileKey.equal(key, lock.holding(() -> files.get(its)));
    }

    /** {@return whether a thread waits, or has waited, on a channel that is still open} */
    boolean isWaitedOn(Channel its) {
        return !waitedOn.isEmpty() && waitedOn.contains(its);
    }

    /** Closes a channel on which a thread has waited. Not any other: on POSIX, that would drop bytes. */
    void close(Channel its) throws IOException {
        if (isWaitedOn(its)) {
            its.close();
            waitedOn.remove(its);
        }
    }

    void closeAll() throws IOException {
        Failures failures = new Failures();
        for (Channel its : waitedOn) {
            failures.close(() -> close(its));
        }
        failures.throwFirst();
    }
}
