package dev.sessionlock.testkit.example;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.testkit.CrashFault;
import dev.sessionlock.testkit.CrashLab;
import dev.sessionlock.testkit.CrashRun;
import dev.sessionlock.testkit.CrashScenario;
import dev.sessionlock.testkit.CrashTest;
import dev.sessionlock.testkit.LabSystem;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** The example of the guide, lock-testkit/README.md, "Crash-testing your own writer". The guide quotes its code from here. */
class SessionWriterTest {

    static final class AppendAndCompact implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            SessionWriter writer = new SessionWriter(directory.resolve("session.jsonl"));
            writer.append("{\"id\":3}");
            CrashLab.acknowledge("{\"id\":3}");       // from now on this line must be there, whatever happens
            writer.compact();
        }
    }

    private static void given(Path directory) throws IOException {
        Files.writeString(directory.resolve("session.jsonl"), "{\"id\":1,\"done\":true}\n{\"id\":2}\n");
    }

    private static void theNextWriterFindsAllWell(Path directory, CrashRun run) throws Exception {
        Path session = directory.resolve("session.jsonl");
        new SessionWriter(session).append("{\"id\":4}");              // gets the lock at once, and mends what was torn
        assertThat(Files.readAllLines(session)).allMatch(line -> line.matches("\\{.*}"))
                .contains("{\"id\":2}", "{\"id\":4}").containsAll(run.acknowledged());
    }

    @CrashTest
    void survivesEveryKill(CrashLab lab) throws Exception {
        lab.scenario(AppendAndCompact.class).given(SessionWriterTest::given).check(SessionWriterTest::theNextWriterFindsAllWell)
                .killAtEveryStep();
    }

    static final class AppendNext implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            new SessionWriter(directory.resolve("session.jsonl")).append("{\"id\":4}");
        }
    }

    private static void nothingIsMissing(Path directory, CrashRun run) throws IOException {
        assertThat(Files.readAllLines(directory.resolve("session.jsonl"))).allMatch(line -> line.matches("\\{.*}"))
                .contains("{\"id\":2}", "{\"id\":4}").containsAll(run.acknowledged());
    }

    @Tag("soak")
    @EnabledOnOs(OS.LINUX)
    @CrashTest(os = LabSystem.WINDOWS)
    void survivesEveryKillOnWindows(CrashLab lab) throws Exception {
        lab.scenario(AppendAndCompact.class).given(SessionWriterTest::given).afterwards(AppendNext.class).check(SessionWriterTest::nothingIsMissing)
                .killAtEveryStep();
    }

    @CrashTest
    @Tag("soak")
    void survivesEveryPowerCut(CrashLab lab) throws Exception {
        lab.scenario(AppendAndCompact.class).given(SessionWriterTest::given).check(SessionWriterTest::theNextWriterFindsAllWell)
                .powerCutAtEveryStep();
    }

    @Tag("soak")
    @CrashTest
    void survivesEveryError(CrashLab lab) throws Exception {
        lab.scenario(AppendAndCompact.class).given(SessionWriterTest::given).check(SessionWriterTest::theNextWriterFindsAllWell)
                .failAtEveryStep(CrashFault.ENOSPC, CrashFault.EIO, CrashFault.EACCES);
    }

    // ---- the naive one ----

    static final class NaiveAppendAndCompact implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            NaiveWriter writer = new NaiveWriter(directory.resolve("session.jsonl"));
            writer.append("{\"id\":3}");
            CrashLab.acknowledge("{\"id\":3}");       // from now on this line must be there, whatever happens
            writer.compact();
        }
    }

    private static void theNextNaiveWriterFindsAllWell(Path directory, CrashRun run) throws Exception {
        Path session = directory.resolve("session.jsonl");
        new NaiveWriter(session).append("{\"id\":4}");
        assertThat(Files.readAllLines(session)).allMatch(line -> line.matches("\\{.*}"))
                .contains("{\"id\":2}", "{\"id\":4}").containsAll(run.acknowledged());
    }

    @Tag("soak") // CrashLabTest proves with smaller scenarios that the lab finds such faults
    @CrashTest
    void theNaiveOneIsFoundOut(CrashLab lab) {
        lab.scenario(NaiveAppendAndCompact.class).given(SessionWriterTest::given).check(SessionWriterTest::theNextNaiveWriterFindsAllWell);
        assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class).satisfies(SessionWriterTest::clean)
                .hasMessageContainingAll("1 byte done", "\"{{\"id\":4}\"", "killed after step 4 of 5: delete session.jsonl");
    }

    @Tag("soak")
    @CrashTest
    void theNaiveOneIsFoundOutByAPowerCut(CrashLab lab) {
        lab.scenario(NaiveAppendAndCompact.class).given(SessionWriterTest::given).check(SessionWriterTest::theNextNaiveWriterFindsAllWell);
        assertThatThrownBy(lab::powerCutAtEveryStep).isInstanceOf(AssertionError.class).satisfies(SessionWriterTest::clean)
                .hasMessageContaining("of the contents nothing unforced");
    }

    /** Removes what the lab keeps for whoever looks into a failure. */
    static void clean(Throwable failure) {
        Matcher kept = Pattern.compile("kept in (/.*sessionlock-crash-[^/]+)/").matcher(failure.getMessage());
        while (kept.find() && Files.exists(Path.of(kept.group(1)))) {
            try (Stream<Path> tree = Files.walk(Path.of(kept.group(1)))) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    // ---- the guide ----

    @Test
    void theGuideQuotesThisCode() throws IOException {
        String guide = Files.readString(Path.of("README.md"), StandardCharsets.UTF_8);
        String section = guide.substring(guide.indexOf("## Crash-testing your own writer"));
        section = section.substring(0, section.indexOf("\n## ", 1));
        Path here = Path.of("src/test/java/dev/sessionlock/testkit/example");
        StringBuilder code = new StringBuilder();
        for (String file : List.of("NaiveWriter.java", "SessionWriter.java", "SessionWriterTest.java")) {
            Files.readAllLines(here.resolve(file)).forEach(line -> code.append(line.strip()).append('\n'));
        }
        Matcher blocks = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(section);
        int lines = 0;
        while (blocks.find()) {
            for (String line : blocks.group(1).lines().map(String::strip).filter(line -> !line.isEmpty() && !line.equals("...")).toList()) {
                assertThat(code.toString()).contains(line + "\n");
                lines++;
            }
        }
        assertThat(lines).isGreaterThan(30);
        Matcher frames = Pattern.compile("\\((\\w+\\.java):(\\d+)\\)").matcher(section);
        int calls = 0;
        while (frames.find()) {
            String line = Files.readAllLines(here.resolve(frames.group(1))).get(Integer.parseInt(frames.group(2)) - 1);
            assertThat(line).as("the line of %s that the guide quotes", frames.group()).containsPattern("\\b(Files|file|writer)\\.\\w+\\(");
            calls++;
        }
        assertThat(calls).isGreaterThan(3);
    }
}
