package dev.sessionlock.testkit;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What the kernel itself says of the seats of a directory, read from {@code /proc/locks} by the tests' own code. Not by the library's reader, and
 * never from {@code FileLock.isValid()}, which returns true for locks that are gone.
 */
public final class KernelTruth {
    private static final long SEATS = 1L << 61;

    private KernelTruth() {
    }

    /** The byte of a seat that a process has locked. */
    public record Seat(long pid, String guard, long position) {
    }

    /** /proc/locks is shown a page at a time: a lock may be missing from a reading if others lock and unlock between two pages. */
    private static final int READINGS = 6;

    /** {@return the seats of a directory that are taken, without those that processes merely wait for} */
    public static List<Seat> seats(Path directory) throws IOException {
        Set<Seat> seats = new LinkedHashSet<>();
        for (int reading = 0; reading < READINGS; reading++) {
            seats.addAll(read(directory));
        }
        return List.copyOf(seats);
    }

    /** {@return the directories among these in which a process has a seat, by one reading} */
    public static Set<Path> held(List<Path> directories, long pid) throws IOException {
        Set<Path> held = new LinkedHashSet<>();
        List<String> lines = Files.readAllLines(Path.of("/proc/locks"));
        for (Path directory : directories) {
            if (seats(guards(directory), lines).anyMatch(seat -> seat.pid() == pid)) {
                held.add(directory);
            }
        }
        return held;
    }

    private static List<Seat> read(Path directory) throws IOException {
        return seats(guards(directory), Files.readAllLines(Path.of("/proc/locks"))).toList();
    }

    private static Map<String, String> guards(Path directory) throws IOException {
        Map<String, String> guards = new HashMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory.resolve(".session-locks"), "guard-*")) {
            for (Path guard : files) {
                guards.put(Files.getAttribute(guard, "unix:ino", LinkOption.NOFOLLOW_LINKS).toString(), guard.getFileName().toString());
            }
        }
        return guards;
    }

    private static Stream<Seat> seats(Map<String, String> guards, List<String> lines) {
        return lines.stream().map(line -> line.trim().split("\\s+"))
                .filter(words -> words[1].equals("POSIX"))
                .filter(words -> guards.containsKey(inode(words[5])))
                .map(words -> new Seat(Long.parseLong(words[4]), guards.get(inode(words[5])), Long.parseLong(words[6])))
                .filter(seat -> seat.position() >= SEATS);
    }

    private static String inode(String file) {
        return file.substring(file.lastIndexOf(':') + 1);
    }

    /** {@return the seats that one process has} */
    public static List<Seat> seats(Path directory, long pid) throws IOException {
        return seats(directory).stream().filter(seat -> seat.pid() == pid).toList();
    }
}
