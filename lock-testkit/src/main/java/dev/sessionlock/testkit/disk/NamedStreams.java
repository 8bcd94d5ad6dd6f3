package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.spi.FileSystemProvider;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The named streams of a file, which are extended attributes. They are asked for in a way that drops no lock ({@link OpenHandles}): what another process writes there
 * while this one has the file locked is not seen.
 *
 * <p>The lab has a stream of its own, which is not shown: files that were ever mapped have it. So only they are looked for in what all processes have mapped.
 */
record NamedStreams(OpenHandles handles, RealFiles files, Path path) {
    private static final String MAPPED = "sessionlock.lab.mapped";

    static boolean isShown(String name) {
        return !name.equals(MAPPED);
    }

    /** Notes that a file is mapped. */
    static void markMapped(FileSystemProvider real, Path file) throws IOException {
        real.setAttribute(file, "user:" + MAPPED, new byte[1]);
    }

    static Map<String, byte[]> read(FileSystemProvider real, Path file) throws IOException {
        try {
            return real.readAttributes(file, "user:*", LinkOption.NOFOLLOW_LINKS).entrySet().stream()
                    .collect(Collectors.toMap(Map.Entry::getKey, stream -> (byte[]) stream.getValue()));
        } catch (UnsupportedOperationException e) {
            return Map.of();
        }
    }

    <T> T ask(OpenHandles.Touch<T> touch, Function<Map<String, byte[]>, T> remembered) throws IOException {
        BasicFileAttributes there = files.attributes(path, LinkOption.NOFOLLOW_LINKS);
        return there == null || there.fileKey() == null ? touch.run() : handles.onStreams(there.fileKey(), touch, remembered);
    }

    boolean wasMapped() {
        try {
            return ask(() -> read(files.real(), path).containsKey(MAPPED), all -> all.containsKey(MAPPED));
        } catch (IOException e) {
            return false;
        }
    }
}
