package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.LockEngine;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a process makes of it that it was frozen in the middle of a look at its lock. */
class CellTest {
    @TempDir
    Path dir;

    private final AtomicLong slept = new AtomicLong();
    /** What happens while this process stands still, just before the engine looks; null if it does not. */
    private volatile Interlude interlude;

    private interface Interlude {
        void play() throws Exception;
    }

    @Test
    void successorsRecordIsNotTakenForAHandsWorkByOneThatWakesInTheMiddleOfALook() throws Exception {
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            interlude = () -> {
                Files.delete(lock.lockFile()); // as a successor does that puts its own there
                slept.addAndGet(TimeUnit.HOURS.toNanos(1));
            };
            LockLostException lost = catchThrowableOfType(LockLostException.class, lock::verifyHeld);
            assertThat(lost.reason()).isEqualTo(Reason.LEASE_EXPIRED);
        }
    }

    @Test
    void removalByHandIsSaidToBeOneWhileTheLeaseRuns() throws Exception {
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            interlude = () -> Files.delete(lock.lockFile());
            LockLostException lost = catchThrowableOfType(LockLostException.class, lock::verifyHeld);
            assertThat(lost.reason()).isEqualTo(Reason.REMOVED_BY_HAND);
        }
    }

    /** Locks on files, but for the clock, and for what happens at a look. */
    private SessionLocks locks() {
        Clock clock = new Clock() {
            @Override
            public long nanos() {
                return SYSTEM.nanos() + slept.get();
            }

            @Override
            public long wallMicros() {
                return SYSTEM.wallMicros();
            }
        };
        LockEngine engines = between(LockEngine.class, FileEngine.OF_THIS_PROCESS, (method, result) -> switch (method) {
            case "clock" -> clock;
            case "pin" -> between(LockEngine.Site.class, (LockEngine.Site) result, (of, engine) ->
                    of.equals("lock") ? between(EngineLock.class, (EngineLock) engine, (name, answer) -> answer) : engine);
            default -> result;
        });
        return SessionLocks.builder().over(engines).build();
    }

    private interface Change {
        Object of(String method, Object result);
    }

    private <T> T between(Class<T> type, T real, Change change) {
        InvocationHandler handler = (proxy, method, args) -> {
            Interlude now = interlude;
            if (method.getName().equals("check") && now != null) {
                interlude = null;
                now.play();
            } else if (method.getName().equals("equals")) {
                return proxy == args[0];
            }
            try {
                return change.of(method.getName(), method.invoke(real, args));
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        };
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
    }
}
