package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.SlotEntries;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.seats.Journal.Op;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** The store of a reader slot, as one simulated process has it. It differs from that of a lock as the real one does. */
final class SimulatedReaderSlot extends SimulatedStore {
    final int slot;
    private final List<Shown> shown = new ArrayList<>();
    private long readsSince;
    private @Nullable BooleanSupplier nobodyCame;

    /** Entries are compared by identity, also after a call was repeated: so each pair is shown as the same object for good. */
    private record Shown(TableEntry its, TableEntry ofLock, TableEntry entry) {
    }

    SimulatedReaderSlot(SimulatedStore main, int slot) {
        super(main, main.directory.slot(slot));
        this.slot = slot;
    }

    @Override
    public Path lockFile() {
        return Path.of("/sessions/.session-locks/reader-" + slot);
    }

    @Override
    public boolean sharesAmongReaders() {
        return false;
    }

    // ---- the entry ----

    @Override
    public @Nullable TableEntry findEntry() throws IOException {
        return shown(super.findEntry());
    }

    @Override
    public @Nullable TableEntry claimEntry() throws IOException {
        return shown(super.claimEntry());
    }

    @Override
    public @Nullable TableEntry findOnlyEntry() throws IOException {
        return findEntry();
    }

    private @Nullable TableEntry shown(@Nullable TableEntry its) throws IOException {
        TableEntry of = its == null ? null : main.findEntry();
        if (its == null || of == null) {
            return null;
        }
        for (Shown each : shown) {
            if (each.its == its && each.ofLock == of) {
                return each.entry;
            }
        }
        Shown fresh = new Shown(its, of, SlotEntries.of(its, of));
        shown.add(fresh);
        return fresh.entry;
    }

    @Override
    public void entryFailed() throws IOException {
        main.entryFailed();
    }

    // ---- records ----

    @Override
    public RecordFile write(LockRecord record) throws IOException {
        readsSince = record.createdAt();
        nobodyCame = null;
        return super.write(record);
    }

    @Override
    public void keepRecordFileIf(BooleanSupplier condition) {
        nobodyCame = condition;
    }

    @Override
    public void recycle(RecordFile recordFile) throws IOException {
        BooleanSupplier condition = nobodyCame;
        nobodyCame = null;
        if (condition != null && condition.getAsBoolean()) {
            super.recycle(recordFile);
        } else {
            retire(recordFile);
        }
    }

    @Override
    public boolean targetExists() {
        return true;
    }

    @Override
    public boolean wasTaken() {
        return lock.hasEntry && super.wasTaken();
    }

    @Override
    public boolean beginReclaim() {
        return true;
    }

    @Override
    public void endReclaim() {
        // Other programs do not look here.
    }

    // ---- requests ----

    @Override
    public boolean releaseRequested(long token) {
        return journal.safely(Op.REQUESTED, () -> directory.requestedAt.getOrDefault(token, Long.MIN_VALUE) >= readsSince && directory.requests.contains(token));
    }

    @Override
    public void dropReleaseRequest(long token) {
        // It stays for the other readers.
    }

    @Override
    public String toString() {
        return main + " in slot " + slot;
    }
}
