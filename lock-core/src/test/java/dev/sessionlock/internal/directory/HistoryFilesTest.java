package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.PastHold;
import dev.sessionlock.PastHold.Ending;
import dev.sessionlock.PastHold.HolderProcess;
import dev.sessionlock.SmallJvm;
import dev.sessionlock.internal.system.HolderProcesses;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The history's two files: what is written is read again, by this version and by others, and a kill in the middle of a write costs the last batch at most. */
class HistoryFilesTest {
    private static final Instant SINCE = Instant.parse("2026-02-09T06:32:23.123456Z");
    private static final PastHold HOLD = new PastHold("session.jsonl", 42L, 4711, "moss", "main", "append", SINCE, SINCE.plusMillis(7), Ending.RELEASED, 3,
            Duration.ofNanos(5_000), Duration.ZERO, Duration.ofDays(400));

    @TempDir
    Path temp;

    private static PastHold with(String name, long token, Ending ending, Instant until) {
        return new PastHold(name, token, 4711, null, null, null, null, until, ending, 1, null, Duration.ZERO, null);
    }

    @Nested
    class Lines {
        @Test
        void areReadAsTheyWereWritten() {
            assertThat(HistoryCodec.decode(HistoryCodec.encode(HOLD))).isEqualTo(HOLD);
            PastHold little = with("x", 1, Ending.PROCESS_DIED, SINCE);
            assertThat(HistoryCodec.decode(HistoryCodec.encode(little))).isEqualTo(little);
        }

        @Test
        void nameTheProcessInFewBytes() {
            HolderProcess process = HolderProcesses.of(123_456_789, SINCE, "0f3a5c7e-1111-2222-3333-444455556666", "4026531836", "4026531834");
            PastHold whole = of(process);
            assertThat(HistoryCodec.decode(HistoryCodec.encode(whole))).isEqualTo(whole);
            assertThat(HistoryCodec.encode(whole).length - HistoryCodec.encode(HOLD).length).isLessThanOrEqualTo(65);
            PastHold withoutProc = of(HolderProcesses.of(-1, SINCE.truncatedTo(ChronoUnit.MILLIS), null, null, null));
            assertThat(HistoryCodec.decode(HistoryCodec.encode(withoutProc))).isEqualTo(withoutProc);
            PastHold otherClock = of(HolderProcesses.of(1, null, null, "2", "3"));
            assertThat(HistoryCodec.decode(HistoryCodec.encode(otherClock))).isEqualTo(otherClock);
        }

        @Test
        void ofAnEarlierVersionNameNoProcess() {
            byte[] line = new CheckedLine().number("v", 1L).text("name", "x", 10).number("pid", 7L).time("until", SINCE).number("count", 1L).bytes();
            assertThat(HistoryCodec.decode(line).process()).isNull();
            byte[] hostile = new CheckedLine().text("name", "x", 10).number("pid", 7L).time("until", SINCE).number("count", 1L).text("starttime", "soon", 9)
                    .number("started", 5L).number("boot", 1L).number("pidns", 2L).text("timens", "t".repeat(500), 500).bytes();
            assertThat(HistoryCodec.decode(hostile).process()).isEqualTo(new HolderProcess(null, null, null, null, "t".repeat(40)));
        }

        private PastHold of(HolderProcess process) {
            return new PastHold(HOLD.name(), HOLD.token(), HOLD.pid(), HOLD.host(), HOLD.thread(), HOLD.purpose(), HOLD.since(), HOLD.until(), HOLD.ending(), HOLD.count(),
                    HOLD.longest(), HOLD.waited(), HOLD.longestWaitBehind(), process);
        }

        @Test
        void hostileTextStaysOnItsLine() {
            String hostile = "\n\r\t\"\\\u001b[2J\u2028 \ud83d\ude00 \ud83d {\"crc\":\"";
            PastHold hold = new PastHold(hostile, null, 1, hostile, hostile, hostile, null, SINCE, Ending.RELEASED, 1, null, null, null);
            byte[] line = HistoryCodec.encode(hold);
            assertThat(new String(line, StandardCharsets.UTF_8)).doesNotContain("\n", "\r", "\u001b");
            assertThat(HistoryCodec.decode(line)).isEqualTo(hold);
            assertThat(hold.toString()).doesNotContain("\n", "\u001b");
        }

        @Test
        void textsAreCut() {
            String endless = "x".repeat(100_000);
            PastHold hold = new PastHold(endless, null, 1, endless, endless, endless, null, SINCE, Ending.RELEASED, 1, null, null, null);
            assertThat(HistoryCodec.encode(hold)).hasSizeLessThan(CheckedLine.LONGEST);
        }

