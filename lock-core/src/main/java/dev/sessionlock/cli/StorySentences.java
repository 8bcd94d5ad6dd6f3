package dev.sessionlock.cli;

import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.cli.Anomaly.HeldLong;
import dev.sessionlock.cli.Anomaly.HolderStopped;
import dev.sessionlock.cli.Anomaly.LeaseOver;
import dev.sessionlock.cli.Anomaly.LongWait;
import dev.sessionlock.cli.Anomaly.SameEnding;
import dev.sessionlock.cli.Anomaly.UnusualEndings;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.ToolCommand;
import dev.sessionlock.internal.system.WallClock;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Puts a {@link Story} into words. No code decides by these words. What comes from files and processes is made printable where a line is made.
 */
final class StorySentences {
    /** So many waiters are named. */
    private static final int NAMED_WAITERS = 12;
    private static final int NAMED_FRAMES = 6;
    private static final int NAMED_LINKS = 5;
    private static final Duration A_WHILE = Duration.ofMinutes(10);
    private static final String PASSED_ON = ", unless it was passed to other code";

    private final Story story;
    private final ReportView view;
    private final LockReport report;

    StorySentences(Story story) {
        this.story = story;
        this.view = story.view();
        this.report = view.report();
    }

    // ---- one screen ----

    /** {@return the whole story, the most important first} */
    String text(boolean coloured) {
        List<String> lines = new ArrayList<>();
        lines.add(Printable.text(view.named()) + ": " + view.styled(coloured, view.verdict()));
        lines.add(ReportView.line("why", why()));
        String before = before();
        if (before != null) {
            lines.add(ReportView.line("before", before));
        }
        lines.add(ReportView.line("to do", next().inWords()));
        if (report.owner() != null) {
            lines.add("");
            view.owner(lines, report.owner());
        }
        labelled(lines, "evidence", report.evidence());
        labelled(lines, "stack", stack());
        labelled(lines, "waiting", waiters());
        labelled(lines, "chain", chain());
        labelled(lines, "unusual", unusual());
        lines.add("");
        history(lines);
        return String.join(System.lineSeparator(), lines);
    }

    private static void labelled(List<String> lines, String label, List<String> values) {
        String shown = label;
        for (String value : values) {
            lines.add(ReportView.line(shown, value));
            shown = "";
        }
    }

    private void history(List<String> lines) {
        if (story.past().isEmpty()) {
            lines.add(noHistory(report.lockFile() == null));
            return;
        }
        lines.add(historyTitle());
        for (String row : HoldRows.table(story.last(), view.at(), false)) {
            lines.add("  " + row);
        }
        if (!story.showsTrouble()) {
            lines.add("and further back:");
            lines.add("  " + HoldRows.table(List.of(story.before().hold()), view.at(), false).get(1));
        }
    }

    /** {@return what to call the past holds} */
    String historyTitle() {
        int shown = story.last().size();
        return shown == 1 ? "The last hold:" : "The last " + shown + " holds, the latest first:";
    }

    /** {@return that no past holds are known} */
    static String noHistory(boolean database) {
        return database ? "No past holds are known: none has ended here yet, or no process writes a history (JdbcLockEngine.withHistory)."
                : "No past holds are known: none has ended here yet, or the history is turned off (-Dsessionlock.history=0).";
    }

    // ---- why it is stuck ----

    /** {@return why the lock is stuck now, or that it is not} */
    String why() {
        return switch (story.cause()) {
            case NONE -> notStuck();
            case LEAKED_HANDLE -> "leaked handle: thread " + quoted(story.thread().name()) + " took the lock" + taken() + " and" + leftTo(story.thread()) + "; nobody has closed the handle" + PASSED_ON;
            case HUNG_THREAD -> "thread hung in " + place(story.thread()) + ", holding the lock" + since() + ": " + doing(story.thread());
            case LONG_HOLD -> "long hold: " + longHold();
            case PROCESS_STOPPED -> "process stopped: " + pid() + " is stopped by a signal or a debugger and cannot give the lock back" + (taken().isEmpty() ? "" : ", which it took" + taken()) + "; " + whileSilent();
            case PROCESS_SILENT -> "process silent: " + pid() + " lives, but has stopped renewing its lease (starved of CPU, a long garbage collection, a slow disk, or "
                    + "paused with its container); " + whileSilent();
            case PROCESS_DIED -> "process killed or crashed: " + pid() + " is gone and left the lock behind; whoever wants it next gets it";
            case WAITS_FOR_ANOTHER_LOCK -> "its holder waits for another lock, " + last(story.above()).waitsFor() + ": see the chain below";
            case DEADLOCK -> "deadlock: its holder waits for another lock, whose holder waits for this one: see the chain below";
            case OTHER_PROGRAM -> "another program has it: " + pid() + since() + "; it does not use this library, so it cannot be asked";
            case IN_THE_WAY -> "something lies in the lock's place and keeps others out";
            // Only of the past:
            case JVM_ENDED, FREED_BY_HAND, KERNEL_LOCK_LOST -> throw new IllegalStateException(story.cause().name());
        };
    }

