package dev.sessionlock;

import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.LockEngine;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The engine of the locks on files, with one call that throws: before it has done anything, or after it has done all. It counts its calls, so that a
 * test can make each of them fail in turn.
 */
public final class FailingEngine {
    /** What is thrown. Nobody expects this exception. */
    static final class Injected extends Error {
        private static final long serialVersionUID = 1;

        Injected(String call) {
            super("injected into " + call);
        }
    }

    /**
     * Which call fails.
     *
     * @param method its name
     * @param call which call of that method, from 1
     * @param after whether it throws after its work is done
     */
    public record Fault(String method, int call, boolean after) {
        @Override
        public String toString() {
            return (after ? "after " : "before ") + method + " no. " + call;
        }
    }

    /** The methods of {@link Object}, and those that read a constant. */
    private static final Set<String> NEVER_FAILS = Set.of("equals", "hashCode", "toString", "clock", "outliveTheProcess", "name", "target",
            "lockFile", "idOf", "canonical", "onSuspicion");

    private final @Nullable Fault fault;
    private final Map<String, AtomicInteger> calls = new ConcurrentHashMap<>();
    private final AtomicInteger busyTakes = new AtomicInteger();
    /** One for each, so that equal namespaces stay equal. */
    private final Map<LockEngine.LockNamespace, LockEngine.LockNamespace> namespaces = new ConcurrentHashMap<>();
    private volatile boolean failed;
    private volatile boolean disarmed;
    private volatile Set<String> failing = Set.of();

    /** @param fault which call fails; null for none */
    public FailingEngine(@Nullable Fault fault) {
        this.fault = fault;
    }

    /** The next takes find the lock busy, and wait in the kernel until it is free. */
    void beBusy(int takes) {
        busyTakes.set(takes);
    }

    /** Each call of these fails, from now on. */
    public void failAlways(String... methods) {
        failing = Set.of(methods);
    }

    /** From now on nothing fails, and nothing is busy. */
    public void disarm() {
        failing = Set.of();
        disarmed = true;
        busyTakes.set(0);
    }

    public Map<String, AtomicInteger> calls() {
        return calls;
    }

    /** {@return whether the call that was to fail was made} */
    boolean hasFailed() {
        return failed;
    }

    public SessionLocks locks() {
        return SessionLocks.builder().over(engine()).build();
    }

    /** {@return an engine; each call returns another one, with a keeper of its own} */
    public LockEngine engine() {
        return between(FileLockEngine.class, FileEngine.OF_THIS_PROCESS);
    }

    private <T> T between(Class<T> type, T real) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
                (proxy, method, args) -> method.getName().equals("equals") ? proxy == args[0] : call(real, method, args)));
    }

    private Object call(Object real, Method method, Object[] args) throws Throwable {
        String name = method.getName();
        if (failing.contains(name)) {
            calls.computeIfAbsent(name, n -> new AtomicInteger()).incrementAndGet();
            throw new Injected(name);
        }
        boolean fails = false;
        if (!NEVER_FAILS.contains(name)) {
            int call = calls.computeIfAbsent(name, n -> new AtomicInteger()).incrementAndGet();
            fails = fault != null && !disarmed && name.equals(fault.method()) && call == fault.call();
        }
        if (fails) {
            failed = true;
            if (!fault.after()) {
                throw new Injected(fault.toString());
            }
        }
        Object result = name.equals("take") && busyTakes.getAndUpdate(left -> Math.max(0, left - 1)) > 0
                ? new Busy(0, Long.MAX_VALUE, "another process holds it") : invoke(real, method, args);
        if (fails) {
            throw new Injected(fault.toString());
        }
        if (result instanceof LockEngine.LockNamespace namespace) {
            return namespaces.computeIfAbsent(namespace, one -> between(LockEngine.LockNamespace.class, one));
        }
        return result instanceof EngineLock lock ? between(EngineLock.class, lock) : result;
    }

    private static Object invoke(Object real, Method method, Object[] args) throws Throwable {
        try {
            return method.invoke(real, args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
