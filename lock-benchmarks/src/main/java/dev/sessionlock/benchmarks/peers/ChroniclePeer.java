package dev.sessionlock.benchmarks.peers;

import java.nio.file.Path;
import net.openhft.chronicle.queue.impl.TableStore;
import net.openhft.chronicle.queue.impl.single.TableStoreWriteLock;
import net.openhft.chronicle.queue.impl.table.Metadata;
import net.openhft.chronicle.queue.impl.table.SingleTableBuilder;
import net.openhft.chronicle.queue.impl.table.SingleTableStore;
import net.openhft.chronicle.threads.YieldingPauser;

/**
 * The lock of Chronicle Queue's appenders: a compare-and-set from "unlocked" to the process id, in a file that all map. The value is the same for all
 * threads of a process, and still they exclude each other, since each starts from "unlocked". It needs {@link ChronicleAccess}.
 *
 * <p>A waiter spins. Only when it has waited for 15 s does it look whether the holder's process is alive. If that process is dead, the waiter unlocks;
 * if it is alive, {@code lock()} throws. A process is alive if its id is in /proc, so a holder in another container looks dead.
 */
final class ChroniclePeer implements PeerLock {
    /** As the queue's own builder sets it: three halves of its {@code timeoutMS()}, 10 s. */
    static final long TIMEOUT_MILLIS = 15_000;
    /** The default of the queue's own builder: so many tries, then {@code Thread.yield()} between two of them. */
    private static final int TRIES_BEFORE_YIELD = 500_000;

    static {
        // Its jar is not here. If it comes back, nothing is reported all the same.
        System.setProperty("chronicle.analytics.disable", "true");
    }

    private final TableStore<Metadata.NoMeta> store;
    private final TableStoreWriteLock lock;
    private final AutoCloseable hold;

    ChroniclePeer(Path directory, String name) {
        store = SingleTableBuilder.binary(directory.resolve(name + SingleTableStore.SUFFIX), Metadata.NoMeta.INSTANCE).build();
        lock = new TableStoreWriteLock(store, () -> new YieldingPauser(TRIES_BEFORE_YIELD), TIMEOUT_MILLIS);
        hold = lock::unlock;
    }

    @Override
    public AutoCloseable acquire() {
        lock.lock();
        return hold;
    }

    @Override
    public void close() {
        lock.close();
        store.close();
    }
}
