package dev.sessionlock;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A named thread of a test that does one thing after the other. */
final class Actor implements AutoCloseable {
    private final ExecutorService executor;
    private volatile Thread thread;

    Actor(String name) {
        executor = Executors.newSingleThreadExecutor(task -> {
            thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        });
        executor.submit(() -> { }); // so that the thread exists
    }

    Thread thread() {
        return thread;
    }

    /** Begins something and does not wait for it. */
    <T> Future<T> begin(Callable<T> step) {
        return executor.submit(step);
    }

    /** Does something and waits for its end. */
    <T> T does(Callable<T> step) throws Exception {
        return end(begin(step));
    }

    /** Waits for the end of something; what it threw is thrown as it is. */
    static <T> T end(Future<T> step) throws Exception {
        try {
            return step.get(Patience.LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw (Error) e.getCause();
        } catch (TimeoutException e) {
            throw new AssertionError("it did not end within " + Patience.LIMIT, e);
        }
    }

    @Override
    public void close() {
        executor.shutdownNow();
    }
}
