package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.HeldBenchmark;
import dev.sessionlock.benchmarks.Workplace;
import dev.sessionlock.benchmarks.load.Crew;
import dev.sessionlock.benchmarks.load.Deathwatch;
import dev.sessionlock.benchmarks.load.Load;
import dev.sessionlock.benchmarks.load.ManyHeld;
import dev.sessionlock.benchmarks.peers.Peer;
import dev.sessionlock.benchmarks.turns.Contender;
import dev.sessionlock.benchmarks.turns.ContenderFailedException;
import dev.sessionlock.benchmarks.turns.Turns;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Measures everything, on one machine, in one go. In each round the peers take turns, so that what disturbs the machine meets all of them. Every
 * second round runs backwards, so that no peer always follows the same one. If a peer fails, that is recorded, and the others go on.
 */
final class Campaign {
    /** The name in JMH's GC profiler for the bytes allocated by each operation. */
    private static final String ALLOCATED = "gc.alloc.rate.norm";
    /** A peer that hangs ends its own measurement, not ours. */
    private static final TimeValue PATIENCE = TimeValue.seconds(30);
    private static final Set<Peer> MANY = EnumSet.of(Peer.STRICT, Peer.WARM, Peer.LUCENE, Peer.CHANNEL_KEPT);

    private final Effort effort;
    private final Workplace place;
    private final PrintWriter progress;
    private final Findings findings = new Findings();

    /**
     * @param place to work in; the caller closes it
     * @param progress gets a line for each step
     */
    Campaign(Effort effort, Workplace place, PrintWriter progress) {
        this.effort = effort;
        this.place = place;
        this.progress = progress;
    }

    /** {@return all that was measured} */
    Findings run() throws InterruptedException {
        cycles();
        for (int jvms : List.of(1, 2)) {
            loads(jvms);
        }
        deathwatches();
        many();
        return findings;
    }

    private void say(String step) {
        progress.println("benchmarks: " + step);
        progress.flush();
    }

    private static List<Peer> order(Collection<Peer> peers, int round) {
        List<Peer> order = new ArrayList<>(peers);
        if (round % 2 == 1) {
            Collections.reverse(order);
        }
        return order;
    }

    // ---- of one thread ----

    private void cycles() throws InterruptedException {
        List<Contender> contenders = new ArrayList<>(EnumSet.complementOf(EnumSet.of(Peer.NOTHING)).stream().map(Contender::of).toList());
        boolean done = false;
        while (!done && !contenders.isEmpty()) {
            say("cycles of one thread, all peers in turn");
            try {
                Turns.take(contenders, place.directory("turns"), effort.turnsWarmUp(), effort.turns(), effort.rounds()).forEach(round -> add(contenders, round));
                done = true;
            } catch (ContenderFailedException e) {
                contenders.remove(e.contender());
                failed(e.contender().peer(), "cycles of one thread", e);
            } catch (IOException e) {
                failed(Peer.STRICT, "cycles of one thread", e); // nobody knows whose fault it is
                done = true;
            }
        }
        for (int round = 0; round < effort.rounds(); round++) {
            say("held locks (JMH), round " + (round + 1) + " of " + effort.rounds());
            held();
        }
    }

    private void add(List<Contender> contenders, List<Turns.Result> round) {
        for (int i = 0; i < round.size(); i++) {
            findings.cycleNanos.computeIfAbsent(contenders.get(i).peer(), p -> new Rounds()).add(round.get(i).best());
            findings.cycleBytes.computeIfAbsent(contenders.get(i).peer(), p -> new Rounds()).add(round.get(i).bytes());
        }
    }

    private void held() {
        try {
            RunResult ensure = jmh("ensureHeld");
            findings.ensureHeldNanos.add(nanos(ensure));
            findings.ensureHeldBytes.add(bytes(ensure));
            findings.isHeldNanos.add(nanos(jmh("isHeld")));
            findings.clockNanos.add(nanos(jmh("clock")));
        } catch (RunnerException e) {
            failed(Peer.STRICT, "ensureHeld", e);
        }
    }

