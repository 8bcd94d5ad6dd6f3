package dev.sessionlock.internal.seats;

import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockStore.RecordLocation;
import dev.sessionlock.internal.seats.Journal.Op;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.seats.SimulatedProcess.Wishes;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.EngineLock.HoldStatus;
import dev.sessionlock.spi.Hold;
import dev.sessionlock.spi.Terms;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One run of a few simulated processes on one lock, wholly determined by its seed: which process runs next and for how many operations, when time
 * passes, and what goes wrong. It states what the protocol promises, and fails when a promise is broken.
 *
 * <p>It is one algorithm in one file: what goes wrong decides which promise still counts, so the run and the promises read the same state.
 */
final class Schedule {
    private static final long MILLI = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private static final int MOST_TURNS = 600;
    private static final int MOST_TURNS_TO_THE_END = 1_000_000;
    private static final int MOST_TURNS_BEFORE_ONE_FREEZES = 120;

    /** A promise of the protocol was broken. */
    static final class Broken extends AssertionError {
        private static final long serialVersionUID = 1L;

        Broken(String what) {
            super(what);
        }

        /** {@return which promise was broken; null if the engine did something that is wrong in any case} */
        Promise promise() {
            return getCause() instanceof PromiseBroken e ? e.promise : null;
        }

        /** {@return what was broken, without the numbers} */
        String kind() {
            Throwable first = getCause() == null ? this : getCause();
            return String.valueOf(first.getMessage()).replaceAll("[0-9]+", "n");
        }
    }

    /** What the protocol promises. */
    enum Promise {
        /** Either one writer or any number of readers. */
        ONE_HOLDER,
        GROWING_TOKENS, NEVER_STUCK, NOTHING_LEFT,
        /** A process that reads has one reader slot, and no other has any. */
        ONE_SLOT,
        /** While the lock is read, other programs find a record at x.lock, of a process that lives. */
        OTHERS_KEPT_OUT,
        /** Nobody is told that a record was removed though nobody has removed one. */
        NO_FALSE_REMOVAL
    }

    private static final class PromiseBroken extends AssertionError {
        private static final long serialVersionUID = 1L;

        private final Promise promise;

        PromiseBroken(Promise promise, String what) {
            super(what);
            this.promise = promise;
        }
    }

    /** Creates the processes: the real engine on a store that keeps the rules, or a broken one. */
    interface Breed {
        SimulatedStore place(SimulatedDirectory directory, Journal journal, ProcessIdentity self, long clockOffset);

        default EngineLock engine(SimulatedStore store, long process) {
            return new SeatEngine(store);
        }
    }

    private final long seed;
    private final Breed breed;
    private final SplittableRandom random;
    final SimulatedDirectory directory = new SimulatedDirectory();
    private final List<SimulatedProcess> processes = new ArrayList<>();
    private final List<String> trace;

    // what goes wrong in this run
    /** Nothing goes wrong, and nobody is so slow that a lease runs out. */
    private final boolean gentle;
    private final boolean crashes;
    private final boolean interference;
    private final boolean steps;
    private final boolean lostBytes;
    /** The only process whose JVM runs code that loses its bytes: the record cannot make good for two such faults at once. */
    private final int loser;
    private final boolean ioErrors;
    /** One process stays frozen, wherever it is, until all others are done. This is after how many steps it freezes; negative if none does. */
    private final int freezing;
    private boolean anyReborn;
    final boolean holdsLong;
    private final int meanOperations;
    private final long longestLease;
    private final Wishes wishes;

    /** The token of the last writer. */
    private long lastToken;
    /** The greatest token of a writer or reader. */
    private long greatestToken;
    /** A process has not renewed in time what it still has. From then on it may do things late. */
    private boolean anySlow;
    private int entered;
    private int renewedLate;
    private int crashed;
    private long nextPid = 100;
    private boolean calm;
    private @Nullable SimulatedProcess asleep;

    Schedule(long seed, Breed breed, boolean traced) {
        this(seed, breed, traced, false);
    }

    /** @param replacesTables whether the table is replaced now and then, and nothing else befalls the record and the bytes of a lock */
    Schedule(long seed, Breed breed, boolean traced, boolean replacesTables) {
        this(seed, breed, traced, replacesTables, SimulatedDirectory.HostSystem.LINUX);
    }

