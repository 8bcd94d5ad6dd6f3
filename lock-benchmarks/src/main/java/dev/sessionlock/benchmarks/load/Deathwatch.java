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
 * @param inAfterKill nanoseconds from just before each SIGKILL until the waiter has the lock; empty if it did not get it within {@link #PATIENCE}
 */
public record Deathwatch(double waiterShare, List<OptionalLong> inAfterKill) {
    /** A waiter that has not got the lock after this time will not get it: the holder has left its lock behind. */
    public static final Duration PATIENCE = Duration.ofSeconds(2);

    private static final Duration SOON = Duration.ofSeconds(30);
    /** The time until a waiter is at rest: after its first tries, and the work of the compiler. */
    private static final Duration SETTLING = Duration.ofMillis(700);

    /**
     * Watches and kills.
     *
     * @param watched for how long the CPU time of the waiter is measured
     * @param kills how many holders are killed, one after the other; it ends sooner if a waiter does not get the lock
     * @throws IOException if the peer has thrown something
     */
    public static Deathwatch of(Peer peer, Workplace place, Duration watched, int kills) throws IOException, InterruptedException {
        try (Crew crew = Crew.start(peer, place.directory("deathwatch"), 1, 1)) {
            ChildJvm waiter = crew.workers().get(0);
            double share = 0;
            List<OptionalLong> inAfter = new ArrayList<>();
            for (int kill = 0; kill < kills; kill++) {
                ChildJvm holder = crew.join();
                acquire(holder);
                waiter.send("acquire");
                Thread.sleep(SETTLING.toMillis());
                if (kill == 0) {
                    share = share(waiter, watched);
                }
                OptionalLong in = killAndWait(holder, waiter);
                inAfter.add(in);
                if (in.isEmpty()) {
                    break;
                }
                waiter.send("release");
                Crew.answer(waiter, "out", SOON);
            }
            return new Deathwatch(share, inAfter);
        }
    }

    private static void acquire(ChildJvm holder) throws IOException, InterruptedException {
        holder.send("acquire");
        Crew.answer(holder, "in", SOON);
    }

    private static double share(ChildJvm waiter, Duration watched) throws IOException, InterruptedException {
        ProcessHandle process = ProcessHandle.of(waiter.pid()).orElseThrow(() -> new IOException("the waiter has ended"));
        long from = System.nanoTime();
        long used = ProcessorTime.of(process);
        Thread.sleep(watched.toMillis());
        used = ProcessorTime.of(process) - used;
        return (double) used / (System.nanoTime() - from);
    }

    private static OptionalLong killAndWait(ChildJvm holder, ChildJvm waiter) throws IOException, InterruptedException {
        long killedAt = System.nanoTime();
        holder.kill();
        Optional<ChildJvm.Mark> in = Optional.empty();
        while (in.isEmpty() && System.nanoTime() - killedAt < PATIENCE.toNanos()) {
            Thread.sleep(1); // the waiter itself reports when it got the lock
            in = waiter.pollMark("in");
        }
        if (in.isPresent() && in.get().detail(0).equals("failed")) {
            throw new IOException(in.get().text());
        }
        return in.isPresent() ? OptionalLong.of(in.get().number(1) - killedAt) : OptionalLong.empty();
    }
}