        @Test
        void eachChangedByteIsNoticed() {
            byte[] line = HistoryCodec.encode(HOLD);
            for (int i = 0; i < line.length; i++) {
                byte[] changed = line.clone();
                changed[i] ^= 1;
                assertThat(HistoryCodec.decode(changed)).as("byte %d", i).isNull();
                assertThat(HistoryCodec.decode(java.util.Arrays.copyOf(line, i))).as("cut at %d", i).isNull();
            }
        }

        @Test
        void timesOfOtherMillenniaAreClamped() {
            byte[] line = HistoryCodec.encode(with("x", 1, Ending.RELEASED, Instant.MAX));
            assertThat(HistoryCodec.decode(line).until()).isEqualTo(Instant.parse("9999-12-31T23:59:59.999999999Z"));
        }

        @Test
        void ofALaterVersionAreRead() {
            byte[] line = new CheckedLine().number("v", 2L).text("name", "x", 10).text("fencedBy", "something", 50).number("token", 5L).number("pid", 7L)
                    .time("until", SINCE).text("ending", "EVAPORATED", 50).number("count", 2L).bytes();
            PastHold read = HistoryCodec.decode(line);
            assertThat(read.ending()).isEqualTo(Ending.UNKNOWN);
            assertThat(read.token()).isEqualTo(5);
            assertThat(read.count()).isEqualTo(2);
        }

        @Test
        void thatLackSomethingAreSkipped() {
            assertThat(HistoryCodec.decode(new CheckedLine().text("name", "x", 10).bytes())).isNull();
            assertThat(HistoryCodec.decode(new CheckedLine().text("name", "x", 10).number("pid", 7L).time("until", SINCE).number("count", 0L).bytes())).isNull();
            assertThat(HistoryCodec.decode(new CheckedLine().text("name", "x", 10).number("pid", 7L).text("until", "+12026-02-09T06:32:23Z", 50).number("count", 1L)
                    .bytes())).isNull();
        }
    }

    /** Found by HostileDirectoryTest: JUnit could not delete its directory, in which a keeper made the file just then. */
    @Nested
    class WhereTheFileIsMissing {
        private Path file;
        private LockDirectory directory;

        @BeforeEach
        void open() throws Exception {
            file = temp.resolve(".session-locks/history");
            directory = OpenDirectories.OF_THIS_PROCESS.pin(temp, false);
            directory.notes().note(HOLD);
        }

        @AfterEach
        void close() {
            OpenDirectories.OF_THIS_PROCESS.unpin(directory);
        }

        @Test
        void itIsMadeOnlyIfItWasMissingAWhileAgoToo() {
            directory.notes().write(false);
            assertThat(file).as("somebody may be deleting the directory").doesNotExist();
            await().until(() -> {
                directory.notes().write(false);
                return Files.exists(file);
            });
        }

        @Test
        void directoryIsClosedOnlyOnceItIsMade() throws Exception {
            OpenDirectories.OF_THIS_PROCESS.unpin(directory);
            try {
                assertThat(OpenDirectories.OF_THIS_PROCESS.closeIfIdle(directory, true)).isFalse();
                assertThat(file).as("somebody may be deleting the directory").doesNotExist();
                await().until(() -> OpenDirectories.OF_THIS_PROCESS.closeIfIdle(directory, true));
                assertThat(file).exists();
            } finally {
                directory = OpenDirectories.OF_THIS_PROCESS.pin(temp, false);
            }
        }

        @Test
        void directoryThatIsBeingDeletedIsClosedWithoutIt() throws Exception {
            OpenDirectories.OF_THIS_PROCESS.unpin(directory);
            try {
                Files.delete(temp.resolve(".session-locks/guard-00"));
                await().until(() -> OpenDirectories.OF_THIS_PROCESS.closeIfIdle(directory, true));
                assertThat(file).doesNotExist();
            } finally {
                directory = OpenDirectories.OF_THIS_PROCESS.pin(temp, false);
            }
        }

        @Test
        void itIsMadeAtOnceIfThereIsNoLaterTime() {
            directory.notes().write(true);
            assertThat(file).exists();
        }

        @Test
        void whatIsThereIsWrittenAtOnce() throws Exception {
            directory.notes().write(true);
            long size = Files.size(file);
            directory.notes().note(HOLD);
            directory.notes().write(false);
            assertThat(Files.size(file)).isGreaterThan(size);
        }
    }

