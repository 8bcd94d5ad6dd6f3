package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.directory.TableEntry;
import dev.sessionlock.spi.Busy;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Three processes of a simulated directory, and what happens to them at moments that the engine does not choose. */
abstract class SeatEngineFixture {
    static final long MILLI = 1_000_000;
    static final long LEASE = 1_000 * MILLI;
    static final long GRACE = 100 * MILLI;
    static final long MARK_TIME_BITS = 0xffff;
    static final Terms TERMS = new Terms(LEASE, true, -1, "main", null, true);
    static final Terms WITHOUT_TAKEOVER = new Terms(LEASE, false, -1, "main", null, true);

    final SimulatedDirectory directory = new SimulatedDirectory();
    final Party one = new Party(70_100);
    final Party two = new Party(70_200);
    final Party three = new Party(70_300);

    /** Something that happens at a moment that the engine does not choose. */
    interface Event {
        void happen() throws IOException;
    }

    static final Event NOTHING = () -> { };

    final class Party extends SimulatedStore {
        final SeatEngine engine;
        Event afterLink = NOTHING;
        Event afterRewrite = NOTHING;
        Event beforeByte = NOTHING;
        Event afterByte = NOTHING;
        Event afterReclaimMark = NOTHING;
        Event afterDraw = NOTHING;
        Event afterPublishing = NOTHING;
        Event afterAccepting = NOTHING;
        Event beforeUnlink = NOTHING;
        Event onLookingAround = NOTHING;
        boolean wordsStay;
        boolean cannotFindItsEntry;
        boolean cannotUnlink;
        boolean cannotRewrite;
        boolean cannotRest;
        boolean cannotFree;
        private final Set<Integer> owed = new HashSet<>();
        /** The lock has two entries in the table, which are both in use. */
        boolean hasTwoEntries;
        /** The channel of its guard file was closed: it knows that its bytes are lost, and need not ask the kernel. */
        boolean knowsItsLosses;
        /** The mark that it has drawn last; negative if it still has its first one. */
        long laterMark = -1;
        /** Records whose files were closed, since they stay linked for long. */
        int rested;
        /** The seats whose bytes it has requested, one after the other. */
        final List<Integer> requested = new ArrayList<>();

        Party(long pid) {
            this(pid, 0);
        }

        /** @param clockOffset not 0 for a process of another time namespace */
        Party(long pid, long clockOffset) {
            this(pid, clockOffset, SeatEngineFixture.this.directory);
        }

        Party(long pid, long clockOffset, SimulatedDirectory directory) {
            super(directory, new Journal(op -> { }), process(pid, pid, "pids-1", "time-1"), clockOffset);
            engine = new SeatEngine(this);
            directory.processes.put(pid, pid);
        }

        @Override
        void linked() {
            Event event = afterLink;
            afterLink = NOTHING;
            happens(event);
        }

        @Override
        public void rest(RecordFile recordFile) throws IOException {
            if (cannotRest) {
                throw new IOException("could not be closed");
            }
            rested++;
        }

        @Override
        void rewritten() {
            Event event = afterRewrite;
            afterRewrite = NOTHING;
            happens(event);
        }

        @Override
        boolean kernelGives(int seat) {
            requested.add(seat);
            Event event = beforeByte;
            beforeByte = NOTHING;
            happens(event);
            return gives(seat);
        }

        @Override
        long draw(long wallMicros) {
            long token = super.draw(wallMicros);
            Event event = afterDraw;
            afterDraw = NOTHING;
            happens(event);
            return token;
        }

        private boolean gives(int seat) {
            boolean gives = super.kernelGives(seat);
            if (gives) {
                Event event = afterByte;
                afterByte = NOTHING;
                happens(event);
            }
            return gives;
        }

        @Override
        public boolean beginReclaim() throws IOException {
            boolean begun = super.beginReclaim();
            afterReclaimMark.happen();
            return begun;
        }

        @Override
        public TableEntry findEntry() throws IOException {
            if (cannotFindItsEntry) {
                throw new IOException("no table");
            }
            return super.findEntry();
        }

        @Override
        public void unlink(RecordFile recordFile, RecordLocation location) throws IOException {
            Event event = beforeUnlink;
            beforeUnlink = NOTHING;
            happens(event);
            if (cannotUnlink) {
                throw new IOException("no unlinking");
            }
            super.unlink(recordFile, location);
        }

