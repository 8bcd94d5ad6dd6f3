package dev.sessionlock.internal.system;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** Tells whether another process of this pid namespace lives. "Gone" needs evidence; what cannot be determined is unknown. */
public final class ProcessTable {
    private static final boolean LINUX = OperatingSystem.current().isLinux();

    private final Path proc;
    private final long self;
    private final boolean ours;
    private final boolean linux;
    private final Handles handles;
    /** Earlier answers; null if each question is a new look. */
    private final @Nullable Map<Asked, Liveness> answers;

    private record Asked(long pid, long startTicks, @Nullable Instant started) {
    }

    /** What the JDK says of other processes. */
    interface Handles {
        /** {@return the process; empty if there is none, or (on Windows) if we may not open it} */
        Optional<ProcessHandle> find(long pid);

        /** {@return the ids of all processes, also of those that we may not open} */
        LongStream pids();

        /** {@return the letter of a process's state, as proc(5) has it; 0 if nobody tells} */
        char state(long pid);
    }

    private static final class JdkHandles implements Handles {
        @Override
        public Optional<ProcessHandle> find(long pid) {
            return ProcessHandle.of(pid);
        }

        @Override
        public LongStream pids() {
            return ProcessHandle.allProcesses().mapToLong(ProcessHandle::pid);
        }

        @Override
        public char state(long pid) {
            return PsStates.of(pid);
        }
    }

    /** The table of this machine. */
    public ProcessTable() {
        this(null);
    }

    private ProcessTable(@Nullable Map<Asked, Liveness> answers) {
        this(Path.of("/proc"), ProcessIdentity.current().pid(), ProcessIdentity.current().seesItselfInProc(), LINUX, new JdkHandles(), answers);
    }

    /**
     * {@return a table of this machine that looks at each process once, for one look at many records} Only for records that were read before: "gone"
     * says nothing of a process that has started since.
     */
    public static ProcessTable ofOneLook() {
        return new ProcessTable(new HashMap<>());
    }

    /**
     * @param proc where the proc file system is
     * @param self our own id
     * @param ours whether it has shown our own pid namespace
     * @param linux whether {@link ProcessHandle} has no other source than {@code /proc}
     * @param handles what the JDK says, which is asked elsewhere
     */
    ProcessTable(Path proc, long self, boolean ours, boolean linux, Handles handles) {
        this(proc, self, ours, linux, handles, null);
    }

    /** The same with what the JDK says of this machine. */
    ProcessTable(Path proc, long self, boolean ours, boolean linux) {
        this(proc, self, ours, linux, new JdkHandles());
    }

    private ProcessTable(Path proc, long self, boolean ours, boolean linux, Handles handles, @Nullable Map<Asked, Liveness> answers) {
        this.proc = proc;
        this.self = self;
        this.ours = ours;
        this.linux = linux;
        this.handles = handles;
        this.answers = answers;
    }

    /** {@return whether other processes cannot be seen at all, by nobody in this JVM: on Linux there is no source but {@code /proc}} */
    public static boolean isHidden() {
        return LINUX && !Files.isDirectory(Path.of("/proc/self"));
    }

    /**
     * Judges one process.
     *
     * @param pid its id
     * @param startTicks when it started, field 22 of its stat; negative if not known
     * @param started when it started, by wall clock, for systems without ticks; null if not known
     */
    public Liveness judge(long pid, long startTicks, @Nullable Instant started) {
        return answers == null ? look(pid, startTicks, started)
                : answers.computeIfAbsent(new Asked(pid, startTicks, started), asked -> look(pid, startTicks, started));
    }

    private Liveness look(long pid, long startTicks, @Nullable Instant started) {
        if (pid <= 0) {
            return Liveness.unknown(pid + " is no process id");
        }
        if (ours) {
            Liveness liveness = judgeByProc(pid, startTicks);
            return liveness.verdict() == Liveness.Verdict.DEAD && !ProcessIdentity.isShownAs(self, proc) ? withoutProc(pid) : liveness;
        }
        if (Files.isDirectory(proc.resolve("self"))) {
            return Liveness.unknown("/proc shows another pid namespace, so pid " + pid + " cannot be looked up");
        }
        return linux ? withoutProc(pid) : judgeByHandle(pid, started);
    }

