package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * Six JVMs with two writers each on one transcript. They are killed, frozen past their lease and woken, and the lock's record is removed. To repeat a
 * storm, give its seed: {@code -Dstorm.seed=…}; the same signals then come at about the same times.
 */
@Isolated
class StormTest {
    private static final int JVMS = 6;
    private static final int MOST_FROZEN = 2;
    private static final int LEAST_VISITS = 100;
    private static final Duration LONGEST_FREEZE = Duration.ofMillis(2_500);
    /**
     * Others take over from a frozen holder after its lease and grace. They wait for a compaction until it wakes, and so they do for an owner and its
     * successor that are frozen at once. The rest is for a machine that is busy with all this, and may stand still for a moment.
     */
    private static final Duration LONGEST_PAUSE = LONGEST_FREEZE.plus(StormWriters.LEASE).plusMillis(100).plusSeconds(10);

    @TempDir
    Path dir;

    @Test
    void shortStormBreaksNothing() throws Exception {
        storm(Duration.ofSeconds(6));
    }

    @Test
    @Tag("soak")
    void storm() throws Exception {
        storm(Duration.ofSeconds(Long.getLong("storm.seconds", 60)));
    }

    private void storm(Duration length) throws Exception {
        long seed = Long.getLong("storm.seed", System.nanoTime());
        System.out.println("storm of " + length.toSeconds() + " s, seed " + seed);
        try (MutualExclusionWitness witness = MutualExclusionWitness.open(); Storm storm = new Storm(witness, seed)) {
            storm.rage(length);
            storm.calm();
            System.out.println(storm + ", " + witness.visits() + " visits, longest pause " + witness.longestPause(StormWriters.LOCK).toMillis()
                    + " ms");
            witness.verify();
            assertThat(storm.troubles).as("what writers met but should not; seed %s", seed).isEmpty();
            assertThat(witness.longestPause(StormWriters.LOCK)).as("the longest time in which nobody got in; seed %s", seed)
                    .isLessThan(LONGEST_PAUSE);
            assertNoCountedLineIsLost(seed);
            assertThat(storm.isStorm()).as("%s, %d visits", storm, witness.visits()).isTrue();
        }
        try (SessionLocks locks = SessionLocks.create();
                SessionLock after = locks.acquire(dir.resolve("session.jsonl"), LockOptions.defaults().withTimeout(Puppet.PATIENCE))) {
            after.verifyHeld();
        }
    }

    private void assertNoCountedLineIsLost(long seed) throws IOException {
        List<String> ids = new Transcript(dir.resolve("session.jsonl")).wholeLines().stream().map(Transcript::id).toList();
        Set<String> there = new HashSet<>(ids);
        List<String> counted = new ArrayList<>();
        try (var files = Files.newDirectoryStream(dir, "counted-*")) {
            for (Path file : files) {
                counted.addAll(StormWriters.counted(file));
            }
        }
        List<String> lost = counted.stream().filter(id -> !there.contains(id)).toList();
        assertThat(lost).as("counted lines that are not in the transcript, of %d; seed %d", counted.size(), seed).isEmpty();
        Set<String> once = new HashSet<>();
        assertThat(ids.stream().filter(id -> !once.add(id)).toList()).as("lines that are there twice; seed %d", seed).isEmpty();
        System.out.println(counted.size() + " counted lines, all there");
    }

    /** Causes the storm. */
    private final class Storm implements AutoCloseable {
        private final MutualExclusionWitness witness;
        private final Random random;
        private final List<Writer> writers = new ArrayList<>();
        private final List<String> troubles = new ArrayList<>();
        private int started;
        private int kills;
        private int freezes;
        private int removals;

        /** A JVM, and when to wake it if it is frozen. */
        private record Writer(ChildJvm jvm, long wakeAt) {
            boolean isFrozen() {
                return wakeAt != 0;
            }
        }

