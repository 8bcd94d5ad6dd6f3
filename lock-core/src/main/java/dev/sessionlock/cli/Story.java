package dev.sessionlock.cli;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Facts;
import dev.sessionlock.LockReport.KernelLockState;
import dev.sessionlock.LockReport.ProcessState;
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
import dev.sessionlock.internal.system.ThreadNames;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What {@code why} tells of one lock, as facts: made from what was seen, without a look of its own. {@link StorySentences} puts it into words, {@link StoryDocument} into
 * JSON, {@link StoryPage} onto a page.
 *
 * @param view the report, and when it was made
 * @param past the past holds that are known, the latest end first
 * @param usual for how long it is held as a rule; null if too little is known
 * @param cause why it is stuck now
 * @param thread what the thread that holds it does; null if nobody has looked
 * @param before the last trouble before now; null if there was none lately
 * @param anomalies what is unusual
 * @param above what its holder waits for, and so on, see {@link ChainLink#above}
 * @param below who waits for it and keeps others waiting
 */
record Story(
        ReportView view,
        List<PastHold> past,
        @Nullable TypicalHold usual,
        Cause cause,
        @Nullable ThreadSnapshot thread,
        @Nullable PastIncident before,
        List<Anomaly> anomalies,
        List<ChainLink> above,
        List<ChainLink> below) {
    /** How many past holds are shown. */
    static final int SHOWN = 10;
    /** For this long callers wait by default: what takes longer, others notice. */
    static final Duration LONG = Duration.ofSeconds(10);
    /** What lasts so many times as long as usual is unusual. */
    static final long MANY_TIMES = 10;
    /** No hold is unusual before, however short the others are. */
    private static final Duration NOT_BRIEF = Duration.ofSeconds(1);
    private static final int SEVERAL = 2;
    /** A lock lingers for a minute at most, and its record may be a second old. */
    private static final Duration LONGEST_LINGER = Duration.ofSeconds(61);

    /**
     * Tells what was seen.
     *
     * @param all the locks of the directory
     * @param before the last trouble, with what was seen of its process
     */
    static Story of(ReportView view, List<PastHold> past, List<LockReport> all, @Nullable ThreadSnapshot thread, @Nullable PastIncident before) {
        LockReport report = view.report();
        LockOwner owner = report.owner();
        TypicalHold usual = TypicalHold.of(past, owner == null ? null : owner.purpose());
        List<ChainLink> above = ChainLink.above(report, all);
        return new Story(view, List.copyOf(past), usual, cause(view, usual, thread, above), thread, before, anomalies(view, past, usual), above,
                ChainLink.below(report, all));
    }

    // ---- why ----

    private static Cause cause(ReportView view, @Nullable TypicalHold usual, @Nullable ThreadSnapshot thread, List<ChainLink> above) {
        Facts facts = view.report().facts();
        return switch (view.report().state()) {
            case FREE -> Cause.NONE;
            case HELD -> facts.isStopped() ? Cause.PROCESS_STOPPED : ofLiving(view, usual, thread, above);
            case EXPIRED -> facts.isStopped() ? Cause.PROCESS_STOPPED : facts.process() == ProcessState.DEAD ? Cause.PROCESS_DIED : Cause.PROCESS_SILENT;
            case STALE -> Cause.PROCESS_DIED;
            case FOREIGN -> view.report().isOwnerGone() ? Cause.PROCESS_DIED : facts.isStopped() ? Cause.PROCESS_STOPPED : Cause.OTHER_PROGRAM;
            case TORN, NOT_A_LOCK -> view.needsPerson() ? Cause.IN_THE_WAY : Cause.NONE;
        };
    }

    private static Cause ofLiving(ReportView view, @Nullable TypicalHold usual, @Nullable ThreadSnapshot thread, List<ChainLink> above) {
        Duration age = view.age();
        if (!above.isEmpty()) {
            boolean circle = above.stream().anyMatch(link -> link.waitsFor().equals(view.report().name()));
            return circle ? Cause.DEADLOCK : Cause.WAITS_FOR_ANOTHER_LOCK;
        } else if (age == null || age.compareTo(NOT_BRIEF) < 0) {
            return Cause.NONE;
        } else if (thread != null && thread.hasLeft() && !mayLinger(view)) {
            return Cause.LEAKED_HANDLE;
        } else if (!isLong(age, usual)) {
            return Cause.NONE;
        }
        return thread != null && thread.isStill() ? Cause.HUNG_THREAD : Cause.LONG_HOLD;
    }

    /** {@return whether its last user may have closed it} Then it stays for up to a minute, and shows as held, but not while somebody has waited for a while. */
    private static boolean mayLinger(ReportView view) {
        Instant first = firstOf(view.report().waiters());
        boolean waitedFor = first != null && Duration.between(first, view.at()).compareTo(NOT_BRIEF) >= 0;
        return !waitedFor && view.age().compareTo(LONGEST_LINGER) <= 0;
    }

    private static boolean isLong(Duration held, @Nullable TypicalHold usual) {
        return held.compareTo(LONG) >= 0 || usual != null && held.compareTo(NOT_BRIEF) >= 0 && usual.times(held) >= MANY_TIMES;
    }

    /** {@return whether it is worth asking what the thread that holds it does: its process is known to be this one, and has had the lock for a while} */
    static boolean mayBeStuck(ReportView view) {
        LockOwner owner = view.report().owner();
        Facts facts = view.report().facts();
        if (view.report().state() != State.HELD || facts.process() != ProcessState.ALIVE || owner == null || !ThreadNames.isNamed(owner.thread())) {
            return false;
        }
        boolean known = facts.kernelPid() != null ? facts.kernelPid() == owner.pid() : facts.kernelLock() == KernelLockState.UNKNOWN;
        return known && view.age() != null && view.age().compareTo(NOT_BRIEF) >= 0;
    }

    /** {@return since when the first one waits; null if that is not known} */
    @Nullable Instant waitingSince() {
        return firstOf(view.report().waiters());
    }

    private static @Nullable Instant firstOf(List<Waiter> waiters) {
        return waiters.stream().map(Waiter::since).filter(Objects::nonNull).min(Instant::compareTo).orElse(null);
    }

    /** {@return the last holds, as many as are shown} */
    List<PastHold> last() {
        return past.subList(0, Math.min(SHOWN, past.size()));
    }

    /** {@return whether the last trouble is among the holds that are shown} */
    boolean showsTrouble() {
        return before == null || last().contains(before.hold());
    }

    // ---- what is unusual ----

    private static List<Anomaly> anomalies(ReportView view, List<PastHold> past, @Nullable TypicalHold usual) {
        List<Anomaly> found = new ArrayList<>();
        Facts facts = view.report().facts();
        Duration age = view.age();
        if (view.isHeld() && age != null && usual != null && age.compareTo(NOT_BRIEF) >= 0 && usual.times(age) >= MANY_TIMES) {
            found.add(new HeldLong(usual.times(age), usual));
        }
        Long pid = facts.kernelPid() != null ? facts.kernelPid() : view.report().owner() == null ? null : (Long) view.report().owner().pid();
        if (facts.isStopped() && pid != null) {
            found.add(new HolderStopped(pid));
        }
        if (view.report().state() != State.STALE && facts.lease() != null && facts.lease().isOver()) {
            found.add(new LeaseOver(facts.lease().left().negated()));
        }
        Instant first = firstOf(view.report().waiters());
        if (first != null && Duration.between(first, view.at()).compareTo(LONG) >= 0) {
            found.add(new LongWait(Duration.between(first, view.at())));
        }
        found.addAll(ofPast(past));
        return List.copyOf(found);
    }

    private static List<Anomaly> ofPast(List<PastHold> past) {
        List<Anomaly> found = new ArrayList<>();
        PastHold last = past.isEmpty() ? null : past.stream().filter(hold -> !hold.ending().isOrdinary()).findFirst().orElse(null);
        if (last != null) {
            List<PastHold> same = past.stream().filter(hold -> Objects.equals(hold.purpose(), last.purpose())).toList();
            int times = (int) same.stream().takeWhile(hold -> hold.ending() == last.ending()).count();
            if (times >= SEVERAL) {
                found.add(new SameEnding(last.ending(), times, last.purpose()));
            }
        }
        List<PastHold> shown = past.subList(0, Math.min(SHOWN, past.size()));
        int unusual = (int) shown.stream().filter(hold -> !hold.ending().isOrdinary() && hold.ending() != Ending.UNKNOWN).count();
        if (unusual >= SEVERAL && unusual < shown.size()) {
            found.add(new UnusualEndings(unusual, shown.size()));
        }
        return found;
    }
}
