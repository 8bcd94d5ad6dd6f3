package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.internal.system.KernelLocks.KernelLock;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelLocksTest {
    /** Our own id. */
    private static final long SELF = 4711;

    @TempDir
    Path dir;

    private List<KernelLock> read(String text, long inode) throws IOException {
        return kernelLocks(text).read(i -> i == inode).orElseThrow();
    }

    private KernelLocks kernelLocks(String text) throws IOException {
        Files.writeString(dir.resolve("locks"), text);
        showsAsSelf(SELF);
        return new KernelLocks(dir, SELF);
    }

    private void showsAsSelf(long pid) throws IOException {
        Files.deleteIfExists(dir.resolve("self"));
        Files.createSymbolicLink(dir.resolve("self"), Path.of(Long.toString(pid)));
    }

    @Test
    void everyKindOfLineThatTheKernelWritesIsUnderstood() throws IOException {
        String text = """
                1: POSIX  ADVISORY  WRITE 30522 fe:00:1048 2305843009213693952 2305843009213693952
                1: -> POSIX  ADVISORY  WRITE 30523 fe:00:1048 2305843009213693952 2305843009213693952
                2: FLOCK  ADVISORY  WRITE 30524 fe:00:1048 0 EOF
                3: OFDLCK ADVISORY  WRITE -1 fe:00:1048 0 EOF
                4: POSIX  ADVISORY  READ  0 fe:00:1048 5 EOF
                5: POSIX  ADVISORY  WRITE 77 00:1f:1048 7 8
                6: POSIX  ADVISORY  WRITE 78 fe:00:10480 7 8
                7: LEASE  ACTIVE    READ  79 fe:00:1048 0 EOF
                8: POSIX  MSNFS     READ  80 fe:00:9 0 9223372036854775806
                """;

        assertThat(read(text, 1048)).containsExactly(
                new KernelLock(30522, 1048, 1L << 61, 1L << 61, false),
                new KernelLock(30523, 1048, 1L << 61, 1L << 61, true),
                new KernelLock(0, 1048, 5, Long.MAX_VALUE, false),
                new KernelLock(77, 1048, 7, 8, false));
        assertThat(read(text, 9)).containsExactly(new KernelLock(80, 9, 0, 9223372036854775806L, false));
        assertThat(read(text, 1)).isEmpty();
    }

    @Test
    void linesCutShortOrStrangeHarmNothing() throws IOException {
        assertThat(read("", 1)).isEmpty();
        assertThat(read("\n\n", 1)).isEmpty();
        assertThat(read("1: POSIX", 1)).isEmpty();
        assertThat(read("1: POSIX  ADVISORY  WRITE 30522", 30522)).isEmpty();
        assertThat(read("1:", 1)).isEmpty();
        assertThat(read("1: POSIX  ADVISORY  WRITE 5 fe:00:1048 1 2\n2: -> ", 1048)).hasSize(1);
    }

    @Test
    void whereItIsNotToBeReadTheAnswerIsEmptyAndNotNone() {
        assertThat(new KernelLocks(dir.resolve("missing"), SELF).read(i -> true)).isEmpty();
    }

    /** Holders have other numbers there: a lock of ours would seem to be lost. */
    @Test
    void whereProcShowsAnotherPidNamespaceTheAnswerIsEmptyAndNotNone() throws IOException {
        KernelLocks locks = kernelLocks("1: POSIX  ADVISORY  WRITE 5 fe:00:1048 1 2\n");
        showsAsSelf(SELF + 1);
        assertThat(locks.read(i -> true)).isEmpty();
        Files.delete(dir.resolve("self"));
        assertThat(locks.read(i -> true)).isEmpty();
    }

    @Test
    void aLockOfThisProcessIsThere() throws IOException {
        boolean there = Files.isReadable(Path.of("/proc/locks"));
        if (!there) {
            System.out.println("SKIPPED aLockOfThisProcessIsThere: no /proc/locks on this system");
        }
        assumeTrue(there, "no /proc/locks on this system");
        Path file = Files.createFile(dir.resolve("x"));
        long inode = ((Number) Files.getAttribute(file, "unix:ino")).longValue();
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw");
                FileLock lock = open.getChannel().lock((1L << 61) + 6, 1, false)) {
            assertThat(lock.isShared()).isFalse();
            await("a reading that does not miss it, as one beside busy processes may").atMost(Duration.ofSeconds(60)).untilAsserted(() -> assertThat(new KernelLocks()
                    .read(i -> i == inode)).hasValueSatisfying(entries -> assertThat(entries).containsExactly(new KernelLock(ProcessHandle.current().pid(), inode, (1L << 61) + 6, (1L << 61) + 6, false))));
        }
        assertThat(new KernelLocks().read(i -> i == inode)).contains(List.of());
    }

    @Test
    void anInterruptedThreadReadsAsAnyOther() throws IOException {
        KernelLocks locks = kernelLocks("1: POSIX  ADVISORY  WRITE 5 fe:00:1048 1 2\n");
        Thread.currentThread().interrupt();
        try {
            assertThat(locks.read(i -> true)).hasValueSatisfying(entries -> assertThat(entries).hasSize(1));
        } finally {
            assertThat(Thread.interrupted()).as("the interrupt is not swallowed").isTrue();
        }
    }
}
