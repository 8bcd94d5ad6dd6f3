package dev.sessionlock.testkit;

import static dev.sessionlock.testkit.DirectedContender.check;
import static dev.sessionlock.testkit.DirectedContender.mustGrow;
import static dev.sessionlock.testkit.DirectedContender.mustWait;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/**
 * The contract that every engine must pass, across processes: exclusion, tokens that grow, expiry, renewal, loss, takeover, a late release refused,
 * waiting and interrupts, the death of the holder. It is a JUnit Jupiter test class. Extend it by a class that says how a JVM opens the locks:
 *
 * <pre>{@code
 * class MyEngineContractTest extends LockEngineContract {
 *     @TempDir
 *     static Path dir;
 *
 *     @Override
 *     protected Contender newContender() throws Exception {
 *         return inJvm(MyLocks.class, dir.toString());
 *     }
 *
 *     static final class MyLocks implements Opener {
 *         @Override
 *         public SessionLocks open(List<String> arguments) {
 *             return SessionLocks.create();                        // over the engine under test
 *         }
 *
 *         @Override
 *         public Path target(List<String> arguments, String name) {
 *             return Path.of(arguments.get(0), name);
 *         }
 *     }
 * }
 * }</pre>
 *
 * <p>An engine that knows nothing of {@link dev.sessionlock.LockMode#SHARED}, and takes each lock exclusively, overrides {@link #sharesAmongProcesses}.
 *
 * <p>Each test uses a lock name of its own, so tests may run at once. The processes are reused from test to test. The tests that freeze a holder take
 * a {@link #lease()} or two each. Where a holder must not lose its lock, the lease is too long for any slow machine.
 */
public abstract class LockEngineContract extends SharedModeContract {
    private static final Duration A_MOMENT = Duration.ofMillis(300);
    private static final int TRIES_AGAINST_STARVATION = 3;
    private static final int LEAST_VISITS = 20;
    private static final Duration HAMMERING = Duration.ofSeconds(1);

    /** For subclasses. */
    protected LockEngineContract() {
    }

    /**
     * How a JVM opens the locks under test: a class with a constructor without parameters, on the test's class path. Each child JVM creates an object
     * of it.
     */
    public interface Opener {

        /**
         * Opens the locks, for the life of the JVM.
         *
         * @param arguments from the test, such as a directory or the address of a database
         * @return the locks
         * @throws Exception if they cannot be opened
         */
        SessionLocks open(List<String> arguments) throws Exception;

        /**
         * {@return what to lock for a name; the same in every JVM} An engine that locks names is opened with a
         * {@link SessionLocks.Builder#root root}, and this is a path below it.
         *
         * @param arguments from the test
         * @param name the name of a lock: letters, digits and hyphens
         */
        Path target(List<String> arguments, String name);
    }

    /**
     * Starts a child JVM with the locks under test.
     *
     * @param opener opens them
     * @param arguments for the opener
     * @return the process
     * @throws IOException if the process cannot be started
     * @throws InterruptedException if interrupted
     */
    protected static Contender inJvm(Class<? extends Opener> opener, String... arguments)
            throws IOException, InterruptedException {
        return Contender.InJvm.start(Objects.requireNonNull(opener, "opener"), arguments);
    }

    /** {@return how long after the end of a holder's process others may need to get in; {@link #patience} unless overridden} */
    protected Duration timeToNoticeADeath() {
        return patience();
    }

    private LockOptions brief() {
        return patient().withLease(lease());
    }

    private LockOptions oneTry() {
        return patient().withTimeout(Duration.ZERO);
    }

    private void sleepLeases(double leases) throws InterruptedException {
        Thread.sleep((long) (lease().toMillis() * leases));
    }

    // ---- exclusion ----

