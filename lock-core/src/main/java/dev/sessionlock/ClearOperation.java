package dev.sessionlock;

import dev.sessionlock.ClearReport.Outcome;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.internal.threads.EventPublisher;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.LockEngine.LockId;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One call of {@link SessionLocks#clear}. What it sees only decides what it tries: before the engine removes anything, it judges anew while it has
 * the kernel lock.
 */
final class ClearOperation {
    private static final long LOOK_AGAIN_MILLIS = 20;

    private final LocalLocks locks;
    private final EventPublisher publisher;
    private final ClearOptions options;
    private final Inspections inspections;

    ClearOperation(LocalLocks locks, EventPublisher publisher, ClearOptions options, Inspections inspections) {
        this.locks = locks;
        this.publisher = publisher;
        this.options = options;
        this.inspections = inspections;
    }

    List<ClearReport> allOf(Path directory) throws LockException, InterruptedException {
        if (options.token().isPresent()) {
            throw new IllegalArgumentException("a token is one lock's: name its file, not the directory " + directory);
        }
        return all(inspections.all(directory));
    }

    /** Clears the locks that were inspected. */
    private List<ClearReport> all(List<Inspection> inspected) throws InterruptedException {
        List<ClearReport> done = new ArrayList<>();
        for (Inspection seen : inspected) {
            ClearReport report = oneOfMany(seen);
            if (report != null) {
                done.add(report);
            }
        }
        return done;
    }

    /** If clearing one of many fails, perhaps for lack of a permission, the others must still be cleared. */
    private @Nullable ClearReport oneOfMany(Inspection seen) throws InterruptedException {
        Path parent = seen.id().parent();
        LockId id = new LockId(parent, seen.id().name(), inspections.naming().networkAllowed());
        Path file = parent == null ? null : parent.resolve(id.name());
        try {
            return clear(seen, new LockTarget(id, file == null ? id.name() : file.toString(), file), true);
        } catch (LockException e) {
            return refused(seen.report(), "nothing was done: " + e.getMessage(), seen.report().remedy());
        }
    }

    List<ClearReport> one(LockTarget subject) throws LockException, InterruptedException {
        ClearReport report = clear(inspections.one(subject), subject, false);
        return report == null ? List.of() : List.of(report);
    }

    /** {@return what was done with the lock; null if there was none} */
    private @Nullable ClearReport clear(Inspection seen, LockTarget subject, boolean oneOfMany)
            throws LockException, InterruptedException {
        LockReport report = seen.report();
        Long token = report.owner() == null ? null : report.owner().token();
        if (report.state() == State.FREE && !seen.leftover()) {
            return null;
        } else if (options.token().isPresent() && (token == null || token != options.token().getAsLong())) {
            return refused(report, "nothing was done: the lock is not the one of token " + options.token().getAsLong()
                    + (token == null ? "" : " any more, but of token " + token), report.remedy());
        }
        return switch (report.state()) {
            case STALE, FREE -> dead(report, subject);
            case TORN -> seen.isComplete() ? dead(report, subject)
                    : refused(report, "nothing was done: it may still be being written, or be another program's", report.remedy());
            case FOREIGN -> foreign(seen, report, subject, oneOfMany);
            case HELD, EXPIRED -> living(report, subject);
            case NOT_A_LOCK -> refused(report, "nothing was done: it is not a lock", report.remedy());
        };
    }

    private ClearReport foreign(Inspection seen, LockReport report, LockTarget subject, boolean oneOfMany) throws LockException {
        if (!report.isOwnerGone()) {
            return refused(report, "nothing was done: its owner is not proven dead, and another program cannot be asked to let go",
                    report.remedy());
        } else if (!publisher.takeForeign()) {
            return refused(report, "nothing was done: other programs' locks are not taken here (takeStrangers is off)", Remedy.none());
        } else if (oneOfMany && seen.isDoubtful()) {
            return refused(report, "nothing was done: it holds but a pid, and there is no " + report.name() + " that it could be the lock of",
                    report.remedy());
        }
        return dead(report, subject);
    }

    // ---- dead owners ----

    private ClearReport dead(LockReport report, LockTarget subject) throws LockException {
        if (options.isDryRun()) {
            return new ClearReport(told(report, "it would be removed: "
                            + (report.state() == State.TORN ? "it never became whole" : "its owner is gone"), report.remedy()),
                    Outcome.WOULD_CLEAR);
        }
        EngineLock.Cleared cleared;
        try {
            cleared = locks.clear(subject.id(), publisher);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "clear", subject.shown(), subject.file());
        }
        return switch (cleared.outcome()) {
            case REMOVED -> new ClearReport(told(report, "it was removed: " + cleared.why(), Remedy.none()), Outcome.CLEARED);
            case NOTHING -> new ClearReport(told(report, "it had gone by itself: " + cleared.why(), Remedy.none()), Outcome.CLEARED);
            case KEPT -> {
                LockReport now = inspections.one(subject).report();
                yield refused(now, "nothing was done: " + cleared.why(), now.remedy());
            }
        };
    }

    // ---- living owners ----

    private ClearReport living(LockReport report, LockTarget subject) throws LockException, InterruptedException {
        LockOwner holder = report.owner();
        if (holder == null || holder.token() == null) {
            return refused(report, "nothing was done: it is held, and without a record its holder cannot be asked to let go", report.remedy());
        } else if (options.token().isEmpty()) {
            return refused(report, "nothing was done: its owner is not proven dead; a living holder is asked to let go by its token only",
                    report.remedy());
        } else if (options.isDryRun()) {
            return new ClearReport(told(report, "pid " + holder.pid() + " would be asked to let go, and waited for up to "
                    + seconds(options.timeout()), report.remedy()), Outcome.WOULD_CLEAR);
        }
        long token = holder.token();
        long start = locks.clock().nanos();
        boolean unheard = false;
        try {
            locks.askForRelease(subject.id(), publisher, token);
            try {
                LockReport now = await(subject, token, start);
                if (now == null) {
                    return new ClearReport(told(report, "pid " + holder.pid() + " was asked, and let go after "
                            + seconds(Duration.ofNanos(locks.clock().nanos() - start)), Remedy.none()), Outcome.RELEASED);
                } else if (now.state() == State.STALE) {
                    return dead(now, subject);
                }
                report = now;
            } finally {
                unheard = locks.withdrawAsking(subject.id(), publisher, token);
            }
        } catch (LockException e) {
            throw e;
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "clear", subject.shown(), subject.file());
        }
        return unheard ? unanswered(report) : refused(report, "its holder has been told and has stopped, but has not closed its lock within "
                + seconds(options.timeout()) + "; it is let go when its revokeGrace is over", new Remedy(RemedyKind.WAIT, "wait, and look again"));
    }

    /** {@return null once the hold of this token is over; otherwise the last report, if the owner is dead or the time to wait is over} */
    private @Nullable LockReport await(LockTarget subject, long token, long start) throws LockException, InterruptedException {
        while (true) {
            LockReport now = inspections.one(subject).report();
            boolean over = now.owner() == null || now.owner().token() == null || now.owner().token() != token;
            if (over) {
                return null;
            } else if (now.state() == State.STALE || locks.clock().nanos() - start >= options.timeout().toNanos()) {
                return now;
            }
            Thread.sleep(LOOK_AGAIN_MILLIS);
        }
    }

    private ClearReport unanswered(LockReport report) {
        long pid = report.owner() == null ? 0 : report.owner().pid();
        String asked = "it was asked to let go and did not answer within " + seconds(options.timeout()) + ": ";
        String takenBack = "; the request was taken back";
        return switch (report.facts().process()) {
            case STOPPED -> refused(report, asked + "it is stopped, and one that is frozen cannot answer" + takenBack,
                    new Remedy(RemedyKind.WAKE, "kill -CONT " + pid, "then clear it again"));
            case ALIVE -> refused(report, asked + "its process hangs, or is paused or starved" + takenBack,
                    new Remedy(RemedyKind.END, "kill " + pid, "ends it; what keeps it: jstack " + pid + "; paused with its container: docker unpause"));
            case DEAD, UNKNOWN -> refused(report, asked + "its process cannot be seen from here, and may be gone" + takenBack,
                    new Remedy(RemedyKind.NOTHING, "nothing: if it is gone, the next acquisition gets in once its lease is over; if it lives, end it where it can "
                            + "be seen"));
        };
    }

    // ---- words ----

    private static ClearReport refused(LockReport report, String what, Remedy remedy) {
        return new ClearReport(told(report, what, remedy), Outcome.REFUSED);
    }

    private static LockReport told(LockReport report, String what, Remedy remedy) {
        List<Sentence> evidence = new ArrayList<>();
        evidence.add(new Sentence(Topic.ACTION, what));
        evidence.addAll(report.sentences());
        return new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), report.facts(), evidence, remedy);
    }

    private static String seconds(Duration duration) {
        return String.format(Locale.ROOT, "%.1f s", duration.toMillis() / 1000.0);
    }
}
