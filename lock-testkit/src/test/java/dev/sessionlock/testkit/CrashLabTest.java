package dev.sessionlock.testkit;

import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.spi.FileSystemProvider;
import java.time.Duration;
import java.util.Map;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The lab finds the known faults of writers, and no fault in a correct writer. */
class CrashLabTest {
    private static final String FIRST = "{\"id\":1}\n";
    private static final String SECOND = "{\"id\":2}\n";

    private static void given(Path directory) throws IOException {
        Files.writeString(directory.resolve("session.jsonl"), FIRST);
    }

    private static Path session(Path directory) {
        return directory.resolve("session.jsonl");
    }

    /** A session has its old content or its new content, and nothing in between. */
    private static void oldOrNew(Path directory, CrashRun run) throws IOException {
        assertThat(session(directory)).exists();
        String content = Files.readString(session(directory));
        assertThat(content).isIn(FIRST, FIRST + SECOND);
        if (run.acknowledged().contains("2")) {
            assertThat(content).as("what was acknowledged").isEqualTo(FIRST + SECOND);
        }
    }

    private static CrashLab onASession(CrashLab lab, Class<? extends CrashScenario> scenario) {
        return lab.scenario(scenario).given(CrashLabTest::given).check(CrashLabTest::oldOrNew);
    }

    private static String failureOf(CrashLab lab, Call call) throws Exception {
        try {
            call.run();
        } catch (AssertionError e) {
            CrashJvms.delete(lab.home()); // it is kept for whoever looks into a failure
            return e.getMessage();
        }
        throw new AssertionError("the lab found nothing");
    }

    private interface Call {
        void run() throws Exception;
    }

    // ---- writers ----

