package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import dev.sessionlock.LockMode;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.seats.SimulatedStore.SimulatedRecordFile;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;

/**
 * One simulated process: the real engine, called as the threads floor of a JVM calls it (lock, keeper and kernel waiter), one call at a time. Each
 * call may be stopped at any of its operations.
 */
final class SimulatedProcess {
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** The calls to the engine. */
    private enum Call {
        TAKE, RENEW, RENEW_LATE, CHECK, CHECK_DEEPLY, HAND_OVER, REUSE, RELEASE, ABANDON, DECLINE, PUT_BACK, SET_WAITER_MARK, TIDY, CLEAR
    }

    private final Schedule world;
    private final SplittableRandom random;
    final SimulatedStore store;
    final Journal journal;
    final EngineLock engine;
    final Terms terms;

    private Call call;
    private int seatOfCall;
    private Remembered engineBefore;
    private Remembered holdBefore;

    private int wishes;
    /** The lock was reused since it was taken. */
    private boolean reused;
    private SeatHold hold;
    /** Its user has a handle that nobody has taken away. */
    private boolean open;
    private boolean revoked;
    private boolean tidied = true;
    private boolean gifted;
    private boolean leaving;
    private long wakeAt;

    boolean frozen;
    boolean dead;

    SimulatedProcess(Schedule world, SplittableRandom random, SimulatedStore store, Journal journal, EngineLock engine, Terms terms, int wishes) {
        this.world = world;
        this.random = random;
        this.store = store;
        this.journal = journal;
        this.engine = engine;
        this.terms = terms;
        this.wishes = wishes;
    }

    /** {@return whether its user may write now, by all that the process itself knows: rule 5} */
    boolean isValidHolder() {
        return open && !dead && store.ownNow() < hold.deadline();
    }

    /** {@return who it is, and for how long it may still write} */
    String described() {
        return store + " on seat " + hold.seat + " for " + (hold.deadline() - store.ownNow()) / 1_000_000 + " ms, lease " + hold.terms().leaseNanos() / 1_000_000
                + " ms";
    }

    boolean holds() {
        return hold != null;
    }

    /**
     * {@return whether the kernel has lost a byte that the process still counts on, so that only its record excludes others, or will} Two faults at
     * once, that and a person who removes the record, are more than the protocol can make good.
     */
    boolean isWitnessedByItsRecordAlone() {
        boolean holds = hold != null && call != Call.TAKE;
        boolean lost = holds ? isJustGettingItsByteBack() || world.directory.owner[hold.seat] != store : store.hasLost(0) || store.hasLost(1);
        boolean over = hold != null && store.ownNow() >= hold.deadline() && call != Call.TAKE;
        return lost && !over;
    }

    /** {@return whether it has acquired a lost byte again, and has not published that yet} */
    private boolean isJustGettingItsByteBack() {
        return world.directory.expiries[hold.seat] == 0;
    }

    /** {@return whether no record would vouch for it if its bytes were lost now} */
    boolean lacksItsRecord() {
        if (call == Call.TAKE || hold == null) {
            return call == Call.TAKE;
        }
        SimulatedDirectory.Inode mine = ((SimulatedRecordFile) hold.recordFile).file();
        return mine == null || world.directory.at(hold.seat == 0 ? RecordLocation.LOCK : RecordLocation.TAKEOVER) != mine;
    }

    long token() {
        return hold.token();
    }

    /** {@return whether it has nothing left to delete} */
    boolean isTidy() {
        return tidied;
    }

    boolean isAsleep() {
        return call == null && hold == null && !hasByteAhead() && world.directory.nanos < wakeAt;
    }

    long wakeAt() {
        return wakeAt;
    }

    /** {@return whether it wants nothing any more and has left nothing half done} */
    boolean isDone() {
        return dead || call == null && hold == null && wishes == 0 && tidied && !gifted && !hasByteAhead();
    }

    /** {@return whether its users want nothing any more; leftovers may still wait for a byte} */
    boolean hasHadItsTurn() {
        return dead || call == null && hold == null && wishes == 0;
    }

