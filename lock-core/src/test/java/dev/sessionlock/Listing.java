package dev.sessionlock;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Everything in a directory except the library's own folder: names, kinds, inodes, lengths, times and content. */
final class Listing {
    private Listing() {
    }

    static TreeMap<String, String> of(Path dir) throws IOException {
        TreeMap<String, String> all = new TreeMap<>();
        try (Stream<Path> files = Files.walk(dir)) {
            files.filter(file -> !file.equals(dir) && !file.startsWith(dir.resolve(".session-locks")))
                    .forEach(file -> all.put(dir.relativize(file).toString(), describe(file)));
        }
        return all;
    }

    private static String describe(Path file) {
        try {
            BasicFileAttributes a = Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            String content = a.isRegularFile() && a.size() < 1_000_000 ? String.valueOf(Arrays.hashCode(Files.readAllBytes(file))) : "";
            return (a.isDirectory() ? "directory" : a.isSymbolicLink() ? "link" : a.isRegularFile() ? "file" : "other") + " " + a.fileKey()
                    + (a.isDirectory() ? "" : " " + a.size() + " " + a.lastModifiedTime()) + " " + content;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
