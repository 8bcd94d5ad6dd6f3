package dev.sessionlock.internal.threads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.seats.Engines;
import dev.sessionlock.internal.seats.FileEngines;
import dev.sessionlock.internal.seats.LockEngine;
import dev.sessionlock.internal.system.Clock;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a process makes of it that it was frozen in the middle of something. */
class CellTest {
    @TempDir
    Path dir;

    private final AtomicLong slept = new AtomicLong();
    /** What happens while this process stands still, just before the engine is called for something. */
    private final Map<String, Interlude> interludes = new ConcurrentHashMap<>();

    private interface Interlude {
        void play() throws Exception;
    }

    @Test
    void successorsRecordIsNotTakenForAHandsWorkByOneThatWakesInTheMiddleOfALook() throws Exception {
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            interludes.put("check", () -> {
                Files.delete(lock.lockFile()); // as a successor does that puts its own there
                slept.addAndGet(TimeUnit.HOURS.toNanos(1));
            });
            LockLostException lost = catchThrowableOfType(LockLostException.class, lock::verifyHeld);
            assertThat(lost.reason()).isEqualTo(Reason.LEASE_EXPIRED);
        }
    }

    @Test
    void removalByHandIsSaidToBeOneWhileTheLeaseRuns() throws Exception {
        try (SessionLocks locks = locks(); SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            interludes.put("check", () -> Files.delete(lock.lockFile()));
            LockLostException lost = catchThrowableOfType(LockLostException.class, lock::verifyHeld);
            assertThat(lost.reason()).isEqualTo(Reason.REMOVED_BY_HAND);
        }
    }

    @Test
    void whatLingeredIsGivenBackByOneThatSleptPastItsLeaseJustBeforeItTookItAgain() throws Exception {
        LockOptions warm = LockOptions.defaults().withLinger(Duration.ofMinutes(1));
        Path session = dir.resolve("session.jsonl");
        try (SessionLocks locks = locks()) {
            locks.acquire(session, warm).close();
            List<String> calls = new CopyOnWriteArrayList<>();
            interludes.put("reuse", () -> {
                calls.add("reuse");
                slept.addAndGet(TimeUnit.HOURS.toNanos(1));
            });
            interludes.put("release", () -> {
                calls.add("release");
                slept.set(0); // what is acquired anew is so by the engine's own clock, which did not sleep
            });
            try (SessionLock lock = locks.acquire(session, warm)) {
                assertThat(calls).containsExactly("reuse", "release");
                lock.verifyHeld();
            }
        }
    }

    /** Locks on files, but for the clock, and for what happens meanwhile. */
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
        Engines engines = between(Engines.class, FileEngines.OF_THIS_PROCESS, (method, result) -> switch (method) {
            case "clock" -> clock;
            case "pin" -> between(Engines.Site.class, (Engines.Site) result, (of, engine) ->
                    of.equals("engine") ? between(LockEngine.class, (LockEngine) engine, (name, answer) -> answer) : engine);
            default -> result;
        });
        return SessionLocks.builder().over(new Cells(engines)).build();
    }

    private interface Change {
        Object of(String method, Object result);
    }

    private <T> T between(Class<T> type, T real, Change change) {
        InvocationHandler handler = (proxy, method, args) -> {
            Interlude now = interludes.remove(method.getName());
            if (now != null) {
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
