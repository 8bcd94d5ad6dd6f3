package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.RecordFile;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;

/**
 * Records of this process that it could not delete where they lie: only the holder of the location's byte may do that, and the byte is not ours. They
 * are rewritten as given back meanwhile, so nobody waits for them. Almost always there is none.
 *
 * <p>Each change is the last step of what it describes, so what a throwable interrupts is done again.
 */
final class PendingDeletes {
    private record PendingDelete(RecordFile recordFile, RecordLocation location) {
    }

    private final LockStore store;
    private List<PendingDelete> pending = List.of();

    PendingDeletes(LockStore store) {
        this.store = store;
    }

    boolean isEmpty() {
        return pending.isEmpty();
    }

    /** {@return whether a record file must not be used for another record yet} */
    boolean needs(RecordFile recordFile) {
        return pending.stream().anyMatch(left -> left.recordFile() == recordFile);
    }

    boolean isAnyAt(RecordLocation location) {
        return pending.stream().anyMatch(left -> left.location() == location);
    }

    void add(RecordFile recordFile, RecordLocation location) {
        if (pending.stream().anyMatch(left -> left.recordFile() == recordFile && left.location() == location)) {
            return;
        }
        pending = Stream.concat(pending.stream(), Stream.of(new PendingDelete(recordFile, location))).toList();
    }

    /** Deletes what is left at a location. The caller holds the location's byte. */
    void deleteAt(RecordLocation location) throws IOException {
        for (PendingDelete left : pending) {
            if (left.location() == location) {
                delete(left);
            }
        }
    }

    private void delete(PendingDelete left) throws IOException {
        if (store.isAt(left.recordFile(), left.location())) {
            store.unlink(left.recordFile(), left.location());
        }
        if (pending.stream().noneMatch(other -> other != left && other.recordFile() == left.recordFile())) {
            store.retire(left.recordFile());
        }
        pending = pending.stream().filter(other -> other != left).toList(); // last: what a throwable interrupts is done again
    }
}
