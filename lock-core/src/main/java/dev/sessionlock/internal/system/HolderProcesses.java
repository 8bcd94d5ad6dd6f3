package dev.sessionlock.internal.system;

import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.HolderProcess;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Which process a past hold was of, and what has become of it. */
public final class HolderProcesses {
    /** So much of a boot id tells one boot from the others of a machine. Each entry of a history has it. */
    private static final int BOOT_LENGTH = 8;
    /** Of the time namespace that each Linux begins with ({@code PROC_TIME_INIT_INO}); older kernels know no other. */
    private static final String FIRST_TIME_NAMESPACE = "4026531834";
    /** An entry without a start time tells only when the lock was held, and clocks are set. */
    private static final long START_TOLERANCE_SECONDS = 2;

    /** Set at its first use. Were it a constant, a stack that overflows then would leave this class unusable for good. */
    private static volatile @Nullable HolderProcess ofThis;

    private HolderProcesses() {
    }

    /** {@return this process: the same object, so that noting a hold costs nothing} */
    public static HolderProcess ofThis() {
        HolderProcess known = ofThis;
        if (known == null) {
            ProcessIdentity self = ProcessIdentity.current();
            known = of(self.startTicks(), self.started(), self.boot(), self.pidNamespace(), self.timeNamespace());
            ofThis = known;
        }
        return known;
    }

    /**
     * {@return a process as an entry of a history has it: short}
     *
     * @param startTicks negative if unknown
     */
    public static HolderProcess of(long startTicks, @Nullable Instant started, @Nullable String boot, @Nullable String pidNamespace, @Nullable String timeNamespace) {
        return new HolderProcess(startTicks < 0 ? null : startTicks, startTicks < 0 ? started : null,
                boot == null || boot.length() <= BOOT_LENGTH ? boot : boot.substring(0, BOOT_LENGTH), pidNamespace,
                FIRST_TIME_NAMESPACE.equals(timeNamespace) ? null : timeNamespace);
    }

    // ---- as one text, for a column of a table ----

    /** {@return what is known of a process, such as {@code starttime=1234 boot=0f3a5c7e pidns=4026531836}; null if nothing is} */
    public static @Nullable String text(@Nullable HolderProcess process) {
        if (process == null) {
            return null;
        }
        StringBuilder text = new StringBuilder();
        add(text, "starttime", process.startTicks());
        add(text, "started", process.started());
        add(text, "boot", process.boot());
        add(text, "pidns", process.pidNamespace());
        add(text, "timens", process.timeNamespace());
        return text.isEmpty() ? null : text.toString();
    }

    private static void add(StringBuilder text, String name, @Nullable Object value) {
        if (value != null) {
            text.append(text.isEmpty() ? "" : " ").append(name).append('=').append(value);
        }
    }

    /** {@return the process that {@link #text} told of; null if it is unknown} Whoever may write the table may have written anything. */
    public static @Nullable HolderProcess parse(@Nullable String text) {
        Map<String, String> members = new HashMap<>();
        for (String member : text == null ? new String[0] : text.split(" ")) {
            int equals = member.indexOf('=');
            if (equals > 0) {
                members.put(member.substring(0, equals), member.substring(equals + 1));
            }
        }
        try {
            String ticks = members.get("starttime");
            String started = members.get("started");
            HolderProcess process = new HolderProcess(ticks == null ? null : Long.valueOf(ticks), started == null ? null : Instant.parse(started), members.get("boot"),
                    members.get("pidns"), members.get("timens"));
            return isNothing(process) ? null : process;
        } catch (NumberFormatException | DateTimeException e) {
            return null;
        }
    }

    /** {@return whether nothing is known of a process} Then an earlier version wrote the entry. */
    public static boolean isNothing(HolderProcess process) {
        return process.startTicks() == null && process.started() == null && process.boot() == null && process.pidNamespace() == null && process.timeNamespace() == null;
    }

    // ---- what has become of it ----

    /** {@return whether the pid of a past hold is known to be of another container of this machine, so that here it means another process, or none} */
    public static boolean isElsewhere(PastHold hold) {
        HolderProcess then = hold.process();
        String ours = ofThis().pidNamespace();
        return then != null && then.pidNamespace() != null && ours != null && !isOfOtherHost(hold) && !then.pidNamespace().equals(ours);
    }

    private static boolean isOfOtherHost(PastHold hold) {
        return hold.host() != null && !hold.host().equals(ProcessIdentity.current().host());
    }

    /**
     * {@return the state in which the process of a past hold is now} Another process that has its pid does not count as that process.
     *
     * @param local whether the entry was written on this machine; otherwise another machine may have the same name
     */
    public static ProcessState stateNow(PastHold hold, boolean local) {
        HolderProcess then = hold.process();
        HolderProcess mine = ofThis();
        if (isOfOtherHost(hold)) {
            return ProcessState.UNKNOWN;
        } else if (then == null) {
            return guess(hold);
        }
        boolean sameBoot = then.boot() != null && then.boot().equals(mine.boot());
        if (!sameBoot && !local) {
            return ProcessState.UNKNOWN;
        } else if (!sameBoot && then.boot() != null && mine.boot() != null) {
            return ProcessState.DEAD; // the machine was restarted
        } else if (!Objects.equals(then.pidNamespace(), mine.pidNamespace())) {
            return ProcessState.UNKNOWN;
        }
        boolean comparable = Objects.equals(then.timeNamespace(), mine.timeNamespace()) && (then.startTicks() != null || then.started() != null);
        ProcessState seen = new ProcessTable().judge(hold.pid(), comparable && then.startTicks() != null ? then.startTicks() : -1, comparable ? then.started() : null)
                .processState();
        return comparable || seen == ProcessState.DEAD ? seen : ProcessState.UNKNOWN; // one of that pid lives, and perhaps it is another one
    }

    /** An earlier version wrote it. A process that started after the hold is another one. */
    private static ProcessState guess(PastHold hold) {
        if (!ProcessIdentity.current().seesItselfInProc()) {
            return ProcessState.UNKNOWN;
        }
        ProcessState state = new ProcessTable().judge(hold.pid(), -1, null).processState();
        Instant started = ProcessHandle.of(hold.pid()).flatMap(process -> process.info().startInstant()).orElse(null);
        Instant known = hold.since() == null ? hold.until() : hold.since();
        return state.isAlive() && started != null && started.isAfter(known.plusSeconds(START_TOLERANCE_SECONDS)) ? ProcessState.DEAD : state;
    }
}
