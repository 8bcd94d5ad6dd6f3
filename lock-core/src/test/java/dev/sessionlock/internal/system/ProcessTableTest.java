package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.internal.system.Liveness.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** "Dead" needs evidence: whatever is not certain is alive or unknown. With fake {@code /proc} trees, and with the real one. */
class ProcessTableTest {
    private static final long TICKS = 8_812_345;
    /** Our own id. */
    private static final long SELF = 4711;

    @TempDir
    Path proc;
    private ProcessTable table;

    @BeforeEach
    void aProcThatShowsProcess1() throws IOException {
        process(1, 'S', 3);
        process(SELF, 'R', 9);
        showsAsSelf(SELF);
        table = new ProcessTable(proc, SELF, true, true);
    }

    private void showsAsSelf(long pid) throws IOException {
        Files.deleteIfExists(proc.resolve("self"));
        Files.createSymbolicLink(proc.resolve("self"), Path.of(Long.toString(pid)));
    }

    private Path process(long pid, char state, long ticks) throws IOException {
        Path dir = Files.createDirectories(proc.resolve(Long.toString(pid)));
        return stat(dir, pid, state, ticks).getParent();
    }

    private static Path stat(Path dir, long pid, char state, long ticks) throws IOException {
        Files.createDirectories(dir);
        return Files.writeString(dir.resolve("stat"),
                pid + " (a) b) " + state + " 1 1 1 0 -1 4194560 1 0 0 0 5 3 0 0 20 0 38 0 " + ticks + " 4000000 900\n");
    }

    @ParameterizedTest
    @ValueSource(chars = {'R', 'S', 'D', 'T', 't', 'I', 'W', '?'})
    void whoIsThereInAnyStateLives(char state) throws IOException {
        process(30522, state, TICKS);

        assertThat(table.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.ALIVE);
        assertThat(table.judge(30522, -1, null).verdict()).isEqualTo(Verdict.ALIVE);
    }

    @Test
    void aStoppedOneIsSaidToBeStopped() throws IOException {
        process(30522, 'T', TICKS);

        assertThat(table.judge(30522, TICKS, null).evidence()).contains("pid 30522", "stopped", "kill -CONT");
    }

    @Test
    void whoIsNotThereIsDeadIfOthersAreSeen() {
        assertThat(table.judge(30522, TICKS, null)).isEqualTo(Liveness.dead("pid 30522 does not exist"));
    }

