package dev.sessionlock.internal.directory;

import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.LockReport.WaiterPlace;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.ProcessTable;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Who waits for the locks of one directory, seen from outside at one moment: what the processes have written down ({@link WaitingFile}), and those that the kernel or
 * the table shows beside them ({@link WaiterScanner}). Only looks.
 */
public final class WaitingProcesses {
    private static final int MOST_FILES = 1_000;
    private static final int MOST_BYTES = 512 * 1024;
    /** Of all files together, whatever somebody has put there. */
    static final int MOST_WAITERS = 20_000;
    /** What a process that cannot be seen from here has written is out of date after this: it writes its file anew more often. */
    private static final long OLD_MILLIS = 30_000;
    private static final Comparator<Instant> UNKNOWN_LAST = Comparator.nullsLast(Comparator.naturalOrder());

    private final @Nullable WaiterScanner scanner;
    /** By the lock's name as it is written, in the order of each process's queue. */
    private final Map<String, List<Waiter>> written;

    private WaitingProcesses(@Nullable WaiterScanner scanner, Map<String, List<Waiter>> written) {
        this.scanner = scanner;
        this.written = written;
    }

    /**
     * Looks once. What cannot be read is left out: who waits is never a reason for an inspection to fail.
     *
     * @param home the real path of the directory
     */
    public static WaitingProcesses in(Path home, ProcessTable processes) {
        WaiterScanner scanner;
        try {
            scanner = WaiterScanner.in(home);
        } catch (IOException e) {
            scanner = null;
        }
        Map<String, List<Waiter>> written = new HashMap<>();
        try (DirectoryStream<Path> all = FolderStream.open(home.resolve(LockDirectory.INNER), WaitingFile.PREFIX)) {
            int files = 0;
            int waiters = 0;
            for (Path file : all) {
                if (++files > MOST_FILES || waiters >= MOST_WAITERS) {
                    break;
                }
                waiters += read(file, processes, written);
            }
        } catch (IOException | DirectoryIteratorException e) {
            // nobody has locked anything here, or we may not look
        }
        return new WaitingProcesses(scanner, written);
    }

    /** Returns how many lines it has read. */
    private static int read(Path file, ProcessTable processes, Map<String, List<Waiter>> written) throws IOException {
        BasicFileAttributes attributes = LockFileReader.attributesOf(file);
        if (attributes == null) {
            return 0;
        }
        boolean fresh = System.currentTimeMillis() - attributes.lastModifiedTime().toMillis() < OLD_MILLIS;
        int[] lines = new int[1];
        FileTail.read(file, MOST_BYTES, line -> {
            if (lines[0] < WaitingFile.MOST_LINES) { // its process writes no more
                lines[0]++;
                read(line, fresh, processes, written);
            }
        });
        return lines[0];
    }

    private static void read(byte[] line, boolean fresh, ProcessTable processes, Map<String, List<Waiter>> written) {
        Map<String, Object> members = CheckedLine.members(line);
        String name = members == null ? null : CheckedLine.text(members, "name", WaitingFile.LONGEST_NAME);
        if (name != null && mayLive(members, processes, fresh)) {
            written.computeIfAbsent(name, its -> new ArrayList<>()).add(new Waiter(CheckedLine.number(members, "pid"), null, text(members, "thread"),
                    text(members, "purpose"), CheckedLine.time(members, "since"), WaiterPlace.OTHER_PROCESS));
        }
    }

    private static @Nullable String text(Map<String, Object> members, String name) {
        return CheckedLine.text(members, name, WaitingFile.LONGEST_TEXT);
    }

    private static boolean mayLive(Map<String, Object> members, ProcessTable processes, boolean fresh) {
        ProcessIdentity self = ProcessIdentity.current();
        String boot = text(members, "boot");
        Long pid = CheckedLine.number(members, "pid");
        if (pid == null || boot != null && self.boot() != null && !boot.equals(self.boot())) {
            return false;
        } else if (!Objects.equals(text(members, "pidns"), self.pidNamespace())) {
            return fresh;
        }
        Long ticks = CheckedLine.number(members, "starttime");
        boolean comparable = Objects.equals(text(members, "timens"), self.timeNamespace());
        Liveness.Verdict verdict = processes.judge(pid, comparable && ticks != null ? ticks : -1, CheckedLine.time(members, "started")).verdict();
        return verdict == Liveness.Verdict.ALIVE || verdict == Liveness.Verdict.UNKNOWN && fresh;
    }

    /**
     * {@return who waits for the lock of a file, one process after the other, the one that has waited longest first}
     *
     * @param name the file's name
     * @param holder the process that has the lock; null if nobody has it, or if that is unknown
     */
    public List<Waiter> of(String name, @Nullable Long holder) {
        Map<Long, List<Waiter>> byProcess = new LinkedHashMap<>();
        for (Waiter waiter : written.getOrDefault(name, List.of())) {
            WaiterPlace place = waiter.pid().equals(holder) ? WaiterPlace.PROCESS_OF_HOLDER : WaiterPlace.OTHER_PROCESS;
            byProcess.computeIfAbsent(waiter.pid(), pid -> new ArrayList<>())
                    .add(new Waiter(waiter.pid(), null, waiter.thread(), waiter.purpose(), waiter.since(), place));
        }
        for (long pid : seen(name)) {
            if (pid != WaiterScanner.UNKNOWN_PID) {
                byProcess.computeIfAbsent(pid, process -> List.of(new Waiter(process)));
            } else if (byProcess.isEmpty()) {
                byProcess.put(pid, List.of(new Waiter(null, null, null, null, null, WaiterPlace.OTHER_PROCESS)));
            }
        }
        return byProcess.values().stream().sorted(Comparator.comparing(process -> process.get(0).since(), UNKNOWN_LAST)).flatMap(List::stream).toList();
    }

    private List<Long> seen(String name) {
        try {
            return scanner == null ? List.of() : scanner.of(name);
        } catch (IOException e) {
            return List.of();
        }
    }
}
