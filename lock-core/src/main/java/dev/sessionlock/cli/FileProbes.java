package dev.sessionlock.cli;

import dev.sessionlock.internal.directory.FileSystemTraits;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.system.Durations;
import dev.sessionlock.internal.system.OperatingSystem;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.SystemReason;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The doctor's probes that need only one process: of the file system and the system. */
final class FileProbes {
    private static final long ENOUGH_BYTES = 4L << 20;
    private static final long ENOUGH_INODES = 100;
    private static final Duration MUCH_SKEW = Duration.ofSeconds(5);
    private static final long STAMPS_PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(1_200);
    /** How much the library adds to a session's name, at most: {@code .lock.reclaim}. */
    private static final int ADDED_TO_NAME = 13;
    private static final int LONGEST_NAME = 255;
    private static final int SHORT_NAME = 100;
    /** The number of the first pid namespace (proc_ns.h in the kernel). */
    private static final String FIRST_PID_NAMESPACE = "4026531836";
    private static final String FIRST_TIME_NAMESPACE = "4026531834";
    private static final int ALL = 07777;
    private static final Pattern INODES = Pattern.compile("\\s(\\d+|-)\\s+(\\d+|-)\\s+(\\d+|-)\\s+(\\d+%|-)\\s");

    private FileProbes() {
    }

    private interface FileProbe {
        ProbeResult run() throws IOException;
    }

    /** {@return the result of a probe} A probe that throws something unexpected has the result "unknown". */
    private static ProbeResult probe(String name, FileProbe probe) {
        try {
            return probe.run();
        } catch (IOException | RuntimeException e) {
            return ProbeResult.unknown(name, "could not be tried: " + said(e), "");
        }
    }

    /** {@return the message of an exception, for a person} */
    static String said(Exception e) {
        if (e instanceof AccessDeniedException denied) {
            return "no permission for " + denied.getFile();
        } else if (e instanceof FileSystemException trouble && trouble.getReason() != null) {
            return trouble.getReason();
        }
        String message = e.getMessage() == null || e instanceof FileSystemException ? e.toString() : e.getMessage();
        return message.lines().findFirst().orElse("");
    }

    // ---- probes that write nothing ----

    /** {@return the results for the directory as it is} */
    static List<ProbeResult> ofDirectory(Path directory) {
        return List.of(type(directory), probe("space", () -> space(directory)), probe("inodes", () -> inodes(directory)),
                OtherUsers.check(directory));
    }

    private static ProbeResult type(Path directory) {
        String type = FileSystemTraits.type(directory);
        if (FileSystemTraits.isNetwork(type)) {
            if (FileSystemTraits.isSharedWithHost(type)) {
                return ProbeResult.notOk("type", type + ": shared with the host, and locks may not reach it, nor another container; sessionlock refuses it",
                        "keep the sessions on a disk of the machine itself, with Docker in a named volume; or allowNetworkFileSystem(), if this machine or "
                        + "container alone uses the directory");
            }
            return ProbeResult.notOk("type", type + ": kernel locks and mapped pages may not be shared by all who use it; sessionlock "
                    + "refuses it", "keep the sessions on a local disk, or lock with an engine for many machines, such as a database");
        } else if (type.equals("unknown")) {
            return ProbeResult.unknown("type", "the mount table does not list it; what counts is what the two JVMs find below", "");
        }
        return ProbeResult.ok("type", type + ", " + switch (type.toLowerCase(Locale.ROOT)) {
            case "overlay", "aufs" -> "a container's own layer: what is written here goes with the container, and no other one sees it";
            case "tmpfs", "ramfs" -> "in memory: what is written here is gone after a reboot";
            default -> "local";
        });
    }

    private static ProbeResult space(Path directory) throws IOException {
        FileStore store = Files.getFileStore(directory);
        long free = store.getUsableSpace();
        String detail = inBytes(free) + " of " + inBytes(store.getTotalSpace()) + " free for this user";
        return free >= ENOUGH_BYTES ? ProbeResult.ok("space", detail)
                : ProbeResult.notOk("space", detail, "free some: no lock can be taken on a full disk");
    }