    @Nested
    class TwoFiles {
        @Test
        void unusualEndingsOutlastTheOrdinaryOnes() throws Exception {
            LockDirectory directory = OpenDirectories.OF_THIS_PROCESS.pin(temp, false);
            try {
                HistoryFiles files = new HistoryFiles(directory, 64 * 1024);
                assertThat(files.append(lines(with("x", 1, Ending.LEAKED, SINCE)))).isTrue();
                for (int i = 2; i < 2_000; i++) {
                    assertThat(files.append(lines(with("x", i, Ending.RELEASED, SINCE.plusSeconds(i))))).isTrue();
                    long size = Files.size(temp.resolve(".session-locks/history")) + sizeOfOld();
                    assertThat(size).isLessThanOrEqualTo(64 * 1024);
                }
                List<PastHold> read = HistoryFiles.read(temp, name -> true);
                assertThat(read).extracting(PastHold::token).contains(1L, 1_999L).doesNotContain(2L, 100L);
                List<Long> ordinary = read.stream().filter(hold -> hold.ending().isOrdinary()).map(PastHold::token).toList();
                for (int i = 1; i < ordinary.size(); i++) {
                    assertThat(ordinary.get(i)).isEqualTo(ordinary.get(i - 1) + 1);
                }
            } finally {
                OpenDirectories.OF_THIS_PROCESS.unpin(directory);
                OpenDirectories.OF_THIS_PROCESS.closeIfIdle(directory, true);
            }
        }

        private long sizeOfOld() throws IOException {
            Path old = temp.resolve(".session-locks/history.old");
            return Files.exists(old) ? Files.size(old) : 0;
        }
    }

    private static ArrayDeque<byte[]> lines(PastHold... holds) {
        ArrayDeque<byte[]> lines = new ArrayDeque<>();
        for (PastHold hold : holds) {
            lines.add(HistoryCodec.encode(hold));
        }
        return lines;
    }

    /** Two processes write without a pause, and are killed again and again. */
    @Nested
    class Kills {
        private static final int KILLS = Boolean.getBoolean("soak") ? 200 : 8;

        @Test
        void costTheLastBatchAtMost() throws Exception {
            for (int kill = 0; kill < KILLS; kill++) {
                boolean rotates = kill % 2 == 0; // then what one has written may be gone, because the other has written more since
                Path dir = Files.createDirectories(temp.resolve(rotates ? "small" : "large"));
                String bytes = rotates ? "65536" : "16777216";
                List<Process> writers = List.of(Writer.start(dir, "a" + kill, bytes), Writer.start(dir, "b" + kill, bytes));
                try {
                    for (Process writer : writers) {
                        assertThat(writer.getInputStream().read()).as("it writes").isGreaterThan(0);
                    }
                    java.util.concurrent.locks.LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(50_000_000)); // when it is killed
                } finally {
                    writers.forEach(Writer::kill);
                }
                List<PastHold> read = HistoryFiles.read(dir, name -> true);
                assertThat(read).isNotEmpty();
                Map<String, List<Long>> byWriter = read.stream()
                        .collect(Collectors.groupingBy(PastHold::name, Collectors.mapping(PastHold::token, Collectors.toList())));
                byWriter.forEach((writer, tokens) -> {
                    for (int i = 1; i < tokens.size(); i++) {
                        assertThat(tokens.get(i)).as("%s: none is missing between those that are kept", writer).isEqualTo(tokens.get(i - 1) + 1);
                    }
                });
                for (int i = 0; i < 2; i++) {
                    String said = new String(writers.get(i).getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                    List<String> whole = new ArrayList<>(said.lines().toList());
                    if (!said.endsWith("\n")) {
                        whole.remove(whole.size() - 1);
                    }
                    if (!whole.isEmpty() && !rotates) {
                        long told = Long.parseLong(whole.get(whole.size() - 1));
                        assertThat(byWriter.getOrDefault((i == 0 ? "a" : "b") + kill, List.of(-1L))).last().satisfies(last -> assertThat(last).isGreaterThanOrEqualTo(told));
                    }
                }
            }
        }
    }

    /** Writes as fast as it can, in batches, and says after each which number was the last. */
    static final class Writer {
        public static void main(String... args) throws Exception {
            LockDirectory directory = OpenDirectories.OF_THIS_PROCESS.pin(Path.of(args[0]), false);
            HistoryFiles files = new HistoryFiles(directory, Long.parseLong(args[2]));
            StringBuilder said = new StringBuilder();
            for (long token = 1; ; ) {
                ArrayDeque<byte[]> batch = new ArrayDeque<>();
                for (int i = 0; i < 20; i++) {
                    batch.add(HistoryCodec.encode(with(args[1], token++, Ending.RELEASED, Instant.now())));
                }
                while (!files.append(batch)) {
                    Thread.onSpinWait();
                }
                said.setLength(0);
                System.out.write(said.append(token - 1).append('\n').toString().getBytes(StandardCharsets.UTF_8));
                System.out.flush();
            }
        }

        /** By its handle: what it has said stays there to be read. */
        static void kill(Process writer) {
            writer.toHandle().destroyForcibly();
            writer.onExit().join();
        }

        static Process start(Path dir, String name, String bytes) throws IOException {
            List<String> command = SmallJvm.command();
            command.addAll(List.of(Writer.class.getName(), dir.toString(), name, bytes));
            return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        }
    }
}
