package dev.sessionlock.testkit.storms;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The storms' own reader of the shared table must not go blind when the format of the table changes. */
class TableOnDiskTest {
    private static final List<String> NAMES = List.of("one.jsonl", "two.jsonl", "three.jsonl");
    private static final int ENTRY = 64;

    @TempDir
    Path dir;

    @BeforeEach
    void useSomeLocks() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            for (String name : NAMES) {
                try (SessionLock lock = locks.acquire(dir.resolve(name))) {
                    lock.ensureHeld();
                }
            }
        }
    }

    @Test
    void findsOneEntryOfEachLock() throws Exception {
        TableOnDisk table = TableOnDisk.read(dir);
        assertThat(table.size()).isEqualTo(NAMES.size());
        assertThat(NAMES).allMatch(table::has);
        assertThat(table.has("another.jsonl")).isFalse();
        assertThat(table.doubled()).isZero();
    }

    @Test
    void findsASecondEntryOfALockInAnyFile() throws Exception {
        byte[] bytes = Files.readAllBytes(dir.resolve(".session-locks/board"));
        byte[] further = bytes.clone();
        for (int at = ENTRY; at < bytes.length; at += ENTRY) {
            long h = java.nio.ByteBuffer.wrap(bytes).order(java.nio.ByteOrder.nativeOrder()).getLong(at);
            if (h != TableOnDisk.hash("two.jsonl")) {
                java.util.Arrays.fill(further, at, at + ENTRY, (byte) 0);
            }
        }
        Files.write(dir.resolve(".session-locks/board-1"), further);
        TableOnDisk table = TableOnDisk.read(dir);
        assertThat(table.doubled()).isEqualTo(1);
        assertThat(table.doubled(Set.copyOf(NAMES))).containsExactly("two.jsonl");
    }

    @Test
    void findsNothingWhereThereIsNoTable(@TempDir Path empty) throws Exception {
        assertThat(TableOnDisk.read(empty).size()).isZero();
    }
}
