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
        TAKE, RENEW, RENEW_LATE, CHECK, CHECK_DEEPLY, HAND_OVER, REUSE, MAY_SHARE, RELEASE, ABANDON, DECLINE, PUT_BACK, SET_WAITER_MARK, TIDY, CLEAR
    }

    /** In which mode the users of a process want the lock. */
    enum Wishes {
        ALONE(0), MIXED(50), MOSTLY_SHARED(80), ALWAYS_SHARED(100);

        private final int sharedPercent;

        Wishes(int sharedPercent) {
            this.sharedPercent = sharedPercent;
        }
    }

    private final Schedule world;
    private final SplittableRandom random;
    final SimulatedStore store;
    final Journal journal;
    final EngineLock engine;
    final Terms terms;

    private Call call;
    private int whatOfCall;
    private Terms termsOfCall;
    private Remembered engineBefore;
    private Remembered holdBefore;

    private final Wishes modes;
    /** In which mode its next user wants the lock. */
    private boolean wantsToRead;
    private int wishes;
    /** The lock was reused since it was taken. */
    private boolean reused;
    private Hold hold;
    /** Its user has a handle that nobody has taken away. */
    private boolean open;
    private boolean revoked;
    private boolean tidied = true;
    private boolean gifted;
    private boolean leaving;
    private long wakeAt;

    boolean frozen;
    boolean dead;

    SimulatedProcess(Schedule world, SplittableRandom random, SimulatedStore store, Journal journal, EngineLock engine, Terms terms, Wishes modes,
            int wishes) {
        this.world = world;
        this.random = random;
        this.store = store;
        this.journal = journal;
        this.engine = engine;
        this.terms = terms;
        this.termsOfCall = terms;
        this.modes = modes;
        this.wishes = wishes;
        chooseMode();
    }

    private void chooseMode() {
        wantsToRead = modes == Wishes.ALWAYS_SHARED || modes != Wishes.ALONE && random.nextInt(100) < modes.sharedPercent;
        termsOfCall = wantsToRead ? new Terms(terms.leaseNanos(), terms.takeover(), terms.maxHoldMillis(), terms.thread(), terms.purpose(), terms.takeForeign(), LockMode.SHARED)
                : terms;
    }

    /** {@return whether its user may write now, by all that the process itself knows: rule 5} */
    boolean isValidHolder() {
        return open && !dead && store.ownNow() < hold.deadline();
    }

    /** {@return who it is, and for how long it may still write} */
    String described() {
        return store + (hold instanceof ReaderHold reader ? " in slot " + reader.slot : " on seat " + seatHold().seat) + " for " + (hold.deadline() - store.ownNow()) / 1_000_000 + " ms, lease " + hold.terms().leaseNanos() / 1_000_000
                + " ms";
    }

    boolean holds() {
        return hold != null;
    }

    boolean reads() {
        return hold instanceof ReaderHold;
    }

    /** {@return what it has of the lock, or of a reader slot} */
    private SeatHold seatHold() {
        return hold instanceof ReaderHold reader ? reader.held : (SeatHold) hold;
    }

    private SimulatedStore storeOfHold() {
        return hold instanceof ReaderHold reader ? store.slots.get(reader.slot) : store;
    }

    /** {@return in how many of the reader slots' seats it sits} */
    private int slotsInUse() {
        int many = 0;
        for (SimulatedStore slot : store.slots) {
            many += (slot.uses(0) ? 1 : 0) + (slot.uses(1) ? 1 : 0);
        }
        return many;
    }

    /** {@return whether it has a seat of a reader slot that no hold needs, or a second one} */
    boolean hasTooManySlots() {
        int many = slotsInUse();
        return many > 1 || many == 1 && call == null && !reads();
    }

    /**
     * {@return whether the kernel has lost a byte that the process still counts on, so that only its record excludes others, or will} Two faults at
     * once, that and a person who removes the record, are more than the protocol can make good.
     */
    boolean isWitnessedByItsRecordAlone() {
        boolean holds = hold != null && call != Call.TAKE;
        boolean lost = holds ? isJustGettingItsByteBack() || storeOfHold().lock.owner[seatHold().seat] != storeOfHold() : hasLostAny();
        boolean over = hold != null && store.ownNow() >= hold.deadline() && call != Call.TAKE;
        return lost && !over;
    }

    /** {@return whether it has acquired a lost byte again, and has not published that yet} */
    private boolean isJustGettingItsByteBack() {
        return storeOfHold().lock.expiries[seatHold().seat] == 0;
    }

    private boolean hasLostAny() {
        return store.hasLost(0) || store.hasLost(1) || store.slots.stream().anyMatch(slot -> slot.hasLost(0) || slot.hasLost(1));
    }

    /** {@return whether no record would vouch for it if its bytes were lost now} */
    boolean lacksItsRecord() {
        if (call == Call.TAKE || hold == null) {
            return call == Call.TAKE;
        }
        SimulatedDirectory.Inode mine = ((SimulatedRecordFile) seatHold().recordFile).file();
        return mine == null || storeOfHold().lock.at(RecordLocation.ofSeat(seatHold().seat)) != mine;
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

    /** {@return the store of what a kernel waiter waits for: the lock, or a reader slot} */
    SimulatedStore storeOf(int what) {
        return what < ReaderSlots.FIRST_BYTE ? store : store.slots.get((what - ReaderSlots.FIRST_BYTE) / 2);
    }

    private int bytes() {
        return ReaderSlots.FIRST_BYTE + 2 * store.slots.size();
    }

    boolean isWaitingFor(int what) {
        return what < bytes() && storeOf(what).waitsInKernel[what % 2] && !storeOf(what).jvm[what % 2];
    }

    private boolean hasByteAhead() {
        for (int what = 0; what < bytes(); what++) {
            if (hasByteAhead(what)) {
                return true;
            }
        }
        return false;
    }

    /** {@return whether its kernel waiter has acquired the byte, and nothing has been done with it yet} */
    boolean hasByteAhead(int what) {
        return what < bytes() && storeOf(what).waitsInKernel[what % 2] && storeOf(what).jvm[what % 2];
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
            world.note(this, ended + " -> " + (result instanceof SeatHold h ? "token " + h.token() + " on seat " + h.seat
                    : result instanceof ReaderHold h ? "token " + h.token() + " in slot " + h.slot : result));
        }
        completed(ended, result);
        return Math.max(left, 0);
    }

    private Object perform() throws IOException {
        switch (call) {
            case TAKE:
                return engine.take(termsOfCall);
            case RENEW:
                return engine.renew(hold, -1);
            case RENEW_LATE:
                store.renewsLate = hold instanceof SeatHold alone ? alone : null;
                store.readerRenewsLate = reads();
                try {
                    return engine.renewLate(hold, -1);
                } finally {
                    store.renewsLate = null;
                    store.readerRenewsLate = false;
                }
            case CHECK:
                return engine.check(hold, false);
            case CHECK_DEEPLY:
                return engine.check(hold, true);
            case HAND_OVER:
                return engine.handOver(hold, termsOfCall);
            case REUSE: // like the threads floor: the clock last
                return engine.reuse(hold, "main") && store.clock().nanos() < hold.deadline();
            case MAY_SHARE:
                return engine.mayShare(hold) && store.clock().nanos() < hold.deadline();
            case RELEASE:
                engine.release(hold);
                return null;
            case ABANDON:
                engine.abandon(hold);
                return null;
            case DECLINE:
                engine.declineAwaited(whatOfCall);
                return null;
            case PUT_BACK:
                engine.declineAllAwaited();
                return null;
            case SET_WAITER_MARK:
                engine.setWaiterMark(termsOfCall.mode(), true);
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
        for (int what = 0; what < bytes(); what++) {
            if (hasByteAhead(what) && (hold == null || random.nextInt(3) == 0)) {
                storeOf(what).waitsInKernel[what % 2] = false;
                if (hold == null && wishes > 0) {
                    engine.acceptAwaited(what);
                    gifted |= what < ReaderSlots.FIRST_BYTE;
                    wakeAt = 0;
                } else {
                    whatOfCall = what;
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
        if (open && reads() && random.nextInt(6) == 0) {
            return Call.MAY_SHARE; // a further user, at the same time
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
        chooseMode();
        return wishes == 1 || next > 2 ? Call.RELEASE : next == 0 ? Call.REUSE : Call.HAND_OVER;
    }

    private Call chooseAsWaiter() {
        int dice = random.nextInt(100);
        if (dice < 3 && !leaving) {
            wishes--; // it has run out of patience
            return gifted ? Call.PUT_BACK : null;
        }
        return dice < 9 ? Call.SET_WAITER_MARK : dice < 14 ? Call.CLEAR : !tidied && dice < 30 ? Call.TIDY : takeInSomeMode();
    }

    /** It may have waiters of both kinds. */
    private Call takeInSomeMode() {
        if (modes != Wishes.ALONE && random.nextInt(4) == 0) {
            chooseMode();
        }
        return Call.TAKE;
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
                    world.told(this, standing);
                }
            }
            case HAND_OVER -> {
                if (result instanceof Hold passed) {
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
            case MAY_SHARE -> {
                if (Boolean.TRUE.equals(result)) {
                    world.entered(this);
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
        if (result instanceof Hold fresh) {
            enter(fresh);
        } else if (result instanceof Busy busy) {
            long pause = Math.min(Math.max(0, busy.retryAt() - store.ownNow()), LONGEST_PAUSE_NANOS);
            wakeAt = now + (random.nextInt(3) == 0 ? 0 : pause);
            int what = busy.waitFor();
            if (what != Busy.NOTHING && !storeOf(what).waitsInKernel[what % 2] && random.nextInt(4) == 0) {
                storeOf(what).waitsInKernel[what % 2] = true;
            }
        } else if (result instanceof LockException || result instanceof IOException) {
            wakeAt = now + LONGEST_PAUSE_NANOS;
        }
    }

    private void enter(Hold fresh) {
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
