package dev.sessionlock.internal.seats;

import dev.sessionlock.LockReport;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.directory.LockStore.RecordFile;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.system.Liveness;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The lock that everybody writes first, and that this library replaces: create the file; if it exists, look whether the process that it names lives;
 * if not, remove the file and begin anew. Between the look and the removal another process may have come in.
 */
final class StealingEngine implements EngineLock {
    private final LockStore store;

    StealingEngine(LockStore store) {
        this.store = store;
    }

    @Override
    public AcquireResult take(Terms terms) throws IOException {
        long now = store.clock().nanos();
        LockRecord record = new LockRecord(store.self().pid(), 0, -1, store.self().startTicks(), store.name(), 0, null, -1, null, null, null,
                null, null, true, 0, 0, 0);
        RecordFile recordFile = store.write(record);
        for (int tries = 0; tries < 2; tries++) {
            if (store.link(recordFile, RecordLocation.LOCK)) {
                long token = store.claimEntry().drawToken(store.clock().wallMicros());
                return new SeatHold(0, store.claimEntry(), recordFile, terms, token, 0, now, Hold.NEVER, null);
            }
            Found found = store.find(RecordLocation.LOCK);
            if (found != null && found.content() instanceof LockContent.Ours ours
                    && store.judge(ours.record().pid(), -1, null).verdict() == Liveness.Verdict.DEAD) {
                store.unlink(recordFile, RecordLocation.LOCK);
            }
        }
        store.recycle(recordFile);
        return new Busy(Busy.NOTHING, now + 1_000_000, "somebody has it");
    }

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) {
        return true;
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) {
        return HoldStatus.INTACT;
    }

    @Override
    public void release(Hold hold) {
        try {
            if (store.isAt(((SeatHold) hold).recordFile, RecordLocation.LOCK)) {
                store.unlink(((SeatHold) hold).recordFile, RecordLocation.LOCK);
            }
            store.retire(((SeatHold) hold).recordFile);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void abandon(Hold hold) {
        release(hold);
    }

    @Override
    public String name() {
        return store.name();
    }

    @Override
    public Path target() {
        return store.target();
    }

    @Override
    public Path lockFile() {
        return store.lockFile();
    }

    @Override
    public LockReport inspect() throws IOException {
        return Inspector.report(store.snapshot());
    }
}