    /** @param system on which the processes run */
    Schedule(long seed, Breed breed, boolean traced, boolean replacesTables, SimulatedDirectory.HostSystem system) {
        this(seed, breed, traced, replacesTables, system, Wishes.ALONE);
    }

    /** @param wishes in which modes the processes want the lock */
    Schedule(long seed, Breed breed, boolean traced, boolean replacesTables, SimulatedDirectory.HostSystem system, Wishes wishes) {
        directory.sharing = wishes != Wishes.ALONE;
        this.wishes = wishes;
        directory.replacesTables = replacesTables;
        directory.system = system;
        this.seed = seed;
        this.breed = breed;
        this.random = new SplittableRandom(seed);
        this.trace = traced ? new ArrayList<>() : null;
        this.gentle = directory.sharing && random.nextInt(3) == 0;
        this.crashes = random.nextInt(2) == 0 && !gentle;
        this.lostBytes = random.nextInt(5) == 0 && !gentle && !replacesTables && system != SimulatedDirectory.HostSystem.WINDOWS;
        this.interference = random.nextInt(3) == 0 && !gentle && !replacesTables;
        this.ioErrors = !lostBytes && !gentle && random.nextInt(6) == 0;
        this.steps = random.nextInt(3) == 0 && !replacesTables;
        this.freezing = !gentle && !interference && random.nextInt(4) == 0 && !replacesTables ? random.nextInt(MOST_TURNS_BEFORE_ONE_FREEZES) : -1;
        this.holdsLong = random.nextInt(4) == 0;
        this.meanOperations = 1 << random.nextInt(5);
        directory.refusesLinks = random.nextInt(8) == 0;
        directory.hidesProcesses = !lostBytes && random.nextInt(10) == 0;
        directory.looksAndActsAtOnce = lostBytes;
        if (system == SimulatedDirectory.HostSystem.WINDOWS) { // mostly too short for its purpose: then others come in while a lease is renewed late
            directory.wakeUpNanos = random.nextInt(3) == 0 ? 2 * SECOND : 1 + random.nextLong(30 * MILLI);
        }
        int many = 2 + random.nextInt(3) + (directory.sharing ? random.nextInt(2) : 0);
        long lease = SECOND;
        for (int i = 0; i < many; i++) {
            SimulatedProcess process = start();
            lease = Math.max(lease, process.terms.leaseNanos());
        }
        this.longestLease = lease;
        this.loser = random.nextInt(many);
    }

    private SimulatedProcess start() {
        return start(nextPid++, 1 + random.nextInt(directory.sharing ? 5 : 2), terms(), wishes);
    }

    private Terms terms() {
        return new Terms(SECOND * (1 + random.nextInt(3)), random.nextInt(7) != 0, -1, "main", null, true);
    }

    private SimulatedProcess start(long pid, int many, Terms terms, Wishes modes) {
        long ticks = directory.nanos / 10_000_000 + processes.size();
        boolean otherClock = !lostBytes && random.nextInt(25) == 0 && !anyReborn;
        boolean otherPids = !lostBytes && random.nextInt(25) == 0;
        Journal journal = new Journal(new Watching(processes.size()));
        ProcessIdentity identity = directory.hasProc() ? SimulatedStore.process(pid, ticks, otherPids ? "pids-2" : "pids-1", otherClock ? "time-2" : "time-1")
                : SimulatedStore.processWithoutProc(pid, ticks, directory.system == SimulatedDirectory.HostSystem.MACOS ? SimulatedDirectory.BOOT : null);
        SimulatedStore store = breed.place(directory, journal, identity, otherClock && directory.hasProc() ? 100_000 * SECOND : 0);
        SimulatedProcess process = new SimulatedProcess(this, random, store, journal, breed.engine(store, pid), terms, modes, many);
        directory.processes.put(pid, ticks);
        processes.add(process);
        return process;
    }

    /** Makes operations fail where this run says so, and records them. */
    private final class Watching implements Journal.Watcher {
        private final int who;

        Watching(int who) {
            this.who = who;
        }

