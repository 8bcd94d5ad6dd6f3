package dev.sessionlock.internal.system;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Who this process is, so that another process can tell later whether it still lives.
 *
 * @param pid the process id, in our own pid namespace
 * @param startTicks when it started, in clock ticks since boot; -1 where there is no {@code /proc}
 * @param started when it started, by wall clock; null if unknown
 * @param boot the boot id of the kernel; null where there is none
 * @param pidNamespace the number of our pid namespace; null where there is none
 * @param timeNamespace the number of our time namespace; null where there is none
 * @param host the host's name
 * @param seesItselfInProc whether {@code /proc} shows our own pid namespace
 */
public record ProcessIdentity(
        long pid,
        long startTicks,
        @Nullable Instant started,
        @Nullable String boot,
        @Nullable String pidNamespace,
        @Nullable String timeNamespace,
        @NotNull String host,
        boolean seesItselfInProc) {

    private static final class Current {
        private static final ProcessIdentity IDENTITY = read(Path.of("/proc"));
    }

    /** {@return the identity of this process} */
    public static @NotNull ProcessIdentity current() {
        return Current.IDENTITY;
    }

    private static ProcessIdentity read(Path proc) {
        ProcessHandle self = ProcessHandle.current();
        ProcessStat stat = ownStat(proc);
        // A /proc that was mounted for another pid namespace calls us by another number: what it says of pids is not about ours.
        boolean ours = stat != null && stat.pid() == self.pid();
        return new ProcessIdentity(
                self.pid(),
                ours ? stat.startTicks() : -1,
                self.info().startInstant().orElse(null),
                line(proc.resolve("sys/kernel/random/boot_id")),
                namespace(proc, "pid"),
                namespace(proc, "time"),
                host(proc),
                ours);
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

    /** Without asking the network, which may take long. */
    private static String host(Path proc) {
        String name = line(proc.resolve("sys/kernel/hostname"));
        if (name == null) {
            name = System.getenv("HOSTNAME");
        }
        try {
            return name != null && !name.isBlank() ? name : InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "unknown";
        }
    }
}
