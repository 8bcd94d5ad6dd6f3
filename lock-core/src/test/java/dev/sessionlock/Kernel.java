package dev.sessionlock;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** What the kernel itself says. No object of the library can know this better. */
public final class Kernel {
    private static final long SEATS = 1L << 61;

    private Kernel() {
    }

    /** /proc/locks is shown a page at a time: a lock may be missing from a reading if others lock and unlock between two pages. */
    private static final int READINGS = 6;

    /** How many seats of the locks of a directory this process holds, by /proc/locks. */
    public static int seatsHeldIn(Path home) throws IOException {
        Set<String> held = new HashSet<>();
        for (int reading = 0; reading < READINGS; reading++) {
            held.addAll(read(home));
        }
        return held.size();
    }

    private static Set<String> read(Path home) throws IOException {
        boolean there = Files.isReadable(Path.of("/proc/locks"));
        if (!there) {
            System.out.println("SKIPPED a test that asks the kernel: no /proc/locks on this system");
        }
        assumeTrue(there, "no /proc/locks on this system");
        Set<String> inodes = new HashSet<>();
        if (!Files.isDirectory(home.resolve(".session-locks"))) {
            return Set.of();
        }
        try (DirectoryStream<Path> guards = Files.newDirectoryStream(home.resolve(".session-locks"), "guard-*")) {
            for (Path guard : guards) {
                inodes.add(Files.getAttribute(guard, "unix:ino").toString());
            }
        }
        Set<String> held = new HashSet<>();
        for (String line : Files.readAllLines(Path.of("/proc/locks"))) {
            String[] words = line.trim().split("\\s+");
            boolean mine = words[1].equals("POSIX") && Long.parseLong(words[4]) == ProcessHandle.current().pid();
            if (mine && inodes.contains(words[5].substring(words[5].lastIndexOf(':') + 1)) && Long.parseLong(words[6]) >= SEATS) {
                held.add(words[5] + " " + words[6]);
            }
        }
        return held;
    }

    /** {@return how many files below a directory this process has open} */
    public static long openFilesIn(Path home) throws IOException {
        Path fds = Path.of("/proc/self/fd");
        boolean there = Files.isDirectory(fds);
        if (!there) {
            System.out.println("SKIPPED a test that counts open files: no /proc/self/fd on this system");
        }
        assumeTrue(there, "no /proc/self/fd on this system");
        long open = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(fds)) {
            for (Path fd : all) {
                try {
                    open += Files.readSymbolicLink(fd).startsWith(home.toRealPath()) ? 1 : 0;
                } catch (IOException e) {
                    continue; // closed meanwhile
                }
            }
        }
        return open;
    }
}
