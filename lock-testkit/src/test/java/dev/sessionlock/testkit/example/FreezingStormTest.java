package dev.sessionlock.testkit.example;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.SmallJvm;
import dev.sessionlock.testkit.example.StormedWriters.Kind;
import dev.sessionlock.testkit.example.StormedWriters.Promise;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * All writers that the documents show, in several JVMs, which are frozen past their lease and woken one after the other. Among the writers is
 * {@link TruncatingWriter}, which loses lines: a storm that does not notice that proves nothing. {@code -Dstorm.seed=…} freezes the same JVMs at
 * about the same times.
 */
@Isolated
class FreezingStormTest {
    static final int JVMS = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private Path directory;
    private final List<ChildJvm> jvms = new ArrayList<>();
    private final List<String> troubles = new ArrayList<>();
    private int started;
    private int freezes;
    private int kills;
    private long losses;

    /** In memory if possible. On a disk, writers spend their time waiting for it, after the write that may come late. */
    @BeforeEach
    void makeDirectory() throws IOException {
        Path memory = Path.of("/dev/shm");
        directory = Files.isWritable(memory) ? Files.createTempDirectory(memory, "freezing-storm-") : Files.createTempDirectory("freezing-storm-");
    }

    @AfterEach
    void clean() throws IOException {
        jvms.forEach(ChildJvm::close);
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    @Test
    void shortStormFindsTheWriterThatTruncatesAndNoOther() throws Exception {
        storm(Duration.ofSeconds(Boolean.getBoolean("soak") ? 5 : 3), false); // or longer, until a lost line is found
    }

    @Test
    @Tag("soak")
    void storm() throws Exception {
        storm(Duration.ofSeconds(Long.getLong("storm.seconds", 90)), true);
    }

    private void storm(Duration length, boolean killing) throws Exception {
        long seed = Long.getLong("storm.seed", System.nanoTime());
        System.out.println("freezing storm of " + length.toSeconds() + " s, seed " + seed);
        Random random = new Random(seed);
        for (int i = 0; i < JVMS; i++) {
            jvms.add(start(i, random));
        }
        long start = System.nanoTime();
        while (System.nanoTime() - start < length.toNanos() || !isFound() && System.nanoTime() - start < PATIENCE.toNanos()) {
            freeze(random);
            if (killing && random.nextInt(3) == 0) {
                kill(random.nextInt(JVMS), random);
            }
        }
        for (ChildJvm jvm : List.copyOf(jvms)) {
            jvm.send("stop");
            losses += jvm.awaitMark("stopped", PATIENCE).number(0);
            await(jvm);
        }
        judge(seed);
    }

    private ChildJvm start(int index, Random random) throws IOException, InterruptedException {
        String name = "w" + ++started;
        ChildJvm jvm = SmallJvm.of(StormedWriters.class).name(name).jvmArgs("-Xmx200m").args(directory.toString(), name, Long.toString(random.nextLong()),
                Integer.toString(index)).start();
        jvm.awaitMark("ready", PATIENCE);
        return jvm;
    }

    private void freeze(Random random) throws InterruptedException {
        Thread.sleep(random.nextInt(200));
        ChildJvm jvm = jvms.get(random.nextInt(JVMS));
        jvm.freeze();
        Thread.sleep(StormedWriters.BRIEF.lease().toMillis() + 150 + random.nextInt(300)); // others get in after lease and grace
        jvm.wake();
        freezes++;
    }

    private void kill(int which, Random random) throws IOException, InterruptedException {
        ChildJvm jvm = jvms.get(which);
        jvm.kill();
        kills++;
        await(jvm);
        jvm.close();
        jvms.set(which, start(which, random));
    }

    private void await(ChildJvm jvm) {
        jvm.pollMark("trouble").ifPresent(trouble -> troubles.add(trouble.text() + "\n" + jvm.output()));
    }

    // ---- what the files say ----

    /** {@return whether the writer that truncates has lost a line by now} */
    private boolean isFound() throws IOException {
        for (Path session : Kind.TRUNCATING.sessions(directory)) {
            Set<String> acknowledged = noted(session, "acknowledged "); // first: these lines are in the file already
            acknowledged.removeAll(copies(session).keySet());
            if (!acknowledged.isEmpty()) {
                return true;
            }
        }
        return false;
    }

    private Set<String> noted(Path session, String what) throws IOException {
        Set<String> ids = new HashSet<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, session.getFileName() + ".notes-*")) {
            for (Path notes : files) {
                String text = Files.readString(notes);
                text.substring(0, text.lastIndexOf('\n') + 1).lines().filter(line -> line.startsWith(what))
                        .forEach(line -> ids.add(line.substring(what.length())));
            }
        }
        return ids;
    }

    /** {@return how often each line is in a session, by its id; text that is no whole line stands for itself} */
    private static Map<String, Integer> copies(Path session) throws IOException {
        String text;
        try {
            text = Files.readString(session, StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return Map.of();
        }
        Map<String, Integer> copies = new HashMap<>();
        text.lines().filter(line -> !line.equals(StormedWriters.FILLER)).forEach(line -> copies.merge(StormedWriters.id(line) == null ? "garbled " + line : StormedWriters.id(line), 1, Integer::sum));
        return copies;
    }

    private void judge(long seed) throws IOException {
        int total = 0;
        int lostByTruncating = 0;
        List<String> wrong = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            for (Path session : kind.sessions(directory)) {
                Set<String> acknowledged = noted(session, "acknowledged ");
                Set<String> again = noted(session, "again ");
                Map<String, Integer> copies = copies(session);
                List<String> lost = acknowledged.stream().filter(id -> !copies.containsKey(id)).toList();
                List<String> doubled = copies.entrySet().stream().filter(entry -> entry.getValue() > 1).map(Map.Entry::getKey).toList();
                List<String> garbled = copies.keySet().stream().filter(line -> line.startsWith("garbled ")).toList();
                System.out.printf("%-22s %6d acknowledged, %3d tried again, %3d lost, %3d doubled, %3d garbled%n", session.getFileName(),
                        acknowledged.size(), again.size(), lost.size(), doubled.size(), garbled.size());
                total += acknowledged.size();
                if (kind == Kind.TRUNCATING) {
                    lostByTruncating += lost.size();
                }
                if (kind.promise() != Promise.NONE) {
                    lost.forEach(id -> wrong.add(session.getFileName() + " lost " + id));
                    garbled.forEach(line -> wrong.add(session.getFileName() + " " + line));
                    doubled.stream().filter(id -> kind.promise() == Promise.EXACTLY_ONCE || !again.contains(id))
                            .forEach(id -> wrong.add(session.getFileName() + " doubled " + id));
                }
            }
        }
        System.out.println(freezes + " freezes, " + kills + " kills, " + losses + " losses of the lock, " + total + " lines acknowledged");
        assertThat(troubles).as("what writers met but should not; seed %s", seed).isEmpty();
        assertThat(wrong).as("seed %s", seed).isEmpty();
        assertThat(lostByTruncating).as("what the storm must find; seed %s", seed).isPositive();
    }
}
