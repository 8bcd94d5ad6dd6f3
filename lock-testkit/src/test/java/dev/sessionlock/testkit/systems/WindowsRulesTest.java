package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.LabSystem;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The library in a JVM that believes it runs on Windows, on files that behave as they do there: {@link LabSystem} says how far. */
@EnabledOnOs(OS.LINUX)
class WindowsRulesTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String[] CYCLE = {"held true", "free true", "held true", "free true", "held true", "free true", "free true"};

    @TempDir
    Path dir;

    @BeforeEach
    void requireStreams() throws IOException {
        assumeTrue(LabDisk.hasStreams(dir), "the disk of the tests has no extended attributes, which play named streams");
    }

    private ChildJvm start(String scenario, String... options) throws Exception {
        return ChildJvm.of(WindowsRulesActor.class).on(LabSystem.WINDOWS).jvmArgs("-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dscenario=" + scenario)
                .jvmArgs(options).args(dir.resolve("session.jsonl").toString()).start();
    }

    private List<String> run(String scenario, String... options) throws Exception {
        try (ChildJvm actor = start(scenario, options)) {
            actor.awaitExit(PATIENCE);
            return actor.output().lines()
                    .filter(line -> line.matches("(held|free|lost|still|stays|aside|Exception|\\tat|Caused).*") || line.contains("Exception")).toList();
        }
    }

    @Test
    void takesALockAndGivesItBack() throws Exception {
        assertThat(run("cycle")).containsExactly(CYCLE);
    }

    /** A virus scanner opens each file that is created or gets another name, and lets nobody open, rename or delete it for a moment. */
    @Test
    void waitsForAVirusScanner() throws Exception {
        assertThat(run("cycle", "-Dsessionlock.lab.scanner=3")).containsExactly(CYCLE);
    }

    /** A handle on which a thread waits for a byte serves nobody else meanwhile, and 64 guard files carry the bytes of all locks. */
    @Test
    void waitingInTheKernelKeepsNobodyFromOtherLocks() throws Exception {
        try (ChildJvm holder = holding("-Dlease=60000")) { // a busy machine must not end it
            assertThat(run("wait")).containsExactly("free for others, waiting true", "held by the waiter true", "free true");
            assertThat(holder.awaitExit(PATIENCE)).isZero();
        }
    }

    private ChildJvm holding(String... options) throws Exception {
        ChildJvm holder = start("hold", options);
        await().atMost(PATIENCE).until(() -> holder.output().contains("held"));
        return holder;
    }

    /** The record of the dead is moved aside, looked at there, and deleted. */
    @Test
    void killedHolderIsReplaced() throws Exception {
        holding().close();
        assertThat(run("cycle")).containsExactly(CYCLE);
    }

    /** The successor's record is renamed over that of the frozen holder, which has its own file open. */
    @Test
    void frozenHolderIsTakenOver() throws Exception {
        try (ChildJvm holder = holding()) {
            holder.freeze();
            assertThat(run("cycle").stream().filter(line -> !line.startsWith("free"))).as("some record stays, as everywhere").containsExactly("held true", "held true", "held true");
        }
    }

    /** A file is told apart by a second look at its name, which may find it gone: that is no file, and no trouble. */
    @Test
    void fileThatVanishesBetweenTwoLooksIsNone() throws Exception {
        assertThat(run("vanishing")).containsExactly("still looked at true", "free true");
    }

    /** A directory cannot be opened there, so it cannot be forced: before the seam, this failed after the work was done. */
    @Test
    void replacesTheTargetWithoutForcingTheDirectory() throws Exception {
        assertThat(run("replace")).containsExactly("held new", "held one 2", "free true");
        assertThat(run("replace", "-Dsessionlock.lab.scanner=3")).containsExactly("held new", "held one 2", "free true");
    }

    /** Windows opens one file by several names, and devices by names that look like files'. */
    @Test
    void fileHasOneLockWhateverItsNameIs() throws Exception {
        List<String> said = run("names");
        assertThat(said).startsWith("held already session.jsonl.", "held already session.jsonl...", "held already SESSIO~1.JSO", "held beside OTHERS~1.JSO true");
        assertThat(said.subList(4, 6)).allMatch(line -> line.contains("opens no file by this name"));
        assertThat(said).hasSize(7).endsWith("free true");
    }

    /** While it is mapped, it can be written to, and neither cut, nor deleted, nor replaced. */
    @Test
    void tableThatSomebodyOverwroteIsNotReplacedAndThePersonIsToldWhatToDo() throws Exception {
        List<String> said = run("overwritten");
        assertThat(said.get(0)).isEqualTo("stays as long as it is: true");
        assertThat(String.join("\n", said)).contains("end all processes that lock files in");
    }

    /** What is read there through a channel must not fail on an interrupted thread: it would take its own files for others. */
    @Test
    void interruptedThreadKnowsItsFiles() throws Exception {
        assertThat(run("interrupted")).containsExactly("held, interrupted true", "free true");
    }

    /** Before the seam, each hold looked as if its record had been removed. */
    @Test
    void holdIsLeftAlone() throws Exception {
        assertThat(run("nothing")).containsExactly("still held", "held again", "aside []", "free true");
    }

    @Test
    void recordThatIsWrittenToIsTheSameFile() throws Exception {
        assertThat(run("appended")).containsExactly("still held", "held again", "aside []", "free true");
    }

    @Test
    void removedRecordIsNoticed() throws Exception {
        assertThat(run("removed")).containsExactly("lost REMOVED_BY_HAND", "held again", "aside []", "free true");
    }

    /** The time of creation is that of the file before it, and so is the content. */
    @Test
    void recordThatACopyReplacesIsNoticed() throws Exception {
        assertThat(run("copied")).containsExactly("lost REMOVED_BY_HAND", "held again", "aside []", "free true");
    }

    /** The holder has it open, so no rename replaces it. It can be deleted. */
    @Test
    void recordThatACopyIsRenamedOverStays() throws Exception {
        assertThat(run("renamed over")).containsExactly("stays: session.jsonl.lock", "still held", "held again", "aside []", "free true");
    }

    /** The table is mapped, so it stays. */
    @Test
    void guardFilesThatAreDeletedAreNoticed() throws Exception {
        assertThat(run("folder")).containsExactly("stays: board", "lost KERNEL_LOCK_LOST", "held again", "aside []", "free true");
    }
}
