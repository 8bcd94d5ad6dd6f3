package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.cli.MainTest.Outcome;
import dev.sessionlock.internal.system.CurrentUser;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code why}, {@code history} and {@code list} in the directory of another user, who has put other things in the place of the history, of the page, and into what
 * is shown. Nothing of others is overwritten or shown, nothing is waited for, and a person is told one sentence.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class HostileStoryTest {
    private static final int NOBODY = 65534;
    private static final int ROUNDS = Boolean.getBoolean("soak") ? 5_000 : 100;
    private static final String SECRET = "root:$6$secret";

    @TempDir
    private Path temp;
    private Path home;
    private Path session;
    private Path inner;

    @BeforeEach
    void directoryOfAnotherUser() throws IOException {
        Files.setAttribute(temp, "unix:mode", 0755);
        home = Files.createDirectory(temp.resolve("home"));
        inner = Files.createDirectory(home.resolve(".session-locks"));
        session = Files.writeString(home.resolve("session.jsonl"), "x");
        if (CurrentUser.isRoot()) {
            for (Path theirs : List.of(home, inner, session)) {
                give(theirs);
            }
        }
    }

    private static Path give(Path file) throws IOException {
        Files.setAttribute(file, "unix:uid", NOBODY);
        Files.setAttribute(file, "unix:gid", NOBODY);
        return file;
    }

    private static void run(String... command) throws Exception {
        assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).as("%s", List.of(command)).isZero();
    }

    /** {@return a line of a file of lines, with its checksum} */
    static String checked(String members) {
        CRC32C crc = new CRC32C();
        crc.update(members.getBytes(StandardCharsets.UTF_8));
        return members + String.format(Locale.ROOT, ",\"crc\":\"%08x\"}\n", crc.getValue());
    }

    private static String past(String name, String further) {
        return checked("{\"v\":1,\"name\":\"" + name + "\",\"token\":7,\"pid\":4000000,\"until\":\"2026-11-24T14:19:03.123Z\",\"ending\":\"RELEASED\",\"count\":1" + further);
    }

    /** {@return what the tool says in a JVM that cannot hold all that may lie there} */
    private static String inASmallJvm(String... args) throws Exception {
        Outcome outcome = inAJvm("-Xmx32m", args);
        assertThat(outcome.exitCode()).as("%s", outcome).isZero();
        return outcome.out();
    }

    private static Outcome inAJvm(String option, String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), option, "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(args));
        Process tool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(tool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Outcome(tool.waitFor(), said, "");
    }

    /** Runs each command that reads the history, and the page. Each must say one sentence, or answer. */
    private List<Outcome> everyCommand() throws IOException {
        Path page = temp.resolve("page.html");
        List<Outcome> outcomes = Stream.of(new String[] {"history", session.toString()}, new String[] {"history", home.toString()},
                new String[] {"history", "--json", home.toString()}, new String[] {"why", session.toString()}, new String[] {"why", "--json", session.toString()},
                new String[] {"why", "--html", page.toString(), session.toString()}, new String[] {"list", "--openmetrics", home.toString()}).map(Outcome::of).toList();
        assertThat(outcomes).allSatisfy(outcome -> {
            assertThat(outcome.err().lines().count()).as(outcome.err()).isLessThanOrEqualTo(1);
            assertThat(outcome.exitCode()).isNotEqualTo(1);
            assertThat(outcome.out() + outcome.err()).doesNotContain(SECRET, "defect", "Exception");
        });
        if (Files.exists(page)) {
            assertThat(Files.readString(page)).doesNotContain(SECRET);
        }
        return outcomes;
    }

    /** Puts files in the place of another one in turn, as fast as it can, while something is done often. One of the files is a FIFO, for which nobody may wait. */
    private static void whileSwapping(Path place, Path store, List<String> names, Runnable action) throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger swaps = new AtomicInteger();
        CompletableFuture<Void> swapping = CompletableFuture.runAsync(() -> {
            try {
                for (int i = 0; !over.get(); i++) {
                    Path next = Files.createLink(store.resolve("next"), store.resolve(names.get(i % names.size())));
                    Files.move(next, place, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
                    Files.deleteIfExists(next); // rename(2) of two names of one file does nothing
                    swaps.incrementAndGet();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        try {
            for (int round = 0; round < ROUNDS; round++) {
                CompletableFuture.runAsync(action).get(30, TimeUnit.SECONDS);
            }
        } finally {
            over.set(true);
            new RandomAccessFile(store.resolve("fifo").toFile(), "rw").close(); // a thread that waits for it goes on
        }
        swapping.join();
        assertThat(swaps).hasPositiveValue();
    }

    @Nested
    class AHistoryThatIs {
        private final List<String> names = List.of("history", "history.old", "waiting-1");

        @Test
        void aFifo() throws Exception {
            for (String name : names) {
                run("mkfifo", inner.resolve(name).toString());
            }
            assertThat(everyCommand()).first().satisfies(history -> assertThat(history.out()).startsWith("No past holds are known"));
        }

        @Test
        void aLinkToASecret() throws Exception {
            Path secret = Files.writeString(temp.resolve("shadow"), SECRET + "\n" + past("session.jsonl", ",\"purpose\":\"" + SECRET + "\""));
            for (String name : names) {
                Files.createSymbolicLink(inner.resolve(name), secret);
            }
            everyCommand();
        }

        @Test
        void aDirectoryOrUnreadable() throws Exception {
            Files.createDirectory(inner.resolve("history"));
            Files.writeString(inner.resolve("history.old"), past("session.jsonl", ""));
            Files.setAttribute(inner.resolve("history.old"), "unix:mode", 0);
            Outcome history = everyCommand().get(0);
            assertThat(history.out() + history.err()).contains(CurrentUser.isRoot() ? "pid 4000000" : "sessionlock: ");
        }

        @Test
        void sparseAndATerabyteLong() throws Exception {
            for (String name : names) {
                try (RandomAccessFile file = new RandomAccessFile(inner.resolve(name).toFile(), "rw")) {
                    file.setLength(1L << 40);
                    file.seek((1L << 40) - 1_000);
                    file.write(("\n" + past("session.jsonl", ",\"purpose\":\"last\"")).getBytes(StandardCharsets.UTF_8));
                }
            }
            assertThat(everyCommand()).first().satisfies(history -> assertThat(history.out()).contains("for \"last\""));
            assertThat(inASmallJvm("history", session.toString())).contains("for \"last\"");
            assertThat(inASmallJvm("why", session.toString())).contains("for \"last\"");
        }

        /** Also by what is cut while it is read. Other users than root may have to wait for a FIFO. */
        @Test
        void swappedWhileItIsRead() throws Exception {
            assumeTrue(CurrentUser.isRoot());
            Path store = Files.createDirectory(temp.resolve("store"));
            Path secret = Files.writeString(temp.resolve("secret"), past("session.jsonl", ",\"purpose\":\"" + SECRET + "\""));
            run("mkfifo", store.resolve("fifo").toString());
            Files.createSymbolicLink(store.resolve("link"), secret);
            StringBuilder lines = new StringBuilder();
            IntStream.range(0, 500).forEach(i -> lines.append(past("session.jsonl", ",\"token\":" + i)));
            Files.writeString(store.resolve("long"), lines);
            whileSwapping(inner.resolve("history"), store, List.of("long", "fifo", "long", "link"), () -> {
                try (FileChannel growing = FileChannel.open(store.resolve("long"), StandardOpenOption.WRITE)) {
                    growing.truncate(100_000);
                    growing.write(ByteBuffer.wrap(lines.toString().getBytes(StandardCharsets.UTF_8)), 0);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
                Outcome history = Outcome.of("history", session.toString());
                assertThat(history.exitCode()).isIn(0, 2);
                assertThat(history.err().lines().count()).as(history.err()).isLessThanOrEqualTo(1);
                assertThat(history.out() + history.err()).doesNotContain(SECRET, "Exception");
            });
        }

        /** The whole folder: a link to that of somebody else, or no folder. */
        @Test
        void inAFolderThatIsALinkOrNoFolder() throws Exception {
            Path others = Files.createDirectory(temp.resolve("others"));
            for (String name : names) {
                Files.writeString(others.resolve(name), past("session.jsonl", ",\"pid\":" + ProcessHandle.current().pid() + ",\"purpose\":\"" + SECRET + "\""));
            }
            Files.delete(inner);
            Files.createSymbolicLink(inner, others);
            everyCommand();
            Files.delete(inner);
            run("mkfifo", inner.toString());
            everyCommand();
        }

        @Test
        void ofASessionThatIsAFifoOrALink() throws Exception {
            Files.delete(session);
            run("mkfifo", session.toString());
            everyCommand();
            Files.delete(session);
            Files.createSymbolicLink(session, Path.of("/dev/tty"));
            everyCommand();
        }

        @Test
        void fullOfWhatIsNoLine() throws Exception {
            String deep = checked("{\"a\":" + "[".repeat(2_000) + "]".repeat(2_000));
            String huge = past("session.jsonl", ",\"purpose\":\"" + "x".repeat(7_000) + "\"");
            Files.write(inner.resolve("history"), (deep + deep.replace('[', '{') + "\0\0\n\n" + past("\\u0000/../x", "") + past("../../etc/passwd", "") + past("", "") + huge
                    + past("session.jsonl", ",\"token\":8,\"thread\":\"\\ud83d\\u0000\\u202e\",\"host\":{\"a\":[]}")).getBytes(StandardCharsets.UTF_8));
            Files.write(inner.resolve("history.old"), new byte[] {'\n', (byte) 0xc3, 0x28, (byte) 0xff, '\n', '{', '}'});
            assertThat(everyCommand()).first().satisfies(history -> assertThat(history.out()).contains("\\ud83d\\u0000\\u202e"));
        }
    }

    @Nested
    class Waiters {
        /** A name that is no name of a file: whoever makes a path of it fails. */
        @Test
        void withNamesThatAreNone() throws Exception {
            String self = Long.toString(ProcessHandle.current().pid());
            StringBuilder lines = new StringBuilder();
            for (String name : List.of("\\u0000", "../../etc/shadow", "a/b", "", "session.jsonl")) {
                lines.append(checked("{\"v\":1,\"name\":\"" + name + "\",\"pid\":" + self + ",\"thread\":\"" + SECRET.replace("root", "no") + "\\u001b[2J<script>\""));
            }
            Files.writeString(inner.resolve("waiting-2"), lines);
            everyCommand();
        }
    }

    /** Not the exit code 1, by which a JVM ends that runs out of memory: it means that a lock needs a person. */
    @Test
    void whatDoesNotFitIntoMemoryIsToldInASentence() throws Exception {
        StringBuilder many = new StringBuilder();
        IntStream.range(0, 100_000).forEach(i -> many.append(past("session.jsonl", ",\"token\":" + i)));
        Files.writeString(inner.resolve("history"), many);
        Outcome outcome = inAJvm("-Xmx16m", "history", home.toString());
        assertThat(outcome.exitCode()).isEqualTo(2);
        assertThat(outcome.out()).isEqualTo("sessionlock: there is more to show than fits into this JVM's memory (java -Xmx)" + System.lineSeparator());
    }

    /** Somebody writes waiters without end. A process writes 256 lines at most. */
    @Test
    void moreWaitersThanThereCanBe() throws Exception {
        String lines = past("session.jsonl", ",\"pid\":" + ProcessHandle.current().pid()).repeat(3_000);
        for (int i = 0; i < 500; i++) {
            Files.writeString(inner.resolve("waiting-" + Integer.toHexString(i)), lines);
        }
        assertThat(inASmallJvm("why", "--json", session.toString())).contains("\"state\":\"FREE\"");
    }

    @Test
    void longTextDoesNotMakeEachLineLong() throws Exception {
        String few = past("session.jsonl", ",\"thread\":\"" + "t".repeat(7_000) + "\"");
        StringBuilder many = new StringBuilder(few);
        IntStream.range(0, 2_000).forEach(i -> many.append(past("session.jsonl", ",\"token\":" + i)));
        Files.writeString(inner.resolve("history"), many);
        assertThat(Outcome.of("history", home.toString()).out()).hasSizeLessThan(2_001 * 400);
    }

    /** {@code why --html OUT}. */
    @Nested
    class ThePage {
        private Path page;

        @BeforeEach
        void isThere() {
            page = home.resolve("incident.html");
        }

        private Outcome write(String... options) {
            return Outcome.of(Stream.of(List.of("why", "--html", page.toString()), List.of(options), List.of(session.toString())).flatMap(List::stream).toArray(String[]::new));
        }

        private void assertRefused(Outcome outcome, String why) {
            assertThat(outcome.exitCode()).isEqualTo(2);
            assertThat(outcome.err()).startsWith("sessionlock: ").contains(page.toString(), why);
            assertThat(outcome.err().lines()).hasSize(1);
        }

        @Test
        void ofAnotherUserIsNotReplaced() throws Exception {
            assumeTrue(CurrentUser.isRoot());
            Files.writeString(page, StoryPage.BEGINNING + "theirs");
            give(page);
            assertRefused(write(), "belongs to another user");
            assertThat(Files.readString(page)).endsWith("theirs");
            assertThat(write("--force").exitCode()).isZero();
            assertThat(Files.readString(page)).endsWith("</html>\n");
        }

        /** The page shows what the lock's directory may keep from others. */
        @Test
        void isForItsWriterAlone() throws Exception {
            assertThat(write().exitCode()).isZero();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(page))).isEqualTo("rw-------");
            assertThat(CurrentUser.is((int) Files.getAttribute(page, "unix:uid"))).isTrue();
        }

        @ParameterizedTest
        @ValueSource(strings = {"", "--force"})
        void neverReplacesADeviceOrAFifo(String option) throws Exception {
            run("mkfifo", page.toString());
            assertRefused(option.isEmpty() ? write() : write(option), "device");
            Files.delete(page);
            if (CurrentUser.isRoot() && new ProcessBuilder("mknod", page.toString(), "c", "1", "3").start().waitFor() == 0) {
                assertRefused(option.isEmpty() ? write() : write(option), "device");
                assertThat(Files.readAttributes(page, BasicFileAttributes.class).isOther()).isTrue();
            }
        }

        /** A thread puts a page of ours, a FIFO, a link to a secret and an ordinary file there in turn, as fast as it can. */
        @Test
        void isWrittenWhileOthersAreSwappedIn() throws Exception {
            Path store = Files.createDirectory(temp.resolve("store"));
            Path secret = Files.writeString(temp.resolve("secret"), SECRET);
            run("mkfifo", store.resolve("fifo").toString());
            Files.createSymbolicLink(store.resolve("link"), secret);
            Files.writeString(store.resolve("page"), StoryPage.BEGINNING + "earlier");
            Files.writeString(store.resolve("notes"), "notes");
            whileSwapping(page, store, List.of("page", "fifo", "page", "link", "page", "notes"), () -> {
                Outcome outcome = write();
                assertThat(outcome.exitCode()).isIn(0, 2);
                assertThat(outcome.err().lines().count()).as(outcome.err()).isLessThanOrEqualTo(1);
            });
            assertThat(secret).hasContent(SECRET);
            assertThat(store.resolve("notes")).hasContent("notes");
            assertThat(Files.readString(store.resolve("page"))).endsWith("earlier");
            assertThat(Files.readAttributes(store.resolve("fifo"), BasicFileAttributes.class).isOther()).isTrue();
            try (Stream<Path> left = Files.list(home)) {
                assertThat(left).as("nothing is left beside it").noneMatch(file -> file.getFileName().toString().startsWith(".sessionlock"));
            }
        }

        @Test
        void hasTheLongestName() throws Exception {
            page = home.resolve("x".repeat(250) + ".html");
            assertThat(write().err()).isEmpty();
            assertThat(page).exists();
        }
    }
}
