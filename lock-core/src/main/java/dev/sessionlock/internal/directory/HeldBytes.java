package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.system.KernelLocks;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.spi.Clock;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which bytes of the guard files the kernel has locked for this process, as {@code /proc/locks} tells. It opens no guard file: closing one would drop
 * the bytes that it asks about. A byte that is taken for lost is given up, so a byte is believed lost only after many readings (PROTOCOL.md, trap 14).
 */
final class HeldBytes {
    /** One reading in three missed a lock, beside a process that takes and frees locks as fast as it can. */
    private static final int LOOKS_FOR_A_MISSING_BYTE = 20;

    private final Path inner;
    private final GuardFiles guards;
    private volatile @Nullable KernelView view;

    HeldBytes(Path inner, GuardFiles guards) {
        this.inner = inner;
        this.guards = guards;
    }

    /**
     * What the kernel had locked for this process.
     *
     * @param readAt when it was first asked
     * @param readings how often it was asked since: each reading may have missed some
     * @param held by guard file, the first byte and the last of each range that was seen in any of them
     */
    private record KernelView(long readAt, int readings, long[][] held) {
        /** {@return what at least one of two readings has seen} */
        KernelView and(KernelView later) {
            long[][] both = new long[held.length][];
            for (int guard = 0; guard < held.length; guard++) {
                LongStream.Builder more = LongStream.builder();
                long[] ranges = later.held[guard];
                for (int i = 0; i < ranges.length; i += 2) {
                    if (!has(guard, ranges[i]) || !has(guard, ranges[i + 1])) {
                        more.add(ranges[i]).add(ranges[i + 1]);
                    }
                }
                both[guard] = LongStream.concat(LongStream.of(held[guard]), more.build()).toArray();
            }
            return new KernelView(readAt, readings + later.readings, both);
        }

        boolean has(int guard, long position) {
            long[] ranges = held[guard];
            for (int i = 0; i < ranges.length; i += 2) {
                if (ranges[i] <= position && position <= ranges[i + 1]) {
                    return true;
                }
            }
            return false;
        }
    }

    /** Reads what the kernel tells now. */
    void readAnew() {
        view = read();
    }

    private @Nullable KernelView read() {
        long now = Clock.SYSTEM.nanos();
        if (!ProcessIdentity.current().seesItselfInProc()) {
            return null;
        }
        Map<Long, Integer> inodes = new HashMap<>();
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            if (guards.isOpen(guard)) { // else no byte of it can be ours
                inodes.put(GuardLayout.inode(inner, guard), guard);
            }
        }
        if (inodes.containsKey(SystemFiles.NO_INODES)) {
            return null; // whatever is shown there, it is not about these files
        }
        inodes.remove(-1L);
        return new KernelLocks().read(inodes::containsKey).map(entries -> {
            List<LongStream.Builder> held = Stream.generate(LongStream::builder).limit(GuardLayout.COUNT).toList();
            for (KernelLocks.KernelLock entry : entries) {
                if (!entry.waiting() && entry.pid() == ProcessIdentity.current().pid()) {
                    held.get(inodes.get(entry.inode())).add(entry.start()).add(entry.end());
                }
            }
            return new KernelView(now, 1, held.stream().map(ranges -> ranges.build().toArray()).toArray(long[][]::new));
        }).orElse(null);
    }

    /**
     * Whether the kernel has a byte for us. It shows its locks a page at a time, and between two pages locks of others come and go: one that stays
     * may be missed. So a byte that is not seen is looked for again: giving up a byte that we have would be worse.
     *
     * @return what was read at the last {@link #readAnew} or since; null if the kernel did not say, or was asked before the byte was taken
     */
    @Nullable Boolean has(int guard, long position, long takenAt) {
        KernelView known = view;
        while (true) {
            if (known == null || known.readAt() < takenAt) {
                return null;
            } else if (known.has(guard, position)) {
                return true;
            } else if (known.readings() > LOOKS_FOR_A_MISSING_BYTE) {
                return false;
            }
            KernelView again = read();
            known = again == null ? null : known.and(again); // for the next byte that is missed, too: a reading takes some milliseconds
            view = known;
        }
    }
}
