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

/** One lock of a simulated machine: the state that all its processes share. */
final class SimulatedDirectory {
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

    /** The kernel's state of the two bytes. */
    final SimulatedStore[] owner = new SimulatedStore[2];

    boolean hasEntry;
    final long[] expiries = new long[2];
    long token;
    long waiterMark;
    long writerMark;
    long readers;
    /** Processes may read. Else the words of readers are no steps: schedules of writers alone stay as they were. */
    boolean sharing;
    /** A process has cleared the entry, and may have given its place to another lock. */
    boolean entryCleared;

    /** The tables that were replaced: those who have one open go on with it. By what {@link #generation} was then. */
    final List<Table> replaced = new ArrayList<>();
    /** Which table lies there now. */
    int generation;
    /** Tables may be replaced. */
    boolean replacesTables;

    /** A table that does not lie there any more. */
    static final class Table {
        boolean hasEntry;
        final long[] expiries = new long[2];
        long token;
        long waiterMark;
        long writerMark;
        long readers;
    }

    /** Another program puts another table there, or a process makes a damaged one anew. Bytes and records stay. */
    void replaceTable() {
        Table old = new Table();
        old.hasEntry = hasEntry;
        System.arraycopy(expiries, 0, old.expiries, 0, 2);
        old.token = token;
        old.waiterMark = waiterMark;
        old.writerMark = writerMark;
        old.readers = readers;
        replaced.add(old);
        generation++;
        hasEntry = false;
        expiries[0] = 0;
        expiries[1] = 0;
        token = 0;
        waiterMark = 0;
        writerMark = 0;
        readers = 0;
        pass(1_000_000);
    }

    private final Inode[] locations;

    SimulatedDirectory() {
        this.locations = new Inode[2];
    }

    /**
     * Files beside the targets stay; bytes and table are new, as after {@code rm -rf .session-locks}. Processes that have the old ones open go on
     * with them.
     */
    SimulatedDirectory(SimulatedDirectory replaced) {
        this.locations = replaced.locations;
        this.nanos = replaced.nanos;
        this.wallMicros = replaced.wallMicros;
        this.processes.putAll(replaced.processes);
    }

    boolean reclaiming;
    long reclaimingSince;
    final Set<Long> requests = new HashSet<>();

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

    Inode at(RecordLocation location) {
        return locations[location.ordinal()];
    }

    void put(RecordLocation location, Inode file) {
        locations[location.ordinal()] = file;
    }

    boolean isLinked(Inode file) {
        return locations[0] == file || locations[1] == file;
    }

    long ageMillis(Inode file) {
        return Math.max(0, (wallMicros - file.writtenMicros) / 1_000);
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