    private String notStuck() {
        if (!view.isHeld()) {
            return story.view().report().state() == State.FREE ? "nobody holds it" + (waiting() ? "; it is just being handed over" : "") : report.advice();
        }
        String held = view.age() == null ? "it is held" : "it has been held for " + HoldRows.span(view.age());
        return held + (story.usual() == null ? "" : " (usual: " + HoldRows.span(story.usual().median()) + ")") + ", and nothing points to trouble";
    }

    private String longHold() {
        ThreadSnapshot thread = story.thread();
        String held = "held for " + (view.age() == null ? "an unknown time" : HoldRows.span(view.age()));
        if (thread == null || thread.presence() == ThreadSnapshot.Presence.UNKNOWN) {
            return held + "; what its thread does cannot be seen from here (acquireAsync, a virtual thread, another user, another machine, or no jcmd)";
        } else if (thread.presence() == ThreadSnapshot.Presence.RUNS_A_JOB) {
            return held + "; the job that " + pid() + " started with run is still running";
        } else if (thread.hasLeft()) {
            return held + "; thread " + quoted(thread.name()) + leftTo(thread);
        }
        return held + "; thread " + quoted(thread.name()) + " works in " + place(thread)
                + (thread.ran() == null ? "" : " (" + thread.ran().toMillis() + " ms of CPU in " + thread.watched().toMillis() + " ms)");
    }

    private static String leftTo(ThreadSnapshot thread) {
        return thread.presence() == ThreadSnapshot.Presence.GONE ? " has ended or was renamed" : " has gone back to waiting for work";
    }

    private static String place(ThreadSnapshot thread) {
        return thread.where() != null ? thread.where() : thread.top() != null ? thread.top() : "unknown code";
    }

    private static String doing(ThreadSnapshot thread) {
        String still = thread.ran() == null ? "" : ", and used " + (thread.ran().toMillis() == 0 ? "no" : "hardly any") + " CPU while we looked";
        boolean blocked = "BLOCKED".equals(thread.state());
        String at = thread.top() == null ? "" : blocked ? " for a monitor in " + thread.top() : " in " + thread.top();
        return quoted(thread.name()) + " waits" + at + still;
    }

    /** What the others do while a holder does not run. */
    private String whileSilent() {
        LockReport.Lease lease = report.facts().lease();
        if (report.state() == State.EXPIRED && (lease == null || lease.takeover())) {
            return "its lease is over, so others take the lock over";
        } else if (lease == null) {
            return "others wait until it runs again";
        } else if (!lease.takeover()) {
            return "nobody may take it over (takeover is off), so others wait as long as that process lives";
        } else if (lease.isOver()) {
            return "its lease is over, so others take the lock over";
        }
        return lease.left() == null ? "others wait until it runs again" : "others take over when its lease ends, in " + HoldRows.span(lease.left());
    }

    private String taken() {
        Instant since = report.facts().since();
        return since == null ? "" : " at " + view.time(since) + " (" + HoldRows.span(view.age()) + " ago)";
    }

    private String pid() {
        Long kernel = report.facts().kernelPid();
        return kernel != null ? "pid " + kernel : report.owner() == null ? "its process" : "pid " + report.owner().pid();
    }

    private String since() {
        Instant since = report.facts().since();
        return since == null ? "" : " since " + view.time(since) + " (" + HoldRows.span(view.age()) + ")";
    }

