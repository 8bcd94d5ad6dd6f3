package dev.sessionlock.cli;

import dev.sessionlock.internal.system.CurrentUser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Asks another JVM for the stack of one of its threads, as {@code jcmd PID Thread.print} does. The JVM stands still for some milliseconds meanwhile.
 *
 * <p>To ask a JVM that was not asked before, {@code jcmd} sends it SIGQUIT. Another program may end at that, even if it catches the signal, and so does a JVM with
 * {@code -Xrs}. So only a process is asked that has loaded {@code libjvm.so} and catches SIGQUIT. The process of another user is not asked, not even by root:
 * {@code jcmd} would work in directories of that user.
 */
final class ThreadDump {
    private static final long PATIENCE_SECONDS = 5;
    private static final int MOST_BYTES = 16 * 1024 * 1024;
    private static final int MOST_FRAMES = 256;
    private static final long WATCHED_MILLIS = 100;
    private static final long SIGQUIT_BIT = 1L << (3 - 1);
    private static final String USERS = "Uid:";
    private static final String CAUGHT = "SigCgt:";
    private static final Pattern NATIVE_ID = Pattern.compile(" nid=(0x)?([0-9a-f]+)");
    private static final Pattern STATE = Pattern.compile("\\s+java\\.lang\\.Thread\\.State: ([A-Z_]+).*");
    private static final Pattern FRAME = Pattern.compile("\\s+at (\\S.*)");
    /** The JDK's own thread behind sleeping virtual threads. A dump does not show virtual threads. */
    private static final String OF_VIRTUAL_THREADS = "\"VirtualThread-unparker\"";

    private ThreadDump() {
    }

    /**
     * {@return what a thread does} Never throws because it cannot be seen.
     *
     * @param pid its process, which is a JVM of this machine and is not stopped
     * @param thread its name
     */
    static ThreadSnapshot look(long pid, String thread) throws InterruptedException {
        try {
            Path process = Path.of("/proc", Long.toString(pid));
            if (thread.isEmpty() || !isJvmOfOurs(process)) {
                return ThreadSnapshot.unknown(thread);
            }
            List<String> dump = print(pid);
            return dump.isEmpty() ? ThreadSnapshot.unknown(thread) : find(thread, dump, process);
        } catch (IOException | UncheckedIOException | IllegalArgumentException e) {
            return ThreadSnapshot.unknown(thread); // no /proc, or the process has ended
        }
    }

    /** The owner of the files in {@code /proc} does not tell whose a process is: root has those of a process that is not dumpable. */
    private static boolean isJvmOfOurs(Path process) throws IOException {
        boolean isOurs = false;
        boolean catchesQuit = false;
        for (String line : Files.readAllLines(process.resolve("status"), StandardCharsets.ISO_8859_1)) {
            if (line.startsWith(USERS)) { // real, effective, saved, and that of the file system
                isOurs = Arrays.stream(line.substring(USERS.length()).strip().split("\\s+")).map(Integer::valueOf).allMatch(CurrentUser::is);
            } else if (line.startsWith(CAUGHT)) {
                catchesQuit = (Long.parseUnsignedLong(line.substring(CAUGHT.length()).strip(), 16) & SIGQUIT_BIT) != 0;
            }
        }
        return isOurs && catchesQuit && hasLoadedAJvm(process);
    }

    private static boolean hasLoadedAJvm(Path process) throws IOException {
        try (Stream<String> maps = Files.lines(process.resolve("maps"), StandardCharsets.ISO_8859_1)) {
            return maps.anyMatch(line -> line.endsWith("/libjvm.so"));
        }
    }

