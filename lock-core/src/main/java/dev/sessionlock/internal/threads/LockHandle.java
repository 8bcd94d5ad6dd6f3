package dev.sessionlock.internal.threads;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockMode;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What the user's object stands on: one handle, or those of several locks that were acquired as one. */
public sealed interface LockHandle permits Handle, CombinedHandle {

    /** {@return the lock's name; of several, all of them} */
    String name();

    /** {@return where the record lies, the first one of several; null if the engine has no files} */
    @Nullable Path lockFile();

    /** {@return the fencing token, the greatest of several} */
    long token();

    /** {@return whether others may hold it at the same time; of several, exclusive if all of them are} */
    LockMode mode();

    /** {@return when it was acquired, the last of several, by wall clock} */
    Instant acquiredAt();

    /** {@return nanoseconds until {@code maxHold}; 0 if it does not hold, {@link Long#MAX_VALUE} if without limit} */
    long holdLeft();

    /** {@return whether it holds; memory and our own clock only} */
    boolean isHeld();

    /** As {@link #isHeld}, but throws. */
    void ensureHeld() throws LockLostException;

    /** {@code maxHold} starts anew. */
    void renew() throws LockLostException;

    /** The lock no longer belongs to the thread that acquired it. */
    void detach();

    /** Has {@code listener} run on the executor when the first of them is lost, at once if one is. */
    void onLost(Consumer<LockLostException> listener);

    /** Gives the lock back; only the first call does anything. */
    void close();

    /** As {@link #close}, by the user who acquired it: this is measured, if anybody measures. */
    void closeByUser();

    /** {@return the single handles, in the order in which they were acquired} */
    List<Handle> parts();
}
