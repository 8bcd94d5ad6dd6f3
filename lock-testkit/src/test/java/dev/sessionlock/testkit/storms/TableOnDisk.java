package dev.sessionlock.testkit.storms;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The entries of a directory's shared table, read from its files by these tests' own code (PROTOCOL.md, section 2). A lock must have at most one
 * entry: two processes that use two entries of one lock do not see each other's expiries, tokens and waiter marks.
 */
final class TableOnDisk {
    private static final long MAGIC = 0x5345_5353_4c4f_434bL;
    private static final int ENTRY = 64;

    private final Map<Long, Integer> entries = new HashMap<>();

    private TableOnDisk() {
    }

    /** {@return the table of a directory; without any entry if there is none, or if it is not whole} */
    static TableOnDisk read(Path directory) throws IOException {
        TableOnDisk table = new TableOnDisk();
        Path own = directory.resolve(".session-locks");
        if (Files.isDirectory(own)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(own, "board*")) {
                for (Path file : files) {
                    table.count(Files.readAllBytes(file));
                }
            }
        }
        return table;
    }

    private void count(byte[] bytes) {
        ByteBuffer words = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        if (bytes.length < ENTRY || words.getLong(0) != MAGIC) {
            return;
        }
        for (int at = ENTRY; at + ENTRY <= bytes.length; at += ENTRY) {
            long h = words.getLong(at);
            if (h != 0) {
                entries.merge(h, 1, Integer::sum);
            }
        }
    }

    int size() {
        return entries.size();
    }

    boolean has(String lock) {
        return entries.containsKey(hash(lock));
    }

    /** {@return how many locks have two entries or more} */
    int doubled() {
        return (int) entries.values().stream().filter(count -> count > 1).count();
    }

    /** {@return which of these locks have two entries or more} */
    Set<String> doubled(Set<String> locks) {
        return locks.stream().filter(lock -> entries.getOrDefault(hash(lock), 0) > 1).collect(Collectors.toSet());
    }

    static long hash(String lock) {
        try {
            return ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(lock.getBytes(StandardCharsets.UTF_8))).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
