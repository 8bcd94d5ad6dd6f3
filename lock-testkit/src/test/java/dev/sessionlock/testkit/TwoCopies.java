package dev.sessionlock.testkit;

import dev.sessionlock.SessionLocks;
import java.lang.reflect.InvocationTargetException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;

/** A JVM with two copies of the library, in two class loaders, as if two plug-ins each brought their own. Controlled line by line. */
final class TwoCopies implements ChildScenario {
    private final Copy one = new Copy();
    private final Copy two = new Copy();
    private ParentJvm parent;

    @Override
    public void run(ParentJvm parent) throws Exception {
        this.parent = parent;
        while (true) {
            String[] words = parent.awaitLine().split(" ");
            Copy copy = words[1].equals("one") ? one : two;
            switch (words[0]) {
                case "acquire" -> parent.mark("done", copy.acquire(Path.of(words[2])));
                case "try" -> parent.mark("done", copy.tryAcquire(Path.of(words[2])));
                case "fail" -> parent.mark("done", copy.failureOf(Path.of(words[2])));
                case "close" -> parent.mark("done", copy.closeLast());
                case "leave" -> parent.mark("done", copy.leave());
                case "hammer" -> hammer(words[2], Path.of(words[3]));
                default -> throw new IllegalArgumentException(words[0]);
            }
        }
    }

    /** Two threads of each copy want one lock. */
    private void hammer(String witness, Path file) throws Exception {
        WitnessedHolder me = WitnessedHolder.connect(witness, "two copies");
        long end = System.nanoTime() + 2_000_000_000L;
        AtomicReference<Throwable> trouble = new AtomicReference<>();
        AtomicLong[] counts = {new AtomicLong(), new AtomicLong()};
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            Copy copy = i % 2 == 0 ? one : two;
            AtomicLong count = counts[i % 2];
            threads.add(new Thread(() -> {
                try {
                    while (System.nanoTime() < end) {
                        copy.visit(file, me);
                        count.incrementAndGet();
                    }
                } catch (Throwable e) {
                    e.printStackTrace(System.out);
                    trouble.compareAndSet(null, e);
                }
            }, "copy-" + i));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        me.close();
        parent.mark("hammered", counts[0], counts[1], trouble);
    }

    /** One copy of the library, used by reflection. */
    private static final class Copy {
        private final Object locks;
        private final List<AutoCloseable> held = new ArrayList<>();

        Copy() {
            try {
                URL[] urls = {home(SessionLocks.class), home(Logger.class), home(Class.forName("org.slf4j.simple.SimpleLogger"))};
                ClassLoader loader = new URLClassLoader(urls, ClassLoader.getPlatformClassLoader());
                Class<?> type = loader.loadClass("dev.sessionlock.SessionLocks");
                if (type == SessionLocks.class) {
                    throw new AssertionError("not a copy");
                }
                locks = type.getMethod("create").invoke(null);
            } catch (ReflectiveOperationException | MalformedURLException e) {
                throw new AssertionError(e);
            }
        }

        private static URL home(Class<?> type) throws MalformedURLException {
            return type.getProtectionDomain().getCodeSource().getLocation();
        }

        AutoCloseable take(Path file) throws ReflectiveOperationException {
            return (AutoCloseable) locks.getClass().getMethod("acquire", Path.class).invoke(locks, file);
        }

        String acquire(Path file) throws ReflectiveOperationException {
            held.add(take(file));
            return "held";
        }

        String tryAcquire(Path file) throws ReflectiveOperationException {
            Optional<?> lock = (Optional<?>) locks.getClass().getMethod("tryAcquire", Path.class).invoke(locks, file);
            lock.ifPresent(l -> held.add((AutoCloseable) l));
            return lock.isPresent() ? "held" : "busy";
        }

        String failureOf(Path file) throws ReflectiveOperationException {
            try {
                return tryAcquire(file);
            } catch (InvocationTargetException e) {
                return e.getCause().getMessage();
            }
        }

        String closeLast() throws Exception {
            held.remove(held.size() - 1).close();
            return "closed";
        }

        String leave() throws Exception {
            ((AutoCloseable) locks).close();
            return "left";
        }

        void visit(Path file, WitnessedHolder me) throws Exception {
            try (AutoCloseable lock = take(file)) {
                long token = (long) lock.getClass().getMethod("token").invoke(lock);
                WitnessedHolder.Visit<Exception> visit = me.entered("session", token, () -> lock.getClass().getMethod("ensureHeld").invoke(lock));
                visit.leaving();
            }
        }
    }
}
