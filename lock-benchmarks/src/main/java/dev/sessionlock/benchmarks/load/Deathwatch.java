package dev.sessionlock.benchmarks.load;

import dev.sessionlock.benchmarks.Workplace;
import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.testkit.ChildJvm;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * One process waits for a lock that another one holds for long; then the holder is killed.
 *
 * @param waiterShare the share of a core that the waiting process uses, its whole JVM: 0.01 is one percent
 * @param inAfterKill nanoseconds from just before each SIGKILL until the waiter has the lock; empty if it did not get it within {@link #PATIENCE} after the
 *     peer's {@linkplain Peer#crashRecovery crash recovery}
 */
public record Deathwatch(double waiterShare, List<OptionalLong> inAfterKill) {
    /** A waiter that has not got the lock after this time will not get it: the holder has left its lock behind. */
    public static final Duration PATIENCE = Duration.ofSeconds(2);

    private static final Duration SOON = Duration.ofSeconds(30);
    /** A waiter that polls keeps its compiler busy for long. */
    private static final Duration SETTLING_OF_COMPILER = Duration.ofSeconds(20);
    private static final Duration WARM_UP = Duration.ofSeconds(2);
    /** The time until a waiter is at rest: after its first tries, and the work of the compiler. */
    private static final Duration SETTLING = Duration.ofMillis(700);

    /**
     * Watches and kills.
     *
     * @param watched for how long the CPU time of the waiter is measured
     * @param kills how many holders are killed, one after the other; it ends sooner if a waiter does not get the lock. Of a peer whose
     *     crash recovery takes time, only one
     * @throws IOException if the peer has thrown something
     */
    public static Deathwatch of(Peer peer, Workplace place, Duration watched, int kills) throws IOException, InterruptedException {
        try (Crew crew = Crew.start(peer, place.directory("deathwatch"), 1, 1)) {
            ChildJvm waiter = crew.workers().get(0);
            ChildJvm holder = crew.join();
            crew.load(Load.onOneLock(1, WARM_UP)); // else it is the compiler's work that is measured
            letWait(waiter, holder);
            waiter.send("settle " + SETTLING_OF_COMPILER.toNanos());
            Crew.answer(waiter, "settled", SOON);
            double share = share(waiter, watched);
            release(holder);
            Crew.answer(waiter, "in", SOON);
            release(waiter);
            Duration patience = PATIENCE.plus(peer.crashRecovery());
            int most = peer.crashRecovery().isZero() ? kills : 1;
            List<OptionalLong> inAfter = new ArrayList<>();
            while (true) {
                letWait(waiter, holder);
                OptionalLong in = killAndWait(holder, waiter, patience);
                inAfter.add(in);
                if (in.isEmpty() || inAfter.size() == most) {
                    return new Deathwatch(share, inAfter);
                }
                release(waiter);
                holder = crew.join();
            }
        }
    }

    private static void letWait(ChildJvm waiter, ChildJvm holder) throws IOException, InterruptedException {
        holder.send("acquire");
        Crew.answer(holder, "in", SOON);
        waiter.send("acquire");
        Thread.sleep(SETTLING.toMillis());
    }

    private static void release(ChildJvm holder) throws IOException, InterruptedException {
        holder.send("release");
        Crew.answer(holder, "out", SOON);
    }

    private static double share(ChildJvm waiter, Duration watched) throws IOException, InterruptedException {
        ProcessHandle process = ProcessHandle.of(waiter.pid()).orElseThrow(() -> new IOException("the waiter has ended"));
        long from = System.nanoTime();
        long used = ProcessorTime.of(process);
        Thread.sleep(watched.toMillis());
        used = ProcessorTime.of(process) - used;
        return (double) used / (System.nanoTime() - from);
    }

    private static OptionalLong killAndWait(ChildJvm holder, ChildJvm waiter, Duration patience) throws IOException, InterruptedException {
        long killedAt = System.nanoTime();
        holder.kill();
        Optional<ChildJvm.Mark> in = Optional.empty();
        while (in.isEmpty() && System.nanoTime() - killedAt < patience.toNanos()) {
            Thread.sleep(1); // the waiter itself reports when it got the lock
            in = waiter.pollMark("in");
        }
        if (in.isPresent() && in.get().detail(0).equals("failed")) {
            throw new IOException(in.get().text());
        }
        return in.isPresent() ? OptionalLong.of(in.get().number(1) - killedAt) : OptionalLong.empty();
    }
}
