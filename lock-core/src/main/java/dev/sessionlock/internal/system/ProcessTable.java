package dev.sessionlock.internal.system;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Tells whether another process of this pid namespace lives. "Gone" needs evidence; what cannot be determined is unknown. */
public final class ProcessTable {
    /** Two readings of a start time by wall clock may differ by this much, where there are no ticks to compare. */
    private static final Duration START_TOLERANCE = Duration.ofSeconds(2);

    private static final boolean LINUX = System.getProperty("os.name", "").startsWith("Linux");

    private final Path proc;
    private final boolean ours;
    private final boolean linux;
    /** Earlier answers; null if each question is a new look. */
    private final @Nullable Map<Asked, Liveness> answers;

    private record Asked(long pid, long startTicks, @Nullable Instant started) {
    }

    /** The table of this machine. */
    public ProcessTable() {
        this(null);
    }

    private ProcessTable(@Nullable Map<Asked, Liveness> answers) {
        this(Path.of("/proc"), ProcessIdentity.current().seesItselfInProc(), LINUX, answers);
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
     * @param ours whether it shows our own pid namespace
     * @param linux whether {@link ProcessHandle} has no other source than {@code /proc}
     */
    ProcessTable(Path proc, boolean ours, boolean linux) {
        this(proc, ours, linux, null);
    }

    private ProcessTable(Path proc, boolean ours, boolean linux, @Nullable Map<Asked, Liveness> answers) {
        this.proc = proc;
        this.ours = ours;
        this.linux = linux;
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
            return judgeByProc(pid, startTicks);
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

    /** On Linux the JDK's {@link ProcessHandle} reads {@code /proc} as well: there it finds no process, and that is no evidence. */
    private static Liveness withoutProc(long pid) {
        return Liveness.unknown("pid " + pid + " cannot be looked up: there is no /proc here");
    }

    /**
     * With hidepid living processes look absent, too; then process 1 does as well. And {@code /proc} may have been hidden since we saw ourselves
     * there.
     */
    private Liveness absent(long pid) {
        if (!Files.exists(proc.resolve("self"))) {
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

    private static Liveness judgeByHandle(long pid, @Nullable Instant started) {
        Optional<ProcessHandle> process = ProcessHandle.of(pid);
        if (process.isEmpty()) {
            return Liveness.dead("pid " + pid + " does not exist");
        }
        Optional<Instant> start = process.get().info().startInstant();
        if (started != null && start.isPresent() && Duration.between(started, start.get()).abs().compareTo(START_TOLERANCE) > 0) {
            return Liveness.dead("pid " + pid + " is another process now: it started at " + start.get() + ", the holder at " + started);
        }
        // A zombie looks alive here (ProcessHandle.isAlive returns true for one); its lease will end.
        return Liveness.alive("pid " + pid + " exists", (char) 0);
    }
}
