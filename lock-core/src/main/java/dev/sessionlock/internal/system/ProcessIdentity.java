package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The identity of this process, so that another process can tell later whether it still lives.
 *
 * @param pid the process id, in our own pid namespace
 * @param startTicks when it started, in clock ticks since boot; -1 where there is no {@code /proc}
 * @param started when it started, by wall clock; null if unknown
 * @param boot the boot id of the kernel; null where there is none
 * @param pidNamespace the number of our pid namespace; null where there is none
 * @param timeNamespace the number of our time namespace; null where there is none
 * @param host the host's name; {@code unknown} where only the network could tell
 * @param seesItselfInProc whether {@code /proc} shows our own pid namespace
 */
public record ProcessIdentity(
        long pid,
        long startTicks,
        @Nullable Instant started,
        @Nullable String boot,
        @Nullable String pidNamespace,
        @Nullable String timeNamespace,
        String host,
        boolean seesItselfInProc) {

    /** In {@code /proc/self/status}, since Linux 4.1: our pid in each namespace that we are in, from the outermost that this /proc knows. */
    private static final String PIDS = "\nNSpid:";
    /** In {@code /proc/stat}, in seconds since 1970. */
    private static final String BOOT_TIME = "\nbtime ";
    /** USER_HZ is 100 on all processors that run Java. */
    private static final long MILLIS_A_TICK = 10;

    /** What is asked where {@code /proc} does not tell. No lambdas: linking them takes longer than the rest. */
    interface Machine {
        /** {@return what macOS says; asked once, and only if {@code /proc} does not tell the boot} */
        MacKernel mac();

        /** {@return a variable of the environment; null if it is not set} */
        @Nullable String variable(String name);
    }

    private static final class ThisMachine implements Machine {
        @Override
        public MacKernel mac() {
            return MacKernel.ask();
        }

        @Override
        public @Nullable String variable(String name) {
            return System.getenv(name);
        }
    }

    private static final class Current {
        private static final ProcessIdentity IDENTITY = read(Path.of("/proc"), new ThisMachine());
    }

    /** {@return the identity of this process} */
    public static ProcessIdentity current() {
        return Current.IDENTITY;
    }

    /**
     * {@return whether a {@code /proc} shows us by our own number at this moment} It may have done so before, and not any more: it can be hidden, or
     * another one mounted over it.
     */
    static boolean isShownAs(long pid, Path proc) {
        try {
            return Files.readSymbolicLink(proc.resolve("self")).toString().equals(Long.toString(pid));
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /**
     * Reads it anew.
     *
     * @param proc where the proc file system is
     * @param machine what is asked otherwise
     */
    static ProcessIdentity read(Path proc, Machine machine) {
        ProcessStat stat = ownStat(proc);
        long pid = ownPid(proc);
        // A /proc that was mounted for another pid namespace shows us with another number: its pids are not those of our namespace.
        boolean ours = stat != null && stat.pid() == pid;
        String boot = line(proc.resolve("sys/kernel/random/boot_id"));
        MacKernel kernel = boot == null ? machine.mac() : MacKernel.UNKNOWN;
        return new ProcessIdentity(
                pid,
                ours ? stat.startTicks() : -1,
                ours ? started(proc, stat.startTicks()) : ProcessHandle.current().info().startInstant().orElse(null),
                boot == null ? kernel.boot() : boot,
                namespace(proc, "pid"),
                namespace(proc, "time"),
                host(proc, kernel, machine),
                ours);
    }

    /**
     * {@return our pid in our own namespace} Whatever namespace /proc was mounted for, it is the last of these numbers. The JDK knows it as well, but
     * when asked, it prepares to run other programs: that takes a fifth of a JVM's first acquisition, class loading apart.
     */
    private static long ownPid(Path proc) {
        try {
            String status = ProcFile.text(proc.resolve("self/status"));
            int begin = status.indexOf(PIDS);
            if (begin >= 0) {
                String pids = status.substring(begin, status.indexOf('\n', begin + 1));
                return Long.parseLong(pids.substring(pids.lastIndexOf('\t') + 1));
            }
        } catch (IOException | NumberFormatException | StringIndexOutOfBoundsException e) {
            // no /proc, or one in another form
        }
        return ProcessHandle.current().pid();
    }

    /** Computed as {@link ProcessHandle.Info#startInstant} does it on Linux. */
    private static @Nullable Instant started(Path proc, long ticks) {
        try {
            String stat = ProcFile.text(proc.resolve("stat"));
            int begin = stat.indexOf(BOOT_TIME) + BOOT_TIME.length();
            long boot = Long.parseLong(stat.substring(begin, stat.indexOf('\n', begin)));
            return Instant.ofEpochMilli(boot * 1_000 + ticks * MILLIS_A_TICK);
        } catch (IOException | NumberFormatException | StringIndexOutOfBoundsException e) {
            return ProcessHandle.current().info().startInstant().orElse(null);
        }
    }

    private static @Nullable ProcessStat ownStat(Path proc) {
        try {
            return ProcessStat.read(proc.resolve("self/stat"));
        } catch (IOException e) {
            return null;
        }
    }

    private static @Nullable String line(Path file) {
        try {
            String text = ProcFile.text(file).trim();
            return text.isEmpty() ? null : text;
        } catch (IOException e) {
            return null;
        }
    }

    /** The link reads {@code pid:[4026531836]}. */
    private static @Nullable String namespace(Path proc, String kind) {
        try {
            String link = Files.readSymbolicLink(proc.resolve("self/ns").resolve(kind)).toString();
            return link.substring(link.indexOf('[') + 1, link.indexOf(']'));
        } catch (IOException | UnsupportedOperationException | StringIndexOutOfBoundsException e) {
            return null;
        }
    }

    /** Not from the resolver: it asks the network, and some machines wait five seconds for an answer. The name is for people; nothing is decided by it alone. */
    private static String host(Path proc, MacKernel kernel, Machine machine) {
        String name = line(proc.resolve("sys/kernel/hostname"));
        if (name == null) {
            name = kernel.host();
        }
        for (String variable : new String[] {"HOSTNAME", "COMPUTERNAME"}) { // of a shell and of containers; of Windows
            if (name == null || name.isBlank()) {
                name = machine.variable(variable);
            }
        }
        return name == null || name.isBlank() ? "unknown" : name;
    }
}
