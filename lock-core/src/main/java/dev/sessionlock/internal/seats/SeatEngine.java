package dev.sessionlock.internal.seats;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.directory.DirectoryNotes;
import dev.sessionlock.internal.directory.LockStore;
import dev.sessionlock.internal.directory.MarkedTime;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.spi.AcquireResult;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.Cleared;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The two-seat protocol: one lock of one directory, as this process uses it. Rule numbers in the comments of this package are those of PROTOCOL.md,
 * section 3, which also has the glossary. Written against {@link LockStore} alone, so that the same code runs on a real directory and on a simulated
 * one.
 *
 * <p>This class gives each call to the part that does it:
 * <ul>
 * <li>{@link SeatAcquisition} takes the lock. <b>Who owns it is decided there.</b>
 * <li>{@link SeatHolding} renews, hands over and checks what is held; {@link SeatHold} itself is reused.
 * <li>{@link SeatRelease} gives it back.
 * <li>{@link ReaderSlots} shares it among readers.
 * <li>{@link SeatClearing} removes what a dead holder has left, for the command {@code clear}.
 * </ul>
 * These parts keep nothing, and each is made for one call: a process may hold thousands of locks. They share {@link SeatLedger}, which knows what this process has of the lock, and {@link Expiries}, which computes and publishes the words of the
 * table entry. {@link StaleRecords} removes what is in the way.
 *
 * <p>One call at a time, except for those that {@link EngineLock} allows any thread ({@link #reuse}, {@link #othersWait}), which work in memory, and for
 * {@link #awaitKernel}, which blocks a thread of its own.
 */
public final class SeatEngine implements EngineLock {
    private static final Log log = Loggers.LIBRARY;
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(4);

    private final Expiries expiries;
    private final SeatLedger ledger;
    /** Null while this process has seen no reader. */
    private volatile @Nullable ReaderSlots readers;

    /** @param store the lock's files, bytes and table entry */
    public SeatEngine(LockStore store) {
        this.expiries = new Expiries(store);
        this.ledger = new SeatLedger(store);
    }

    private LockStore store() {
        return ledger.store;
    }

    private ReaderSlots readers() {
        ReaderSlots known = readers;
        if (known == null) {
            known = new ReaderSlots(ledger, expiries);
            readers = known;
        }
        return known;
    }

    private SeatHolding holding() {
        return new SeatHolding(store(), expiries, ledger);
    }

    private SeatRelease releasing() {
        return new SeatRelease(store(), expiries, ledger);
    }

    @Override
    public String name() {
        return store().name();
    }

    @Override
    public Path target() {
        return store().target();
    }

    @Override
    public Path lockFile() {
        return store().lockFile();
    }

    // ---- taking ----

    @Override
    public AcquireResult take(Terms terms) throws IOException {
        ReaderSlots slots = readers;
        if (slots != null) {
            slots.leaveUnknown();
        }
        if (!terms.shared()) {
            return takeSlot(terms);
        } else if (!store().sharesAmongReaders()) {
            return takeSlot(terms.exclusive());
        }
        Busy kept = keptForWriter();
        if (kept != null) {
            ledger.declineAllAwaited(); // a byte acquired ahead would keep out the writer that we wait for
            return kept;
        }
        return takeSlot(terms);
    }

    /** As {@link #take}, for a lock that may be a reader slot: then its record is a reader's if the terms say so. */
    AcquireResult takeSlot(Terms terms) throws IOException {
        return new SeatAcquisition(store(), expiries, ledger, holding(), releasing(), this::readers).take(terms);
    }

    /** {@return why no further reader gets in now; null if one may} */
    private @Nullable Busy keptForWriter() throws IOException {
        try {
            TableEntry entry = store().findEntry();
            return entry != null && ReaderSlots.isKeptForWriter(expiries, entry, WAITER_MARK_NANOS)
                    ? new Busy(Busy.NOTHING, expiries.now() + LOOK_AGAIN_NANOS, "it is read, and a process waits to write: readers wait for their turn after it") : null;
        } catch (TableFault e) {
            return null; // the acquisition meets it, too
        }
    }

    @Override
    public boolean wasOthers(Hold hold) {
        return hold instanceof ReaderHold reader ? reader.wasOthers : ((SeatHold) hold).wasOthers;
    }

    // ---- holding ----

    @Override
    public boolean renew(Hold hold, long holdUntilMillis) throws IOException {
        return hold instanceof ReaderHold reader ? withReaders(() -> readers().renew(reader, holdUntilMillis)) : holding().renew(hold, holdUntilMillis);
    }

    @Override
    public boolean mayRenewLate() {
        return store().wakeUpNanos() > 0 && store().shared();
    }

    @Override
    public boolean renewLate(Hold hold, long holdUntilMillis) throws IOException {
        if (!mayRenewLate()) {
            return false;
        }
        return hold instanceof ReaderHold reader ? withReaders(() -> readers().renewLate(reader, holdUntilMillis)) : holding().renewLate(hold, holdUntilMillis);
    }

    @Override
    public @Nullable Hold handOver(Hold from, Terms terms) throws IOException {
        return from instanceof ReaderHold || terms.shared() && store().sharesAmongReaders() ? null : holding().handOver(from, terms.exclusive());
    }

    @Override
    public boolean isReusable(Hold hold) {
        return hold instanceof ReaderHold reader ? reader.held.isReusable(readers().store(reader.slot)) : ((SeatHold) hold).isReusable(store());
    }

    @Override
    public boolean reuse(Hold hold, String thread) {
        if (hold instanceof ReaderHold reader) {
            if (!isReusable(reader) || !reader.isUntouched(readers().store(reader.slot))) {
                return false;
            }
            reader.usedBy(thread);
            return true;
        }
        return ((SeatHold) hold).reuse(store(), thread);
    }

    @Override
    public HoldStatus check(Hold hold, boolean deeply) throws IOException {
        return hold instanceof ReaderHold reader ? withReaders(() -> readers().check(reader, deeply)) : holding().check(hold, deeply);
    }

    private interface ReaderStep<T> {
        T get() throws IOException;
    }

    /** A table entry that fails is told as an exception that a caller may meet. */
    private <T> T withReaders(ReaderStep<T> step) throws IOException {
        try {
            return step.get();
        } catch (TableFault e) {
            store().entryFailed();
            throw e.getCause();
        }
    }

    @Override
    public void lookAfresh() throws IOException {
        store().lookAfresh();
    }

    // ---- giving back ----

    @Override
    public void release(Hold hold) {
        if (hold instanceof ReaderHold reader) {
            readers().leave(reader);
        } else {
            releasing().release(hold);
        }
    }

    @Override
    public void abandon(Hold hold) {
        if (hold instanceof ReaderHold reader) {
            readers().abandon(reader);
        } else {
            releasing().abandon(hold);
        }
    }

    @Override
    public boolean tidy() {
        ReaderSlots slots = readers;
        boolean tidied = slots == null || slots.tidy();
        return releasing().tidy() && tidied;
    }

    // ---- what happened, and who waits ----

    @Override
    public boolean keepsHistory() {
        DirectoryNotes notes = store().notes();
        return notes != null && notes.keepsHistory();
    }

    @Override
    public void note(PastHold ended) {
        DirectoryNotes notes = store().notes();
        if (notes != null) {
            notes.note(ended);
        }
    }

    @Override
    public void showWaiters(List<LockReport.Waiter> waiters) {
        DirectoryNotes notes = store().notes();
        if (notes != null) {
            notes.showWaiters(store().name(), waiters);
        }
    }

    // ---- for a person who wants it free ----

    @Override
    public Cleared clear(boolean takeForeign) throws IOException {
        return new SeatClearing(store(), expiries, ledger, this::readers).clear(takeForeign);
    }

    @Override
    public void askForRelease(long token) throws IOException {
        store().requestRelease(token);
    }

    @Override
    public boolean withdrawAsking(long token) throws IOException {
        boolean unheard = store().releaseRequested(token);
        store().dropReleaseRequest(token);
        return unheard;
    }

    // ---- looking and waiting ----

    @Override
    public LockReport inspect() throws IOException {
        try {
            return Inspector.report(store().snapshot());
        } catch (TableFault e) {
            throw e.getCause();
        }
    }

    @Override
    public void setWaiterMark(LockMode mode, boolean waits) {
        try {
            TableEntry entry = store().findEntry();
            // A single try must not hide a waiting process.
            if (entry != null && (waits || !expiries.isSetByOthers(entry.waiterMark(), WAITER_MARK_NANOS))) {
                entry.setWaiterMark(expiries.waiterMark(waits));
            }
            if (entry != null && mode == LockMode.EXCLUSIVE && (waits || !expiries.isSetByOthers(entry.writerMark(), WAITER_MARK_NANOS))) {
                entry.setWriterMark(expiries.waiterMark(waits));
            }
        } catch (IOException | TableFault e) {
            log.debug("could not tell other processes that we wait for {}", store().lockFile(), e);
        }
    }

    @Override
    public boolean othersWait(Hold held, long nanos) {
        long word = waiterMark(held);
        return MarkedTime.tellsOfWaiting(word) && expiries.isSetByOthers(word, nanos);
    }

    @Override
    public boolean othersTryOrWait(Hold held, long nanos) {
        return expiries.isSetByOthers(waiterMark(held), nanos);
    }

    /**
     * {@return the mark of those who wait for this process: for a reader that is a writer only; 0 if it cannot be read} Then the lock does not linger for long, and the
     * waiting process gets in.
     */
    private static long waiterMark(Hold held) {
        SeatHold hold = held instanceof ReaderHold reader ? reader.held : (SeatHold) held;
        try {
            return held instanceof ReaderHold reader ? reader.entry.writerMark() : hold.entry.waiterMark();
        } catch (TableFault e) {
            hold.trouble = e.getMessage();
            return 0;
        }
    }

    @Override
    public boolean mayShare(Hold held) {
        return !(held instanceof ReaderHold reader) || !othersWait(held, WAITER_MARK_NANOS) && reader.isUntouched(readers().store(reader.slot));
    }

    /** The owner of seat 0 withdraws its expiry just before it frees its byte. */
    @Override
    public boolean spin(Busy busy, long nanos) {
        if (busy.waitFor() >= ReaderSlots.FIRST_BYTE) {
            return readers().spin(busy, nanos);
        } else if (busy.waitFor() != 0) {
            return false;
        }
        try {
            TableEntry entry = store().findEntry();
            long end = System.nanoTime() + nanos;
            while (entry != null && System.nanoTime() - end < 0) {
                if (entry.expiry(0) == 0) {
                    return true;
                }
                Thread.onSpinWait();
            }
        } catch (IOException | TableFault e) {
            log.debug("{} is not watched in memory", store().lockFile(), e); // the next try says what is wrong
        }
        return false;
    }

    @Override
    public void awaitKernel(int what) throws IOException {
        if (what >= ReaderSlots.FIRST_BYTE) {
            readers().awaitKernel(what);
        } else {
            store().awaitByte(what);
        }
    }

    @Override
    public void acceptAwaited(int what) {
        if (what >= ReaderSlots.FIRST_BYTE) {
            readers().declineAwaited(what); // that it was free is all that the next try needs to know
        } else {
            ledger.acceptAwaited(what);
        }
    }

    @Override
    public void declineAwaited(int what) {
        if (what >= ReaderSlots.FIRST_BYTE) {
            readers().declineAwaited(what);
        } else {
            ledger.declineAwaited(what);
        }
    }

    @Override
    public void declineAllAwaited() {
        ledger.declineAllAwaited();
    }

    @Override
    public String toString() {
        return store().toString();
    }
}
