package dev.sessionlock.cli;

import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The descriptors above standard error with which we were started, so that a job can have them, too.
 *
 * <p>Java closes them in every process that it starts. So a shell between us and the job opens them again, by {@code /proc/PID/fd}, under the same
 * numbers. That opens the same file a second time, with a position of its own. So only those are handed on for which this makes no difference: pipes,
 * devices, files that are appended to; files that are read, from their present position; files that are written, at their end, and then ours is moved
 * to the end when the job has ended. The job does not get the rest (sockets, files open for both, or in the middle): it finds the descriptor closed
 * rather than at a wrong position. Linux only.
 */
final class Descriptors {
    private static final Path OURS = Path.of("/proc/self/fd");
    private static final int ACCESS_MODE = 3;
    private static final int WRITE_ONLY = 1;
    private static final int READ_AND_WRITE = 2;
    private static final int APPEND = 02000;
    private static final int CLOSE_ON_EXEC = 02000000;
    /** The last descriptor that the shells of all systems can open. */
    private static final int LAST_OF_ONE_DIGIT = 9;

    /**
     * One descriptor.
     *
     * @param number its number
     * @param steps the shell code that opens it again, below the directory {@code $1}
     * @param atItsEnd whether it is written to, from its end on
     */
    private record Descriptor(int number, String steps, boolean atItsEnd) {
    }

    private final List<Descriptor> inherited;

    private Descriptors(List<Descriptor> inherited) {
        this.inherited = inherited;
    }

    /** {@return what can be handed on of the files with which this JVM was started} Call this before anything else is opened. */
    static Descriptors inherited() {
        List<Descriptor> found = new ArrayList<>();
        try (DirectoryStream<Path> open = Files.newDirectoryStream(OURS)) {
            for (Path path : open) {
                int number = Integer.parseInt(path.getFileName().toString());
                Descriptor descriptor = number <= 2 ? null : look(number);
                if (descriptor != null) {
                    found.add(descriptor);
                }
            }
        } catch (IOException | DirectoryIteratorException | NumberFormatException e) {
            return new Descriptors(List.of()); // no /proc
        }
        return new Descriptors(found);
    }

    private static @Nullable Descriptor look(int number) {
        Path path = OURS.resolve(Integer.toString(number));
        try {
            String target = Files.readSymbolicLink(path).toString();
            long position = 0;
            int flags = CLOSE_ON_EXEC;
            for (String line : Files.readAllLines(Path.of("/proc/self/fdinfo", path.getFileName().toString()), StandardCharsets.ISO_8859_1)) {
                if (line.startsWith("pos:")) {
                    position = Long.parseLong(line.substring("pos:".length()).trim());
                } else if (line.startsWith("flags:")) {
                    flags = Integer.parseInt(line.substring("flags:".length()).trim(), 8);
                }
            }
            boolean inherited = (flags & CLOSE_ON_EXEC) == 0 && !isOfThisJvm(target);
            return inherited ? descriptor(number, flags, position, Files.readAttributes(path, BasicFileAttributes.class), target) : null;
        } catch (IOException | RuntimeException e) {
            return null; // closed meanwhile, like the descriptor that lists this directory
        }
    }

    private static boolean isOfThisJvm(String target) {
        return target.startsWith(System.getProperty("java.home") + "/") || target.endsWith(".jsa")
                || target.equals("/proc/" + ProcessHandle.current().pid() + "/fd")
                || Set.of(System.getProperty("java.class.path").split(File.pathSeparator)).stream()
                        .anyMatch(entry -> !entry.isEmpty() && Path.of(entry).toAbsolutePath().normalize().toString().equals(target));
    }

    private static @Nullable Descriptor descriptor(int number, int flags, long position, BasicFileAttributes file, String target) {
        int mode = flags & ACCESS_MODE;
        String symbol = mode == READ_AND_WRITE ? "<>" : mode == WRITE_ONLY ? ">" : "<";
        if (file.isRegularFile()) {
            boolean atItsEnd = mode == WRITE_ONLY && (flags & APPEND) == 0 && position == file.size() && of(number) != null;
            if (mode == WRITE_ONLY && ((flags & APPEND) != 0 || atItsEnd)) {
                return new Descriptor(number, open(number, ">>"), atItsEnd);
            }
            String seek = position == 0 ? "" : " && { dd bs=1 skip=" + position + " count=0 <&" + number + " || exec " + number + "<&-; }";
            return mode == 0 ? new Descriptor(number, open(number, "<") + seek, false) : null;
        } else if (file.isDirectory() || target.startsWith("socket:") || target.startsWith("anon_inode:")) {
            return null;
        }
        // Opened for reading and writing first: opening one end of a pipe waits for somebody at the other end.
        boolean pipe = !target.startsWith("/dev/");
        return new Descriptor(number, (pipe && mode != READ_AND_WRITE ? open(number, "<>") + " && " : "") + open(number, symbol), false);
    }

    private static String open(int number, String symbol) {
        return "command exec " + number + symbol + "\"$1/" + number + "\"";
    }

    /** {@return the command that starts another command with these files} */
    List<String> handTo(List<String> command) {
        boolean bash = Executables.find("bash").exitCode() == 0;
        StringBuilder script = new StringBuilder();
        for (Descriptor descriptor : inherited) {
            if (bash || descriptor.number <= LAST_OF_ONE_DIGIT) {
                script.append("{ ").append(descriptor.steps).append("; } 2>/dev/null\n"); // another user's file may refuse to be opened again
            }
        }
        if (script.isEmpty()) {
            return command;
        }
        List<String> wrapped = new ArrayList<>(List.of(bash ? "bash" : "sh", "-c", script + "shift\nexec \"$@\"", "sessionlock",
                "/proc/" + ProcessHandle.current().pid() + "/fd"));
        wrapped.addAll(command);
        return wrapped;
    }

    /** What is written to them after the job has ended then comes after the output of the job. */
    void moveToTheEnd() {
        for (Descriptor descriptor : inherited) {
            if (descriptor.atItsEnd) {
                try {
                    @SuppressWarnings("resource") // it is not ours to close
                    FileChannel channel = new FileOutputStream(of(descriptor.number)).getChannel();
                    channel.position(channel.size());
                } catch (IOException e) {
                    continue; // a disk that is gone: the next write to it will say so
                }
            }
        }
    }

    /** {@return a descriptor by its number; null if the JVM does not allow that} The tool's jar opens {@code java.io} to itself. */
    private static @Nullable FileDescriptor of(int number) {
        try {
            Constructor<FileDescriptor> constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
            constructor.setAccessible(true);
            return constructor.newInstance(number);
        } catch (ReflectiveOperationException | RuntimeException e) {
            return null;
        }
    }
}
