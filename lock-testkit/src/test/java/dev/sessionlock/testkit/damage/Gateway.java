package dev.sessionlock.testkit.damage;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.WitnessedHolder;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A JVM that locks hundreds of sessions at once, each on a thread of its own, and proves to the witness whenever it holds one. Its commands are lines
 * {@code <number> <command> <list>}; the list is a file with a session a line. The answer is the mark {@code done-<number>}, with the sessions for
 * which something went wrong.
 */
final class Gateway implements ChildScenario {
    static final Duration LEASE = Duration.ofSeconds(5);
    private static final Duration LONG_LEASE = Duration.ofMinutes(3);
    static final Duration GRACE = Duration.ofMillis(200);
    /** No lock is stuck for this long, on any machine. */
    static final Duration PATIENCE = LONG_LEASE.plusMinutes(2); // an older copy of a record counts until its lease is over
    static final String NONE = "-";

    private static final LockOptions OPTIONS = LockOptions.defaults().withLease(LEASE).withRevokeGrace(GRACE).withTimeout(Duration.ofSeconds(1));
    /** How often in a row a lock must be acquired before it counts as usable again. */
    private static final int GOOD_VISITS = 2;

    private final SessionLocks locks = SessionLocks.builder().shutdownGrace(Duration.ofMillis(200)).build();
    private final Set<String> taken = ConcurrentHashMap.newKeySet();
    private final Map<String, Thread> busy = new ConcurrentHashMap<>();
    private final Map<String, String> escaped = new ConcurrentHashMap<>();
    /** When each held lock was first lost, by the wall clock, which the other JVMs share. */
    private final Map<String, Long> lost = new ConcurrentHashMap<>();
    /** When each session could first be locked, since the start of the present command. */
    private final Map<String, Long> had = new ConcurrentHashMap<>();
    private volatile boolean letsGo;
    private ParentJvm parent;
    private WitnessedHolder me;

    @Override
    public void run(ParentJvm parent) throws Exception {
        this.parent = parent;
        this.me = WitnessedHolder.connect(parent.args().get(0), "pid " + ProcessHandle.current().pid());
        while (true) {
            String[] words = parent.awaitLine().split(" ", 3);
            List<String> sessions = Files.readAllLines(Path.of(words[2]));
            Thread obeys = new Thread(() -> obey(words[0], words[1], sessions), words[1]);
            obeys.setDaemon(true);
            obeys.start();
        }
    }

    private void obey(String number, String command, List<String> sessions) {
        Map<String, String> answers = new TreeMap<>();
        try {
            letsGo &= !List.of("hold", "cycle", "wait").contains(command);
            switch (command) {
                case "hold" -> begin(sessions, this::hold, answers, true);
                case "wait" -> begin(sessions, this::hold, answers, false);
                case "cycle" -> begin(sessions, this::cycle, answers, false);
                case "let-go" -> answers = letGo(sessions);
                case "linger" -> answers = each(sessions, this::linger);
                case "visit" -> answers = each(sessions, this::visit);
                case "use" -> answers = each(sessions, this::use);
                case "try" -> answers = each(sessions, this::tryOnce);
                case "escaped" -> answers = new TreeMap<>(escaped);
                case "forget-losses" -> lost.clear();
                case "lost" -> answers = asText(lost);
                case "had" -> answers = asText(had);
                default -> throw new IllegalArgumentException(command);
            }
        } catch (Exception e) {
            answers.put("", e.toString());
        }
        StringBuilder text = new StringBuilder();
        answers.forEach((session, answer) -> text.append(session).append('\t').append(answer.replace('\n', ' ')).append('\n'));
        parent.mark("done-" + number, text.isEmpty() ? NONE : URLEncoder.encode(text.toString(), StandardCharsets.UTF_8));
    }

    private static Map<String, String> asText(Map<String, Long> times) {
        Map<String, String> text = new TreeMap<>();
        times.forEach((session, millis) -> text.put(session, Long.toString(millis)));
        return text;
    }

    // ---- on many threads at once ----

    private interface Step {
        /** {@return what went wrong; null if nothing} */
        String run(Path session) throws Exception;
    }

    private Map<String, String> each(List<String> sessions, Step step) throws InterruptedException {
        Map<String, String> answers = new ConcurrentHashMap<>();
        List<Thread> threads = new ArrayList<>();
        for (String session : sessions) {
            answers.put(session, "does not come back");
            threads.add(start(session, () -> {
                String answer = guarded(session, step);
                if (answer == null) {
                    answers.remove(session);
                } else {
                    answers.put(session, answer);
                }
            }));
        }
        long end = System.nanoTime() + PATIENCE.multipliedBy(2).toNanos();
        for (Thread thread : threads) {
            thread.join(Math.max(1, (end - System.nanoTime()) / 1_000_000));
        }
        return new TreeMap<>(answers);
    }

