package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.KernelLocks;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Clock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Who waits for the locks of one directory, seen from outside at one moment: nothing is opened for locking, no byte is requested. The kernel lists
 * the blocked processes of this pid namespace. One that it does not list, since it polls or is of another namespace, has set its waiter mark in the
 * table.
 */
public final class WaiterScanner {
    /** A process whose id is not known. */
    public static final long UNKNOWN_PID = 0;

    /** A waiting process sets its waiter mark some ten times a second. */
    private static final long MARK_NANOS = TimeUnit.SECONDS.toNanos(2);
    /** Shorter, for a waiter mark without a known process: it may be that of today's holder, from when it waited itself. */
    private static final long UNKNOWN_PID_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final Map<Long, List<Long>> blocked;
    private final @Nullable SharedTable table;
    private final boolean folds;
    private final long now;

    private WaiterScanner(Map<Long, List<Long>> blocked, @Nullable SharedTable table, boolean folds, long now) {
        this.blocked = blocked;
        this.table = table;
        this.folds = folds;
        this.now = now;
    }

    /**
     * Looks once.
     *
     * @param home the real path of the directory
     */
    public static WaiterScanner in(Path home) throws IOException {
        long now = Clock.SYSTEM.nanos();
        Path inner = home.resolve(LockDirectory.INNER);
        if (!Files.isDirectory(inner, LinkOption.NOFOLLOW_LINKS)) {
            return new WaiterScanner(Map.of(), null, false, now);
        }
        FileSystemTraits traits = FileSystemTraits.of(home);
        SharedTable table = traits.network() == null ? openTable(inner) : null;
        return new WaiterScanner(blocked(inner), table != null && table.comparable() ? table : null, traits.foldsNames(), now);
    }

    private static @Nullable SharedTable openTable(Path inner) {
        try {
            return SharedTable.openToLook(inner, ProcessIdentity.current());
        } catch (IOException e) {
            return null; // not there, not readable for us, or just being created
        }
    }

    private static Map<Long, List<Long>> blocked(Path inner) {
        if (!ProcessIdentity.current().seesItselfInProc()) {
            return Map.of();
        }
        Map<Long, Integer> guards = new HashMap<>();
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            guards.put(GuardLayout.inode(inner, guard), guard);
        }
        guards.remove(-1L);
        Map<Long, List<Long>> blocked = new HashMap<>();
        for (KernelLocks.KernelLock entry : new KernelLocks().read(guards::containsKey).orElse(List.of())) {
            if (entry.waiting() && entry.start() == entry.end()) {
                List<Long> pids = blocked.computeIfAbsent(GuardLayout.lockAt(guards.get(entry.inode()), entry.start()), h -> new ArrayList<>());
                if (!pids.contains(entry.pid())) {
                    pids.add(entry.pid());
                }
            }
        }
        return blocked;
    }

    /**
     * {@return the processes that wait for the lock of a file, each once; {@link #UNKNOWN_PID} for one whose id is not known}
     *
     * @param name the file's name
     */
    public List<Long> of(String name) throws IOException {
        String key = folds ? LockName.fold(name) : name;
        long h = LockName.hash(key);
        List<Long> pids = blocked.getOrDefault(h, List.of());
        if (table == null) {
            return pids;
        }
        pids = withWriters(key, h, pids);
        // A thread that gave up stays blocked until it gets the byte, since it cannot be cancelled; but it sets no waiter mark.
        long age = sinceMark(h);
        return age < UNKNOWN_PID_NANOS && pids.isEmpty() ? List.of(UNKNOWN_PID) : age < MARK_NANOS ? pids : List.of();
    }

    /** {@return the waiting processes, and those that wait for a reader} */
    private List<Long> withWriters(String key, long h, List<Long> pids) throws IOException {
        TableEntry entry = table.find(h);
        int counted = 0;
        try {
            counted = entry == null ? 0 : TableEntry.readersIn(entry.readers());
        } catch (TableFault e) {
            return pids; // it was cut short just now
        }
        Set<Long> all = new LinkedHashSet<>(pids);
        for (int slot = 0; slot < counted; slot++) {
            all.addAll(blocked.getOrDefault(ReaderSlotStore.number(key, slot), List.of()));
        }
        return List.copyOf(all);
    }

    /** {@return how long ago a process said that it waits; very long if none did, or if the last one only tried once} */
    private long sinceMark(long h) throws IOException {
        long mark;
        try {
            TableEntry entry = table.find(h);
            mark = entry == null ? 0 : entry.waiterMark();
        } catch (TableFault e) {
            return Long.MAX_VALUE; // it was cut short just now
        }
        return MarkedTime.tellsOfWaiting(mark) ? Math.max(0, MarkedTime.age(mark, now)) : Long.MAX_VALUE; // it may have been set since we read the clock
    }
}