    // ---- the last trouble ----

    /** {@return what the last trouble before now was; null if there was none} */
    @Nullable String before() {
        PastIncident before = story.before();
        if (before == null) {
            return null;
        }
        long after = before.after();
        return trouble(before, before.hold()) + (after == 0 ? "" : "; " + (after == 1 ? "1 hold has" : after + " holds have") + " ended well since");
    }

    private String trouble(PastIncident before, PastHold hold) {
        String holder = "pid " + hold.pid() + (HolderProcesses.isElsewhere(hold) ? " in another pid namespace" : "") + (hold.thread() == null ? "" : ", " + ThreadNames.inWords(hold.thread()));
        String since = hold.since() == null ? "" : " since " + view.time(hold.since());
        String until = view.time(hold.until());
        String lasted = hold.longest() == null ? "" : " (after " + HoldRows.span(hold.longest()) + ")";
        return switch (before.cause()) {
            case LEAKED_HANDLE -> "leaked handle: " + holder + ", had the lock" + since + " and dropped the handle without closing it; the garbage collector found it at "
                    + until + lasted;
            case HUNG_THREAD -> hung(before, holder, since) + "; maxHold ended its hold at " + until + lasted;
            case LONG_HOLD -> "long hold: " + holder + ", had the lock" + since + " until " + until + lasted;
            case PROCESS_STOPPED -> "process stopped: " + holder + ", had the lock" + since + " and stood still for longer than its lease; others took over at " + until
                    + lasted + nowDoing(before.process());
            case PROCESS_DIED -> "process killed or crashed: " + holder + ", had the lock" + since + " when it ended; found out at " + until;
            case JVM_ENDED -> "JVM shut down: " + holder + ", had the lock" + since + " and did not close it in time; over at " + until + lasted;
            case FREED_BY_HAND -> "freed by hand: " + (hold.ending() == Ending.REMOVED ? "somebody removed the lock file of " : "somebody asked (clear --token) ") + holder
                    + ", at " + until + lasted;
            case KERNEL_LOCK_LOST -> "lost: " + holder + ", had the lock" + since + "; at " + until + " the kernel had dropped it, or .session-locks was replaced";
            default -> throw new IllegalStateException(before.cause().name());
        };
    }

    private static String hung(PastIncident before, String holder, String since) {
        ThreadSnapshot thread = before.thread();
        if (thread != null && thread.isStill()) {
            return "thread hung in " + place(thread) + since + " and still: " + holder;
        }
        String now = before.process() == ProcessState.DEAD ? ", which has ended" : thread == null || thread.presence() == ThreadSnapshot.Presence.UNKNOWN ? ""
                : thread.hasLeft() ? ", which does something else now" : ", which works now in " + place(thread);
        return "thread hung in unknown code" + since + ", or worked for too long: " + holder + now;
    }

    private static String nowDoing(ProcessState process) {
        return switch (process) {
            case STOPPED -> "; it is still stopped";
            case ALIVE -> "; it runs again";
            case DEAD -> "; it has ended";
            case UNKNOWN -> "";
        };
    }

    // ---- details ----

    /** {@return the stack of the thread that is in question; empty if it is unknown} */
    List<String> stack() {
        ThreadSnapshot now = story.thread();
        ThreadSnapshot then = story.before() == null ? null : story.before().thread();
        ThreadSnapshot thread = story.cause() == Cause.HUNG_THREAD || story.cause() == Cause.LONG_HOLD ? now
                : story.cause() == Cause.NONE && then != null && then.isStill() ? then : null;
        if (thread == null) {
            return List.of();
        }
        int own = Math.max(0, thread.frames().indexOf(String.valueOf(thread.where())));
        List<String> frames = new ArrayList<>();
        if (own > 0) {
            frames.add(thread.top());
        }
        if (own > 1) {
            frames.add("... (" + (own - 1) + " more of the JDK)");
        }
        int end = Math.min(thread.frames().size(), own + NAMED_FRAMES);
        frames.addAll(thread.frames().subList(own, end));
        if (end < thread.frames().size()) {
            frames.add("... (" + (thread.frames().size() - end) + " more: jstack " + (thread == now ? report.owner().pid() : story.before().hold().pid()) + ")");
        }
        return frames;
    }

