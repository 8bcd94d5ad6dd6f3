package dev.sessionlock.internal.system;

import java.io.Closeable;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What is thrown while several things are given back that do not depend on each other. Each of them is tried, whatever the others throw. In the end the first failure is
 * thrown, and names the others as suppressed.
 */
public final class Failures {
    private @Nullable Throwable first;

    /** Closes each of several things. */
    public static void closeAll(Iterable<? extends @Nullable Closeable> all) throws IOException {
        Failures failures = new Failures();
        for (Closeable thing : all) {
            failures.close(thing);
        }
        failures.throwFirst();
    }

    /** Closes a thing, if there is one, and keeps what that throws. */
    public void close(@Nullable Closeable thing) {
        try {
            if (thing != null) {
                thing.close();
            }
        } catch (IOException | RuntimeException | Error e) {
            add(e);
        }
    }

    private void add(Throwable failure) {
        Throwable before = first;
        if (before == null) {
            first = failure;
        } else if (before != failure) { // the JVM throws one and the same OutOfMemoryError again and again
            before.addSuppressed(failure);
        }
    }

    /** Throws the first failure, if there was any. */
    public void throwFirst() throws IOException {
        Throwable failure = first;
        if (failure instanceof IOException e) {
            throw e;
        } else if (failure instanceof RuntimeException e) {
            throw e;
        } else if (failure != null) {
            throw (Error) failure;
        }
    }
}