        @Override
        public void before(Op op) throws IOException {
            if (ioErrors && !calm && CAN_FAIL[op.ordinal()] && random.nextInt(40) == 0) {
                throw new IOException("simulated failure of " + op);
            }
        }

        @Override
        public void after(Op op, Object result) {
            if (trace != null) {
                trace.add(line(processes.get(who), "  " + op + " " + shown(result) + "  <- " + callers()));
            }
            if (gentle) {
                assertOthersAreKeptOut();
            }
        }
    }

    private static final boolean[] CAN_FAIL = new boolean[Op.values().length];

    static {
        for (Op op : List.of(Op.FIND_ENTRY, Op.CLAIM_ENTRY, Op.WRITE, Op.REWRITE, Op.LINK, Op.IS_AT, Op.DELETE, Op.UNLINK, Op.FIND,
                Op.BEGIN_RECLAIM, Op.END_RECLAIM, Op.TRY_BYTE)) {
            CAN_FAIL[op.ordinal()] = true;
        }
    }

    // ---- the run ----

    /** Runs it. Returns how often the lock was entered. */
    int run() {
        try {
            for (int turn = 0; turn < MOST_TURNS && turn != freezing && !areAllDone(); turn++) {
                turn();
            }
            comeToAnEnd();
            return entered;
        } catch (AssertionError | RuntimeException e) {
            Broken broken = new Broken("seed " + seed + " (" + weather() + "): " + e.getMessage() + (trace == null ? "" : "\n" + String.join("\n", trace)));
            broken.initCause(e);
            throw broken;
        }
    }

    private String weather() {
        return (gentle ? "gentle " : "") + (crashes ? "crashes " : "") + (lostBytes ? "lostBytes " : "") + (interference ? "hands " : "") + (ioErrors ? "ioErrors " : "")
                + (steps ? "steps " : "") + (directory.refusesLinks ? "noLinks " : "") + (directory.hidesProcesses ? "hidepid " : "")
                + (freezing < 0 ? "" : "oneStaysFrozen ");
    }

    /** {@return how often a lease was renewed though it was over} */
    int renewedLate() {
        return renewedLate;
    }

    private boolean areAllDone() {
        for (SimulatedProcess process : processes) {
            if (!process.isDone()) {
                return false;
            }
        }
        return true;
    }

    private boolean haveAllButOneHadTheirTurn(SimulatedProcess one) {
        for (SimulatedProcess process : processes) {
            if (process != one && !process.hasHadItsTurn()) {
                return false;
            }
        }
        return true;
    }

    private void turn() {
        int dice = random.nextInt(100);
        if (dice < 72) {
            runSomebody();
        } else if (dice < 82) {
            pass(random.nextLong(random.nextBoolean() ? MILLI : 30 * MILLI));
        } else if (dice < 84) {
            pass(random.nextLong(gentle ? MILLI : 2 * longestLease));
        } else if (dice < 90 && !gentle) {
            SimulatedProcess process = any();
            if (!process.dead) {
                process.frozen = !process.frozen;
                note(process, process.frozen ? "FROZEN" : "WOKEN");
            }
        } else if (dice < 94) {
            acquireAhead();
        } else {
            goWrong();
        }
    }

    private void pass(long nanos) {
        directory.pass(nanos);
        anySlow |= directory.sharing && !anySlow && isAnySlow();
        if (isTraced()) {
            note(null, "TIME " + nanos / 1_000 + " us");
        }
    }

    private SimulatedProcess any() {
        return processes.get(random.nextInt(processes.size()));
    }

    private void runSomebody() {
        int first = random.nextInt(processes.size());
        for (int i = 0; i < processes.size(); i++) {
            SimulatedProcess process = processes.get((first + i) % processes.size());
            if (!process.frozen && !process.dead && !process.isDone() && !process.isAsleep()) {
                process.run(1 + random.nextInt(2 * meanOperations));
                assertOneHolder();
                if (directory.sharing) {
                    assertOneSlot(process);
                }
                return;
            }
        }
        passToNextWaking();
    }

    private boolean isAnySlow() {
        return locks().stream().anyMatch(lock -> isSlow(lock, 0) || isSlow(lock, 1));
    }