    private boolean waiting() {
        return !report.waiters().isEmpty() || Boolean.TRUE.equals(report.facts().waitedFor());
    }

    /** {@return who waits, in the order that is known} */
    List<String> waiters() {
        List<Waiter> all = report.waiters();
        if (all.isEmpty()) {
            return waiting() ? List.of("another process waits for it") : List.of();
        }
        List<String> lines = new ArrayList<>();
        Instant first = story.waitingSince();
        lines.add(all.size() + (all.size() == 1 ? " waits" : " wait") + (first == null ? "" : ", the first since " + view.time(first) + " (" + waited(first) + ")")
                + (all.size() > 1 ? "; the kernel, not the order here, decides which process is next" : ""));
        Map<String, Integer> alike = new LinkedHashMap<>();
        for (Waiter waiter : all) {
            alike.merge(inWords(waiter), 1, Integer::sum);
        }
        alike.forEach((words, times) -> {
            if (lines.size() <= NAMED_WAITERS) {
                lines.add(words + (times == 1 ? "" : " (" + times + " of them)"));
            }
        });
        if (alike.size() > NAMED_WAITERS) {
            lines.add("... and " + (alike.size() - NAMED_WAITERS) + " more");
        }
        return lines;
    }

    private String inWords(Waiter waiter) {
        return (waiter.pid() == null ? "an unknown process" : "pid " + waiter.pid()) + (waiter.host() == null ? "" : " on " + waiter.host())
                + (waiter.thread() == null ? "" : ", " + ThreadNames.inWords(waiter.thread())) + (waiter.purpose() == null ? "" : ", for " + quoted(waiter.purpose()))
                + (waiter.since() == null ? "" : ", since " + view.time(waiter.since()));
    }

    private String waited(Instant since) {
        return Durations.inWords(Duration.between(since, view.at()));
    }

    /** {@return who waits for whom} */
    List<String> chain() {
        List<String> lines = new ArrayList<>();
        for (ChainLink link : story.above()) {
            lines.add("pid " + link.pid() + ", thread " + quoted(link.thread()) + ", holds " + link.holds() + " and waits for " + link.waitsFor());
        }
        List<ChainLink> below = story.cause() == Cause.DEADLOCK ? List.of() : story.below(); // they are in the circle
        for (ChainLink link : below.subList(0, Math.min(NAMED_LINKS, below.size()))) {
            lines.add("pid " + link.pid() + ", thread " + quoted(link.thread()) + ", waits for this and holds " + link.holds() + ", for which "
                    + (link.waiting() == 1 ? "1 waits" : link.waiting() + " wait"));
        }
        if (below.size() > NAMED_LINKS) {
            lines.add("... and " + (below.size() - NAMED_LINKS) + " more that wait for this and keep others waiting");
        }
        return lines;
    }

    /** {@return what is not as usual} */
    List<String> unusual() {
        return story.anomalies().stream().map(StorySentences::anomaly).toList();
    }

    private static String anomaly(Anomaly anomaly) {
        if (anomaly instanceof HeldLong it) {
            return "held " + it.times() + " times as long as the median of the last " + it.usual().holds() + " holds"
                    + (it.usual().purpose() == null ? "" : " for " + quoted(it.usual().purpose())) + " (" + HoldRows.span(it.usual().median()) + ")";
        } else if (anomaly instanceof HolderStopped it) {
            return "the process that has it, pid " + it.pid() + ", is stopped";
        } else if (anomaly instanceof LeaseOver it) {
            return "the lease ran out " + HoldRows.span(it.ago()) + " ago";
        } else if (anomaly instanceof LongWait it) {
            return "somebody has waited for " + Durations.inWords(it.waited()) + "; by default callers give up after " + Durations.inWords(Story.LONG);
        } else if (anomaly instanceof SameEnding it) {
            return "the last " + it.times() + " holds" + (it.purpose() == null ? "" : " for " + quoted(it.purpose())) + " all ended like this: " + HoldRows.ending(it.ending());
        } else if (anomaly instanceof UnusualEndings it) {
            return it.unusual() + " of the last " + it.holds() + " holds ended otherwise than by a release";
        }
        throw new IllegalArgumentException(anomaly.toString());
    }

