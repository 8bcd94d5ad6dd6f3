package dev.sessionlock.internal.threads;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.io.TempDir;

/** One lock in one JVM, over an engine that answers as the test wants. */
abstract class LocalLockFixture {
    static final LockOptions WARM = LockOptions.defaults().withLinger(Duration.ofMinutes(1));

    @TempDir
    Path dir;

    final AtomicLong slept = new AtomicLong();

    /** The only thread whose clock shows that the process has slept; null if every thread's does. */
    volatile Thread sleeper;

    /** What happens just before the engine is called for something, while this process stands still. */
    final Map<String, Interlude> interludes = new ConcurrentHashMap<>();

    /** What the engine answers next instead. */
    final Map<String, Answer> answers = new ConcurrentHashMap<>();

    /** One proxy for each namespace, so that equal ones stay equal: two requests for one lock must meet in one LocalLock. */
    final Map<LockEngine.LockNamespace, LockEngine.LockNamespace> namespaces = new ConcurrentHashMap<>();

    volatile Consumer<String> called = name -> { };

    /** What is in the way of the lock; null if nothing is. */
    final AtomicReference<Busy> busy = new AtomicReference<>();

    /** A thread that waits in the kernel waits for this; if null, for the kernel. */
    volatile CountDownLatch awaited;

    interface Interlude {
        void play() throws Exception;
    }

    interface Answer {
        Object of(Object real) throws Exception;
    }

    /** As {@link #answers}, for the next call of this thread: the keeper may make the same call at any time. */
    final void answerHere(String name, Answer answer) {
        answer(Thread.currentThread(), name, answer);
    }

    private void answer(Thread thread, String name, Answer answer) {
        answers.put(name, real -> {
            if (Thread.currentThread() == thread) {
                return answer.of(real);
            }
            answer(thread, name, answer); // it was the keeper's call
            return real;
        });
    }

    Path session() {
        return dir.resolve("session.jsonl");
    }

    Path lockFile() {
        return dir.resolve("session.jsonl.lock");
    }

    /** Locks on files, but for the clock, and for what happens meanwhile. */
    SessionLocks locks() {
        Clock clock = new Clock() {
            @Override
            public long nanos() {
                play("nanos in " + Thread.currentThread().getName());
                return SYSTEM.nanos() + (sleeper == null || sleeper == Thread.currentThread() ? slept.get() : 0);
            }

            @Override
            public long wallMicros() {
                return SYSTEM.wallMicros();
            }
        };
        LockEngine engines = between(FileLockEngine.class, FileEngine.OF_THIS_PROCESS, (method, result) -> switch (method) {
            case "clock" -> clock;
            case "pin" -> namespaces.computeIfAbsent((LockEngine.LockNamespace) result, namespace -> between(LockEngine.LockNamespace.class, namespace, (of, engine) ->
                    of.equals("lock") ? between(EngineLock.class, (EngineLock) engine, (name, answer) -> answer) : engine));
            default -> result;
        });
        return SessionLocks.builder().over(engines).build();
    }

    boolean play(String name) {
        Interlude now = interludes.remove(name);
        if (now == null) {
            return false;
        }
        try {
            now.play();
            return true;
        } catch (Exception e) {
            throw new AssertionError(name, e);
        }
    }

    interface Change {
        Object of(String method, Object result);
    }

    <T> T between(Class<T> type, T real, Change change) {
        InvocationHandler handler = (proxy, method, args) -> {
            String name = method.getName().equals("releaseSoon") ? "release" : method.getName(); // the keeper's way to call it
            called.accept(name);
            if (!play(name) && name.equals("equals")) {
                return proxy == args[0];
            } else if (name.equals("take") && busy.get() != null) {
                return busy.get();
            } else if (name.equals("awaitKernel") && awaited != null) {
                awaited.await();
                return null;
            }
            try {
                Object result = change.of(name, method.invoke(real, args));
                Answer other = answers.remove(name);
                return other == null ? result : other.of(result);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        };
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
