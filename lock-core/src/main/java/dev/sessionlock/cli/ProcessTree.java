package dev.sessionlock.cli;

import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.internal.system.ProcessTable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A process and all processes that it started, including those that were orphaned or have become daemons since. They are found by two traces: who is
 * whose child, and, on Linux, a mark in the environment that children inherit. A process that drops its environment <em>and</em> is orphaned between
 * two looks is not found.
 *
 * <p>Without daemons, processes that have left our session and that of the first process do not count.
 */
final class ProcessTree {
    private static final Path PROC = Path.of("/proc");
    /** The indexes of words in {@code /proc/PID/stat}, counted after the name. */
    private static final int GROUP = 2;
    private static final int SESSION = 3;
    /**
     * The environment with which a program is started is shorter than 6 MiB (execve(2)). Another user's process can show one of any length (prctl(2),
     * {@code PR_SET_MM_MAP}), which must not fill our memory.
     */
    static final int LONGEST_ENVIRONMENT = 8 << 20;

    private final Process first;
    private final JobMark mark;
    private final boolean daemonsToo;
    private final ProcessTable table = new ProcessTable();
    private final Map<Long, ProcessHandle> known = new HashMap<>();

    /**
     * @param first the first process
     * @param mark the mark in its environment
     * @param daemonsToo whether processes count that have moved to a session of their own
     */
    ProcessTree(Process first, JobMark mark, boolean daemonsToo) {
        this.first = first;
        this.mark = mark;
        this.daemonsToo = daemonsToo;
        known.put(first.pid(), first.toHandle());
    }

    /** Remembers the present children, so that they are known when they become orphans. */
    synchronized void watch() {
        known.values().removeIf(this::hasEnded);
        Set<Long> before = Set.copyOf(known.keySet());
        for (ProcessHandle process : List.copyOf(known.values())) {
            boolean covered = process.parent().map(parent -> before.contains(parent.pid())).orElse(false);
            if (!covered) {
                process.descendants().forEach(this::add);
            }
        }
    }

    /** {@return the processes that live; all are looked for anew} */
    synchronized List<ProcessHandle> living() {
        watch();
        marked().forEach(this::add);
        List<ProcessHandle> found = new ArrayList<>(known.values());
        if (!daemonsToo) {
            long ours = sessionOf(ProcessHandle.current().pid());
            found.removeIf(process -> hasLeft(process.pid(), ours));
        }
        return found;
    }

    /** Our child leads no process group when it starts. If it creates a session of its own, the session has its pid. */
    private boolean hasLeft(long pid, long ours) {
        long session = sessionOf(pid);
        return pid != first.pid() && session >= 0 && session != ours && session != first.pid();
    }

    private void add(ProcessHandle process) {
        if (!hasEnded(process)) {
            known.put(process.pid(), process);
        }
    }

    /**
     * A zombie has ended, though {@code isAlive} says that it lives; perhaps nobody ever reaps it. Without {@code /proc}, a handle says of every
     * process that it has ended; only of our own child do we know.
     */
    private boolean hasEnded(ProcessHandle process) {
        Liveness.Verdict verdict = table.judge(process.pid(), -1, null).verdict();
        boolean child = process.pid() == first.pid();
        return verdict == Liveness.Verdict.DEAD || (verdict == Liveness.Verdict.UNKNOWN && child ? !first.isAlive() : !process.isAlive());
    }

    private List<ProcessHandle> marked() {
        List<ProcessHandle> found = new ArrayList<>();
        if (!Files.isReadable(PROC.resolve("self/environ"))) {
            return found;
        }
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                if (isMarked(process.resolve("environ"))) {
                    ProcessHandle.of(Long.parseLong(process.getFileName().toString())).ifPresent(found::add);
                }
            }
        } catch (IOException | DirectoryIteratorException | NumberFormatException e) {
            return found; // keep what was found so far
        }
        return found;
    }

    private boolean isMarked(Path environ) {
        try (InputStream in = Files.newInputStream(environ)) {
            return mark.isIn(in.readNBytes(LONGEST_ENVIRONMENT));
        } catch (IOException e) {
            return false; // it belongs to another user, or has just ended
        }
    }

    /** {@return the process group of a process; -1 if it cannot be told} */
    static long groupOf(long pid) {
        return statOf(pid, GROUP);
    }

    /** {@return the session of a process; -1 if it cannot be told} */
    static long sessionOf(long pid) {
        return statOf(pid, SESSION);
    }

    private static long statOf(long pid, int word) {
        try {
            String stat = Files.readString(PROC.resolve(pid + "/stat"), StandardCharsets.ISO_8859_1);
            return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[word]);
        } catch (IOException | RuntimeException e) {
            return -1;
        }
    }

    /** {@return whether every thread of a process is stopped; true where that cannot be seen} */
    static boolean standsStill(long pid) {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(PROC.resolve(pid + "/task"))) {
            for (Path thread : threads) {
                String stat = Files.readString(thread.resolve("stat"), StandardCharsets.ISO_8859_1);
                if (stat.charAt(stat.lastIndexOf(')') + 2) != 'T') {
                    return false;
                }
            }
            return true;
        } catch (IOException | DirectoryIteratorException e) {
            return !Files.isDirectory(PROC.resolve(Long.toString(pid)));
        }
    }

    /** Sends a signal to processes. It does not matter if some have ended meanwhile. */
    static void signal(String name, List<ProcessHandle> processes) {
        if (processes.isEmpty()) {
            return;
        }
        switch (ProcessTable.isHidden() ? "" : name) { // a handle that cannot see its process again does not signal it
            case "TERM" -> processes.forEach(ProcessHandle::destroy);
            case "KILL" -> processes.forEach(ProcessHandle::destroyForcibly);
            default -> kill(name, processes.stream().map(process -> Long.toString(process.pid())).collect(Collectors.toList()));
        }
    }

    /** Java can send only two signals. The shell's built-in kill exists even where no program of that name is installed. */
    private static void kill(String name, List<String> pids) {
        List<String> command = new ArrayList<>(List.of("sh", "-c", "kill -s \"$0\" \"$@\"", name));
        command.addAll(pids);
        try {
            new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
        } catch (IOException e) {
            return; // there is no shell, so nothing can be sent
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
