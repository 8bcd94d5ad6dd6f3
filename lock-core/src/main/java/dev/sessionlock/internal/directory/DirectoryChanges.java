package dev.sessionlock.internal.directory;

import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Whether anything has changed in a directory and in its {@code .session-locks} since the last look, as the {@link DirectoryState} of each tells. One
 * look serves all locks that are held there, and counts for a twentieth of a second: the keeper of ten thousand locks has no time to look for each.
 *
 * <p>Any thread. Each answer is one reference or number, written last, so two threads at once only look twice.
 */
final class DirectoryChanges {
    /** How long one look at a directory's times counts. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private final Path home;
    private final Path inner;
    private final FileMode mode;
    private volatile ReleaseRequests requests = ReleaseRequests.UNKNOWN;
    private volatile NamesState names = new NamesState(null, Long.MIN_VALUE / 2);
    private volatile long innerUnsettledAt = Long.MIN_VALUE / 2;

    DirectoryChanges(Path home, Path inner, FileMode mode) {
        this.home = home;
        this.inner = inner;
        this.mode = mode;
    }

    /**
     * Whether any release was requested, at a certain moment.
     *
     * @param seenAt when that was seen, monotonic nanoseconds
     * @param changed the state of the directory at that time; null if it tells nothing, since it may change once more at the same time
     */
    private record ReleaseRequests(boolean any, long seenAt, @Nullable DirectoryState changed) {
        private static final ReleaseRequests UNKNOWN = new ReleaseRequests(true, Long.MIN_VALUE / 2, null);
    }

    /**
     * {@return whether there is any release request, as seen within the last twentieth of a second} One look serves all locks held here: to look for
     * each lock's own request cost the keeper of ten thousand more than anything else.
     */
    boolean hasRequests() throws IOException {
        ReleaseRequests known = requests;
        long now = Clock.SYSTEM.nanos();
        if (now - known.seenAt() < LOOK_NANOS) {
            return known.any();
        }
        DirectoryState changed = DirectoryState.of(inner);
        boolean any = known.any();
        if (!changed.equals(known.changed())) {
            try (DirectoryStream<Path> all = FolderStream.open(inner, "release-")) {
                any = all.iterator().hasNext();
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            } catch (NoSuchFileException | NotDirectoryException e) {
                throw e;
            } catch (FileSystemException e) {
                return true; // out of descriptors: each lock looks for its own request, which needs none
            }
        }
        requests = new ReleaseRequests(any, now, changed.isSettled() ? changed : null);
        return any;
    }

    /**
     * When the names in the directory of the records were last changed, as seen at a certain moment.
     *
     * @param changed null if it was so recently that they may be changed once more at the same time
     * @param seenAt when that was seen, monotonic nanoseconds
     */
    private record NamesState(@Nullable DirectoryState changed, long seenAt) {
    }

    /**
     * {@return the state of the directory of the records: when a name there was last created, moved or removed, as seen within the last twentieth of
     * a second; null if that was a moment ago} While the state stays the same, so do the names. One look serves all records there: the keeper of ten
     * thousand locks has no time to look at each once a second.
     */
    @Nullable DirectoryState namesChanged() throws IOException {
        NamesState known = names;
        long now = Clock.SYSTEM.nanos();
        if (now - known.seenAt() >= LOOK_NANOS) {
            DirectoryState state = DirectoryState.of(home);
            known = new NamesState(state.isSettled() ? state : null, now);
            names = known;
        }
        return known.changed();
    }

    /**
     * {@return the state of {@code .session-locks} now; null if it changed so recently that the state does not tell whether it has changed since}
     * Every acquisition asks this. In a directory that changes it would cost more than it saves, so "recently" is remembered for a moment.
     */
    @Nullable DirectoryState settledInner() throws IOException {
        long now = Clock.SYSTEM.nanos();
        if (now - innerUnsettledAt < LOOK_NANOS) {
            return null;
        }
        DirectoryState state = DirectoryState.of(mode.inner());
        if (!state.isSettled()) {
            innerUnsettledAt = now;
            return null;
        }
        return state;
    }

    /** The next {@link #hasRequests} looks anew. */
    void forgetRequests() {
        requests = ReleaseRequests.UNKNOWN;
    }
}
