package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.load.Deathwatch;
import dev.sessionlock.benchmarks.load.LoadResult;
import dev.sessionlock.benchmarks.load.ManyHeld;
import dev.sessionlock.benchmarks.peers.Peer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;

/** The results of a campaign. What is missing was not measured, or has failed. */
final class Findings {
    /** In turns, one thread: nanoseconds and allocated bytes a cycle. */
    final Map<Peer, Rounds> cycleNanos = new EnumMap<>(Peer.class);
    final Map<Peer, Rounds> cycleBytes = new EnumMap<>(Peer.class);
    final Rounds ensureHeldNanos = new Rounds();
    final Rounds ensureHeldBytes = new Rounds();
    final Rounds isHeldNanos = new Rounds();
    /** One reading of the monotonic clock. */
    final Rounds clockNanos = new Rounds();

    /** By crews: a result for each round. */
    final Map<Scene, Map<Peer, List<LoadResult>>> loads = new EnumMap<>(Scene.class);
    final Map<Peer, Deathwatch> deathwatches = new EnumMap<>(Peer.class);
    final Map<Peer, ManyHeld.Figures> many = new EnumMap<>(Peer.class);

    /** What went wrong, and where. */
    final Map<String, String> failures = new TreeMap<>();

    /** Adds a result. */
    void add(Scene scene, Peer peer, LoadResult result) {
        loads.computeIfAbsent(scene, s -> new EnumMap<>(Peer.class)).computeIfAbsent(peer, p -> new ArrayList<>()).add(result);
    }

    /** {@return the results of all rounds; empty if there are none} */
    List<LoadResult> of(Scene scene, Peer peer) {
        return loads.getOrDefault(scene, Map.of()).getOrDefault(peer, List.of());
    }

    /** {@return one figure of all rounds} */
    Rounds rounds(Scene scene, Peer peer, ToDoubleFunction<LoadResult> figure) {
        return Rounds.of(of(scene, peer).stream().mapToDouble(figure).toArray());
    }

    /** {@return the waits of all rounds together} */
    Histogram waits(Scene scene, Peer peer) {
        return sum(of(scene, peer).stream().map(LoadResult::waits));
    }

    /** {@return the handovers of all rounds together} */
    Histogram handovers(Scene scene, Peer peer) {
        return sum(of(scene, peer).stream().map(LoadResult::handovers));
    }

    private static Histogram sum(Stream<Histogram> all) {
        Histogram sum = new Histogram(3);
        all.forEach(sum::add);
        return sum;
    }

    /** {@return how often a holder met another one, in all scenes} */
    long doubles(Peer peer) {
        return results(peer).mapToLong(LoadResult::doubles).sum();
    }

    /** {@return how many cycles the witness has seen, in all scenes} */
    long witnessed(Peer peer) {
        return results(peer).mapToLong(LoadResult::total).sum();
    }

    /** {@return whether it was seen to let two holders in at once} */
    boolean fails(Peer peer) {
        return results(peer).anyMatch(result -> !result.excluded());
    }

    private Stream<LoadResult> results(Peer peer) {
        return loads.values().stream().flatMap(peers -> peers.getOrDefault(peer, List.of()).stream());
    }
}