    boolean isWaitingFor(int seat) {
        return store.waitsInKernel[seat] && !store.jvm[seat];
    }

    private boolean hasByteAhead() {
        return hasByteAhead(0) || hasByteAhead(1);
    }

    /** {@return whether its kernel waiter has acquired the byte, and nothing has been done with it yet} */
    boolean hasByteAhead(int seat) {
        return store.waitsInKernel[seat] && store.jvm[seat];
    }

    /** From here on it takes what it still wants, and no user holds for long. */
    void hurry() {
        leaving = true;
        wakeAt = Math.min(wakeAt, world.directory.nanos + LONGEST_PAUSE_NANOS);
    }

    // ---- running ----

    /** Runs it for this many operations, in one call or several. */
    void run(int operations) {
        int left = operations;
        while (left > 0 && !isDone() && !isAsleep()) {
            if (call == null) {
                choose();
                if (call == null) {
                    left--;
                    continue;
                }
                begin();
            } else {
                engineBefore.setBack();
                if (holdBefore != null) {
                    holdBefore.setBack();
                }
            }
            left = goOn(left);
        }
    }

    private void begin() {
        if (world.isTraced()) {
            world.note(this, call.toString());
        }
        engineBefore = new Remembered(engine);
        holdBefore = hold == null ? null : new Remembered(hold);
        journal.beginCall();
    }

    private int goOn(int operations) {
        journal.run(operations);
        Object result;
        try {
            result = perform();
        } catch (Journal.Stopped e) {
            return 0;
        } catch (IOException e) {
            result = e;
        }
        int left = journal.endCall();
        Call ended = call;
        call = null;
        if (world.isTraced()) {
            world.note(this, ended + " -> " + (result instanceof SeatHold h ? "token " + h.token() + " on seat " + h.seat : result));
        }
        completed(ended, result);
        return Math.max(left, 0);
    }

    private Object perform() throws IOException {
        switch (call) {
            case TAKE:
                return engine.take(terms);
            case RENEW:
                return engine.renew(hold, -1);
            case RENEW_LATE:
                store.renewsLate = hold;
                try {
                    return engine.renewLate(hold, -1);
                } finally {
                    store.renewsLate = null;
                }
            case CHECK:
                return engine.check(hold, false);
            case CHECK_DEEPLY:
                return engine.check(hold, true);
            case HAND_OVER:
                return engine.handOver(hold, terms);
            case REUSE: // like the threads floor: the clock last
                return engine.reuse(hold, "main") && store.clock().nanos() < hold.deadline();
            case RELEASE:
                engine.release(hold);
                return null;
            case ABANDON:
                engine.abandon(hold);
                return null;
            case DECLINE:
                engine.declineAwaited(seatOfCall);
                return null;
            case PUT_BACK:
                engine.declineAllAwaited();
                return null;
            case SET_WAITER_MARK:
                engine.setWaiterMark(LockMode.EXCLUSIVE, true);
                return null;
            case TIDY:
                return engine.tidy();
            case CLEAR:
                return engine.clear(true);
            default:
                throw new AssertionError(call);
        }
    }

    // ---- what to do next ----

    private void choose() {
        for (int seat = 0; seat < 2; seat++) {
            if (hasByteAhead(seat) && (hold == null || random.nextInt(3) == 0)) {
                store.waitsInKernel[seat] = false;
                if (hold == null && wishes > 0) {
                    engine.acceptAwaited(seat);
                    gifted = true;
                    wakeAt = 0;
                } else {
                    seatOfCall = seat;
                    call = Call.DECLINE;
                    return;
                }
            }
        }
        call = hold != null ? chooseAsHolder() : wishes > 0 ? chooseAsWaiter() : gifted ? Call.PUT_BACK : tidied ? null : Call.TIDY;
    }