    /** {@return the lines; none if there is no jcmd, or if it failed} */
    private static List<String> print(long pid) throws IOException, InterruptedException {
        Path beside = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        Path jcmd = Files.isExecutable(beside) ? beside : Executables.find("jcmd").path();
        if (jcmd == null) {
            return List.of();
        }
        ProcessBuilder asking = new ProcessBuilder(jcmd.toString(), Long.toString(pid), "Thread.print").redirectError(ProcessBuilder.Redirect.DISCARD);
        asking.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS")); // what they say is for other programs
        Process process = asking.start();
        try {
            process.getOutputStream().close();
            CompletableFuture.delayedExecutor(PATIENCE_SECONDS, TimeUnit.SECONDS).execute(process::destroyForcibly); // a JVM that does not answer
            byte[] said = process.getInputStream().readNBytes(MOST_BYTES);
            return process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0 ? new String(said, StandardCharsets.UTF_8).lines().toList()
                    : List.of();
        } finally {
            process.destroyForcibly();
        }
    }

    private static ThreadSnapshot find(String thread, List<String> dump, Path process) throws InterruptedException {
        List<Integer> heads = heads(thread, dump);
        if (heads.isEmpty()) {
            // A record may have cut a long name, and jcmd writes '?' for what its locale does not know.
            boolean unsure = dump.stream().anyMatch(line -> line.startsWith(OF_VIRTUAL_THREADS) || line.startsWith("\"" + thread))
                    || thread.chars().anyMatch(c -> c < ' ' || c > '~');
            return unsure ? ThreadSnapshot.unknown(thread) : ThreadSnapshot.gone(thread);
        }
        ThreadSnapshot idle = null;
        for (int head : heads) {
            ThreadSnapshot found = parse(thread, dump, head, null);
            if (!found.hasLeft()) {
                return parse(thread, dump, head, process.resolve("task"));
            }
            idle = found;
        }
        return idle;
    }

    /** {@return the lines with which threads of this name begin} */
    static List<Integer> heads(String thread, List<String> dump) {
        List<Integer> heads = new ArrayList<>();
        for (int i = 0; i < dump.size(); i++) {
            if (dump.get(i).startsWith("\"" + thread + "\" ")) {
                heads.add(i);
            }
        }
        return heads;
    }

    /** {@return the thread that begins at a line} If its tasks are given, it is watched for a moment. */
    static ThreadSnapshot parse(String thread, List<String> dump, int head, @Nullable Path tasks) throws InterruptedException {
        String state = null;
        List<String> frames = new ArrayList<>();
        for (int i = head + 1; i < dump.size() && !dump.get(i).isBlank() && frames.size() < MOST_FRAMES; i++) {
            Matcher itsState = STATE.matcher(dump.get(i));
            Matcher frame = FRAME.matcher(dump.get(i));
            if (itsState.matches()) {
                state = itsState.group(1);
            } else if (frame.matches()) {
                frames.add(withoutModule(frame.group(1)));
            }
        }
        Matcher id = NATIVE_ID.matcher(dump.get(head));
        if (tasks == null || !id.find()) {
            return ThreadSnapshot.found(thread, state, frames, null, null);
        }
        Path times = tasks.resolve(Long.toString(Long.parseLong(id.group(2), id.group(1) == null ? 10 : 16))).resolve("schedstat");
        Long before = nanosOnProcessor(times);
        Thread.sleep(WATCHED_MILLIS);
        Long after = nanosOnProcessor(times);
        boolean known = before != null && after != null;
        return ThreadSnapshot.found(thread, state, frames, known ? Duration.ofNanos(after - before) : null, known ? Duration.ofMillis(WATCHED_MILLIS) : null);
    }

    /** {@return a frame such as {@code java.lang.Thread.sleep(java.base@17/Native Method)} without its module and class loader} */
    private static String withoutModule(String frame) {
        return frame.replaceFirst("\\([^()/]*@[^()/]*/", "(").replaceFirst("^\\w*//", "");
    }

    private static @Nullable Long nanosOnProcessor(Path schedstat) {
        try {
            return Long.parseLong(Files.readString(schedstat).split(" ")[0]);
        } catch (IOException | NumberFormatException e) {
            return null;
        }
    }
}
