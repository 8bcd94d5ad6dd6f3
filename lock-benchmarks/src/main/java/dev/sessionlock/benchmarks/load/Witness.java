package dev.sessionlock.benchmarks.load;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Sees from within whether a lock excludes others: a page of memory that all processes share, in which every holder signs. It knows nothing of locks.
 * Each lock has a slot:
 *
 * <pre>
 *  0  holder      who is in, 0 = nobody; compare-and-set, so that a second one at once is seen
 *  8  visits      raised by a plain read and write, as a user's data would be: double holders lose some
 * 16  leftAt      when the last holder began to leave, in nanoseconds of the machine's monotonic clock
 * 24  leftBy      the process of that holder, from 1
 * </pre>
 */
final class Witness {
    private static final VarHandle WORDS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final int VISITS = 8;
    private static final int LEFT_AT = 16;
    private static final int LEFT_BY = 24;
    /** Two cache lines, since processors fetch them in pairs. */
    private static final int LINE = 128;

    private final MappedByteBuffer page;
    private final int locks;

    private Witness(MappedByteBuffer page, int locks) {
        this.page = page;
        this.locks = locks;
    }

    /**
     * Opens the page; the first process creates it.
     *
     * @param file its file, the same for all
     * @param locks how many slots it has, the same for all
     */
    static Witness open(Path file, int locks) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return new Witness(channel.map(FileChannel.MapMode.READ_WRITE, 0, (long) locks * LINE), locks);
        }
    }

    /**
     * Signs in.
     *
     * @param me not 0, and different from all others
     * @return false if somebody else is in
     */
    boolean enter(int lock, long me) {
        int line = lock * LINE;
        boolean alone = WORDS.compareAndSet(page, line, 0L, me);
        page.putLong(line + VISITS, page.getLong(line + VISITS) + 1);
        return alone;
    }

    /**
     * How long the lock took to get here from another process. Called right after signing in.
     *
     * @param askedAt since when we had waited
     * @param inAt when we got it
     * @return nanoseconds; -1 if it does not come from another process, or if we were not yet waiting when that one left
     */
    long handover(int lock, int process, long askedAt, long inAt) {
        int line = lock * LINE;
        long leftAt = page.getLong(line + LEFT_AT);
        boolean handedOver = page.getLong(line + LEFT_BY) != process && leftAt != 0 && askedAt - leftAt < 0;
        return handedOver ? Math.max(0, inAt - leftAt) : -1;
    }

    /**
     * Signs out, before the lock is given back.
     *
     * @param me who signed in, and was alone
     * @param process from 1
     */
    void leave(int lock, long me, int process) {
        int line = lock * LINE;
        page.putLong(line + LEFT_BY, process);
        page.putLong(line + LEFT_AT, System.nanoTime());
        WORDS.compareAndSet(page, line, me, 0L);
    }

    /** {@return how many visits all locks have counted} */
    long visits() {
        long visits = 0;
        for (int lock = 0; lock < locks; lock++) {
            visits += page.getLong(lock * LINE + VISITS);
        }
        return visits;
    }
}
