package dev.sessionlock.internal.seats;

import dev.sessionlock.LockReport;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockPlace;
import dev.sessionlock.internal.directory.LockPlace.Found;
import dev.sessionlock.internal.directory.LockPlace.Slip;
import dev.sessionlock.internal.directory.LockPlace.Spot;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.system.Vitality;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Taken;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The lock that everybody writes first, and that this library replaces: create the file; if it is there, look whether the process
 * that it names lives, and if not, remove it and begin anew. Between the look and the removal another may have come in.
 */
final class StealingEngine implements EngineLock {
    private final LockPlace place;

    StealingEngine(LockPlace place) {
        this.place = place;
    }

    @Override
    public Taken take(Terms terms) throws IOException {
        long now = place.clock().nanos();
        LockRecord record = new LockRecord(place.self().pid(), 0, -1, place.self().startTicks(), place.name(), 0, null, -1, null, null, null,
                null, null, true, 0, 0, 0);
        Slip slip = place.write(record);
        for (int tries = 0; tries < 2; tries++) {
            if (place.link(slip, Spot.LOCK)) {
                long token = place.claimLine().drawToken(place.clock().wallMicros());
                return new SeatHold(0, place.claimLine(), slip, terms, token, 0, now, Hold.NEVER, null);
            }
            Found found = place.find(Spot.LOCK);
            if (found != null && found.content() instanceof LockContent.Ours ours
                    && place.judge(ours.record().pid(), -1, null).verdict() == Vitality.Verdict.DEAD) {
                place.unlink(slip, Spot.LOCK);
            }
        }
        place.recycle(slip);
        return new Busy(Busy.NOTHING, now + 1_000_000, "somebody has it");
    }

    @Override
    public Hold handOver(Hold from, Terms terms) {
        return null;
    }

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) {
        return true;
    }

    @Override
    public Standing check(Hold hold, boolean deeply) {
        return Standing.INTACT;
    }

    @Override
    public void release(Hold hold) {
        try {
            if (place.isAt(((SeatHold) hold).slip, Spot.LOCK)) {
                place.unlink(((SeatHold) hold).slip, Spot.LOCK);
            }
            place.retire(((SeatHold) hold).slip);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void abandon(Hold hold) {
        release(hold);
    }

    @Override
    public boolean tidy() {
        return true;
    }

    @Override
    public String name() {
        return place.name();
    }

    @Override
    public Path target() {
        return place.target();
    }

    @Override
    public Path lockFile() {
        return place.lockFile();
    }

    @Override
    public LockReport look() throws IOException {
        return Inspector.report(place.glance());
    }

    @Override
    public Cleared clear(boolean takeStrangers) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void askForRelease(long token) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean withdrawAsking(long token) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void raiseHand(boolean waits) {
        // Nobody looks.
    }

    @Override
    public boolean othersWait(Hold hold, long nanos) {
        return false;
    }

    @Override
    public void await(int what) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void accept(int what) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void decline(int what) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void putBack() {
        // Nothing was accepted.
    }
}