    private boolean isSlow(SimulatedLock lock, int seat) {
        return lock.owner[seat] != null && lock.expiries[seat] != 0 && lock.expiries[seat] <= directory.nanos;
    }

    /** {@return the lock and its reader slots} */
    private List<SimulatedLock> locks() {
        List<SimulatedLock> all = new ArrayList<>(directory.slots);
        all.add(directory);
        return all;
    }

    private void passToNextWaking() {
        long next = Long.MAX_VALUE;
        for (SimulatedProcess process : processes) {
            if (!process.frozen && !process.isDone()) {
                next = Math.min(next, process.wakeAt());
            }
        }
        pass(next == Long.MAX_VALUE ? MILLI : Math.max(next - directory.nanos, 1_000));
    }

    /** The kernel gives a free byte to one that waits for it. */
    private void acquireAhead() {
        int what = random.nextInt(ReaderSlots.FIRST_BYTE + 2 * directory.slots.size());
        SimulatedProcess process = any();
        if (process.isWaitingFor(what) && process.storeOf(what).lock.owner[what % 2] == null) {
            process.storeOf(what).acquireAhead(what % 2);
            if (process == asleep && canBlockForGood(process)) {
                process.storeOf(what).undoAcquireAhead(what % 2);
                return;
            }
            note(process, "BELL " + what);
        }
    }

    private void goWrong() {
        if (!directory.hasProc() && random.nextInt(5) == 0) {
            note(null, "THE MACHINE SLEEPS");
            directory.sleep(random.nextLong(random.nextBoolean() ? 3 * longestLease : 36_000 * SECOND));
            return;
        }
        int dice = random.nextInt(10);
        SimulatedProcess process = any();
        if (dice < 3 && crashes && !process.dead && crashed < 4) {
            crash(process);
        } else if (dice < 5 && directory.replacesTables) {
            note(null, "TABLE REPLACED");
            directory.replaceTable();
        } else if (dice < 7 && interference) {
            interfere();
        } else if (dice < 8 && steps) {
            directory.wallMicros += (random.nextLong(20) - 10) * 3_600_000_000L;
            note(null, "WALL CLOCK STEPPED");
        } else if (dice < 9 && lostBytes && process == processes.get(loser) && !process.dead && !(interference && process.lacksItsRecord())) {
            note(process, "LOSES ITS BYTES");
            loseBytes(process);
        } else if (dice == 9 && process.holds() && !process.dead) {
            note(null, "RELEASE REQUESTED of " + process);
            directory.request(process.token());
        }
    }

    /** The bytes of a lock and of its reader slots mostly are in different guard files. */
    private void loseBytes(SimulatedProcess process) {
        process.store.slots.forEach(slot -> {
            if (random.nextInt(2) == 0) {
                slot.loseBytes();
            }
        });
        if (!directory.sharing || random.nextInt(2) == 0) {
            process.store.loseBytes();
        }
    }

    private void crash(SimulatedProcess process) {
        note(process, "CRASH");
        process.dead = true;
        process.store.die();
        directory.processes.remove(pid(process));
        crashed++;
        // Another process takes its place, sometimes with the same pid. Not with two time namespaces: its start time proves nothing there.
        boolean reborn = random.nextBoolean() && processes.stream().allMatch(one -> one.store.comparable());
        anyReborn |= reborn;
        start(reborn ? pid(process) : nextPid++, 1, terms(), wishes);
    }

    private static long pid(SimulatedProcess process) {
        return process.store.self().pid();
    }

    private static final String[] INTERFERENCES = {"RM x.lock", "RM x.lock", "RM x.lock", "RM x.lock", "RM takeover-x", "A DEAD STRANGER'S x.lock",
        "A TORN x.lock", "x.lock EMPTIED"};

