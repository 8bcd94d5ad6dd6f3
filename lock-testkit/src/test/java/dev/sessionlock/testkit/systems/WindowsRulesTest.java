package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.LabSystem;
import dev.sessionlock.testkit.disk.SystemRule;
import dev.sessionlock.testkit.disk.SystemRules;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
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
                    .filter(line -> line.matches("(held|free|lost|left|still|stays|aside|Exception|\\tat|Caused).*") || line.contains("Exception"))
                    .collect(Collectors.toCollection(ArrayList::new));
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

    /** What lies aside keeps nobody out, so the lock is free for the next one. */
    @Test
    void recordOfTheDeadThatCannotBeDeletedYetIsOutOfTheWay() throws Exception {
        holding().close();
        assertThat(run("mapped")).containsExactly("held, mapped true", "left 1", "free true");
    }

    /** The files of killed processes, of requests that nobody answered, and what could not be deleted when it was moved aside. Those that are in use keep nothing else from it. */
    @Test
    void litterIsSweptOnceItIsOldAndOnceNobodyHasItOpen() throws Exception {
        run("cycle"); // makes the folder
        long old = System.currentTimeMillis() - TimeUnit.MINUTES.toMillis(11);
        String fresh = "aside-" + Long.toHexString(System.currentTimeMillis()) + "-5";
        List<String> used = List.of("aside-" + Long.toHexString(old) + "-1", "claim-abc-0", "release-7");
        List<String> stay = List.of("aside-notes.txt", fresh);
        for (String name : List.of("aside-" + Long.toHexString(old) + "-2", "aside-" + Long.toHexString(old) + "-3", "claim-abc-1", "claim-abc-2", "release-8")) {
            make(name, old);
        }
        for (String name : used) {
            make(name, old);
        }
        for (String name : stay) {
            make(name, old);
        }
        List<String> left = Stream.concat(used.stream(), stay.stream()).sorted().toList();
        assertThat(run("litter", "-Dused=" + String.join(",", used), "-Dstay=" + String.join(",", left))).containsExactly("left " + left, "free true");
        assertThat(run("litter", "-Dstay=" + String.join(",", stay))).containsExactly("left " + Stream.of(fresh, "aside-notes.txt").sorted().toList(), "free true");
    }

    private void make(String name, long millis) throws IOException {
        Files.setLastModifiedTime(Files.createFile(dir.resolve(".session-locks").resolve(name)), FileTime.fromMillis(millis));
    }

    /** The refusal of a link looks like that of a file in use, but for its words, which are in the user's language. ReFS had no hard links for long. */
    @Test
    void diskWithoutHardLinksIsNotTakenForAFileInUse() throws Exception {
        Set<SystemRule> rules = EnumSet.allOf(SystemRule.class);
        rules.remove(SystemRule.FORMS_FOLD);
        List<String> said = run("cycle", new SystemRules(rules).asArgument());
        assertThat(said.remove(0)).contains("refuses hard links").contains("records are created and written in two steps here");
        assertThat(said).containsExactly(CYCLE);
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
