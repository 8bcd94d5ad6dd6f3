package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The handles of several locks as one, which holds as long as all of them do.
 *
 * @param parts in the order in which they were acquired; two or more
 */
public record CombinedHandle(List<Handle> parts) implements LockHandle {

    /** Of its own, since the list that it is made of may change. */
    public CombinedHandle {
        parts = List.copyOf(parts);
    }

    @Override
    public String name() {
        return parts.stream().map(Handle::name).collect(Collectors.joining(", "));
    }

    @Override
    public @Nullable Path lockFile() {
        return parts.get(0).lockFile();
    }

    @Override
    public long token() {
        return parts.stream().mapToLong(Handle::token).max().orElseThrow();
    }

    @Override
    public LockMode mode() {
        return parts.stream().allMatch(part -> part.mode() == LockMode.EXCLUSIVE) ? LockMode.EXCLUSIVE : LockMode.SHARED;
    }

    @Override
    public Instant acquiredAt() {
        return parts.get(parts.size() - 1).acquiredAt();
    }

    @Override
    public long holdLeft() {
        return parts.stream().mapToLong(Handle::holdLeft).min().orElseThrow();
    }

    @Override
    public boolean isHeld() {
        return parts.stream().allMatch(Handle::isHeld);
    }

    @Override
    public void ensureHeld() throws LockLostException {
        for (Handle part : parts) {
            part.ensureHeld();
        }
    }

    @Override
    public void renew() throws LockLostException {
        for (Handle part : parts) {
            part.renew();
        }
    }

    @Override
    public void detach() {
        parts.forEach(Handle::detach);
    }

    @Override
    public void onLost(Consumer<LockLostException> listener) {
        AtomicBoolean told = new AtomicBoolean();
        Consumer<LockLostException> once = why -> {
            if (told.compareAndSet(false, true)) {
                listener.accept(why);
            }
        };
        parts.forEach(part -> part.onLost(once));
    }

    @Override
    public void close() {
        closeAll(parts);
    }

    @Override
    public void closeByUser() {
        closeFrom(parts, parts.size() - 1, true);
    }

    /** Closes all of them, whatever is thrown: the last throwable is passed on. */
    public static void closeAll(List<Handle> parts) {
        closeFrom(parts, parts.size() - 1, false);
    }

    private static void closeFrom(List<Handle> parts, int last, boolean byUser) {
        if (last >= 0) {
            try {
                if (byUser) {
                    parts.get(last).closeByUser();
                } else {
                    parts.get(last).close();
                }
            } finally {
                closeFrom(parts, last - 1, byUser);
            }
        }
    }
}
