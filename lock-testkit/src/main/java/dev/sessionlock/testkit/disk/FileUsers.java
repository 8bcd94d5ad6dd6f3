package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;

/**
 * Which other processes have a file open, mapped or locked, as {@code /proc} of the real system shows it. Where there is no {@code /proc}, no other process is seen.
 */
record FileUsers(RealFiles files) {
    private static final String PROC = "/proc";
    private static final String OURS = Long.toString(ProcessHandle.current().pid());

    /** Asked about one process. */
    private interface Question {
        boolean isTrueFor(Path process) throws IOException;
    }

    private boolean any(Question question) {
        try (DirectoryStream<Path> all = files.real().newDirectoryStream(files.path(PROC), entry -> Character.isDigit(entry.getFileName().toString().charAt(0)))) {
            for (Path process : all) {
                if (isTrue(question, process)) {
                    return true;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return false;
        }
        return false;
    }

    private static boolean isTrue(Question question, Path process) {
        try {
            return question.isTrueFor(process);
        } catch (IOException | DirectoryIteratorException e) {
            return false; // it has ended, or belongs to somebody else
        }
    }

    /** {@return whether another process has this file open} This JVM knows its own channels. */
    boolean isOpenElsewhere(BasicFileAttributes file) {
        return any(process -> {
            if (process.getFileName().toString().equals(OURS)) {
                return false;
            }
            try (DirectoryStream<Path> open = files.real().newDirectoryStream(process.resolve("fd"), entry -> true)) {
                for (Path descriptor : open) {
                    BasicFileAttributes its = files.attributes(descriptor);
                    if (its != null && RealFiles.isSame(its, file)) {
                        return true;
                    }
                }
            }
            return false;
        });
    }

    /** {@return whether any process has this file mapped: this one, too} */
    boolean isMapped(Path path) throws IOException {
        String end = " " + path.toRealPath();
        return any(process -> lines(process.resolve("maps")).stream().anyMatch(line -> line.endsWith(end)));
    }

    /** {@return whether another process has locked a byte of a range; for reading, only an exclusive lock counts} */
    boolean isLockedElsewhere(long inode, long position, long size, boolean reading) {
        List<String> all;
        try {
            all = lines(files.path(PROC + "/locks"));
        } catch (IOException e) {
            return false;
        }
        return all.stream().anyMatch(line -> isLock(line.trim().split("\\s+"), inode, position, size, reading));
    }

    /** {@code 12: POSIX ADVISORY WRITE 4711 fd:01:131 0 EOF} */
    private static boolean isLock(String[] words, long inode, long position, long size, boolean reading) {
        if (words.length < 8 || !words[1].equals("POSIX") || words[4].equals(OURS) || !words[5].endsWith(":" + inode) || reading && words[3].equals("READ")) {
            return false;
        }
        long first = Long.parseLong(words[6]);
        long last = words[7].equals("EOF") ? Long.MAX_VALUE : Long.parseLong(words[7]);
        return last >= position && (size > Long.MAX_VALUE - position || first < position + size);
    }

    private List<String> lines(Path file) throws IOException {
        try (InputStream in = files.real().newInputStream(file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        }
    }
}