        Storm(MutualExclusionWitness witness, long seed) throws IOException, InterruptedException {
            this.witness = witness;
            this.random = new Random(seed);
            for (int i = 0; i < JVMS; i++) {
                writers.add(start());
            }
        }

        private Writer start() throws IOException, InterruptedException {
            String name = "w" + ++started;
            ChildJvm jvm = SmallJvm.of(StormWriters.class).name(name)
                    .args(name, witness.address(), dir.resolve("session.jsonl").toString(), dir.resolve("counted-" + name).toString(),
                            Long.toString(random.nextLong()))
                    .start();
            return new Writer(jvm, 0);
        }

        void rage(Duration length) throws IOException, InterruptedException {
            long start = System.nanoTime();
            while (System.nanoTime() - start < length.toNanos() || !isStorm() && System.nanoTime() - start < Puppet.PATIENCE.toNanos()) {
                wakeSome();
                int which = random.nextInt(JVMS);
                int what = random.nextInt(100);
                if (what < 8) {
                    kill(which);
                } else if (what < 30 && !writers.get(which).isFrozen() && writers.stream().filter(Writer::isFrozen).count() < MOST_FROZEN) {
                    freeze(which);
                } else if (what < 40) {
                    Files.deleteIfExists(dir.resolve("session.jsonl.lock"));
                    removals++;
                }
                Thread.sleep(random.nextInt(120));
            }
        }

        /** {@return whether each kind of fault has occurred, with enough work in between} */
        private boolean isStorm() {
            return kills > 0 && freezes > 0 && removals > 0 && witness.visits() > LEAST_VISITS;
        }

        private void kill(int which) throws IOException, InterruptedException {
            writers.get(which).jvm().kill();
            kills++;
            end(writers.get(which).jvm());
            writers.set(which, start());
        }

        /** Half of the time while it takes the lock without a pause. */
        private void freeze(int which) throws InterruptedException {
            ChildJvm jvm = writers.get(which).jvm();
            if (random.nextBoolean()) {
                jvm.send("hammer");
                Thread.sleep(random.nextInt(100));
            }
            jvm.freeze();
            freezes++;
            writers.set(which, new Writer(jvm, System.nanoTime() + (random.nextBoolean() ? beyondALease() : shorterThanALease())));
        }

        private long beyondALease() {
            long least = StormWriters.LEASE.toNanos() + 100_000_000;
            return least + random.nextLong(LONGEST_FREEZE.toNanos() - least);
        }

        /** Enough for others to try the second seat, if it froze while it took the lock or gave it back; then it goes on. */
        private long shorterThanALease() {
            return 20_000_000 + random.nextLong(400_000_000);
        }

        private void wakeSome() {
            for (int i = 0; i < JVMS; i++) {
                Writer writer = writers.get(i);
                if (writer.isFrozen() && System.nanoTime() - writer.wakeAt() >= 0) {
                    wake(i, writer);
                }
            }
        }

        private void wake(int i, Writer writer) {
            writer.jvm().wake();
            writer.jvm().send("calm");
            writers.set(i, new Writer(writer.jvm(), 0));
        }

        /** Lets all finish in good order. */
        void calm() throws InterruptedException {
            for (int i = 0; i < JVMS; i++) {
                if (writers.get(i).isFrozen()) {
                    wake(i, writers.get(i));
                }
            }
            writers.forEach(writer -> writer.jvm().send("stop"));
            for (Writer writer : writers) {
                writer.jvm().awaitMark("stopped", Puppet.PATIENCE);
                end(writer.jvm());
            }
            witness.awaitAllLeft(Puppet.PATIENCE);
        }

        private void end(ChildJvm jvm) {
            jvm.pollMark("trouble").ifPresent(trouble -> troubles.add(trouble.text() + "\n" + jvm.output()));
            jvm.close();
        }

        @Override
        public void close() {
            writers.forEach(writer -> writer.jvm().close());
        }

        @Override
        public String toString() {
            return kills + " kills, " + freezes + " freezes, " + removals + " removals";
        }
    }
}