    @Test
    void onlyOneIsInAtATimeAndTokensGrow() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2); MutualExclusionWitness witness = MutualExclusionWitness.open()) {
            List<Contender.Call> calls = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                calls.add(crew.member(i).begin("hammer", lock, ContenderActions.words(patient()), witness.address()));
            }
            awaitVisits(crew, lock, 1, witness);
            Thread.sleep(HAMMERING.toMillis());
            awaitVisits(crew, lock, LEAST_VISITS, witness); // so that each was in while the other contended, however busy the machine is
            for (int i = 0; i < 2; i++) {
                crew.member(i).tell("stop", lock);
                Contender.Reply reply = crew.member(i).end(calls.get(i));
                witness.verify(); // first, since its message explains the rest
                check(reply.ok(), "hammering failed in pid %d: %s", crew.member(i).pid(), reply);
            }
            witness.awaitAllLeft(patience());
            witness.verify();
        }
    }

    private void awaitVisits(ContenderPool.Crew crew, String lock, int more, MutualExclusionWitness witness) throws InterruptedException {
        for (int i = 0; i < 2; i++) {
            DirectedContender member = crew.member(i);
            long before = Long.parseLong(member.tell("visits", lock));
            await("process " + (i + 1) + " of 2 that hammer gets in", () -> {
                witness.verify();
                return Long.parseLong(member.tell("visits", lock)) >= before + more;
            });
        }
    }

    @Test
    void lockThatIsHeldIsRefusedAndTheTimeoutIsTold() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender holder = crew.member(0);
            DirectedContender other = crew.member(1);
            long token = holder.acquire("a", lock, patient());
            check(!other.tryAcquire("b", lock, oneTry()), "a second process got a lock that is held, by tryAcquire");
            long start = System.nanoTime();
            Contender.Reply reply = other.end(other.beginAcquire("b", lock, patient().withTimeout(A_MOMENT)));
            check(!reply.ok() && reply.text().startsWith("LockTimeoutException: session file locked"), "it should time out, not: %s",
                    reply);
            check(System.nanoTime() - start >= A_MOMENT.toNanos(), "it timed out before its time");
            check(reply.text().contains("pid=" + holder.pid() + " alive=true"), "the timeout should name pid %d: %s",
                    holder.pid(), reply);
            check(other.tell("inspect", lock).equals(State.HELD + " " + holder.pid() + " " + token), "inspect says %s",
                    other.tell("inspect", lock));
            holder.mustBe("held", "a");
            holder.tell("close", "a");
            check(holder.tell("standing", "a").equals("closed"), "a handle that was closed is still good");
            // A waiter that gave up may still be given the lock by the kernel; it frees it at once.
            await("inspect says that it is free", () -> other.tell("inspect", lock).startsWith(State.FREE.name()));
            // One try may be refused while somebody just looks after the lock: a renewal that was under way as it was closed.
            await("a lock that is free is given to who tries", () -> other.tryAcquire("b", lock, oneTry()));
        }
    }

    @Test
    void otherNamesAreOtherLocks() throws Exception {
        String one = newLock();
        String two = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            crew.member(0).acquire("a", one, patient());
            check(crew.member(1).tryAcquire("b", two, oneTry()), "a lock of another name was refused");
            crew.member(0).mustBe("held", "a");
            crew.member(1).mustBe("held", "b");
        }
    }

    @Test
    void threadGetsWhatItHoldsASecondTimeOnlyIfItAsksForThat() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            String said = crew.member(0).tell("reenter", lock, ContenderActions.words(patient()));
            check(said.equals("ok"), "%s", said);
            check(crew.member(1).tryAcquire("b", lock, oneTry()), "the last handle that was closed did not free the lock");
        }
    }

    // ---- waiting ----

    @Test
    void whoWaitsGetsInWhenTheHolderCloses() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender holder = crew.member(0);
            DirectedContender waiter = crew.member(1);
            long token = holder.acquire("a", lock, patient());
            Contender.Call near = holder.beginAcquire("near", lock, patient());
            Contender.Call far = waiter.beginAcquire("far", lock, patient());
            holder.awaitWaiting(1);
            waiter.awaitWaiting(1);
            mustWait(near, "somebody got in beside the holder");
            mustWait(far, "somebody got in beside the holder");
            holder.tell("close", "a");
            await("one of two that wait gets in", () -> holder.tell("waiting").equals("0") || waiter.tell("waiting").equals("0"));
            boolean nearFirst = holder.tell("waiting").equals("0");
            long second = nearFirst ? holder.acquired(near, patience()) : waiter.acquired(far, patience());
            mustGrow(token, second);
            mustWait(nearFirst ? far : near, "both who waited got in");
            (nearFirst ? holder : waiter).tell("close", nearFirst ? "near" : "far");
            mustGrow(second, nearFirst ? waiter.acquired(far, patience()) : holder.acquired(near, patience()));
        }
    }

    @Test
    void whoWaitsWithoutAThreadGetsInWhenTheHolderClosesUnlessItIsCancelled() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender holder = crew.member(0);
            DirectedContender waiter = crew.member(1);
            long token = holder.acquire("a", lock, patient());
            waiter.tell("acquireAsync", "cancelled", lock, ContenderActions.words(patient()));
            waiter.tell("acquireAsync", "b", lock, ContenderActions.words(patient()));
            waiter.awaitWaiting(2);
            waiter.tell("cancel", "cancelled");
            waiter.awaitWaiting(1);
            check(waiter.tell("got", "b").equals("nothing"), "somebody got in beside the holder");
            holder.tell("close", "a");
            await("the one that waits gets in", () -> !waiter.tell("got", "b").equals("nothing"));
            mustGrow(token, Long.parseLong(waiter.tell("got", "b")));
            waiter.mustBe("held", "b");
            waiter.tell("close", "b");
            holder.acquire("a2", lock, patient());
        }
    }

    @Test
    void whoIsInterruptedOrKilledWhileItWaitsLeavesNothingBehind() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(3)) {
            DirectedContender holder = crew.member(0);
            DirectedContender interrupted = crew.member(1);
            DirectedContender killed = crew.member(2);
            holder.acquire("a", lock, patient());
            Contender.Call waiting = interrupted.beginAcquire("b", lock, patient());
            killed.beginAcquire("c", lock, patient());
            interrupted.awaitWaiting(1);
            killed.awaitWaiting(1);
            interrupted.tell("interrupt", "b");
            Contender.Reply reply = interrupted.end(waiting);
            check(!reply.ok() && reply.text().startsWith("InterruptedException"), "it should be interrupted, not: %s", reply);
            killed.kill();
            holder.mustBe("held", "a");
            holder.tell("close", "a");
            holder.acquire("a2", lock, patient());
            holder.tell("close", "a2");
            interrupted.acquire("b2", lock, patient());
        }
    }

    // ---- the end of a holder ----

    @Test
    void killedHolderMakesWayFrozenOrNot() throws Exception {
        for (boolean takeover : List.of(true, false)) {
            String lock = newLock();
            try (ContenderPool.Crew crew = processes().take(2)) {
                DirectedContender victim = crew.member(0);
                DirectedContender next = crew.member(1);
                long token = victim.acquire("a", lock, patient().withLease(lease()).withTakeover(takeover));
                Contender.Call waiting = next.beginAcquire("b" + takeover, lock, patient());
                // If the machine stands still for a lease, the hold ends by itself, and then nobody waits any more.
                await("another waits", () -> next.tell("waiting").equals("1") || !victim.tell("standing", "a").equals("held"));
                if (!takeover) {
                    victim.freeze();
                }
                victim.kill();
                mustGrow(token, next.acquired(waiting, timeToNoticeADeath()));
                next.mustBe("held", "b" + takeover);
            }
        }
    }

    @Test
    void othersTakeOverFromAFrozenHolder() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(3)) {
            DirectedContender frozen = crew.member(0);
            DirectedContender successor = crew.member(1);
            DirectedContender third = crew.member(2);
            long token = frozen.acquire("a", lock, brief());
            frozen.freeze();
            mustGrow(token, successor.acquire("b", lock, patient()));
            frozen.wake();
            frozen.mustBe("lost LEASE_EXPIRED", "a");
            check(frozen.tell("renew", "a").equals("lost LEASE_EXPIRED"), "a loss is for ever, and this one renewed");
            await("the loss is told", () -> frozen.tell("told", "a").equals("LEASE_EXPIRED"));
            sleepLeases(0.5); // its keeper must not renew what is no longer its own
            successor.mustBe("held", "b");
            frozen.tell("close", "a");
            successor.mustBe("held", "b");
            check(!third.tryAcquire("c", lock, oneTry()), "the late holder has freed its successor's lock");
            check(!frozen.tryAcquire("a2", lock, oneTry()), "the late holder got in beside its successor");
            successor.mustBe("held", "b");
            successor.tell("close", "b");
            third.acquire("c", lock, patient());
        }
    }

    @Test
    void frozenHolderIsNotTakenOverBeforeItsLeaseIsOver() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender frozen = crew.member(0);
            frozen.acquire("a", lock, patient());
            Contender.Call waiting = crew.member(1).beginAcquire("b", lock, patient());
            frozen.freeze();
            sleepLeases(0.5);
            mustWait(waiting, "another process took over from a frozen holder within its lease");
            frozen.wake();
            frozen.mustBe("held", "a");
            frozen.tell("close", "a");
            crew.member(1).acquired(waiting, patience());
        }
    }

    @Test
    void frozenHolderWithoutTakeoverIsWaitedFor() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender frozen = crew.member(0);
            DirectedContender other = crew.member(1);
            frozen.acquire("a", lock, brief().withTakeover(false));
            frozen.freeze();
            Contender.Call waiting = other.beginAcquire("b", lock, patient());
            sleepLeases(1.8);
            mustWait(waiting, "another process took over from a holder that asked for takeover(false)");
            frozen.wake();
            frozen.mustBe("held", "a");
            mustWait(waiting, "another process took over from a holder that asked for takeover(false)");
            frozen.tell("close", "a");
            other.acquired(waiting, patience());
        }
    }

    // ---- holding ----

    /** Tried more than once: a machine too busy to run the process for a whole lease has in effect frozen it. */
    @Test
    void leaseIsRenewedAsLongAsTheProcessRuns() throws Exception {
        String said = "";
        for (int tries = 0; tries < TRIES_AGAINST_STARVATION && !said.equals("held"); tries++) {
            said = outlastsItsLease();
        }
        check(said.equals("held"), "a holder whose process runs is to outlast its lease, and not to be \"%s\"", said);
    }

    private String outlastsItsLease() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender holder = crew.member(0);
            DirectedContender other = crew.member(1);
            holder.acquire("a", lock, brief());
            Contender.Call waiting = other.beginAcquire("b", lock, patient());
            sleepLeases(1.5);
            String said = holder.tell("standing", "a");
            if (said.equals("held")) {
                mustWait(waiting, "somebody got in though the holder's process ran all the time");
            }
            holder.tell("close", "a");
            other.acquired(waiting, patience());
            return said;
        }
    }

    @Test
    void holdEndsAtMaxHoldAndItsUserIsToldBeforeOthersGetIn() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender holder = crew.member(0);
            DirectedContender other = crew.member(1);
            LockOptions limited = patient().withMaxHold(A_MOMENT).withRevokeGrace(patience());
            long token = holder.acquire("a", lock, limited);
            await("the loss is told", () -> holder.tell("told", "a").equals("MAX_HOLD"));
            holder.mustBe("lost MAX_HOLD", "a");
            check(!other.tryAcquire("b", lock, oneTry()), "another got in within the grace of a holder that was revoked");
            holder.tell("close", "a");
            mustGrow(token, other.acquire("b", lock, patient()));
        }
        try (ContenderPool.Crew crew = processes().take(2)) {
            crew.member(0).acquire("a", newLock(), patient().withMaxHold(A_MOMENT).withRevokeGrace(Duration.ZERO));
            String same = "lock-" + names.get();
            crew.member(1).acquire("b", same, patient()); // although the holder has not closed it
        }
    }

    @Test
    void holderIsAskedToLetGoByItsTokenOnly() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(2)) {
            DirectedContender holder = crew.member(0);
            DirectedContender other = crew.member(1);
            long token = holder.acquire("a", lock, patient().withRevokeGrace(Duration.ZERO));
            String wrong = other.tell("clear", lock, Long.toString(token - 1));
            check(wrong.equals("REFUSED"), "asked by another's token, the holder was not left alone: %s", wrong);
            holder.mustBe("held", "a");
            String right = other.tell("clear", lock, Long.toString(token));
            check(right.equals("RELEASED"), "asked by its token, the holder did not let go: %s", right);
            holder.mustBe("lost RELEASE_REQUESTED", "a");
            mustGrow(token, other.acquire("b", lock, patient()));
        }
    }

    @Test
    void tokensGrowOverReleaseDeathAndExpiry() throws Exception {
        String lock = newLock();
        try (ContenderPool.Crew crew = processes().take(3)) {
            DirectedContender one = crew.member(0);
            DirectedContender two = crew.member(1);
            DirectedContender three = crew.member(2);
            long last = 0;
            for (int i = 0; i < 5; i++) { // in turn, and twice each: within a process, and from one to the other
                DirectedContender next = crew.member(i / 2 % 2);
                long token = next.acquire("a" + i, lock, patient());
                mustGrow(last, token);
                last = token;
                next.tell("close", "a" + i);
            }
            long before = one.acquire("b", lock, brief());
            mustGrow(last, before);
            one.kill();
            long after = two.acquire("c", lock, brief());
            mustGrow(before, after);
            two.freeze();
            mustGrow(after, three.acquire("d", lock, patient()));
        }
    }
}
