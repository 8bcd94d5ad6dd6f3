package dev.sessionlock.internal.seats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The models of the protocol, {@code src/test/spin/seats.pml}, of the table's entries, {@code lines.pml}, and of readers, {@code shared.pml}, searched completely by the
 * Spin model checker. Each rule is also broken, and the search must see that. Skipped if there is no {@code spin} or no C compiler ({@code apt-get install spin gcc}).
 */
@Timeout(value = 15, unit = TimeUnit.MINUTES)
class ModelTest {
    private static final Path SEATS = Path.of("src/test/spin/seats.pml").toAbsolutePath();
    private static final Path LINES = Path.of("src/test/spin/lines.pml").toAbsolutePath();
    private static final Path SHARED = Path.of("src/test/spin/shared.pml").toAbsolutePath();
    private static final Pattern ERRORS = Pattern.compile("errors: (\\d+)");
    private static final Pattern STATES = Pattern.compile("(\\S+) states, stored");

    @TempDir
    Path dir;

    @BeforeEach
    void needSpin() throws Exception {
        need("spin", "-V");
        need("gcc", "--version");
    }

    // ---- the protocol ----

    @Test
    void neverTwoOfThreeWhateverIsKilledOrFrozen() throws Exception {
        assertSound("-DNP=3");
    }

    @Test
    @Tag("soak")
    void neverTwoOfTwoThoughOneLosesItsBytes() throws Exception {
        assertSound("-DNP=2 -DLOSSY=1");
    }

    @Test
    @Tag("soak")
    void recordsMakeNoDifferenceToThat() throws Exception {
        assertSound("-DNP=3 -DRECORDS -DGAP");
    }

    @Test
    @Tag("soak")
    void neverTwoOfTwoThoughBothLoseTheirBytes() throws Exception {
        assertSound("-DNP=2 -DLOSSY=2");
    }