    /** What people and other programs do to x.lock. */
    private void interfere() {
        if (lostBytes && processes.get(loser).isWitnessedByItsRecordAlone()) {
            return;
        }
        if (!directory.slots.isEmpty() && random.nextInt(4) == 0) {
            int slot = random.nextInt(directory.slots.size());
            note(null, "RM reader-" + slot);
            directory.slots.get(slot).put(RecordLocation.values()[random.nextInt(2)], null);
            return;
        }
        int dice = random.nextInt(lostBytes ? 4 : 8);
        note(null, INTERFERENCES[dice]);
        if (dice < 4) {
            directory.put(RecordLocation.LOCK, null);
        } else if (dice < 5) {
            directory.put(RecordLocation.TAKEOVER, null);
        } else if (dice < 6) {
            directory.leave(RecordLocation.LOCK, new LockContent.Foreign(77, null, -1, -1)); // dead
        } else if (dice < 7) {
            directory.leave(RecordLocation.LOCK, new LockContent.Torn("a hand"));
        } else if (directory.at(RecordLocation.LOCK) != null) {
            directory.at(RecordLocation.LOCK).write(new LockContent.Empty(), directory.wallMicros);
        }
    }

    // ---- the end: every process is awake or dead, and nothing goes wrong any more ----

    private void comeToAnEnd() {
        note(null, "TO THE END");
        calm = true;
        directory.hidesProcesses = false;
        directory.reclaiming = false; // the mark of a process that was killed, which others respect for 30 s
        if (interference && !lostBytes && random.nextInt(4) != 0) {
            directory.put(RecordLocation.LOCK, null); // otherwise others wait for a torn record
        }
        for (SimulatedProcess process : processes) {
            process.frozen = false;
            process.hurry();
        }
        asleep = freezing < 0 ? null : freezeOne();
        if (asleep != null) {
            // Where links are refused, a process may be killed or frozen while it writes its record. Others wait for that as for a torn one.
            long patience = directory.refusesLinks ? StaleLockPolicy.TORN_MILLIS * MILLI + 10 * SECOND : 10 * SECOND;
            runToTheEnd(patience, "somebody is kept out by " + asleep + ", which is frozen, for longer than its lease and grace");
            asleep.frozen = false;
            note(asleep, "WOKEN");
            asleep = null;
        }
        runToTheEnd(100 * SECOND, "somebody never gets the lock, though nobody is frozen");
        boolean clean = crashed == 0 && !lostBytes && !ioErrors;
        assertNothingHeld();
        if (clean) {
            assertNothingLeft("after a clean run", true);
        }
        for (SimulatedProcess process : processes) {
            process.store.die();
            directory.processes.remove(pid(process));
            if (!process.dead && !lostBytes && !ioErrors && !process.store.recordFiles.isEmpty()) {
                throw new PromiseBroken(Promise.NOTHING_LEFT, process + " has leaked " + process.store.recordFiles.size() + " records");
            }
        }
        if (directory.sharing) {
            assertCanBeTaken(clean && !interference, Wishes.ALWAYS_SHARED);
        }
        assertCanBeTaken(clean && !interference, Wishes.ALONE);
        assertNothingLeft("after the next one has gone", clean);
        if (directory.sharing) {
            assertCanBeTaken(clean && !interference, Wishes.ALWAYS_SHARED);
            assertNothingLeft("after the next reader has gone", clean);
        }
    }

    /** {@return a process that is frozen somewhere in its work; null if it is one from which nobody may take over} */
    private @Nullable SimulatedProcess freezeOne() {
        SimulatedProcess process = any();
        if (process.dead || process.isDone() || !process.terms.takeover() || processes.stream().anyMatch(one -> !one.store.comparable())) {
            return null;
        }
        process.run(random.nextInt(60));
        if (canBlockForGood(process)) {
            return null;
        }
        process.frozen = true;
        note(process, "STAYS FROZEN");
        return process;
    }

    /**
     * The known limits of what is promised about a frozen process. It may be frozen between its byte and the entry of a lock that is taken for the
     * first time. It may have a byte whose expiry still is that of a dead owner without takeover. It may have a second byte, acquired by a kernel
     * waiter that cannot be called back. It may have a byte that a process needs which has given back: if the disk let that process neither delete
     * nor rewrite its record, the record vouches for it as long as it lives.
     */
    private boolean canBlockForGood(SimulatedProcess process) {
        if (ioErrors && processes.stream().anyMatch(one -> one != process && !one.dead && !one.isTidy())) {
            return true;
        }
        for (int what = 0; what < ReaderSlots.FIRST_BYTE + 2 * process.store.slots.size(); what++) {
            SimulatedStore store = process.storeOf(what);
            SimulatedLock lock = store.lock;
            int seat = what % 2;
            boolean has = lock.owner[seat] == store;
            if (has && (!lock.hasEntry || lock.expiries[seat] > Hold.NEVER / 2 || process.hasByteAhead(what) && lock.owner[1 - seat] == store)) {
                return true;
            }
        }
        return false;
    }