    static final class Append implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.writeString(session(directory), SECOND, APPEND);
            CrashLab.acknowledge("2");
        }
    }

    /** Files.move without ATOMIC_MOVE: the JDK deletes the target before it renames. */
    static final class PlainMove implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path fresh = directory.resolve("session.new");
            Files.writeString(fresh, FIRST + SECOND);
            Files.move(fresh, session(directory), REPLACE_EXISTING);
        }
    }

    static final class DeleteThenCreate implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.delete(session(directory));
            Files.writeString(session(directory), FIRST + SECOND);
        }
    }

    static final class InPlace implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.writeString(session(directory), FIRST + SECOND);
        }
    }

    static final class RenameWithoutForce implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path fresh = directory.resolve("session.new");
            Files.writeString(fresh, FIRST + SECOND);
            Files.move(fresh, session(directory), ATOMIC_MOVE);
        }
    }

    static final class WithoutTheDirectory implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path fresh = directory.resolve("session.new");
            writeForced(fresh, FIRST + SECOND);
            Files.move(fresh, session(directory), ATOMIC_MOVE);
            CrashLab.acknowledge("2");
        }
    }

    static final class Right implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path fresh = directory.resolve("session.new");
            writeForced(fresh, FIRST + SECOND);
            Files.move(fresh, session(directory), ATOMIC_MOVE);
            try (FileChannel channel = FileChannel.open(directory, READ)) {
                channel.force(true);
            }
            CrashLab.acknowledge("2");
        }
    }

    private static void writeForced(Path file, String text) throws IOException {
        try (FileChannel channel = FileChannel.open(file, CREATE, WRITE)) {
            ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.force(true);
        }
    }

    // ---- kills ----

    @CrashTest
    void anAppendIsTornByAKill(CrashLab lab) throws Exception {
        String failure = failureOf(lab, () -> onASession(lab, Append.class).killAtEveryStep());
        assertThat(failure).contains("killed within step 1 of 1: write session.jsonl, 9 bytes at 9, 4 bytes done",
                "at dev.sessionlock.testkit.CrashLabTest$Append.run(CrashLabTest.java:",
                "\"{\"id\":1}\\n{\"", "-Dsessionlock.crash=kill:1:half", "3 failures");
    }

    @CrashTest
    @Tag("soak")
    void aMoveThatIsNotAtomicLosesTheSessionToAKill(CrashLab lab) throws Exception {
        String failure = failureOf(lab, () -> onASession(lab, PlainMove.class).killAtEveryStep());
        assertThat(failure).contains("killed after step 3 of 4: delete session.jsonl",
                "killed before step 4 of 4: rename session.new -> session.jsonl",
                "2 failures");
    }

    @CrashTest
    void whatIsDeletedBeforeItIsMadeAnewIsLostToAKill(CrashLab lab) throws Exception {
        String failure = failureOf(lab, () -> onASession(lab, DeleteThenCreate.class).killAtEveryStep());
        assertThat(failure).contains("killed after step 1 of 3: delete session.jsonl",
                "killed before step 3 of 3: write session.jsonl, 18 bytes at 0");
    }

    @CrashTest
    void aRewriteInPlaceIsEmptyOrTornAfterAKill(CrashLab lab) throws Exception {
        String failure = failureOf(lab, () -> onASession(lab, InPlace.class).killAtEveryStep());
        assertThat(failure).contains("killed after step 1 of 2: truncate session.jsonl",
                "killed within step 2 of 2: write session.jsonl, 18 bytes at 0, "
                + "1 byte done", "4 failures");
    }

    @CrashTest
    void theRightWriterStandsEveryKillAndPowerCut(CrashLab lab) throws Exception {
        onASession(lab, Right.class);
        assertThat(lab.killAtEveryStep().runs()).isEqualTo(2 + 5 * 2 + 3);
        lab.powerCutAtEveryStep();
    }

    @CrashTest
    @Tag("soak")
    void theRightWriterStandsEveryFaultAndDelay(CrashLab lab) throws Exception {
        onASession(lab, Right.class);
        lab.failAtEveryStep(CrashFault.values());
        lab.delayEveryStep(Duration.ofMillis(1));
    }

    // ---- power cuts ----

    @CrashTest
    void aRenameWithoutForceLeavesAnEmptyFileAfterAPowerCut(CrashLab lab) throws Exception {
        onASession(lab, RenameWithoutForce.class);
        assertThat(lab.killAtEveryStep().steps()).isEqualTo(3); // no kill finds it
        String failure = failureOf(lab, lab::powerCutAtEveryStep);
        assertThat(failure).contains("the power was cut after the end; survived: all 2 unforced directory operations; "
                + "of the contents nothing unforced",
                "session.jsonl                        0 bytes", "-Dsessionlock.crash=power:4:2+none");
    }

    @CrashTest
    void aRenameWhoseDirectoryWasNotForcedIsUndoneByAPowerCut(CrashLab lab) throws Exception {
        String failure = failureOf(lab, () -> onASession(lab, WithoutTheDirectory.class).powerCutAtEveryStep());
        assertThat(failure).contains("the power was cut after the end; survived: none of 2 unforced directory operations",
                "acknowledged: 2",
                "[what was acknowledged]");
    }

    // ---- faults ----

    /** Goes on after an error as if all or nothing had been written: the next line is glued to the half of this one. */
    static final class RetriesBlindly implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            try {
                Files.writeString(session(directory), SECOND, APPEND);
            } catch (IOException full) {
                Files.writeString(session(directory), SECOND, APPEND);
            }
            CrashLab.acknowledge("2");
        }
    }

    @CrashTest
    void aShortWriteOnAFullDiskIsFound(CrashLab lab) throws Exception {
        String failure = failureOf(lab, () -> onASession(lab, RetriesBlindly.class).failAtEveryStep(CrashFault.ENOSPC, CrashFault.EACCES));
        assertThat(failure).contains("ENOSPC after half of it, at operation 1 that may fail so: write session.jsonl, 9 bytes at 9",
                "{\"id{\"id\":2}", "the scenario returned as if all were well", "-Dsessionlock.crash=fail:1:ENOSPC-half");
    }

    static final class TellsWhatItMeets implements CrashScenario {
        @Override
        public void run(Path directory) {
            try {
                Files.readAllBytes(session(directory));
                Files.createFile(directory.resolve("fresh"));
                try (FileChannel channel = FileChannel.open(session(directory), WRITE)) {
                    channel.write(ByteBuffer.wrap(new byte[]{1}));
                }
            } catch (IOException e) {
                CrashLab.acknowledge(e.getClass().getSimpleName() + ": " + e.getMessage().replace(directory.toString(), "DIR"));
            }
        }
    }

    @CrashTest
    @Tag("soak")
    void faultsAreThrownAsTheJdkThrowsThem(CrashLab lab) throws Exception {
        Set<String> met = new TreeSet<>();
        lab.scenario(TellsWhatItMeets.class).given(CrashLabTest::given).check((directory, run) -> met.addAll(run.acknowledged()))
                .failAtEveryStep(CrashFault.values());
        assertThat(met).containsExactly("AccessDeniedException: DIR/fresh", "AccessDeniedException: DIR/session.jsonl",
                "FileSystemException: DIR/fresh: No space left on device", "IOException: Input/output error",
                "IOException: No space left on device");
    }

    // ---- scenarios for which the lab cannot be trusted ----

    static final class RoundNio implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.writeString(directory.resolve("other"), "x");
            try (FileOutputStream out = new FileOutputStream(session(directory).toFile(), true)) {
                out.write(SECOND.getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    @CrashTest
    void whatGoesRoundNioIsAnError(CrashLab lab) {
        lab.scenario(RoundNio.class).given(CrashLabTest::given).check(directory -> { });
        assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class)
                .hasMessageContainingAll("the directory changed without a step",
                "session.jsonl has 18 bytes, and is not what was written to it from byte 9 on", "FileOutputStream");
    }

    static final class Reads implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.readString(session(directory));
        }
    }

    @CrashTest
    void aScenarioWithoutAStepIsAnError(CrashLab lab) {
        lab.scenario(Reads.class).given(CrashLabTest::given).check(directory -> { });
        assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class).hasMessageContaining("takes no step");
    }

    static final class Throws implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            System.out.println("about to throw");
            throw new IllegalStateException("by itself");
        }
    }

    @CrashTest
    void aScenarioThatFailsByItselfIsAnError(CrashLab lab) {
        lab.scenario(Throws.class).check(directory -> { });
        assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class).hasMessageContainingAll("a run without a fault failed",
                "IllegalStateException: by itself", "CrashLabTest$Throws.run", "about to throw");
    }

    static final class Exits implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.createFile(directory.resolve("made"));
            System.exit(7);
        }
    }

    @CrashTest
    void aScenarioThatExitsWithAStatusIsAnError(CrashLab lab) {
        lab.scenario(Exits.class).check(directory -> { });
        assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class)
                .hasMessageContaining("the JVM ended by itself, with status 7");
    }

    static final class Hangs implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Files.createFile(directory.resolve("made"));
            waitForEver();
        }

        private static void waitForEver() throws InterruptedException {
            new CountDownLatch(1).await();
        }
    }

    @CrashTest
    void aScenarioThatHangsShowsWhere(CrashLab lab) {
        String failure = "";
        long millis = 1_000;
        for (int tries = 0; tries < 4 && !failure.contains("waitForEver"); tries++, millis *= 2) { // a busy machine may need longer to get there
            lab.scenario(Hangs.class).check(directory -> { }).timeout(Duration.ofMillis(millis));
            failure = catchThrowableOfType(AssertionError.class, lab::killAtEveryStep).getMessage();
        }
        assertThat(failure).contains("did not end within " + millis / 2 + " ms", "\"main\" WAITING", "CrashLabTest$Hangs.waitForEver");
    }

    @CrashTest
    void aCheckThatFailsWithoutAFaultIsAnError(CrashLab lab) {
        lab.scenario(Append.class).given(CrashLabTest::given).check(directory -> assertThat(directory.resolve("never")).exists());
        assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class)
                .hasMessageContainingAll("the check fails after a run without a fault",
                "never", "session.jsonl");
    }

    /** As many steps as there were runs before it. */
    static final class Varies implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path count = Path.of(System.getProperty("count"));
            Files.writeString(count, "x", CREATE, APPEND);
            for (long i = Files.size(count); i > 0; i--) {
                Files.createFile(directory.resolve("file-" + i));
            }
        }
    }

    @CrashTest
    @Tag("soak")
    void aScenarioWhoseStepsVaryIsAnErrorUnlessAccepted(CrashLab lab) throws Exception {
        Path count = Files.createTempFile("varies", ".count");
        try {
            lab.scenario(Varies.class).check(directory -> { }).jvmArgs("-Dcount=" + count);
            assertThatThrownBy(lab::killAtEveryStep).isInstanceOf(AssertionError.class)
                    .hasMessageContainingAll("do not take the same steps", "stepsMayVary()");
            lab.stepsMayVary();
            assertThat(lab.killAtEveryStep().steps()).isGreaterThanOrEqualTo(3);
        } finally {
            Files.delete(count);
        }
    }

    @CrashTest
    @Tag("soak")
    void aSingleRunIsDoneAgainByItsName(CrashLab lab) throws Exception {
        onASession(lab, Append.class);
        String failure = failureOf(lab, () -> lab.only("kill:1:half").killAtEveryStep());
        assertThat(failure).contains("1 failure", "4 bytes done").doesNotContain("8 bytes done");
        failure = failureOf(lab, () -> lab.only("power:2:0+torn").powerCutAtEveryStep());
        assertThat(failure).contains("1 failure", "half of the last write", "-Dsessionlock.crash=power:2:0+torn");
        assertThat(lab.only("power:1:0+none").killAtEveryStep().runs()).isZero();
        assertThatThrownBy(() -> lab.only("kill:x").killAtEveryStep()).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("kill:17:half");
    }

    /** What depends on the lab's file system being the default one; the rest is in LabFileSystemProviderTest. */
    static final class UsesTheDefault implements CrashScenario {
        @Override
        public void run(Path directory) throws Exception {
            Path made = Files.createTempFile(directory, "a", "b");
            require(PosixFilePermissions.toString(Files.getPosixFilePermissions(made)).equals("rw-------"), "mode of a temporary file");
            require(Path.of(made.toString()).equals(made) && made.toFile().toPath().equals(made) && Path.of(made.toUri()).equals(made),
                    "paths of all origins are the same");
            Files.writeString(directory.resolve("a.txt"), "text");
            require(new File(directory.toFile(), "a.txt").length() == 4, "java.io.File sees it");
            URI zip = URI.create("jar:" + directory.resolve("a.zip").toUri());
            try (FileSystem inside = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
                Files.copy(directory.resolve("a.txt"), inside.getPath("/b.txt"));
            }
            require(new Scanner(directory.resolve("a.txt")).next().equals("text"), "scanner");
            require(FileSystems.getDefault().provider() == FileSystemProvider.installedProviders().get(0), "installed");
        }

        private static void require(boolean well, String what) {
            if (!well) {
                throw new AssertionError(what);
            }
        }
    }

    @CrashTest
    void theLabsFileSystemIsTheDefaultOne(CrashLab lab) throws Exception {
        lab.scenario(UsesTheDefault.class).check(directory -> { }).only("kill:1:before").killAtEveryStep();
    }

    // ---- without JUnit, and what is left behind ----

    @Test
    @Tag("soak")
    void aLabLeavesNothingBehind() throws Exception {
        String mark = "-Dmark=" + UUID.randomUUID();
        Path home;
        try (CrashLab lab = CrashLab.create()) {
            onASession(lab, Right.class).jvmArgs(mark).killAtEveryStep();
            home = lab.home();
            assertThat(home).isDirectory();
        }
        assertThat(home).doesNotExist();
        assertThat(ProcessHandle.current().descendants().map(ProcessHandle::info).map(info -> info.commandLine().orElse("")))
                .noneMatch(line -> line.contains(mark));
    }

    @CrashTest
    @Tag("soak")
    void theDirectoryOfAFailureStays(CrashLab lab) throws Exception {
        String failure = null;
        try {
            onASession(lab, Append.class).killAtEveryStep();
        } catch (AssertionError e) {
            failure = e.getMessage();
        }
        lab.close();
        String kept = failure.lines().filter(line -> line.contains("kept in ")).findFirst().orElseThrow();
        Path directory = Path.of(kept.substring(kept.indexOf('/'), kept.lastIndexOf(':')));
        assertThat(Files.readString(session(directory))).startsWith(FIRST + "{");
        CrashJvms.delete(lab.home());
    }
}
