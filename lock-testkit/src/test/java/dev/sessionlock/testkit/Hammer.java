package dev.sessionlock.testkit;

import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** A JVM whose threads take one lock and give it back, without a pause, until they are told to stop. */
final class Hammer implements ChildScenario {
    private volatile boolean stopped;

    @Override
    public void run(ParentJvm parent) throws Exception {
        List<String> args = parent.args();
        WitnessedHolder me = WitnessedHolder.connect(args.get(0), args.get(1));
        Path file = Path.of(args.get(2));
        int threads = Integer.parseInt(args.get(3));
        LockOptions options = LockOptions.defaults().withTimeout(Puppet.PATIENCE).withLinger(Duration.ofMillis(Long.parseLong(args.get(4))));
        AtomicLong count = new AtomicLong();
        List<Thread> all = new ArrayList<>();
        try (SessionLocks locks = SessionLocks.create()) {
            for (int i = 0; i < threads; i++) {
                all.add(new Thread(() -> hammer(locks, file, options, me, count, parent), "hammer-" + i));
            }
            parent.mark("ready");
            parent.awaitLine("go");
            all.forEach(Thread::start);
            for (String line = parent.awaitLine(); !line.equals("stop"); line = parent.awaitLine()) {
                switch (line) {
                    case "count" -> count.set(0);
                    case "say" -> parent.mark("count", count);
                    default -> throw new IllegalArgumentException(line);
                }
            }
            stopped = true;
            for (Thread thread : all) {
                thread.join();
            }
        }
        me.close();
        parent.mark("stopped");
    }

    private void hammer(SessionLocks locks, Path file, LockOptions options, WitnessedHolder me, AtomicLong count, ParentJvm parent) {
        try {
            while (!stopped) {
                try (SessionLock lock = locks.acquire(file, options)) {
                    WitnessedHolder.Visit<LockLostException> visit = me.entered("session", lock.token(), lock::ensureHeld);
                    visit.leaving();
                    count.incrementAndGet();
                }
            }
        } catch (Exception e) {
            e.printStackTrace(System.out);
            parent.mark("trouble", e);
        }
    }
}