    private void runToTheEnd(long patience, String otherwise) {
        long start = directory.nanos;
        for (int turn = 0; asleep == null ? !areAllDone() : !haveAllButOneHadTheirTurn(asleep); turn++) {
            if (turn == MOST_TURNS_TO_THE_END || directory.nanos - start > patience) {
                throw new PromiseBroken(Promise.NEVER_STUCK, otherwise + "; " + seat(0) + ", " + seat(1));
            }
            runSomebody();
            for (int i = 0; i < 4; i++) {
                acquireAhead();
            }
        }
    }

    private String seat(int seat) {
        long left = directory.expiries[seat] - directory.nanos;
        String expiry = directory.expiries[seat] == 0 ? "none" : left > 1_000 * SECOND ? "never" : left > 0 ? "not past" : "past";
        return "byte " + seat + " has " + (directory.owner[seat] == null ? "nobody" : directory.owner[seat]) + ", expiry " + expiry;
    }

    private void assertCanBeTaken(boolean atOnce, Wishes how) {
        SimulatedProcess next = start(nextPid++, 1, new Terms(SECOND, true, -1, "main", null, true), how);
        next.hurry();
        long start = directory.nanos;
        while (!next.isDone()) {
            if (directory.nanos - start > (atOnce ? (how == Wishes.ALONE ? 30 : 300) * MILLI : 100 * SECOND)) { // a reader respects the mark of a writer that has gone
                throw new PromiseBroken(Promise.NEVER_STUCK, "the lock cannot be taken again, though nobody holds it");
            }
            if (next.isAsleep()) {
                pass(next.wakeAt() - directory.nanos);
            }
            next.run(1_000);
        }
    }

    private void assertNothingHeld() {
        for (SimulatedLock lock : locks()) {
            for (int seat = 0; seat < 2; seat++) {
                if (lock.owner[seat] != null) {
                    throw new PromiseBroken(Promise.NOTHING_LEFT, lock.owner[seat] + " still has byte " + seat);
                }
            }
        }
    }

    private void assertNothingLeft(String when, boolean clean) {
        assertNothingHeld();
        for (int seat = 0; seat < 2; seat++) {
            if (directory.expiries[seat] != 0) {
                throw new PromiseBroken(Promise.NOTHING_LEFT, when + " expiry[" + seat + "] is " + directory.expiries[seat]);
            }
        }
        for (RecordLocation location : RecordLocation.values()) {
            // A successor may fail to delete its record, or lose its byte, and then be killed. It leaves the record to the next successor.
            boolean twoFaults = location == RecordLocation.TAKEOVER && (ioErrors || lostBytes) && crashed > 0;
            if (!twoFaults && directory.at(location) != null && directory.at(location).content instanceof LockContent.Ours) {
                throw new PromiseBroken(Promise.NOTHING_LEFT, when + " a record lies at " + location);
            }
        }
        if (directory.reclaiming && clean) {
            throw new PromiseBroken(Promise.NOTHING_LEFT, when + " the mark of a reclaim is left");
        }
        if (clean && !directory.temporaryLinks.isEmpty()) {
            throw new PromiseBroken(Promise.NOTHING_LEFT, when + " a temporary link to a record is left");
        }
        for (SimulatedLock slot : directory.slots) { // the slot of a killed reader is cleared by the next one that needs it
            if (clean && (slot.expiries[0] != 0 || slot.expiries[1] != 0 || slot.at(RecordLocation.LOCK) != null || slot.at(RecordLocation.TAKEOVER) != null)) {
                throw new PromiseBroken(Promise.NOTHING_LEFT, when + " reader slot " + directory.slots.indexOf(slot) + " is not clear");
            }
        }
    }

    // ---- the promises ----

