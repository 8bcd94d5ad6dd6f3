package dev.sessionlock;

import dev.sessionlock.ClearReport.Outcome;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.seats.Engines;
import dev.sessionlock.internal.seats.Engines.Whereabouts;
import dev.sessionlock.internal.seats.Inspector;
import dev.sessionlock.internal.seats.LockEngine;
import dev.sessionlock.internal.seats.Sight;
import dev.sessionlock.internal.threads.Audience;
import dev.sessionlock.internal.threads.Cells;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jetbrains.annotations.Nullable;

/**
 * One call of {@link SessionLocks#clear}. What it sees decides only what it tries: what is removed is judged anew by the engine, with
 * the kernel's lock in hand.
 */
final class Clearing {
    private static final long LOOK_AGAIN_MILLIS = 20;

    private final Cells cells;
    private final Audience audience;
    private final ClearOptions options;
    private final boolean networkAllowed;

    Clearing(Cells cells, Audience audience, ClearOptions options, boolean networkAllowed) {
        this.cells = cells;
        this.audience = audience;
        this.options = options;
        this.networkAllowed = networkAllowed;
    }

    /** {@return what can be seen of all locks of a directory} */
    static List<Sight> looks(Engines engines, Path directory) throws LockException {
        try {
            return engines.lookAll(directory);
        } catch (LockException e) {
            throw e;
        } catch (IOException e) {
            if (!Files.isDirectory(directory)) {
                String why = Files.exists(directory) ? "it is not a directory" : "it does not exist";
                throw new LockException("cannot look at " + directory + ": " + why, e);
            }
            throw Trouble.explain(e, "look at", directory);
        }
    }

    List<ClearReport> all(Path directory) throws LockException, InterruptedException {
        if (options.token().isPresent()) {
            throw new IllegalArgumentException("a token is one lock's: name its file, not the directory " + directory);
        }
        List<ClearReport> done = new ArrayList<>();
        for (Sight seen : looks(cells.engines(), directory)) {
            ClearReport report = oneOfMany(seen, seen.target());
            if (report != null) {
                done.add(report);
            }
        }
        return done;
    }

    /** What fails for one of many, a permission perhaps, must not keep the others from being cleared. */
    private @Nullable ClearReport oneOfMany(Sight seen, Path target) throws InterruptedException {
        try {
            return clear(seen, target, new Whereabouts(target.getParent(), target.getFileName().toString(), networkAllowed), true);
        } catch (LockException e) {
            return refused(seen.report(), "nothing was done: " + e.getMessage(), seen.report().advice());
        }
    }

    List<ClearReport> one(Path target, Whereabouts where) throws LockException, InterruptedException {
        ClearReport report = clear(look(target, where), target, where, false);
        return report == null ? List.of() : List.of(report);
    }

    private Sight look(Path target, Whereabouts where) throws LockException {
        try {
            return cells.engines().look(where);
        } catch (IOException e) {
            throw Trouble.explain(e, "look at", target);
        }
    }

    /** {@return what has become of it; null if there was no lock} */
    private @Nullable ClearReport clear(Sight seen, Path target, Whereabouts where, boolean oneOfMany)
            throws LockException, InterruptedException {
        LockReport report = seen.report();
        Long token = report.owner() == null ? null : report.owner().token();
        if (report.state() == State.FREE && !seen.leftover()) {
            return null;
        } else if (options.token().isPresent() && (token == null || token != options.token().getAsLong())) {
            return refused(report, "nothing was done: the lock is not the one of token " + options.token().getAsLong()
                    + (token == null ? "" : " any more, but of token " + token), report.advice());
        }
        return switch (report.state()) {
            case STALE, FREE -> dead(report, target, where);
            case TORN -> seen.isComplete() ? dead(report, target, where)
                    : refused(report, "nothing was done: it may still be being written", report.advice());
            case FOREIGN -> foreign(seen, report, target, where, oneOfMany);
            case HELD, EXPIRED -> living(report, target, where);
            case NOT_A_LOCK -> refused(report, "nothing was done: it is not a lock", report.advice());
        };
    }

    private ClearReport foreign(Sight seen, LockReport report, Path target, Whereabouts where, boolean oneOfMany) throws LockException {
        if (!Inspector.ownerIsGone(report)) {
            return refused(report, "nothing was done: its owner is not proven dead, and another program cannot be asked to let go",
                    report.advice());
        } else if (!audience.takeStrangers()) {
            return refused(report, "nothing was done: other programs' locks are not taken here (takeStrangers is off)", "");
        } else if (oneOfMany && seen.isDoubtful()) {
            return refused(report, "nothing was done: it holds but a pid, and there is no " + report.name() + " that it could be the lock of",
                    "if it is a lock all the same, clear it by its own name");
        }
        return dead(report, target, where);
    }