    private static Thread start(String session, Runnable work) {
        Thread thread = new Thread(work, "works-" + Path.of(session).getParent().getFileName());
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /** Only the exceptions of locks may come out of the library. */
    private String guarded(String session, Step step) {
        try {
            return step.run(Path.of(session));
        } catch (LockException e) {
            return told(session, e);
        } catch (IOException e) {
            return "the witness: " + e;
        } catch (Throwable e) {
            e.printStackTrace(System.out);
            escaped.merge(session, e.toString(), (one, other) -> one);
            return "escaped: " + e;
        }
    }

    private String told(String session, LockException e) {
        if (e instanceof LockLostException lost && lost.reason() == null || e.getMessage() == null) {
            escaped.merge(session, "no reason: " + e, (one, other) -> one);
        }
        return e.getClass().getSimpleName() + ": " + e.getMessage();
    }

    private void begin(List<String> sessions, Step step, Map<String, String> answers, boolean untilTaken) throws InterruptedException {
        for (String session : sessions) {
            Thread thread = start(session, () -> guarded(session, step));
            busy.put(session, thread);
        }
        for (String session : sessions) {
            for (long end = System.nanoTime() + PATIENCE.toNanos(); untilTaken && !taken.contains(session); ) {
                if (System.nanoTime() > end || !busy.get(session).isAlive()) {
                    answers.put(session, "not held");
                    break;
                }
                Thread.sleep(2);
            }
        }
    }

    private Map<String, String> letGo(List<String> sessions) throws InterruptedException {
        letsGo = true;
        Map<String, String> stuck = new TreeMap<>();
        long end = System.nanoTime() + PATIENCE.toNanos();
        for (String session : sessions) {
            Thread thread = busy.remove(session);
            if (thread != null) {
                thread.join(Math.max(1, (end - System.nanoTime()) / 1_000_000));
                if (thread.isAlive()) {
                    stuck.put(session, "hangs: " + List.of(thread.getStackTrace()));
                }
            }
        }
        return stuck;
    }

    // ---- what is done with a session ----

    /** With a lease that outlasts every test. So a holder that has lost its lock has noticed why, and not just that its time is over. */
    private static LockOptions inNoHurry() {
        return OPTIONS.withMaxHold(LockOptions.UNLIMITED).withLease(LONG_LEASE);
    }

    /** Holds until it is told to release; a lost lock is taken again. */
    private String hold(Path session) throws Exception {
        while (!letsGo) {
            try (SessionLock lock = locks.acquire(session, inNoHurry())) {
                WitnessedHolder.Visit<LockLostException> visit = me.entered(session.toString(), lock.token(), lock::ensureHeld);
                taken.add(session.toString());
                while (!letsGo) {
                    visit.stillIn();
                    Thread.sleep(20);
                }
                visit.leaving();
                return null;
            } catch (LockException e) {
                if (e instanceof LockLostException) {
                    lost.putIfAbsent(session.toString(), System.currentTimeMillis());
                }
                told(session.toString(), e); // it goes on waiting, or has lost the lock and wants it again
                Thread.sleep(20);
            } finally {
                taken.remove(session.toString());
            }
        }
        return null;
    }

    private String cycle(Path session) throws Exception {
        while (!letsGo) {
            try {
                visitOnce(session, OPTIONS, 1);
            } catch (LockException e) {
                told(session.toString(), e);
                Thread.sleep(20);
            }
            Thread.sleep(1);
        }
        return null;
    }

    private String linger(Path session) throws Exception {
        locks.acquire(session, OPTIONS.withLinger(Duration.ofMinutes(1)).withTimeout(PATIENCE)).close();
        return null;
    }

    private String visit(Path session) throws Exception {
        visitOnce(session, OPTIONS.withTimeout(PATIENCE), 0);
        return null;
    }

    private void visitOnce(Path session, LockOptions options, long millis) throws Exception {
        try (SessionLock lock = locks.acquire(session, options)) {
            WitnessedHolder.Visit<LockLostException> visit = me.entered(session.toString(), lock.token(), lock::ensureHeld);
            Thread.sleep(millis);
            visit.stillIn();
            visit.leaving();
        }
    }

    /** Tries until the lock is usable, or until it runs out of patience. An obstacle that a person has to remove is reported at once. */
    private String use(Path session) throws Exception {
        String last = null;
        int good = 0;
        had.remove(session.toString());
        for (long end = System.nanoTime() + PATIENCE.toNanos(); good < GOOD_VISITS; ) {
            try (SessionLock lock = locks.acquire(session, OPTIONS)) {
                WitnessedHolder.Visit<LockLostException> visit = me.entered(session.toString(), lock.token(), lock::ensureHeld);
                lock.verifyHeld();
                LockReport report = locks.inspect(session);
                visit.stillIn();
                visit.leaving();
                had.putIfAbsent(session.toString(), System.currentTimeMillis());
                good++;
                if (report.state() == LockReport.State.FREE) {
                    return "inspect says that it is free while it is held";
                }
            } catch (LockException e) {
                last = told(session.toString(), e);
                good = 0;
            }
            if (good == 0 && (isForAPerson(last) || System.nanoTime() > end)) {
                return last;
            }
            Thread.sleep(20);
        }
        return null;
    }

    static boolean isForAPerson(String told) {
        return told.contains("remove it") || told.contains("move it away") || told.contains("may not") || told.contains("no permission for");
    }

    /** While another JVM holds it: if this one got it, the witness would notice. */
    private String tryOnce(Path session) throws Exception {
        SessionLock lock = locks.tryAcquire(session, OPTIONS).orElse(null);
        if (lock != null) {
            try (lock) {
                WitnessedHolder.Visit<LockLostException> visit = me.entered(session.toString(), lock.token(), lock::ensureHeld);
                visit.stillIn();
                visit.leaving();
            }
        }
        return null;
    }
}