    /** On Windows, where the clock counts the time for which the machine sleeps. */
    @Test
    void neverTwoOfTwoThoughLeasesAreRenewedLate() throws Exception {
        assertSound("-DNP=2 -DLATE");
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"-DNP=3 -DLATE", "-DNP=3 -DLATE -DRECORDS -DGAP", "-DNP=2 -DLATE -DLOSSY=1", "-DNP=2 -DLATE -DLOSSY=2"})
    void lateRenewalsMakeNoDifferenceToThat(String switches) throws Exception {
        assertSound(switches);
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"LATENOLOOK", "LATENOTOKEN", "LATEEARLYTOKEN", "LATENOCLOCK", "LOSSY=1 -DLATENORECORD", "LOSSY=1 -DLATENOENTRY"})
    void brokenLateRenewalIsSeen(String broken) throws Exception {
        assertBroken("-DNP=2 -DLATE -D" + broken);
    }

    /** 60 million states, 4 GB, 6 minutes: only with {@code -Dmodel.large=true}, in addition to the soak profile. */
    @Test
    @Tag("soak")
    @Timeout(value = 60, unit = TimeUnit.MINUTES)
    void neverTwoOfThreeThoughOneLosesItsBytes() throws Exception {
        boolean asked = Boolean.getBoolean("model.large");
        assumeTrue(asked, asked ? "" : told("the large model, 4 GB, is searched with -Dmodel.large=true alone"));
        assertSound("-DNP=3 -DLOSSY=1 -DCR=0");
    }

    /** Any process may lose its bytes at any time. */
    @Test
    void oneEntryOfALockForTwoWhateverIsFrozenOrLost() throws Exception {
        assertThat(errors(LINES, "-DNP=2 -DCR=0")).as("what the model checker finds; its output is above").isZero();
    }

    @Test
    @Tag("soak")
    void oneEntryOfALockForTwoWhateverIsKilled() throws Exception {
        assertThat(errors(LINES, "-DNP=2")).as("what the model checker finds; its output is above").isZero();
    }

    // ---- shared locks ----

    @Test
    void neverAReaderBesideAWriterOfTwo() throws Exception {
        assertSound(SHARED, "-DNP=2");
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"-DNP=2 -DEARLYTOKEN", "-DNP=2 -DLOSSY -DCR=0", "-DNP=2 -DLOSSY -DCR=1"})
    void neverAReaderBesideAWriterThoughTokensAreReadEarlyOrBytesAreLost(String switches) throws Exception {
        assertSound(SHARED, switches);
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"NODRAIN", "EARLYREAD", "PLAINZERO", "NOGENERATION", "KEEPWORD", "LATESLOT", "EARLYLOOK", "NOCLOCKCHECK", "LATEPOP", "ANYPOP", "UPGRADE",
            "NEXTONLY", "EARLYTOKEN -DNOTOKENLOOK"})
    void brokenRuleOfReadersIsSeen(String broken) throws Exception {
        assertBroken(SHARED, "-DNP=2 -D" + broken);
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"NOSEATLOOK", "LOSTPOP", "NOCROSSCHECK"})
    void brokenRuleOfReadersIsSeenWhereBytesAreLost(String broken) throws Exception {
        assertBroken(SHARED, "-DNP=2 -DLOSSY -DCR=0 -D" + broken);
    }

    // ---- each rule broken ----

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"NOSECONDLOOK", "SKIPOCCUPIED", "ANYEXPIRY", "NOLOOKAGAIN", "NOVALIDITY", "NOMARK", "NOHEAL"})
    void brokenRuleOfTheEntriesIsSeen(String broken) throws Exception {
        assertThat(errors(LINES, "-DNP=2 -DCR=1 -D" + broken)).as("what the model checker finds with %s: it has gone blind", broken).isPositive();
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"NOLOOK", "EARLYTOKEN", "NOCLOCKCHECK", "NOREUSECLOCK", "LATERENEW", "ANYEXPIRY"})
    void brokenRuleIsSeen(String broken) throws Exception {
        assertBroken("-DNP=2 -D" + broken);
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"NOCROSSCHECK", "NOBYTECHECK", "NOENTRYCHECK", "PLAINCLEAR"})
    void brokenRuleIsSeenWhereBytesAreLost(String broken) throws Exception {
        assertBroken("-DNP=2 -DLOSSY=1 -D" + broken);
    }

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(strings = {"PLAINWITHDRAW", "PLAINPUBLISH", "PLAINRETAKE"})
    void brokenRuleIsSeenWhereThreeMeet(String broken) throws Exception {
        assertBroken("-DNP=3 -DLOSSY=1 -DCR=0 -D" + broken);
    }

    /** A limit that the documents tell users (PROTOCOL.md, section 1). If this ever passes, they need not tell it any more. */
    @Test
    @Tag("soak")
    void knownLimitIsOne() throws Exception {
        assertBroken("-DNP=2 -DLOSSY=1 -DGAP");
    }

    // ---- running it ----

    private void assertSound(String switches) throws Exception {
        assertSound(SEATS, switches);
    }

    private void assertSound(Path model, String switches) throws Exception {
        assertThat(errors(model, switches)).as("what the model checker finds with %s; its output is above", switches).isZero();
    }

    private void assertBroken(String switches) throws Exception {
        assertBroken(SEATS, switches);
    }

    private void assertBroken(Path model, String switches) throws Exception {
        assertThat(errors(model, switches)).as("what the model checker finds with %s: it has gone blind", switches).isPositive();
    }

    private int errors(Path model, String switches) throws Exception {
        long start = System.nanoTime();
        List<String> spin = new ArrayList<>(List.of("spin", "-a"));
        spin.addAll(List.of(switches.split(" ")));
        spin.add(model.toString());
        run(spin);
        boolean large = model.equals(LINES) || switches.startsWith("-DNP=3 ") || switches.contains("LOSSY=2")
                || model.equals(SHARED) && !switches.equals("-DNP=2");
        // Searching a small model takes less time than an optimising compiler needs.
        run(List.of("gcc", large ? "-O2" : "-O0", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=8000", "-o", "pan", "pan.c"));
        String found = run(List.of("./pan", "-E", large ? "-m20000000" : "-m1000000", large ? "-w26" : "-w20"));
        assertThat(found).as("a whole search").doesNotContain("max search depth too small").doesNotContain("out of memory");
        assertThat(found).as("an assertion of the model, and no slip of it").doesNotContain("invalid array index");
        System.out.println(model.getFileName() + " " + switches + ": " + first(STATES, found) + " states in " + (System.nanoTime() - start) / 1_000_000
                + " ms, errors: " + first(ERRORS, found));
        return Integer.parseInt(first(ERRORS, found));
    }

    private static String first(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        assertThat(matcher.find()).as("%s in %s", pattern, text).isTrue();
        return matcher.group(1);
    }

    private String run(List<String> command) throws IOException, InterruptedException {
        Path output = dir.resolve("output.txt");
        Process process = new ProcessBuilder(command).directory(dir.toFile()).redirectErrorStream(true).redirectOutput(output.toFile()).start();
        try {
            assertThat(process.waitFor()).as(() -> command + ": " + text(output)).isZero();
        } finally {
            process.destroyForcibly();
        }
        return text(output);
    }

    private static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static void need(String... command) throws InterruptedException {
        boolean works;
        try {
            works = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
        } catch (IOException e) {
            works = false;
        }
        assumeTrue(works, works ? "" : told(command[0] + " is not to be had here, so the model is not checked (apt-get install spin gcc)"));
    }

    private static String told(String why) {
        System.out.println("skipped: " + why);
        return why;
    }
}