    // ---- the dead ----

    private ClearReport dead(LockReport report, Path target, Whereabouts where) throws LockException {
        if (options.isDryRun()) {
            return new ClearReport(told(report, "it would be removed: "
                            + (report.state() == State.TORN ? "it never became whole" : "its owner is gone"), report.advice()),
                    Outcome.WOULD_CLEAR);
        }
        LockEngine.Cleared cleared;
        try {
            cleared = cells.clear(where, audience);
        } catch (IOException e) {
            throw Trouble.explain(e, "clear", target);
        }
        return switch (cleared.outcome()) {
            case REMOVED -> new ClearReport(told(report, "it was removed: " + cleared.why(), ""), Outcome.CLEARED);
            case NOTHING -> new ClearReport(told(report, "it had gone by itself: " + cleared.why(), ""), Outcome.CLEARED);
            case KEPT -> {
                LockReport now = look(target, where).report();
                yield refused(now, "nothing was done: " + cleared.why(), now.advice());
            }
        };
    }

    // ---- the living ----

    private ClearReport living(LockReport report, Path target, Whereabouts where) throws LockException, InterruptedException {
        LockOwner holder = report.owner();
        if (holder == null || holder.token() == null) {
            return refused(report, "nothing was done: it is held, and without a record its holder cannot be asked to let go", report.advice());
        } else if (options.token().isEmpty()) {
            return refused(report, "nothing was done: its owner is not proven dead; a living holder is asked to let go by its token only",
                    report.advice());
        } else if (options.isDryRun()) {
            return new ClearReport(told(report, "pid " + holder.pid() + " would be asked to let go, and waited for up to "
                    + seconds(options.timeout()), report.advice()), Outcome.WOULD_CLEAR);
        }
        long token = holder.token();
        long start = cells.clock().nanos();
        boolean unheard = false;
        try {
            cells.askForRelease(where, audience, token);
            try {
                LockReport now = await(target, where, token, start);
                if (now == null) {
                    return new ClearReport(told(report, "pid " + holder.pid() + " was asked, and let go after "
                            + seconds(Duration.ofNanos(cells.clock().nanos() - start)), ""), Outcome.RELEASED);
                } else if (now.state() == State.STALE) {
                    return dead(now, target, where);
                }
                report = now;
            } finally {
                unheard = cells.withdrawAsking(where, audience, token);
            }
        } catch (LockException e) {
            throw e;
        } catch (IOException e) {
            throw Trouble.explain(e, "clear", target);
        }
        return unheard ? unanswered(report) : refused(report, "its holder has been told and has stopped, but has not closed its lock within "
                + seconds(options.timeout()) + "; it is let go when its revokeGrace is over", "wait, and look again");
    }

    /** {@return null once the hold of this token is over; what is known of it if it is dead, or at the end of the patience} */
    private @Nullable LockReport await(Path target, Whereabouts where, long token, long start) throws LockException, InterruptedException {
        while (true) {
            LockReport now = look(target, where).report();
            boolean over = now.owner() == null || now.owner().token() == null || now.owner().token() != token;
            if (over) {
                return null;
            } else if (now.state() == State.STALE || cells.clock().nanos() - start >= options.timeout().toNanos()) {
                return now;
            }
            Thread.sleep(LOOK_AGAIN_MILLIS);
        }
    }

    private ClearReport unanswered(LockReport report) {
        long pid = report.owner() == null ? 0 : report.owner().pid();
        boolean stopped = Inspector.isStopped(report);
        return refused(report, "it was asked to let go and did not answer within " + seconds(options.timeout()) + ": "
                + (stopped ? "it is stopped, and one that is frozen cannot answer" : "its process hangs, or is paused or starved")
                + "; the request was taken back",
                stopped ? "kill -CONT " + pid + "   # then clear it again"
                        : "jstack " + pid + "   # or kill -CONT " + pid + ", or end it: kill " + pid);
    }

    // ---- words ----

    private static ClearReport refused(LockReport report, String what, String advice) {
        return new ClearReport(told(report, what, advice), Outcome.REFUSED);
    }

    private static LockReport told(LockReport report, String what, String advice) {
        List<String> evidence = new ArrayList<>();
        evidence.add(what);
        evidence.addAll(report.evidence());
        return new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), evidence, advice);
    }

    private static String seconds(Duration duration) {
        return String.format(Locale.ROOT, "%.1f s", duration.toMillis() / 1000.0);
    }
}