    @Test
    void whoIsNotThereIsUnknownWhereOthersAreHidden() throws IOException {
        Files.delete(proc.resolve("1/stat"));
        Files.delete(proc.resolve("1"));

        Liveness liveness = table.judge(30522, TICKS, null);
        assertThat(liveness.verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(liveness.evidence()).contains("hidepid");
    }

    @Test
    void anotherProcessOfTheSameNumberMeansThatTheFirstIsDead() throws IOException {
        process(30522, 'R', TICKS + 1);

        Liveness liveness = table.judge(30522, TICKS, null);
        assertThat(liveness.verdict()).isEqualTo(Verdict.DEAD);
        assertThat(liveness.evidence()).contains("another process now", String.valueOf(TICKS), String.valueOf(TICKS + 1));
    }

    @ParameterizedTest
    @ValueSource(chars = {'Z', 'X'})
    void aZombieIsDead(char state) throws IOException {
        Path dir = process(30522, state, TICKS);
        stat(dir.resolve("task/30522"), 30522, state, TICKS);

        assertThat(table.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.DEAD);
        assertThat(table.judge(30522, TICKS, null).evidence()).contains("zombie");
    }

    @Test
    void aProcessWhoseMainThreadHasEndedLives() throws IOException {
        Path dir = process(30522, 'Z', TICKS);
        stat(dir.resolve("task/30522"), 30522, 'Z', TICKS);
        stat(dir.resolve("task/30530"), 30530, 'S', TICKS + 9);

        assertThat(table.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.ALIVE);
    }

    @Test
    void aThreadThatEndsWhileOneLooksSaysNothingOfTheOthers() throws IOException {
        Path dir = process(30522, 'Z', TICKS);
        stat(dir.resolve("task/30522"), 30522, 'Z', TICKS);
        for (int tid = 30523; tid < 30560; tid++) {
            Files.createDirectories(dir.resolve("task/" + tid)); // it was listed, but its stat file is gone
        }
        stat(dir.resolve("task/30530"), 30530, 'S', TICKS + 9);

        assertThat(table.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.ALIVE);
    }

    @Test
    void aMainThreadThatHasEndedIsNoEvidenceIfTheOthersCannotBeSeen() throws IOException {
        process(30522, 'Z', TICKS);
        Files.writeString(proc.resolve("30522/task"), "not a directory: listing it fails, as without permission");

        assertThat(table.judge(30522, TICKS, null).verdict()).isNotEqualTo(Verdict.DEAD);
    }

    @Test
    void aStatThatCannotBeReadIsNoEvidence() throws IOException {
        Files.writeString(Files.createDirectories(proc.resolve("30522")).resolve("stat"), "nonsense");
        assertThat(table.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);

        Files.createDirectories(proc.resolve("30523/stat"));
        assertThat(table.judge(30523, TICKS, null).verdict()).isNotEqualTo(Verdict.DEAD);
    }

    @Test
    void aProcOfAnotherPidNamespaceSaysNothing() throws IOException {
        process(30522, 'Z', TICKS);
        ProcessTable foreign = new ProcessTable(proc, SELF, false, true);

        assertThat(foreign.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(foreign.judge(30599, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);
    }

    @Test
    void whatIsNoPidIsUnknown() {
        assertThat(table.judge(0, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(table.judge(-1, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(table.judge(Long.MIN_VALUE, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);
    }

    @Test
    void whereProcessesAreNotLookedUpInProcTheStartTimeTellsByTheWallClock() throws IOException, InterruptedException {
        ProcessTable none = new ProcessTable(proc.resolve("missing"), SELF, false, false);
        ProcessHandle self = ProcessHandle.current();
        Instant started = self.info().startInstant().orElseThrow();

        assertThat(none.judge(self.pid(), -1, started).verdict()).isEqualTo(Verdict.ALIVE);
        assertThat(none.judge(self.pid(), -1, started.minusMillis(1)).verdict()).isEqualTo(Verdict.DEAD);
        assertThat(none.judge(self.pid(), -1, started.plusMillis(1)).verdict()).isEqualTo(Verdict.DEAD);
        assertThat(none.judge(self.pid(), -1, started.plusNanos(999_999)).verdict()).as("a record has milliseconds").isEqualTo(Verdict.ALIVE);
        assertThat(none.judge(self.pid(), -1, null).verdict()).isEqualTo(Verdict.ALIVE);
        assertThat(none.judge(self.pid(), -1, started.minusSeconds(60)).verdict()).isEqualTo(Verdict.DEAD);
        assertThat(none.judge(endedPid(), -1, null).verdict()).isEqualTo(Verdict.DEAD);
    }

    /** Where there is no {@code /proc}, as on macOS and Windows. */
    @Nested
    class WhereTheJdkTells {
        private final ProcessHandle self = ProcessHandle.current();
        private boolean opens;
        private boolean lists = true;
        private char state;
        private final ProcessTable table = new ProcessTable(Path.of("/missing"), SELF, false, false, new ProcessTable.Handles() {
            @Override
            public Optional<ProcessHandle> find(long pid) {
                return opens ? ProcessHandle.of(pid) : Optional.empty();
            }

            @Override
            public LongStream pids() {
                if (!lists) {
                    throw new IllegalStateException("snapshot not available");
                }
                return LongStream.of(SELF, self.pid());
            }

            @Override
            public char state(long pid) {
                return state;
            }
        });

        private Liveness judge(long pid) {
            return table.judge(pid, -1, null);
        }

        /** On Windows the JDK finds no process that it may not open, such as one of another user; it lists them nevertheless. */
        @Test
        void whoMayNotBeLookedAtIsUnknown() throws IOException, InterruptedException {
            assertThat(judge(self.pid()).verdict()).isEqualTo(Verdict.UNKNOWN);
            assertThat(judge(self.pid()).evidence()).contains("pid " + self.pid() + " exists", "may not look");
            long ended = endedPid();
            assertThat(judge(ended).verdict()).isEqualTo(Verdict.DEAD);
            lists = false;
            assertThat(judge(ended).verdict()).isEqualTo(Verdict.UNKNOWN);
        }

        @Test
        void stateIsToldIfItIsKnown() {
            opens = true;
            assertThat(judge(self.pid())).isEqualTo(Liveness.alive("pid " + self.pid() + " exists", (char) 0));
            state = 'T';
            assertThat(judge(self.pid()).isStopped()).isTrue();
            assertThat(judge(self.pid()).evidence()).contains("is stopped", "kill -CONT");
            state = 'Z';
            assertThat(judge(self.pid()).verdict()).isEqualTo(Verdict.DEAD);
            assertThat(judge(self.pid()).evidence()).contains("zombie");
        }
    }

    /** The JDK's own process table reads {@code /proc} there, too; a process that it does not find may live. */
    @Test
    void onLinuxWithoutProcNobodyIsKnownToBeDead() throws IOException, InterruptedException {
        ProcessTable hidden = new ProcessTable(proc.resolve("missing"), SELF, false, true);
        ProcessHandle self = ProcessHandle.current();

        assertThat(hidden.judge(endedPid(), -1, null).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(hidden.judge(self.pid(), -1, self.info().startInstant().orElseThrow().minusSeconds(60)).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(hidden.judge(self.pid(), -1, null).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(hidden.judge(self.pid(), -1, null).evidence()).contains("no /proc");
    }

    @Test
    void onLinuxNobodyIsKnownToBeDeadOnceProcIsHidden() throws IOException {
        process(30522, 'S', TICKS);
        ProcessTable later = new ProcessTable(proc.resolve("hidden"), SELF, true, true); // it has shown our own process before

        assertThat(later.judge(30522, TICKS, null).verdict()).isEqualTo(Verdict.UNKNOWN);
        assertThat(later.judge(30522, TICKS, null).evidence()).contains("no /proc");
    }

    /** As after {@code umount /proc} in a container: the one of the machine lies beneath, with other processes of the same numbers. */
    @Nested
    class OnceProcShowsAnotherPidNamespace {

        @ParameterizedTest
        @ValueSource(longs = {SELF + 1, 30599})
        void nobodyIsKnownToBeDead(long self) throws IOException {
            process(SELF + 1, 'R', 10); // we, with the number that we have there
            showsAsSelf(self); // or nobody, if that /proc does not know us at all
            process(30522, 'S', TICKS + 1);
            Path zombie = process(30523, 'Z', TICKS);
            stat(zombie.resolve("task/30523"), 30523, 'Z', TICKS);

            for (long pid : new long[] {30522, 30523, 30524}) {
                Liveness liveness = table.judge(pid, TICKS, null);
                assertThat(liveness.verdict()).as(liveness.evidence()).isEqualTo(Verdict.UNKNOWN);
                assertThat(liveness.evidence()).contains("pid " + pid, "/proc");
            }
        }
    }

    // ---- the real one ----

    @Test
    void aLivingProcessIsAliveAndADeadOneDead() throws IOException, InterruptedException {
        assumeLinux();
        ProcessIdentity self = ProcessIdentity.current();
        ProcessTable real = new ProcessTable();

        assertThat(real.judge(self.pid(), self.startTicks(), null).verdict()).isEqualTo(Verdict.ALIVE);
        assertThat(real.judge(self.pid(), self.startTicks() - 1, null).verdict()).isEqualTo(Verdict.DEAD);
        assertThat(real.judge(endedPid(), -1, null).verdict()).isEqualTo(Verdict.DEAD);
        assertThat(real.judge(Long.MAX_VALUE, -1, null).verdict()).isEqualTo(Verdict.DEAD);
    }

    @Test
    void anInterruptedThreadJudgesAsAnyOther() throws IOException, InterruptedException {
        assumeLinux();
        ProcessIdentity self = ProcessIdentity.current();
        long dead = endedPid();
        Thread.currentThread().interrupt();
        try {
            assertThat(new ProcessTable().judge(self.pid(), self.startTicks(), null).verdict()).isEqualTo(Verdict.ALIVE);
            assertThat(new ProcessTable().judge(dead, -1, null).verdict()).isEqualTo(Verdict.DEAD);
            assertThat(Thread.currentThread().isInterrupted()).as("the interrupt is not swallowed").isTrue();
        } finally {
            Thread.interrupted();
        }
    }

    @Test
    void whoThisProcessIs() throws IOException {
        assumeLinux();
        ProcessIdentity self = ProcessIdentity.current();
        String[] stat = Files.readString(Path.of("/proc/self/stat")).split("\\) ")[1].split(" ");

        assertThat(self.pid()).isEqualTo(ProcessHandle.current().pid());
        assertThat(self.startTicks()).isEqualTo(Long.parseLong(stat[19]));
        assertThat(self.boot()).isEqualTo(Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).trim());
        assertThat("pid:[" + self.pidNamespace() + "]").isEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/pid")).toString());
        assertThat("time:[" + self.timeNamespace() + "]").isEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/time")).toString());
        assertThat(self.host()).isEqualTo(Files.readString(Path.of("/proc/sys/kernel/hostname")).trim());
        assertThat(self.seesItselfInProc()).isTrue();
    }

    private static void assumeLinux() {
        boolean linux = Files.isDirectory(Path.of("/proc/self"));
        if (!linux) {
            System.out.println("SKIPPED a test of ProcessTableTest: no /proc on this system");
        }
        assumeTrue(linux, "no /proc on this system");
    }

    private static long endedPid() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("true").start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return process.pid();
    }
}