    void entered(SimulatedProcess process) {
        entered++;
        assertOneHolder();
        boolean reads = process.reads();
        if (reads && !process.isValidHolder()) {
            return; // it was stopped after its last look, while it gave the seat back
        }
        if (reads ? process.token() < lastToken : process.token() <= greatestToken) {
            throw new PromiseBroken(Promise.GROWING_TOKENS, process + (reads ? " reads" : " comes in") + " with token " + process.token() + " after "
                    + (reads ? lastToken : greatestToken));
        }
        greatestToken = Math.max(greatestToken, process.token());
        lastToken = reads ? lastToken : process.token();
    }

    void renewedLate(SimulatedProcess process) {
        renewedLate++;
        assertOneHolder();
        if (process.reads() ? process.token() < lastToken : process.token() != lastToken) {
            throw new PromiseBroken(Promise.GROWING_TOKENS, process + " has its token " + process.token() + " again after " + lastToken);
        }
    }

    /** A process was told by a check that something is wrong with its hold. */
    void told(SimulatedProcess process, HoldStatus standing) {
        boolean fair = !interference && !lostBytes && !ioErrors && crashed == 0 && !anySlow && !directory.replacesTables;
        if (standing == HoldStatus.REMOVED && directory.sharing && fair) {
            throw new PromiseBroken(Promise.NO_FALSE_REMOVAL, process + " is told that its record was removed");
        }
    }

    private void assertOneHolder() {
        SimulatedProcess holder = null;
        for (SimulatedProcess process : processes) {
            if (process.isValidHolder()) {
                if (holder != null && !(holder.reads() && process.reads())) {
                    throw new PromiseBroken(Promise.ONE_HOLDER, "two valid holders: " + holder.described() + " and " + process.described());
                }
                holder = process;
                if (process.token() < lastToken) {
                    throw new PromiseBroken(Promise.GROWING_TOKENS, process + " still has its token " + process.token() + " after " + lastToken);
                }
            }
        }
    }

    private void assertOneSlot(SimulatedProcess process) {
        if (!ioErrors && process.hasTooManySlots()) {
            throw new PromiseBroken(Promise.ONE_SLOT, process + " has a reader slot that it does not need");
        }
        if (!process.dead && process.store.spareIsLinked()) {
            throw new PromiseBroken(Promise.NOTHING_LEFT, "a spare record file of " + process + " is linked: the next record would be written into it");
        }
    }

    /** Other programs look who is named at x.lock. They do not know what lies in {@code .session-locks}. */
    private void assertOthersAreKeptOut() {
        if (anySlow || directory.system == SimulatedDirectory.HostSystem.WINDOWS || directory.refusesLinks || directory.replacesTables) {
            return;
        }
        for (SimulatedProcess process : processes) {
            if (process.isValidHolder() && process.reads()) {
                SimulatedDirectory.Inode there = directory.at(RecordLocation.LOCK);
                if (there == null || !(there.content instanceof LockContent.Ours ours) || !directory.processes.containsKey(ours.record().pid())) {
                    throw new PromiseBroken(Promise.OTHERS_KEPT_OUT, process + " reads, and no living process is named at x.lock");
                }
            }
        }
    }

    // ---- the trace ----

    boolean isTraced() {
        return trace != null;
    }

    void note(SimulatedProcess who, String what) {
        if (trace != null) {
            trace.add(line(who, what));
        }
    }

    private String line(SimulatedProcess who, String what) {
        return String.format("%9d us  %-8s %s", (directory.nanos - 5_000_000_000_000L) / 1_000, who == null ? "" : who, what);
    }

    /** {@return the methods of the engine that have asked for an operation} */
    private static String callers() {
        return StackWalker.getInstance().walk(frames -> frames.filter(frame -> frame.getClassName().startsWith(Schedule.class.getPackageName() + ".")
                && !frame.getClassName().contains("Simulated") && !frame.getClassName().contains("Schedule") && !frame.getClassName().contains("Journal"))
                .map(frame -> frame.getMethodName()).filter(name -> !name.startsWith("lambda")).limit(7).collect(Collectors.joining(" < ")));
    }

    private static String shown(Object result) {
        return result instanceof dev.sessionlock.internal.directory.LockStore.Found found ? found.content().getClass().getSimpleName()
                : result instanceof SimulatedStore.SimulatedRecordFile || result == null ? "" : result.toString();
    }
}