    private Call chooseAsHolder() {
        if (open && store.ownNow() >= hold.deadline()) { // found by the keeper, or by its user
            if (engine.mayRenewLate() && random.nextInt(4) > 0) {
                return Call.RENEW_LATE;
            }
            open = false;
            return Call.RELEASE;
        }
        int dice = random.nextInt(100);
        if (!open) {
            return revoked && dice < 40 && !leaving ? Call.RENEW : Call.RELEASE;
        } else if (dice < 25) {
            return Call.CHECK;
        } else if (dice < 40) {
            store.viewKernel();
            return Call.CHECK_DEEPLY;
        } else if (dice < (world.holdsLong ? 97 : 65) && !leaving) {
            return Call.RENEW;
        }
        open = false;
        if (reused && random.nextInt(4) > 0) {
            return Call.REUSE; // brief users, one after the other
        }
        int next = random.nextInt(5);
        return wishes == 1 || next > 2 ? Call.RELEASE : next == 0 ? Call.REUSE : Call.HAND_OVER;
    }

    private Call chooseAsWaiter() {
        int dice = random.nextInt(100);
        if (dice < 3 && !leaving) {
            wishes--; // it has run out of patience
            return gifted ? Call.PUT_BACK : null;
        }
        return dice < 9 ? Call.SET_WAITER_MARK : dice < 14 ? Call.CLEAR : !tidied && dice < 30 ? Call.TIDY : Call.TAKE;
    }

    private void completed(Call ended, Object result) {
        switch (ended) {
            case TAKE -> {
                gifted = gifted && result instanceof IOException;
                tidied = tidied && result instanceof Hold;
                taken(result);
            }
            case RENEW -> {
                if (Boolean.FALSE.equals(result)) {
                    open = false;
                    revoked = false;
                }
            }
            case RENEW_LATE -> {
                open = Boolean.TRUE.equals(result);
                if (open) {
                    world.renewedLate(this);
                }
            }
            case CHECK, CHECK_DEEPLY -> {
                if (result instanceof HoldStatus standing && standing != HoldStatus.INTACT) {
                    open = false;
                    revoked = standing != HoldStatus.LOST;
                }
            }
            case HAND_OVER -> {
                if (result instanceof SeatHold passed) {
                    wishes--;
                    enter(passed);
                } else {
                    call = Call.RELEASE;
                    begin();
                }
            }
            case REUSE -> {
                if (Boolean.TRUE.equals(result)) {
                    wishes -= reused ? 0 : 1;
                    reused = true;
                    enter(hold);
                } else {
                    call = Call.RELEASE;
                    begin();
                }
            }
            case RELEASE -> {
                hold = null;
                reused = false;
                revoked = false;
                wishes--;
                tidied = false;
            }
            case ABANDON -> { }
            case DECLINE, SET_WAITER_MARK, CLEAR -> { }
            case PUT_BACK -> gifted = false;
            case TIDY -> {
                tidied = Boolean.TRUE.equals(result);
                if (!tidied) {
                    wakeAt = world.directory.nanos + LONGEST_PAUSE_NANOS;
                }
            }
            default -> throw new AssertionError(ended);
        }
    }

    private void taken(Object result) {
        long now = world.directory.nanos;
        if (result instanceof SeatHold fresh) {
            enter(fresh);
        } else if (result instanceof Busy busy) {
            long pause = Math.min(Math.max(0, busy.retryAt() - store.ownNow()), LONGEST_PAUSE_NANOS);
            wakeAt = now + (random.nextInt(3) == 0 ? 0 : pause);
            if (busy.waitFor() != Busy.NOTHING && !store.waitsInKernel[busy.waitFor()] && random.nextInt(4) == 0) {
                store.waitsInKernel[busy.waitFor()] = true;
            }
        } else if (result instanceof LockException || result instanceof IOException) {
            wakeAt = now + LONGEST_PAUSE_NANOS;
        }
    }

    private void enter(SeatHold fresh) {
        hold = fresh;
        open = true;
        revoked = false;
        world.entered(this);
    }

    @Override
    public String toString() {
        return store.toString();
    }
}