        @Override
        public void rewrite(RecordFile recordFile, LockRecord record) throws IOException {
            if (cannotRewrite) {
                throw new IOException("no rewriting");
            }
            super.rewrite(recordFile, record);
        }

        @Override
        void writeExpiry(int seat, long value) {
            if (!wordsStay || value != 0) {
                super.writeExpiry(seat, value);
            }
            if (value != 0) {
                Event event = afterPublishing;
                afterPublishing = NOTHING;
                happens(event);
            }
        }

        @Override
        public TableEntry claimEntry() throws IOException {
            return hasTwoEntries ? null : super.claimEntry();
        }

        @Override
        public TableEntry findOnlyEntry() throws IOException {
            return hasTwoEntries ? null : super.findOnlyEntry();
        }

        @Override
        public boolean knowsByteLost(int seat) {
            return knowsItsLosses && hasLost(seat);
        }

        @Override
        public void freeByte(int seat) throws IOException {
            if (cannotFree) {
                owed.add(seat);
                throw new IOException("no freeing");
            }
            owed.remove(seat);
            super.freeByte(seat);
        }

        @Override
        public void giveBackOwed() throws IOException {
            super.giveBackOwed();
            for (int seat : List.copyOf(owed)) {
                freeByte(seat);
            }
        }

        @Override
        public long mark() {
            return laterMark < 0 ? super.mark() : laterMark;
        }

        @Override
        public void lookAround() {
            happens(onLookingAround);
        }

        @Override
        public void awaitByte(int seat) {
            acquireAhead(seat);
        }

        @Override
        public boolean acceptByte(int seat) {
            boolean any = super.acceptByte(seat);
            Event event = afterAccepting;
            afterAccepting = NOTHING;
            happens(event);
            return any;
        }

        private void happens(Event event) {
            try {
                event.happen();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        SeatHold take() throws IOException {
            return (SeatHold) engine.take(TERMS);
        }

        Busy busy() throws IOException {
            return (Busy) engine.take(TERMS);
        }

        void gone() {
            die();
            directory.processes.remove(self().pid());
        }

        /** A kernel waiter of this process acquires the byte. */
        void accept(int seat) {
            acquireAhead(seat);
            engine.acceptAwaited(seat);
        }
    }

    long inMillis(long millis) {
        return directory.nanos + millis * MILLI;
    }

    void assertBusy(Busy busy, int waitFor, long retryAt, String why) {
        assertThat(busy.waitFor()).isEqualTo(waitFor);
        assertThat(busy.retryAt()).isEqualTo(retryAt);
        assertThat(busy.why()).contains(why);
    }

    /** Process one is frozen, and two is on the other seat. */
    SeatHold takeOver() throws IOException {
        letTwoTakeOverNext();
        return two.take();
    }

    /** Process one is frozen past its lease; the next time that two asks, it takes the other seat. */
    void letTwoTakeOverNext() throws IOException {
        directory.pass(LEASE + GRACE + MILLI);
        two.busy();
        directory.pass(20 * MILLI);
    }

    /** Process one has lost its bytes, and another has the first seat's. */
    void loseByteTo(Party other) {
        one.loseBytes();
        directory.owner[0] = other;
    }

    /** An error breaks off a take once its record is linked, and another one what takes that back: byte, expiry and record stay for now. */
    void breakOffATakeOf(Party party) {
        party.afterLink = SeatEngineFixture::overflow;
        party.beforeUnlink = SeatEngineFixture::overflow;
        assertThatThrownBy(party::take).isInstanceOf(StackOverflowError.class);
        assertThat(directory.owner[0]).isSameAs(party);
        assertThat(directory.at(RecordLocation.LOCK)).isNotNull();
    }

    static void overflow() {
        throw new StackOverflowError("injected");
    }

    LockRecord recordAt(RecordLocation location) {
        return ((LockContent.Ours) directory.at(location).content).record();
    }

    LockContent.Ours record(long pid, long token, boolean takeover, long leaseUntilNanos) {
        return new LockContent.Ours(new LockRecord(pid, 0, -1, pid, "session.jsonl", token, "moss", -1, SimulatedDirectory.BOOT, "pids-1", "time-1",
                null, null, takeover, 1_000, 0, leaseUntilNanos));
    }

    LockContent.Ours ofTheDead(long token) {
        return record(999, token, true, directory.nanos + LEASE);
    }

    void assertNothingHeld() {
        assertThat(directory.owner).containsOnlyNulls();
        assertThat(directory.expiries).containsOnly(0L);
    }
}
