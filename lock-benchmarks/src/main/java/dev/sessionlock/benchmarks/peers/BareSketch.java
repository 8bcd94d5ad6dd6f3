package dev.sessionlock.benchmarks.peers;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What our strict mode asks of the kernel and of the shared table, in the same order, and nothing else: no queue, no keeper, no handles, no judgement
 * of what it finds. What strict mode costs in addition is what we could save.
 */
final class BareSketch implements PeerLock {
    /** As long as a record of the protocol. */
    static final byte[] RECORD = " ".repeat(1_024).getBytes(StandardCharsets.US_ASCII);

    private static final VarHandle WORDS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
    /** Offsets in the table entry: the expiry of our seat, that of the other seat, the token. */
    private static final int EXPIRY = 0;
    private static final int OTHER_EXPIRY = 8;
    private static final int TOKEN = 16;
    private static final int ENTRY = 64;
    private static final long BYTE = 1L << 61;
    private static final long LEASE_NANOS = 33_000_000_000L;

    private final ReentrantLock threads = new ReentrantLock();
    private final Path record;
    private final Path recordFile;
    private final RandomAccessFile guard;
    private final RandomAccessFile openRecordFile;
    private final MappedByteBuffer entry;
    private final Object recordFileKey;

    BareSketch(Path directory, String name) throws IOException {
        record = directory.resolve(name + ".lock");
        recordFile = directory.resolve("claim-" + ProcessHandle.current().pid() + "-" + name);
        guard = new RandomAccessFile(directory.resolve("guard-" + name).toFile(), "rw");
        openRecordFile = new RandomAccessFile(recordFile.toFile(), "rw");
        try (RandomAccessFile table = new RandomAccessFile(directory.resolve("board-" + name).toFile(), "rw")) {
            entry = table.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, ENTRY);
        }
        recordFileKey = inode(recordFile);
    }

    @Override
    public AutoCloseable acquire() throws Exception {
        threads.lockInterruptibly();
        try {
            FileLock kernel = guard.getChannel().tryLock(BYTE, 1, false);
            if (kernel == null) {
                kernel = guard.getChannel().lock(BYTE, 1, false);
            }
            publishAndLook();
            drawToken();
            link();
            FileLock held = kernel;
            return () -> release(held);
        } catch (Throwable e) {
            threads.unlock();
            throw e;
        }
    }

    private void publishAndLook() {
        WORDS.setVolatile(entry, EXPIRY, System.nanoTime() + LEASE_NANOS);
        if ((long) WORDS.getVolatile(entry, OTHER_EXPIRY) != 0) {
            throw new IllegalStateException("nobody writes there");
        }
    }

    private void drawToken() {
        long last = (long) WORDS.getVolatile(entry, TOKEN);
        WORDS.compareAndSet(entry, TOKEN, last, Math.max(System.currentTimeMillis() * 1_000, last + 1));
    }

    private void link() throws IOException {
        openRecordFile.seek(0);
        openRecordFile.write(RECORD);
        try {
            Files.createLink(record, recordFile);
        } catch (FileAlreadyExistsException killedHolders) {
            Files.delete(record);
            Files.createLink(record, recordFile);
        }
    }

    private void release(FileLock kernel) throws IOException {
        try {
            if (inode(record).equals(recordFileKey)) {
                Files.delete(record);
            }
            WORDS.setVolatile(entry, EXPIRY, 0L);
            kernel.release();
        } finally {
            threads.unlock();
        }
    }

    private static Object inode(Path file) throws IOException {
        Object key = Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
        if (key == null) {
            throw new NoSuchFileException(file.toString(), null, "its file system has no inodes");
        }
        return key;
    }

    @Override
    public void close() throws IOException {
        openRecordFile.close();
        guard.close();
    }
}
