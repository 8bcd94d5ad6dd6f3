package dev.sessionlock.benchmarks.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/** One figure of one peer, measured in several rounds in turn with the other peers. */
final class Rounds {
    private final List<Double> values = new ArrayList<>();

    /** {@return rounds with these values, in their order} */
    static Rounds of(double... values) {
        Rounds rounds = new Rounds();
        DoubleStream.of(values).forEach(rounds::add);
        return rounds;
    }

    /** Adds the value of the next round. */
    void add(double value) {
        values.add(value);
    }

    /** {@return whether there are no values} */
    boolean isEmpty() {
        return values.isEmpty();
    }

    /** {@return the value in the middle, or between the two in the middle; NaN if there are none} */
    double median() {
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        int middle = sorted.size() / 2;
        if (sorted.isEmpty()) {
            return Double.NaN;
        }
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    /** {@return the greatest value; NaN if there are none} */
    double max() {
        return values.stream().mapToDouble(Double::doubleValue).max().orElse(Double.NaN);
    }

    /**
     * {@return the median of the ratios, each of two values of the same round; NaN if there is no such round} Whatever slowed down one value slowed
     * down the other.
     */
    double ratioTo(Rounds other) {
        int pairs = Math.min(values.size(), other.values.size());
        return of(IntStream.range(0, pairs).mapToDouble(i -> values.get(i) / other.values.get(i)).toArray()).median();
    }
}
