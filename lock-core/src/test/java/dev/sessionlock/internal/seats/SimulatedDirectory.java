package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.system.Liveness;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** One lock of a simulated machine, its reader slots, and the machine: the state that all processes share. */
final class SimulatedDirectory extends SimulatedLock {
    static final String BOOT = "boot-1";

    /** What differs for the protocol between operating systems. What differs for files alone is in lock-testkit, {@code LabSystem}. */
    enum HostSystem {
        LINUX,
        /** No {@code /proc}: nobody sees who has which byte, nor a start in ticks, nor namespaces. While the machine sleeps, only the wall clock goes on. */
        MACOS,
        /**
         * The same, and: bytes belong to the handle, so no code of the JVM loses them; a record that is open cannot be covered, only moved away; while the machine
         * sleeps, all clocks go on.
         */
        WINDOWS
    }

    HostSystem system = HostSystem.LINUX;

    /** Windows: how long a process waits for an owner that may only have to wake. */
    long wakeUpNanos;

    boolean hasProc() {
        return system == HostSystem.LINUX;
    }

    /** The machine sleeps: no process runs meanwhile. */
    void sleep(long some) {
        if (system == HostSystem.WINDOWS) {
            pass(some);
        } else {
            wallMicros += some / 1_000;
        }
    }

    /** A file, identified by this object. */
    static final class Inode {
        LockContent content;
        long writtenMicros;

        void write(LockContent text, long now) {
            content = text;
            writtenMicros = now;
        }
    }

    long nanos = 5_000_000_000_000L;
    long wallMicros = 1_770_000_000_000_000L;

    /** Which table lies there now. */
    int generation;
    /** Tables may be replaced. */
    boolean replacesTables;
    /** There are readers among the processes. Without them, no store tells of words about readers: so the schedules of writers stay what they were. */
    boolean sharing;

    /** The reader slots of this lock, made when a process first asks for them. */
    final List<SimulatedLock> slots = new ArrayList<>();
    /** Further links to records, by which a process is just putting one in the place of another. */
    final Set<Inode> temporaryLinks = new HashSet<>();

    SimulatedDirectory() {
    }

    /**
     * Files beside the targets stay; bytes and table are new, as after {@code rm -rf .session-locks}. Processes that have the old ones open go on
     * with them.
     */
    SimulatedDirectory(SimulatedDirectory replaced) {
        super(replaced);
        this.nanos = replaced.nanos;
        this.wallMicros = replaced.wallMicros;
        this.processes.putAll(replaced.processes);
    }

    SimulatedLock slot(int slot) {
        while (slots.size() <= slot) {
            SimulatedLock made = new SimulatedLock();
            for (int i = 0; i < generation; i++) {
                made.replaceEntry();
            }
            slots.add(made);
        }
        return slots.get(slot);
    }

    /** Another program puts another table there, or a process makes a damaged one anew. Bytes and records stay. */
    void replaceTable() {
        replaceEntry();
        slots.forEach(SimulatedLock::replaceEntry);
        generation++;
        pass(1_000_000);
    }

    boolean reclaiming;
    long reclaimingSince;
    final Set<Long> requests = new HashSet<>();
    /** When the holders of a token were last asked to release, wall clock, in milliseconds. */
    final Map<Long, Long> requestedAt = new HashMap<>();

    boolean targetExists = true;
    boolean refusesLinks;
    /** Mapped pages and kernel locks are shared by all processes. */
    boolean shared = true;

    /** The start ticks of each living process. */
    final Map<Long, Long> processes = new HashMap<>();
    boolean hidesProcesses;
    /**
     * No process is stopped between its last look at a record and its deleting or covering it. If bytes are lost, the record is a cross-check
     * against that one fault, and not against two at once (PROTOCOL.md, section 1).
     */
    boolean looksAndActsAtOnce;

    boolean isLinked(Inode file) {
        return isAnywhere(file) || temporaryLinks.contains(file) || slots.stream().anyMatch(slot -> slot.isAnywhere(file));
    }

    long ageMillis(Inode file) {
        return Math.max(0, (wallMicros - file.writtenMicros) / 1_000);
    }

    /** A person, or another process, asks the holders of a token to release. */
    boolean request(long token) {
        requestedAt.put(token, wallMicros / 1_000);
        return requests.add(token);
    }

    /** A person, or another program, puts a file there, whatever was there before. */
    void leave(RecordLocation location, LockContent content) {
        Inode file = new Inode();
        file.write(content, wallMicros);
        put(location, file);
    }

    void pass(long some) {
        nanos += some;
        wallMicros += some / 1_000;
    }

    /** Where there is no {@code /proc}, the start of a process is told in milliseconds. */
    Liveness judge(long pid, Instant start) {
        Long ticks = processes.get(pid);
        return judge(pid, ticks == null || start == null || SimulatedStore.started(ticks).equals(start) ? -1 : ticks + 1);
    }

    Liveness judge(long pid, long startTicks) {
        Long started = processes.get(pid);
        if (started == null) {
            return hidesProcesses ? new Liveness(Liveness.Verdict.UNKNOWN, "pid " + pid + " is not to be seen")
                    : new Liveness(Liveness.Verdict.DEAD, "pid " + pid + " does not exist");
        }
        return startTicks >= 0 && started != startTicks ? new Liveness(Liveness.Verdict.DEAD, "pid " + pid + " is another process now")
                : new Liveness(Liveness.Verdict.ALIVE, "pid " + pid + " runs");
    }
}
