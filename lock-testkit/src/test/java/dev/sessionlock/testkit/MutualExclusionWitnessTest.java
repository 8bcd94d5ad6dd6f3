package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockMode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MutualExclusionWitnessTest {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final WitnessedHolder.Check<RuntimeException> HELD = () -> { };

    private MutualExclusionWitness witness;
    private WitnessedHolder one;
    private WitnessedHolder two;

    @BeforeEach
    void open() throws Exception {
        witness = MutualExclusionWitness.open();
        one = WitnessedHolder.connect(witness.address(), "one");
        two = WitnessedHolder.connect(witness.address(), "two");
    }

    @AfterEach
    void close() throws Exception {
        one.close();
        two.close();
        witness.close();
    }

    private void allLeave() throws Exception {
        one.close();
        two.close();
        witness.awaitAllLeft(SOON);
    }

    @Test
    void oneAfterTheOtherIsNoViolation() throws Exception {
        for (int i = 0; i < 1_000; i++) {
            WitnessedHolder each = i % 2 == 0 ? one : two;
            each.entered("a", i, HELD).leaving();
        }
        one.entered("b", 1, HELD); // another lock
        allLeave();
        witness.verify();
        assertThat(witness.visits()).isEqualTo(1_001);
        assertThat(witness.history("a", 10)).hasSize(10).last().asString().contains("token 999").contains("two").contains("left");
        assertThat(witness.longestPause("a")).isPositive();
        assertThat(witness.longestPause("b")).isZero();
    }

    @Test
    void secondHolderInsideAVisitIsFound() throws Exception {
        WitnessedHolder.Visit<RuntimeException> outer = one.entered("a", 1, HELD);
        two.entered("a", 2, HELD).leaving();
        outer.stillIn();
        allLeave();
        assertThatThrownBy(witness::verify).isInstanceOf(AssertionError.class).hasMessageContaining("two valid holders at once of a")
                .hasMessageContaining("token 1  one").hasMessageContaining("token 2  two");
    }

    @Test
    void holderThatWasFrozenAndStillBelievesInItsLockIsFoundLongAfter() throws Exception {
        WitnessedHolder.Visit<RuntimeException> frozen = one.entered("a", 1, HELD);
        for (int i = 2; i < 300; i++) {
            two.entered("a", i, HELD).leaving();
        }
        frozen.leaving();
        allLeave();
        assertThat(witness.violations()).isNotEmpty();
    }

    @Test
    void holderThatWasFrozenAndKnowsThatItLostIsWell() throws Exception {
        boolean[] held = {true};
        WitnessedHolder.Visit<IllegalStateException> frozen = one.entered("a", 1, () -> {
            if (!held[0]) {
                throw new IllegalStateException("lost");
            }
        });
        frozen.stillIn();
        two.entered("a", 2, HELD).leaving();
        held[0] = false;
        assertThatThrownBy(frozen::stillIn).hasMessage("lost");
        allLeave();
        witness.verify();
        assertThat(witness.history("a", 10)).first().asString().contains("lost: IllegalStateException");
    }

    @Test
    void holderThatIsLostWhenItComesInProvesNothing() throws Exception {
        assertThatThrownBy(() -> one.entered("a", 1, () -> {
            throw new IllegalStateException("lost");
        })).hasMessage("lost");
        allLeave();
        assertThat(witness.visits()).isZero();
    }

    @Nested
    class Readers {
        private WitnessedHolder.Visit<RuntimeException> reads(WitnessedHolder who, long token) throws IOException {
            return who.entered("a", LockMode.SHARED, token, HELD);
        }

        @Test
        void manyAtOnceAreWell() throws Exception {
            one.entered("a", 7, HELD).leaving();
            WitnessedHolder.Visit<RuntimeException> first = reads(one, 7);
            reads(two, 7).leaving();
            reads(two, 7).leaving();
            first.leaving();
            two.entered("a", 8, HELD).leaving();
            allLeave();
            witness.verify();
            assertThat(witness.history("a", 10)).hasSize(5).element(1).asString().contains("shared");
        }

        @Test
        void besideAWriterAreFound() throws Exception {
            WitnessedHolder.Visit<RuntimeException> reader = reads(one, 1);
            two.entered("a", 2, HELD).leaving();
            reader.stillIn();
            allLeave();
            assertThatThrownBy(witness::verify).hasMessageContaining("two valid holders at once");
        }

        @Test
        void besideAWriterAreFoundBehindOthersThatCameLater() throws Exception {
            try (Socket late = socket(); Socket early = socket()) {
                say(early, "in 1 a early 10 1000 shared .\nat 1 5000 .\nin 2 a early 10 2000 shared .\nat 2 2500 .\n");
                say(late, "in 1 a late 20 4000 .\nat 1 4500 .\nout 1 left .\n");
            }
            allLeave();
            assertThatThrownBy(witness::verify).hasMessageContaining("two valid holders at once");
        }

        @Test
        void thatFollowAWriterWithAnOlderTokenAreFound() throws Exception {
            one.entered("a", 5, HELD).leaving();
            reads(two, 4).leaving();
            allLeave();
            assertThatThrownBy(witness::verify).hasMessageContaining("a token that did not grow");
        }

        @Test
        void withTheTokenOfAWriterThatFollowsAreFound() throws Exception {
            reads(two, 5).leaving();
            one.entered("a", 5, HELD).leaving();
            allLeave();
            assertThatThrownBy(witness::verify).hasMessageContaining("a token that did not grow");
        }
    }

    @Test
    void tokenThatDoesNotGrowIsFound() throws Exception {
        one.entered("a", 5, HELD).leaving();
        two.entered("a", 5, HELD).leaving();
        allLeave();
        assertThatThrownBy(witness::verify).hasMessageContaining("a token that did not grow of a");
    }

    @Test
    void messagesThatComeLateAreJudgedByTheirClock() throws Exception {
        try (Socket late = socket(); Socket early = socket()) {
            say(late, "in 1 a late 20 2000 .\nat 1 3000 .\nout 1 left .\n");
            say(early, "in 1 a early 10 1000 .\nat 1 1999 .\n"); // frozen before it could say so
            say(early, "in 2 b early 10 1000 .\nat 2 30");       // and killed in the middle of a message
        }
        allLeave();
        witness.verify();
        assertThat(witness.visits()).isEqualTo(3);
        assertThat(witness.longestPause("a")).isEqualTo(Duration.ofNanos(1));
    }

    @Test
    void overlapThatComesLateIsFoundWhicheverCameFirst() throws Exception {
        try (Socket late = socket(); Socket early = socket()) {
            say(late, "in 1 a late 20 2000 .\nat 1 3000 .\n");
            say(early, "in 1 a early 10 1000 .\nat 1 2000 .\n");
        }
        allLeave();
        assertThat(witness.violations()).singleElement().asString().contains("two valid holders at once");
    }

    @Test
    void nonsenseIsReported() throws Exception {
        try (Socket guest = socket()) {
            say(guest, "at 17 1000 .\n");
        }
        allLeave();
        assertThat(witness.violations()).singleElement().asString().contains("nonsense");
    }

    @Test
    void guestsThatStayAreWaitedForAndNamed() {
        assertThatThrownBy(() -> witness.awaitAllLeft(Duration.ofMillis(50))).isInstanceOf(AssertionError.class).hasMessageContaining("2 holders");
    }

    @Test
    void holderThatFindsNoWitnessIsTold() throws Exception {
        witness.close();
        assertThatThrownBy(() -> WitnessedHolder.connect(witness.address(), "late")).isInstanceOf(java.io.IOException.class);
        witness.verify();
    }

    @Test
    void historyIsWrittenInTheOrderOfEntryWhenItFails(@TempDir Path dir) throws Exception {
        Path file = dir.resolve("history.txt");
        witness.historyOnFailure(file);
        one.entered("a", 1, HELD).leaving();
        two.entered("b", 1, HELD).leaving();
        two.entered("a", 2, HELD).leaving();
        await().atMost(SOON).until(() -> witness.visits() == 3);
        witness.verify();
        assertThat(file).doesNotExist();
        one.entered("a", 2, HELD);
        allLeave();
        assertThatThrownBy(witness::verify).hasMessageContaining("the whole history: " + file);
        List<String> lines = Files.readAllLines(file);
        assertThat(lines.get(0)).startsWith("# 4 visits of 2 locks; ");
        assertThat(lines.get(1)).isEqualTo("# a token that did not grow of a");
        assertThat(lines.stream().filter(line -> !line.startsWith("#")).map(line -> line.replaceAll(".* ms  ", ""))).containsExactly(
                "token 1  one, " + thread() + "  (left)  a", "token 1  two, " + thread() + "  (left)  b",
                "token 2  two, " + thread() + "  (left)  a", "token 2  one, " + thread() + "  a");
        witness.historyOnFailure(dir.resolve("no such directory/history.txt"));
        assertThatThrownBy(witness::verify).hasMessageContaining("could not be written");
    }

    private static String thread() {
        return Thread.currentThread().getName();
    }

    @Test
    void manyHoldersAreHeardAtOnce() throws Exception {
        List<WitnessedHolder> many = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            many.add(WitnessedHolder.connect(witness.address(), "holder " + i));
        }
        for (int i = 0; i < many.size(); i++) {
            many.get(i).entered("a", i, HELD).leaving();
        }
        for (WitnessedHolder each : many) {
            each.close();
        }
        allLeave();
        witness.verify();
        assertThat(witness.visits()).isEqualTo(300);
    }

    @Test
    void closingEndsItsThreadsWhoeverIsStillConnected() throws Exception {
        String port = witness.address().substring(witness.address().indexOf(':') + 1);
        assertThat(threadsOf(port)).isNotEmpty();
        witness.close();
        witness.close();
        await().atMost(SOON).until(() -> threadsOf(port).isEmpty());
    }

    private static List<String> threadsOf(String port) {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).filter(name -> name.startsWith("witness-" + port))
                .toList();
    }

    @Test
    void runsAsAProcessOfItsOwn(@TempDir Path dir) throws Exception {
        for (boolean broken : new boolean[] {false, true}) {
            Path history = dir.resolve("history-" + broken);
            Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m",
                    "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"), MutualExclusionWitness.class.getName(),
                    history.toString()).redirectErrorStream(true).start();
            try (BufferedReader said = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
                String address = said.readLine().replace("witness at ", "");
                try (WitnessedHolder three = WitnessedHolder.connect(address, "three")) {
                    three.entered("a", 1, HELD).leaving();
                    three.entered("a", broken ? 1 : 2, HELD).leaving();
                }
                process.getOutputStream().close();
                String verdict = said.lines().collect(Collectors.joining("\n"));
                assertThat(verdict).contains(broken ? "a token that did not grow of a" : "2 visits, and never two at once");
                assertThat(process.waitFor()).isEqualTo(broken ? 1 : 0);
                assertThat(history).content().contains("token 1  three, ");
            } finally {
                process.destroyForcibly();
            }
        }
    }

    private Socket socket() throws Exception {
        String[] address = witness.address().split(":");
        Socket socket = new Socket(address[0], Integer.parseInt(address[1]));
        assertThat(socket.getInputStream().read()).isEqualTo(MutualExclusionWitness.GREETING);
        return socket;
    }

    private static void say(Socket socket, String text) throws Exception {
        OutputStream out = socket.getOutputStream();
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.flush();
    }
}