    private RunResult jmh(String method) throws RunnerException {
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("^" + HeldBenchmark.class.getName().replace(".", "\\.") + "\\." + method + "$")
                .forks(1)
                .warmupIterations(1).warmupTime(TimeValue.milliseconds(effort.jmhWarmUp().toMillis()))
                .measurementIterations(Effort.JMH_ITERATIONS)
                .measurementTime(TimeValue.milliseconds(effort.jmhMeasured().toMillis() / Effort.JMH_ITERATIONS))
                .timeout(PATIENCE)
                .addProfiler(GCProfiler.class)
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT)
                .jvmArgsPrepend("-D" + Workplace.PROPERTY + "=" + place.path());
        return new Runner(options.build()).run().iterator().next();
    }

    private static double nanos(RunResult result) {
        return result.getPrimaryResult().getScore();
    }

    private static double bytes(RunResult result) {
        return result.getSecondaryResults().get(ALLOCATED).getScore();
    }

    // ---- by crews ----

    /** All crews of a size exist at once; those whose turn it is not are idle. */
    private void loads(int jvms) throws InterruptedException {
        Map<Peer, Crew> crews = new EnumMap<>(Peer.class);
        try {
            for (Scene scene : Scene.values()) {
                if (scene.jvms == jvms) {
                    assemble(scene, crews);
                    loads(scene, crews);
                }
            }
        } finally {
            crews.values().forEach(Crew::close);
        }
    }

    /** Starts the crews that are missing: all, or those that failed in the scene before. */
    private void assemble(Scene scene, Map<Peer, Crew> crews) throws InterruptedException {
        for (Peer peer : scene.peers) {
            if (!crews.containsKey(peer)) {
                say("starting " + scene.jvms + (scene.jvms == 1 ? " JVM: " : " JVMs: ") + peer.title());
                start(crews, peer, scene.jvms);
            }
        }
    }

    private void start(Map<Peer, Crew> crews, Peer peer, int jvms) throws InterruptedException {
        try {
            Crew crew = Crew.start(peer, place.directory("crew"), jvms, Scene.LOCKS);
            crews.put(peer, crew);
            crew.load(Load.onOneLock(2, effort.loadWarmUp()));
            crew.load(Load.onManyLocks(1, Scene.LOCKS, effort.loadWarmUp())); // with more threads, the kernel can see a deadlock between raw kernel locks
        } catch (IOException e) {
            lost(crews, peer, "its start", e);
        }
    }

    private void loads(Scene scene, Map<Peer, Crew> crews) throws InterruptedException {
        int rounds = scene.runs == Scene.Runs.LONG_ONCE ? 1 : effort.rounds();
        Load load = scene.load(scene.runs == Scene.Runs.SHORT_IN_ROUNDS ? effort.loaded() : effort.longLoaded());
        for (int round = 0; round < rounds; round++) {
            say(scene.title + ", round " + (round + 1) + " of " + rounds);
            for (Peer peer : order(scene.peers, round)) {
                Crew crew = crews.get(peer);
                if (crew == null) {
                    continue;
                }
                try {
                    findings.add(scene, peer, crew.load(load));
                } catch (IOException e) {
                    lost(crews, peer, scene.title, e);
                }
            }
        }
    }

    private void lost(Map<Peer, Crew> crews, Peer peer, String what, IOException e) {
        failed(peer, what, e);
        Crew crew = crews.remove(peer);
        if (crew != null) {
            crew.close();
        }
    }

    private void deathwatches() throws InterruptedException {
        for (Peer peer : Peer.betweenProcesses()) {
            say("a waiter, and the death of the holder: " + peer.title());
            try {
                findings.deathwatches.put(peer, Deathwatch.of(peer, place, effort.watched(), effort.kills()));
            } catch (IOException e) {
                failed(peer, "the death of a holder", e);
            }
        }
    }

    private void many() throws InterruptedException {
        for (Peer peer : MANY) {
            say(Effort.MANY + " locks held by one JVM: " + peer.title());
            try {
                findings.many.put(peer, ManyHeld.of(peer, place, Effort.MANY, effort.keeperWatched()));
            } catch (IOException e) {
                failed(peer, Effort.MANY + " locks held", e);
            }
        }
    }

    private void failed(Peer peer, String what, Exception e) {
        String why = String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString()).trim();
        findings.failures.put(peer.title() + ": " + what, why);
        say(peer.title() + " failed: " + what + ": " + why);
    }
}