    // ---- what to do ----

    /** {@return the one next step} */
    Remedy next() {
        if (story.cause() == Cause.NONE && story.before() != null && report.remedy().kind() != RemedyKind.MOVE) {
            return afterwards(story.before(), story.before().hold());
        }
        Remedy remedy = report.remedy();
        return switch (story.cause()) {
            case NONE -> remedy.kind() == RemedyKind.NONE || view.isHeld() ? new Remedy(RemedyKind.NOTHING, "nothing") : remedy;
            case LEAKED_HANDLE -> remedy.kind() != RemedyKind.ASK ? remedy
                    : new Remedy(RemedyKind.ASK, remedy.step(), "frees the lock at once; first make sure that no other thread is to close it; then mend the code "
                            + "that takes it" + purpose(report.owner() == null ? null : report.owner().purpose()) + " and does not close it");
            case HUNG_THREAD -> remedy.kind() != RemedyKind.ASK ? remedy
                    : new Remedy(RemedyKind.ASK, remedy.step(), "takes the lock from it and lets the others in; the thread itself hangs until " + pid() + " is restarted");
            case WAITS_FOR_ANOTHER_LOCK -> new Remedy(RemedyKind.LOOK, whyOf(last(story.above()).waitsFor()), "the cause is there");
            case DEADLOCK -> remedy.kind() != RemedyKind.ASK ? remedy
                    : new Remedy(RemedyKind.ASK, remedy.step(), "breaks the circle; then let all code take these locks in one order (acquireAll)");
            default -> remedy.kind() == RemedyKind.NONE ? new Remedy(RemedyKind.NOTHING, "nothing") : remedy;
        };
    }

    private Remedy afterwards(PastIncident before, PastHold hold) {
        String well = "nothing for the lock, which is well now";
        return switch (before.cause()) {
            case LEAKED_HANDLE -> new Remedy(RemedyKind.LOOK, "look for the code that takes the lock" + purpose(hold.purpose())
                    + (ThreadNames.isNamed(hold.thread()) ? " in thread " + quoted(hold.thread()) : "") + " and does not close it (try-with-resources)", well);
            case HUNG_THREAD -> before.process() == ProcessState.DEAD || before.thread() == null ? new Remedy(RemedyKind.LOOK, "look in the log of pid " + hold.pid()
                    + " at " + view.time(hold.until()) + " what its thread waited for", well)
                    : new Remedy(RemedyKind.LOOK, "jstack " + hold.pid(), "what its threads wait for; a hung one comes back only if that ends, or with a restart. For the "
                            + "lock: nothing, it is well now");
            case PROCESS_DIED -> new Remedy(RemedyKind.LOOK, "journalctl --since " + Printable.shellWord(WallClock.dayAndTime(hold.since() != null ? hold.since() : hold.until().minus(A_WHILE)))
                    + " | grep -iE 'killed process|out of memory|oom|" + hold.pid() + "'", "who ended it? For the lock: nothing, it is well now");
            case PROCESS_STOPPED -> before.process() == ProcessState.STOPPED
                    ? new Remedy(RemedyKind.WAKE, "kill -CONT " + hold.pid(), "it is still stopped; it knows when it wakes that it has lost the lock")
                    : new Remedy(RemedyKind.LOOK, "look what stopped pid " + hold.pid() + " before " + view.time(hold.until()) + ": SIGSTOP, a debugger, docker pause, a "
                            + "suspended machine, a long garbage collection", well);
            case LONG_HOLD -> new Remedy(RemedyKind.LOOK, "look in the log of pid " + hold.pid() + " what it did until " + view.time(hold.until()), well);
            default -> new Remedy(RemedyKind.NOTHING, "nothing: the lock is well now");
        };
    }

    private static String purpose(@Nullable String purpose) {
        return purpose == null ? "" : " for " + quoted(purpose);
    }

    private String whyOf(String name) {
        Path beside = view.target().resolveSibling(name);
        return ToolCommand.words() + " why " + Printable.shellWord(beside.toString());
    }

    private static ChainLink last(List<ChainLink> chain) {
        return chain.get(chain.size() - 1);
    }

    private static String quoted(String text) {
        return "\"" + text + "\"";
    }
}
