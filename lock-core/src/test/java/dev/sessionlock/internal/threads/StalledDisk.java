package dev.sessionlock.internal.threads;

import dev.sessionlock.internal.seats.FileEngine;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.LockEngine;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The engine of the locks on files, where each call that may touch the disk of one directory does not come back while that disk is stalled. */
final class StalledDisk {
    private static final Set<String> TOUCHES_THE_DISK = Set.of("pin", "suspect", "take", "handOver", "renew", "check", "lookAfresh", "release", "releaseSoon",
            "abandon", "tidy", "clear", "inspect", "verify", "sweep", "closeIdle");

    private final Path directory;
    /** One for each, so that equal ones stay equal. */
    private final Map<Object, Object> known = new ConcurrentHashMap<>();
    private final LockEngine engine = (LockEngine) between(FileEngine.OF_THIS_PROCESS);
    private final Set<String> met = ConcurrentHashMap.newKeySet();
    private volatile boolean stalled;

    /** @param directory whose disk is stalled now and then, its real path */
    StalledDisk(Path directory) {
        this.directory = directory;
    }

    LockEngine engine() {
        return engine;
    }

    void stall() {
        met.clear();
        stalled = true;
    }

    void goOn() {
        stalled = false;
    }

    /** {@return what did not come back at once, since it was stalled} */
    Set<String> met() {
        return met;
    }

    private Object between(Object real) {
        List<Class<?>> types = new ArrayList<>();
        for (Class<?> type = real.getClass(); type != null; type = type.getSuperclass()) {
            types.addAll(List.of(type.getInterfaces()));
        }
        return known.computeIfAbsent(real, one -> Proxy.newProxyInstance(LockEngine.class.getClassLoader(), types.toArray(Class<?>[]::new),
                (proxy, method, args) -> method.getName().equals("equals") ? proxy == args[0] : call(one, method, args)));
    }

    private @Nullable Object call(Object real, Method method, Object[] args) throws Throwable {
        if (TOUCHES_THE_DISK.contains(method.getName()) && isOfTheDirectory(real, args)) {
            while (stalled) {
                met.add(method.getName());
                LockSupport.parkNanos(1_000_000); // as in the kernel, an interrupt does not end it
            }
        }
        Object result;
        try {
            result = method.invoke(real, args);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
        if (result instanceof List<?> list && method.getName().equals("maintained")) {
            return list.stream().map(this::between).toList();
        }
        return result instanceof LockEngine.LockNamespace || result instanceof EngineLock ? between(result) : result;
    }

    /** What looks after all directories at once touches each of them. */
    private boolean isOfTheDirectory(Object real, Object[] args) {
        if (real instanceof EngineLock lock) {
            return directory.equals(lock.lockFile().getParent());
        } else if (real instanceof LockEngine) {
            return args == null || !(args[0] instanceof LockEngine.LockId id) || directory.equals(id.parent());
        }
        return real.toString().equals(directory.toString());
    }
}
