package dev.sessionlock.benchmarks.turns;

import dev.sessionlock.benchmarks.peers.ChronicleAccess;
import dev.sessionlock.testkit.ChildJvm;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One thread that takes and gives back locks, a few milliseconds of each in turn, in one JVM. Whatever the machine does meanwhile, and however fast its processor
 * happens to run, meets all of them alike: a ratio of two is good to one part in a hundred, where runs one after the other differ by a third.
 */
public final class Turns {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private Turns() {
    }

    /**
     * One contender in one round.
     *
     * @param best nanoseconds of a cycle, in the turns that the machine disturbed least: one turn in ten was faster
     * @param median nanoseconds of a cycle, in the turn in the middle
     * @param bytes allocated by a cycle
     */
    public record Result(double best, double median, double bytes) {
        private static Result parse(String text) {
            double[] figures = Arrays.stream(text.split(",")).mapToDouble(Double::parseDouble).toArray();
            return new Result(figures[0], figures[1], figures[2]);
        }
    }

    /**
     * Has contenders take turns.
     *
     * @param contenders at least one
     * @param directory an empty directory
     * @param warmUp for how long before anything counts; the compiler needs some 20 s for a strict cycle of ours
     * @param round how long each round is
     * @param rounds how many
     * @return for each round the results, in the order of the contenders
     * @throws ContenderFailedException if one of them throws
     * @throws IOException if the JVM ends, or hangs
     */
    public static List<List<Result>> take(List<Contender> contenders, Path directory, Duration warmUp, Duration round, int rounds)
            throws IOException, InterruptedException {
        List<String> args = new ArrayList<>(List.of(directory.toString(), Long.toString(warmUp.toNanos()), Long.toString(round.toNanos()), Integer.toString(rounds)));
        contenders.forEach(contender -> args.add(contender.toString()));
        try (ChildJvm jvm = ChildJvm.of(TurnTaker.class).name("turns").jvmArgs("-Xmx512m", "-XX:+UseSerialGC")
                .jvmArgs(ChronicleAccess.jvmArgs().toArray(String[]::new)).args(args.toArray(String[]::new)).start()) {
            List<List<Result>> results = new ArrayList<>();
            for (int i = 0; i < rounds; i++) {
                results.add(results(jvm, i, (i == 0 ? warmUp.plus(round) : round).plus(PATIENCE)));
            }
            return results;
        }
    }

    private static List<Result> results(ChildJvm jvm, int round, Duration patience) throws IOException, InterruptedException {
        List<String> told;
        try {
            told = jvm.awaitMark("round" + round, patience).details();
        } catch (AssertionError e) {
            throw new IOException(e.getMessage().lines().findFirst().orElse("no answer"), e);
        }
        if (told.get(0).equals("failed")) {
            throw new ContenderFailedException(Contender.parse(told.get(1)), String.join(" ", told.subList(2, told.size())));
        }
        return Arrays.stream(told.get(1).split(";")).map(Result::parse).toList();
    }
}
