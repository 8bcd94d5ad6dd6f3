package dev.sessionlock.testkit;

import static dev.sessionlock.testkit.DirectedContender.check;
import static dev.sessionlock.testkit.DirectedContender.mustGrow;
import static dev.sessionlock.testkit.DirectedContender.mustWait;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * The part of the {@link LockEngineContract} that is about readers: who reads together, who keeps whom out, and what readers lose together. Most of it holds
 * over every engine, since readers of one JVM share one hold, whatever the engine knows of modes.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SharedModeContract {
    private static final Duration A_MOMENT = Duration.ofMillis(300);

    /** Set before the first test: a constructor must not hand out a half-made test. */
    private ContenderPool processes;
    final AtomicInteger names = new AtomicInteger();

    SharedModeContract() {
    }

    /**
     * {@return a process of its own that has the locks under test; usually by {@link #inJvm}}
     *
     * @throws Exception if it cannot be started
     */
    protected abstract Contender newContender() throws Exception;

    /** {@return the lease of holders that are meant to lose their lock; 2 s} */
    protected Duration lease() {
        return Duration.ofSeconds(2);
    }

    /** {@return for how long to wait for what must happen; 60 s, since the machine may be busy} */
    protected Duration patience() {
        return Duration.ofSeconds(60);
    }

    /** Makes room for the processes. JUnit calls it. */
    @BeforeAll
    void beginAll() {
        processes = new ContenderPool(this::newContender, this::patience);
    }

    /** Ends the processes. JUnit calls it. */
    @AfterAll
    void endAll() {
        processes.close();
    }

    ContenderPool processes() {
        return processes;
    }

    void await(String what, DirectedContender.Condition condition) throws InterruptedException {
        DirectedContender.await(patience(), what, condition);
    }

    String newLock() {
        return "lock-" + names.incrementAndGet();
    }

    /** With a lease that is too long for any slow machine. */
    LockOptions patient() {
        return LockOptions.defaults().withTimeout(patience()).withMaxHold(LockOptions.UNLIMITED);
    }

    /**
     * {@return whether readers of several processes hold a lock together} Override this for an engine that takes a lock exclusively whatever the mode: then processes
     * take turns, and what is said about readers of several processes is not tested.
     */
    protected boolean sharesAmongProcesses() {
        return true;
    }

    private LockOptions reader() {
        return patient().withMode(LockMode.SHARED);
    }

    // ---- readers of one process ----

    @Test
    void readersOfOneProcessHoldTheLockTogether() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender process = crew.member(0);
            process.acquire("r1", lock, reader());
            check(process.tryAcquire("r2", lock, reader().withTimeout(Duration.ZERO)), "a second reader of one process was refused");
            process.mustBe("held", "r1");
            process.mustBe("held", "r2");
            check(!process.tryAcquire("w", lock, patient().withTimeout(Duration.ZERO)), "a writer got in beside two readers of its own process");
            check(!crew.member(1).tryAcquire("w", lock, patient().withTimeout(Duration.ZERO)), "a writer of another process got in beside two readers");
            process.tell("close", "r1");
            process.mustBe("held", "r2");
            check(!crew.member(1).tryAcquire("w", lock, patient().withTimeout(Duration.ZERO)), "a writer got in beside the reader that remained");
            process.tell("close", "r2");
            crew.member(1).acquire("w", lock, patient());
        }
    }

    @Test
    void writerWaitsForAllReadersAndAReaderForTheWriter() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender readers = crew.member(0);
            DirectedContender writers = crew.member(1);
            long read = readers.acquire("r1", lock, reader());
            readers.acquire("r2", lock, reader());
            Contender.Call writer = writers.beginAcquire("w", lock, patient());
            writers.awaitWaiting(1);
            readers.tell("close", "r1");
            Thread.sleep(A_MOMENT.toMillis());
            mustWait(writer, "a writer got in beside a reader");
            readers.mustBe("held", "r2");
            readers.tell("close", "r2");
            long written = writers.acquired(writer, patience());
            mustGrow(read, written);
            Contender.Call reader = readers.beginAcquire("r3", lock, reader());
            readers.awaitWaiting(1);
            Thread.sleep(A_MOMENT.toMillis());
            mustWait(reader, "a reader got in beside a writer");
            writers.mustBe("held", "w");
            writers.tell("close", "w");
            long token = readers.acquired(reader, patience());
            check(sharesAmongProcesses() ? token == written : token >= written,
                    "a reader's token should be that of the last writer, %d, but is %d (an engine that knows no modes says so by sharesAmongProcesses())", written, token);
        }
    }

    @Test
    void waitingWriterKeepsNewReadersOut() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(1)) {
            DirectedContender process = crew.member(0);
            process.acquire("r1", lock, reader());
            Contender.Call writer = process.beginAcquire("w", lock, patient());
            process.awaitWaiting(1);
            check(!process.tryAcquire("r2", lock, reader().withTimeout(Duration.ZERO)), "a reader got in ahead of a writer that waits");
            Contender.Call reader = process.beginAcquire("r3", lock, reader());
            process.awaitWaiting(2);
            mustWait(reader, "a reader got in ahead of a writer that waits");
            process.tell("close", "r1");
            process.acquired(writer, patience());
            mustWait(reader, "a reader got in beside a writer");
            process.tell("close", "w");
            process.acquired(reader, patience());
            process.mustBe("held", "r3");
        }
    }

    @Test
    void readersGetInWhenAWriterThatWaitsGivesUp() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(1)) {
            DirectedContender process = crew.member(0);
            process.acquire("r1", lock, reader());
            Contender.Call writer = process.beginAcquire("w", lock, patient());
            process.awaitWaiting(1);
            Contender.Call reader = process.beginAcquire("r2", lock, reader());
            process.awaitWaiting(2);
            process.tell("interrupt", "w");
            check(!process.end(writer).ok(), "the writer should be interrupted");
            process.acquired(reader, patience());
            process.mustBe("held", "r1");
            process.mustBe("held", "r2");
        }
    }

    @Test
    void thereIsNoUpgrade() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            String said = crew.member(0).tell("upgrade", lock, ContenderActions.words(reader()));
            check(said.equals("ok"), "%s", said);
            crew.member(1).acquire("w", lock, patient());
        }
    }

    // ---- losing ----

    @Test
    void releaseThatSomebodyAsksForIsToldToAllReaders() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender readers = crew.member(0);
            long token = readers.acquire("r1", lock, reader());
            readers.acquire("r2", lock, reader());
            crew.member(1).tell("clear", lock, Long.toString(token));
            for (String reader : new String[] {"r1", "r2"}) {
                await(reader + " is told", () -> readers.tell("told", reader).equals("RELEASE_REQUESTED"));
                check(readers.tell("standing", reader).equals("lost RELEASE_REQUESTED"), "%s should be lost", reader);
            }
            crew.member(1).acquire("w", lock, patient());
        }
    }

    @Test
    void maxHoldOfOneReaderConcernsItAlone() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender readers = crew.member(0);
            readers.acquire("brief", lock, reader().withMaxHold(Duration.ofMillis(200)).withRevokeGrace(Duration.ZERO));
            readers.acquire("long", lock, reader());
            await("the brief one is told", () -> readers.tell("told", "brief").equals("MAX_HOLD"));
            readers.mustBe("held", "long");
            check(readers.tell("told", "long").equals("nothing"), "the other reader was told of a loss that was not its own");
            check(!crew.member(1).tryAcquire("w", lock, patient().withTimeout(Duration.ZERO)), "a writer got in beside the reader that remained");
            readers.tell("close", "long");
            crew.member(1).acquire("w", lock, patient());
            check(readers.tell("standing", "brief").equals("lost MAX_HOLD"), "what was lost is lost");
        }
    }

    @Test
    void frozenReadersAreTakenOverFromAndAllOfThemLoseIt() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender readers = crew.member(0);
            long token = readers.acquire("r1", lock, reader().withLease(lease()));
            readers.acquire("r2", lock, reader().withLease(lease()));
            readers.freeze();
            mustGrow(token, crew.member(1).acquire("w", lock, patient()));
            readers.wake();
            for (String reader : new String[] {"r1", "r2"}) {
                await(reader + " has lost it", () -> readers.tell("standing", reader).startsWith("lost"));
            }
            crew.member(1).mustBe("held", "w");
        }
    }

    @Test
    void writerThatTriesOnceIsToldWhoReads() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            crew.member(0).acquire("r", lock, reader());
            Contender.Reply reply = crew.member(1).end(crew.member(1).beginAcquire("w", lock, patient().withTimeout(Duration.ZERO)));
            check(!reply.ok() && reply.text().contains("pid=" + crew.member(0).pid() + " alive=true"), "the timeout should name pid %d: %s", crew.member(0).pid(), reply);
        }
    }

    // ---- readers of several processes ----

    private void assumeProcessesShare() {
        Assumptions.assumeTrue(sharesAmongProcesses(), "readers of several processes take turns over this engine");
    }

    @Test
    void readersOfTwoProcessesHoldTheLockTogether() throws Exception {
        assumeProcessesShare();
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(3)) {
            DirectedContender one = crew.member(0);
            DirectedContender other = crew.member(1);
            DirectedContender writers = crew.member(2);
            long first = one.acquire("r1", lock, reader());
            await("a reader of another process gets in (an engine that knows no modes says so by sharesAmongProcesses())",
                    () -> other.tryAcquire("r2", lock, reader().withTimeout(Duration.ZERO)));
            one.mustBe("held", "r1");
            other.mustBe("held", "r2");
            check(Long.toString(first).equals(other.tell("got", "r2")), "readers that hold a lock together should have one token, %d, not %s", first, other.tell("got", "r2"));
            Contender.Call writer = writers.beginAcquire("w", lock, patient());
            writers.awaitWaiting(1);
            one.tell("close", "r1");
            Thread.sleep(A_MOMENT.toMillis());
            mustWait(writer, "a writer got in beside a reader of another process");
            other.mustBe("held", "r2");
            other.tell("close", "r2");
            mustGrow(first, writers.acquired(writer, patience()));
        }
    }

    @Test
    void writerThatWaitsKeepsNewReadersOfOtherProcessesOut() throws Exception {
        assumeProcessesShare();
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(3)) {
            DirectedContender one = crew.member(0);
            DirectedContender other = crew.member(1);
            DirectedContender writers = crew.member(2);
            one.acquire("r1", lock, reader());
            Contender.Call writer = writers.beginAcquire("w", lock, patient());
            writers.awaitWaiting(1);
            Thread.sleep(A_MOMENT.toMillis()); // for its waiter mark
            Contender.Call near = one.beginAcquire("r2", lock, reader());
            Contender.Call far = other.beginAcquire("r3", lock, reader());
            one.awaitWaiting(1);
            other.awaitWaiting(1);
            Thread.sleep(A_MOMENT.toMillis());
            mustWait(near, "a reader joined others though a writer of another process waits");
            mustWait(far, "a reader of a third process got in though a writer waits");
            one.tell("close", "r1");
            await("the writer gets in, whoever is first now", () -> {
                one.tell("closeAll");
                other.tell("closeAll");
                return writers.tell("waiting").equals("0");
            });
            writers.acquired(writer, patience());
            writers.tell("close", "w");
            one.acquired(near, patience());
            other.acquired(far, patience());
        }
    }

    @Test
    void killedReaderDoesNotKeepTheOthersOut() throws Exception {
        assumeProcessesShare();
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(3)) {
            crew.member(0).acquire("r1", lock, reader().withTakeover(false));
            DirectedContender other = crew.member(1);
            await("a second process reads", () -> other.tryAcquire("r2", lock, reader().withTakeover(false)));
            crew.member(0).kill();
            other.mustBe("held", "r2");
            check(!crew.member(2).tryAcquire("w", lock, patient().withTimeout(Duration.ZERO)), "a writer got in beside a reader that lives");
            other.tell("close", "r2");
            crew.member(2).acquire("w", lock, patient());
        }
    }
}