    private Liveness judgeByProc(long pid, long startTicks) {
        Path process = proc.resolve(Long.toString(pid));
        try {
            ProcessStat stat = ProcessStat.read(process.resolve("stat"));
            if (startTicks >= 0 && stat.startTicks() != startTicks) {
                return Liveness.dead("pid " + pid + " is another process now: it started at tick " + stat.startTicks()
                        + " of this boot, the holder at " + startTicks);
            }
            return isEnded(stat) && !hasLivingThread(process)
                    ? Liveness.dead("pid " + pid + " has ended (a zombie that its parent has not reaped)")
                    : Liveness.alive("pid " + pid + " " + doing(stat.state())
                            + (startTicks < 0 ? " (no start time to compare)" : ", and started when the holder did"), stat.state());
        } catch (FileNotFoundException e) {
            return Files.exists(process) ? Liveness.alive("pid " + pid + " exists, and we may not look at it", (char) 0) : absent(pid);
        } catch (IOException e) {
            // ESRCH: it ended while we read. The next look will find it absent.
            return Files.exists(process) ? Liveness.unknown("pid " + pid + " could not be looked at: " + e.getMessage()) : absent(pid);
        }
    }

    /**
     * On Linux the JDK's {@link ProcessHandle} reads {@code /proc} as well: there it finds no process, and that is no evidence. {@code /proc} may have been
     * hidden since we saw ourselves there, or another one may be mounted there now, whose numbers mean other processes.
     */
    private Liveness withoutProc(long pid) {
        return Liveness.unknown("pid " + pid + " cannot be looked up: "
                + (Files.exists(proc.resolve("self/stat")) || Files.exists(proc.resolve("1/stat")) ? "/proc shows another pid namespace now" : "there is no /proc here"));
    }

    /** With hidepid living processes look absent, too; then process 1 does as well. */
    private Liveness absent(long pid) {
        if (!ProcessIdentity.isShownAs(self, proc)) {
            return withoutProc(pid);
        }
        return Files.exists(proc.resolve("1/stat"))
                ? Liveness.dead("pid " + pid + " does not exist")
                : Liveness.unknown("pid " + pid + " is not to be seen, but /proc hides other users' processes (hidepid)");
    }

    private static boolean isEnded(ProcessStat stat) {
        return stat.state() == 'Z' || stat.state() == 'X';
    }

    /**
     * The main thread of a process may have ended before the others: then the process shows as a zombie, and lives. A thread that ends while we look
     * says nothing about the others.
     */
    private static boolean hasLivingThread(Path process) throws IOException {
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(process.resolve("task"))) {
            for (Path task : tasks) {
                if (isLiving(task)) {
                    return true;
                }
            }
            return false;
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        } catch (NotDirectoryException | NoSuchFileException e) {
            throw new IOException("its threads cannot be listed", e);
        }
    }

    private static boolean isLiving(Path task) throws IOException {
        try {
            return !isEnded(ProcessStat.read(task.resolve("stat")));
        } catch (FileNotFoundException e) {
            return Files.exists(task); // it is there, and we may not look at it
        }
    }

    private static String doing(char state) {
        return switch (state) {
            case 'R' -> "runs (state R)";
            case 'S', 'I' -> "runs (state " + state + ", waiting for something)";
            case 'D' -> "is in an uninterruptible wait (state D, mostly for a disk)";
            case 'T' -> "is stopped (state T; kill -CONT wakes it)";
            case 't' -> "is stopped by a debugger (state t)";
            default -> "exists (state " + state + ")";
        };
    }

    /**
     * Start times are compared exactly, in milliseconds: here the kernel keeps the time at which it started a process and shows each reader the same one,
     * however often the clock is set.
     */
    private Liveness judgeByHandle(long pid, @Nullable Instant started) {
        Optional<ProcessHandle> process = handles.find(pid);
        if (process.isEmpty()) {
            return isListed(pid) ? Liveness.unknown("pid " + pid + " exists, and we may not look at it") : Liveness.dead("pid " + pid + " does not exist");
        }
        Optional<Instant> start = process.get().info().startInstant();
        if (started != null && start.isPresent() && started.toEpochMilli() != start.get().toEpochMilli()) {
            return Liveness.dead("pid " + pid + " is another process now: it started at " + start.get() + ", the holder at " + started);
        }
        char state = handles.state(pid);
        if (state == 'Z') {
            return Liveness.dead("pid " + pid + " has ended (a zombie that its parent has not reaped)");
        }
        // Without a state a zombie looks alive here (ProcessHandle.isAlive returns true for one); its lease will end.
        return Liveness.alive("pid " + pid + " " + (state == 0 ? "exists" : doing(state)), state);
    }

    /** {@return whether the system names a process among all, or refuses to name any} */
    private boolean isListed(long pid) {
        try {
            return handles.pids().anyMatch(each -> each == pid);
        } catch (RuntimeException e) {
            return true; // the JDK throws this if it gets no list
        }
    }
}
