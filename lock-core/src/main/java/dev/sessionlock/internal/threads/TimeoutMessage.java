package dev.sessionlock.internal.threads;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.WallClock;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What a timeout says: for the person who reads it in a log and has to act. */
final class TimeoutMessage {
    private static final int FRAMES = 12;

    private TimeoutMessage() {
    }

    /**
     * Who has it in this JVM.
     *
     * @param thread the thread; of several that read, the first one
     * @param does what it does, as the end of a sentence
     */
    record Holder(Thread thread, String does) {
        static @Nullable Holder of(Grant held) {
            Thread thread = held.owner();
            int others = held.users().size() - 1;
            return thread == null ? null : new Holder(thread, !held.hold().terms().shared() ? "holds it" : others <= 0 ? "reads" : "reads, as do " + others + " more");
        }
    }

    /** {@return what a waiter is told that gives up: who has the lock, and what is in the way} */
    static LockTimeoutException exception(LocalLock lock, Waiter waiter) {
        EngineLock engine = lock.engine();
        Busy busy = waiter.busy;
        Grant held = lock.grant();
        Holder holder = held == null ? null : Holder.of(held);
        Duration waited = Duration.ofNanos(lock.clock().nanos() - waiter.since());
        String locked = lock.shown(waiter.request());
        try {
            if (busy != null && busy.trouble() != null) {
                throw busy.trouble();
            }
            LockReport report = engine.inspect().withWaiters(WaitingThreads.of(lock, waiter));
            return new LockTimeoutException(always(waiter.request(), locked, report, holder, busy, lock.clock()), report, waited, null);
        } catch (IOException | RuntimeException | Error e) {
            LockReport unknown = new LockReport(engine.name(), engine.lockFile(), LockReport.State.HELD, null,
                    List.of(untold(e)), "");
            return new LockTimeoutException(always(waiter.request(), locked, unknown, holder, busy, lock.clock()), unknown, waited, e);
        }
    }

    /** {@return that it is not known who has the lock, and why} A message of ours says all that a person needs, without the name of its class. */
    static String untold(Throwable e) {
        return "who holds it cannot be told: " + (e instanceof LockException && e.getMessage() != null ? e.getMessage() : e);
    }

    /** As {@link #of}, or less: a timeout is reported as one, even where there is no memory, or no descriptor, for all that it could say. */
    static String always(AcquireRequest request, String locked, LockReport report, @Nullable Holder holder, @Nullable Busy busy, Clock clock) {
        try {
            return of(request, locked, report, holder, busy, clock.instant());
        } catch (RuntimeException | Error e) {
            return "session file locked (timeout " + request.options().timeout().toMillis() + "ms): pid=unknown " + locked + " (more could not be said: " + e + ")";
        }
    }

    /** Each line is made printable by itself: names of files and threads and purposes may hold line feeds, with which somebody could forge one. */
    static String of(AcquireRequest request, String locked, LockReport report, @Nullable Holder holder, @Nullable Busy busy, Instant now) {
        List<String> lines = new ArrayList<>();
        lines.add(headline(request, locked, report, now));
        if (report.owner() != null) {
            lines.add("  held by   " + heldBy(report.owner(), now));
        }
        lines.add("  state     " + report.state() + (busy == null ? "" : ": " + busy.why()));
        for (Sentence sentence : report.sentences()) {
            lines.add((sentence.topic() == Topic.LEASE ? "  lease     " : "  evidence  ") + sentence.text());
        }
        if (holder != null) {
            lines.add("  thread    \"" + holder.thread().getName() + "\" of this JVM " + holder.does() + "; it is at");
            lines.addAll(stack(holder.thread()));
        }
        if (report.remedy().kind() != RemedyKind.NONE) {
            lines.add("  to free   " + report.remedy().inBrief());
        }
        return lines.stream().map(Printable::text).collect(Collectors.joining(System.lineSeparator()));
    }

    /** {@return who holds it, and since when, for a log} */
    static String inOneLine(AcquireRequest request, String locked, LockReport report, Instant now) {
        String held = report.owner() == null ? "state " + report.state() : "held by " + heldBy(report.owner(), now);
        return Printable.text(headline(request, locked, report, now) + ", " + held);
    }

    /** Greppable by those who know OpenClaw's own message. */
    private static String headline(AcquireRequest request, String locked, LockReport report, Instant now) {
        LockOwner owner = report.owner();
        boolean dead = report.isOwnerGone();
        String who = owner == null ? "pid=unknown" : "pid=" + owner.pid() + " alive=" + !dead
                + (owner.since() == null ? "" : " ageMs=" + Math.max(0, Duration.between(owner.since(), now).toMillis()));
        return "session file locked (timeout " + request.options().timeout().toMillis() + "ms): " + who + " " + locked;
    }

    /** {@return who an owner is, and since when it is one} */
    static String heldBy(LockOwner owner, Instant now) {
        StringBuilder text = new StringBuilder("pid ").append(owner.pid());
        if (owner.host() != null) {
            text.append(" on ").append(owner.host());
        }
        if (owner.processStart() != null) {
            text.append(", process started ").append(time(owner.processStart()));
        }
        if (owner.thread() != null) {
            text.append(", ").append(ThreadNames.inWords(owner.thread()));
        }
        if (owner.purpose() != null) {
            text.append(", purpose \"").append(owner.purpose()).append('"');
        }
        if (owner.since() != null) {
            String age = Durations.inWords(Duration.between(owner.since(), now));
            text.append(", since ").append(time(owner.since())).append(" (").append(age).append(')');
        }
        return text.toString();
    }

    /** The zone is asked for here and not in a constant: it reads files, and where that fails once, for want of descriptors, the class would be unusable. */
    private static String time(Instant moment) {
        return WallClock.time(moment);
    }

    private static List<String> stack(Thread holder) {
        List<String> lines = new ArrayList<>();
        StackTraceElement[] frames = holder.getStackTrace();
        for (int i = 0; i < Math.min(frames.length, FRAMES); i++) {
            lines.add("            at " + frames[i]);
        }
        if (frames.length > FRAMES) {
            lines.add("            ... " + (frames.length - FRAMES) + " more");
        }
        return lines;
    }
}