    static String inBytes(long bytes) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        double value = bytes;
        int unit = 0;
        for (; value >= 1024 && unit < units.length - 1; unit++) {
            value /= 1024;
        }
        return (value < 10 && unit > 0 ? String.format(Locale.ROOT, "%.1f ", value) : Math.round(value) + " ") + units[unit];
    }

    private static ProbeResult inodes(Path directory) throws IOException {
        Process df = new ProcessBuilder("df", "-Pi", "--", directory.toString()).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        try (BufferedReader out = new BufferedReader(new InputStreamReader(df.getInputStream(), StandardCharsets.UTF_8))) {
            df.getOutputStream().close();
            boolean ended = df.waitFor(2, TimeUnit.SECONDS); // df prints so little that it need not wait for a reader
            return ended && df.exitValue() == 0 ? inodes(out.lines().reduce("", (before, last) -> last)) : inodes("");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return inodes("");
        } finally {
            df.destroyForcibly();
        }
    }

    /** Judges what df says: file system, inodes, used, free, percent, mount point. The first and the last may contain spaces. */
    static ProbeResult inodes(String line) {
        Matcher numbers = INODES.matcher(line);
        if (!numbers.find()) {
            return ProbeResult.unknown("inodes", "df -Pi does not tell", "");
        } else if (numbers.group(1).equals("-") || numbers.group(1).equals("0") || numbers.group(3).equals("-")) {
            return ProbeResult.ok("inodes", "made at need, without a limit");
        }
        long free = Long.parseLong(numbers.group(3));
        String detail = String.format(Locale.ROOT, "%,d of %,d free", free, Long.parseLong(numbers.group(1)));
        return free < ENOUGH_INODES ? ProbeResult.notOk("inodes", detail, "remove files that nobody needs: no lock can be taken without an inode")
                : ProbeResult.ok("inodes", detail);
    }

    // ---- the system ----

    /** {@return the results for the machine} The evidence of {@code status} depends on them. */
    static List<ProbeResult> ofSystem() {
        ProcessIdentity self = ProcessIdentity.current();
        return List.of(system(OperatingSystem.current()), proc(self), boot(self), namespaces(self));
    }

    static ProbeResult system(OperatingSystem system) {
        return switch (system.support()) {
            case PROVEN -> ProbeResult.ok("system", system.name() + ", where all tests pass at every change");
            case DESIGNED_FOR -> ProbeResult.unknown("system", system.name() + ": made for it, but nobody has seen all tests pass there yet",
                    "run them there (mvn verify) before you rely on it, and tell us");
            case UNSUPPORTED -> ProbeResult.notOk("system", system.name() + ": not supported yet, and known to be wrong in places",
                    "run the gateway in a Linux machine or container (on Windows: WSL 2, with the sessions on its own disk), or lock with a database");
        };
    }

    private static ProbeResult proc(ProcessIdentity self) {
        if (!self.seesItselfInProc()) {
            return ProbeResult.unknown("proc", Files.isDirectory(Path.of("/proc/self"))
                    ? "/proc shows another pid namespace: whether a holder lives is told by its kernel lock and lease alone"
                    : "there is no /proc: whether a holder lives is asked of the Java runtime",
                    Files.isDirectory(Path.of("/proc/self")) ? "mount /proc for this pid namespace" : "");
        } else if (!Files.exists(Path.of("/proc/1/stat"))) {
            return ProbeResult.unknown("proc", "other users' processes are hidden (hidepid): their dead are not known to be dead",
                    "run the tool as the user who holds the locks, or as root");
        }
        return ProbeResult.ok("proc", "all processes of this pid namespace are visible");
    }

    private static ProbeResult boot(ProcessIdentity self) {
        return self.boot() == null
                ? ProbeResult.unknown("boot-id", "none: after a reboot, locks left behind are told by their processes alone", "")
                : ProbeResult.ok("boot-id", self.boot());
    }

    private static ProbeResult namespaces(ProcessIdentity self) {
        if (self.pidNamespace() == null) {
            return ProbeResult.unknown("namespaces", "not told by this system", "");
        }
        boolean contained = !self.pidNamespace().equals(FIRST_PID_NAMESPACE);
        boolean shifted = self.timeNamespace() != null && !self.timeNamespace().equals(FIRST_TIME_NAMESPACE);
        return ProbeResult.ok("namespaces", "pid namespace " + self.pidNamespace()
                + (contained ? " (a container's: holders outside are excluded, but not to be seen)" : " (the machine's own)")
                + (self.timeNamespace() == null ? "" : ", time namespace " + self.timeNamespace()
                + (shifted ? " (not the machine's own: leases of others do not compare, nobody takes over)" : " (the machine's own)")));
    }

    // ---- probes that write ----

    /** {@return the verdict if nothing can be written there} */
    static ProbeResult notWritable(Path directory, IOException e) {
        if (e instanceof AccessDeniedException) {
            return ProbeResult.notOk("permissions", "this user (" + System.getProperty("user.name") + ") may not write to it",
                    "who takes a lock must be able to write to it: let the user of the gateway own it (ls -ld " + directory + ")");
        }
        boolean readOnly = SystemReason.of(e).toLowerCase(Locale.ROOT).contains("read-only");
        return readOnly
                ? ProbeResult.notOk("permissions", "the file system is mounted read-only", "mount it for writing, or keep the sessions elsewhere")
                : ProbeResult.notOk("permissions", "nothing can be made in it: " + said(e), "see what the disk says (df, dmesg)");
    }

    /** {@return the results for the file system, from the doctor's own directory in it} */
    static List<ProbeResult> ofFileSystem(Path directory, Path probe) {
        return List.of(
                probe("permissions", () -> permissions(directory, probe)),
                probe("hard-links", () -> hardLinks(probe)),
                probe("exclusive-create", () -> exclusiveCreate(probe)),
                probe("rename", () -> rename(probe)),
                probe("fsync", () -> fsync(probe)),
                probe("time-stamps", () -> timeStamps(probe)),
                probe("name-length", () -> nameLength(probe)));
    }

    private static ProbeResult permissions(Path directory, Path probe) throws IOException {
        Path file = Files.createFile(probe.resolve("mode"));
        Map<String, Object> around;
        try {
            around = Files.readAttributes(directory, "unix:mode,uid,gid");
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return ProbeResult.ok("permissions", "this user may write; the file system has no modes");
        }
        int wanted = (int) around.get("mode") & 0666;
        String modes = "this user may write, directory mode " + Integer.toOctalString((int) around.get("mode") & ALL);
        try {
            Files.setAttribute(file, "unix:mode", wanted);
        } catch (IOException e) {
            return ProbeResult.notOk("permissions", modes + ", but modes of files cannot be set: " + said(e),
                    "mount it so that its owner may set modes: other users' processes could not open the guards");
        }
        int got = (int) Files.getAttribute(file, "unix:mode") & ALL;
        if (got != wanted) {
            return ProbeResult.unknown("permissions", modes + "; files are given mode " + Integer.toOctalString(got)
                    + " whatever is asked for: other users' processes may not be able to open the guards", "");
        }
        ProbeResult litter = guards(directory, modes);
        return litter != null ? litter : ProbeResult.ok("permissions", modes + ", and the modes of files follow it");
    }

    /** Looks at the library's own folder, if it exists. Opens nothing in it, since closing it again could drop a holder's kernel locks. */
    private static @Nullable ProbeResult guards(Path directory, String modes) throws IOException {
        Path inner = directory.resolve(LockDirectory.INNER);
        if (!Files.exists(inner, LinkOption.NOFOLLOW_LINKS)) {
            return null;
        } else if (!Files.isDirectory(inner, LinkOption.NOFOLLOW_LINKS)) {
            return ProbeResult.notOk("permissions", modes + ", but " + inner + " is not a directory", "remove it; sessionlock makes it anew");
        } else if (!Files.isWritable(inner)) {
            return ProbeResult.notOk("permissions", modes + ", but not to " + inner, "chown -R it to the owner of " + directory);
        }
        try (DirectoryStream<Path> all = Files.newDirectoryStream(inner, "{guard-*,board*}")) {
            for (Path file : all) {
                if (!Files.isWritable(file) && Files.exists(file)) {
                    return ProbeResult.notOk("permissions", modes + ", but not to " + file,
                            "chown -R " + inner + " to the owner of " + directory + "; no lock can be taken without");
                }
            }
        }
        return null;
    }

    private static ProbeResult hardLinks(Path probe) throws IOException {
        Path file = Files.writeString(probe.resolve("claim"), "a");
        Path link = probe.resolve("link");
        try {
            Files.createLink(link, file);
        } catch (IOException | UnsupportedOperationException e) {
            return ProbeResult.ok("hard-links", "refused (" + said(e) + "): records are created and written in two steps instead");
        }
        Object key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        boolean same = key == null || key.equals(Files.readAttributes(link, BasicFileAttributes.class).fileKey());
        String remedy = "keep the sessions on another file system: here a record could replace another's";
        if (!same) {
            return ProbeResult.notOk("hard-links", "a link is another file than its original", remedy);
        }
        try {
            Files.createLink(link, Files.writeString(probe.resolve("second-claim"), "b"));
            return ProbeResult.notOk("hard-links", "a link over a name that exists was accepted", remedy);
        } catch (FileAlreadyExistsException e) {
            return ProbeResult.ok("hard-links", "made in one step, refused where the name exists");
        }
    }

    private static ProbeResult exclusiveCreate(Path probe) throws IOException {
        Path file = probe.resolve("create");
        Files.write(file, new byte[1], StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try {
            Files.write(file, new byte[2], StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            return ProbeResult.notOk("exclusive-create", "O_EXCL created a file that existed", "keep the sessions on another file system");
        } catch (FileAlreadyExistsException e) {
            return ProbeResult.ok("exclusive-create", "O_EXCL refuses a name that exists");
        }
    }

    private static ProbeResult rename(Path probe) throws IOException {
        String remedy = "keep the sessions on another file system: a compaction could not put its result in place in one step";
        Path target = Files.writeString(probe.resolve("target"), "old");
        Path fresh = Files.writeString(probe.resolve("fresh"), "new");
        try {
            Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException | FileAlreadyExistsException e) {
            return ProbeResult.notOk("rename", "a file cannot be renamed over another: " + said(e), remedy);
        }
        boolean replaced = Files.readString(target).equals("new") && !Files.exists(fresh, LinkOption.NOFOLLOW_LINKS);
        return replaced ? ProbeResult.ok("rename", "over an existing file, in one step")
                : ProbeResult.notOk("rename", "a rename over a file did not replace it", remedy);
    }

    private static ProbeResult fsync(Path probe) throws IOException {
        long start = System.nanoTime();
        Path written = Files.write(probe.resolve("forced"), new byte[1024]);
        try (FileChannel file = FileChannel.open(written, StandardOpenOption.WRITE)) {
            file.force(true);
        } catch (IOException e) {
            return ProbeResult.notOk("fsync", "a file cannot be forced to the disk: " + said(e),
                    "keep the sessions elsewhere: a power cut may undo them");
        }
        long forced = System.nanoTime();
        try (FileChannel directory = FileChannel.open(probe, StandardOpenOption.READ)) {
            directory.force(true);
        } catch (IOException e) {
            return ProbeResult.notOk("fsync", "a directory cannot be forced to the disk: " + said(e),
                    "keep the sessions elsewhere: a power cut may bring back what a compaction replaced");
        }
        return ProbeResult.ok("fsync", "file " + inMillis(forced - start) + ", directory " + inMillis(System.nanoTime() - forced));
    }

    private static String inMillis(long nanos) {
        return String.format(Locale.ROOT, "%.1f ms", nanos / 1e6);
    }

    private static ProbeResult timeStamps(Path probe) throws IOException {
        Path file = probe.resolve("stamp");
        Instant before = Instant.now();
        Instant first = written(file);
        Instant after = Instant.now();
        Instant second = first;
        long start = System.nanoTime();
        while (second.equals(first) && System.nanoTime() - start < STAMPS_PATIENCE_NANOS) {
            LockSupport.parkNanos(500_000);
            second = written(file);
        }
        String resolution = second.equals(first) ? "a second or coarser" : Duration.between(first, second).toMillis() < 1000
                ? Math.max(1, Duration.between(first, second).toMillis()) + " ms or finer" : "about a second";
        Duration early = Duration.between(first, before);
        Duration late = Duration.between(after, first);
        Duration skew = early.compareTo(late) > 0 ? early : late;
        if (skew.compareTo(MUCH_SKEW) > 0) {
            return ProbeResult.notOk("time-stamps", "they differ from this machine's clock by " + Durations.inWords(skew),
                    "set the clocks right (timedatectl, chronyc): torn locks are judged by their age");
        }
        return ProbeResult.ok("time-stamps", "resolution " + resolution + ", within " + Math.max(1, skew.toMillis()) + " ms of the clock");
    }

    private static Instant written(Path file) throws IOException {
        Files.write(file, new byte[1]);
        return Files.getLastModifiedTime(file).toInstant();
    }

    private static ProbeResult nameLength(Path probe) throws IOException {
        int longest = LONGEST_NAME;
        if (!fits(probe, longest)) {
            int low = 1;
            while (low < longest - 1) {
                int middle = (low + longest) / 2;
                if (fits(probe, middle)) {
                    low = middle;
                } else {
                    longest = middle;
                }
            }
            longest = low;
        }
        String detail = longest + " bytes; a session's name may have " + (longest - ADDED_TO_NAME);
        return longest < SHORT_NAME ? ProbeResult.notOk("name-length", detail, "keep the sessions on a file system that takes longer names")
                : ProbeResult.ok("name-length", detail);
    }

    private static boolean fits(Path probe, int length) throws IOException {
        Path file = probe.resolve("n".repeat(length));
        try {
            Files.createFile(file);
            Files.delete(file);
            return true;
        } catch (IOException e) {
            if (length <= SHORT_NAME / 4) {
                throw e; // the length is not what it refuses
            }
            return false;
        }
    }

    /**
     * Compares how the file system treats names with what the library expects. Call this after the library has used the directory: its own folder
     * shows what it expects.
     */
    static ProbeResult names(Path probe) {
        return probe("names", () -> {
            Files.createFile(probe.resolve("Names"));
            boolean cases = Files.exists(probe.resolve("nAMES"), LinkOption.NOFOLLOW_LINKS);
            Boolean forms = foldsForms(probe);
            boolean known = !Files.isDirectory(probe.resolve(LockDirectory.INNER)) || FileSystemTraits.of(probe.toRealPath()).foldsNames();
            String detail = (cases ? "case does not matter" : "case matters") + ", "
                    + (forms == null ? "Unicode forms not tried (this JVM's locale writes no ä)"
                    : forms ? "Unicode forms do not matter" : "Unicode forms matter");
            if ((cases || Boolean.TRUE.equals(forms)) && !known) {
                return ProbeResult.notOk("names", detail + ", and sessionlock does not know: one file would have two locks",
                        "let all programs write a session's name in the same way");
            }
            return ProbeResult.ok("names", detail + (cases || Boolean.TRUE.equals(forms) ? ": names that are one file share one lock" : ""));
        });
    }

    private static @Nullable Boolean foldsForms(Path probe) throws IOException {
        try {
            Files.createFile(probe.resolve("\u00e4"));
            return Files.exists(probe.resolve("a\u0308"), LinkOption.NOFOLLOW_LINKS);
        } catch (InvalidPathException e) {
            return null;
        }
    }
}
