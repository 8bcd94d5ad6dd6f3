package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** A directory in the state in which a power cut left it. */
public final class Image {
    private static final Duration BOOT = Duration.ofMinutes(1);

    private final List<Entry> entries = new ArrayList<>();

    /** One of its files; {@code text} is the target of a link. */
    private record Entry(char type, String name, int mode, byte[] content, String text) {
    }

    void directory(String name, int mode) {
        entries.add(new Entry('d', name, mode, new byte[0], ""));
    }

    void file(String name, int mode, byte[] content) {
        entries.add(new Entry('f', name, mode, content, ""));
    }

    void symbolicLink(String name, String target) {
        entries.add(new Entry('l', name, 0, new byte[0], target));
    }

    /** Adds a hard link to a file that was named before. */
    void link(String name, String first) {
        entries.add(new Entry('=', name, 0, new byte[0], first));
    }

    /** {@return a digest that tells it from others} */
    public String digest() {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        for (Entry entry : entries) {
            digest.update((entry.type + " " + entry.mode + " " + entry.content.length + " " + entry.name + "\0" + entry.text + "\0")
                    .getBytes(StandardCharsets.UTF_8));
            digest.update(entry.content);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Creates it as a real directory, whose files are a minute old: a machine needs some time to boot. */
    public void writeTo(Path directory) throws IOException {
        Files.createDirectories(directory);
        for (Entry entry : entries) {
            Path path = directory.resolve(entry.name);
            switch (entry.type) {
                case 'd' -> Files.createDirectory(path);
                case 'f' -> Files.write(path, entry.content);
                case 'l' -> Files.createSymbolicLink(path, path.getFileSystem().getPath(entry.text));
                default -> Files.createLink(path, directory.resolve(entry.text));
            }
        }
        FileTime beforeTheBoot = FileTime.from(Instant.now().minus(BOOT));
        for (int i = entries.size() - 1; i >= 0; i--) { // backwards: the permissions of a directory are set after its content
            Entry entry = entries.get(i);
            if (entry.type == 'd' || entry.type == 'f') {
                Files.setLastModifiedTime(directory.resolve(entry.name), beforeTheBoot);
                Files.setAttribute(directory.resolve(entry.name), "unix:mode", entry.mode);
            }
        }
    }
}
