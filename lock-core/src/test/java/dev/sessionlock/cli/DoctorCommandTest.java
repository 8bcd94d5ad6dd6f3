package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import dev.sessionlock.cli.ProbeResult.ProbeVerdict;
import dev.sessionlock.internal.system.OperatingSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.Help.Ansi;

class DoctorCommandTest {
    private static final List<String> NAMES = List.of("type", "space", "inodes", "other-users", "permissions", "hard-links", "exclusive-create", "rename",
            "fsync", "time-stamps", "name-length", "exclusion", "proc-locks", "mapped-pages", "session-locks", "kill-9", "names", "system",
            "proc", "boot-id", "namespaces");
    private static final String CHECK = "\\{\"name\":\"[a-z0-9-]+\",\"ok\":(true|false|null),\"detail\":\"([^\"\\\\]|\\\\.)+\"}";

    /** Root without its privileges: to other users' files like an ordinary user, but able to read our class path. */
    private static final String UNPRIVILEGED = "exec setpriv --bounding-set=-all --inh-caps=-all -- ";

    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    @Test
    void localDirectoryIsSafeAndIsLeftAsItWas() throws Exception {
        Files.writeString(directory.resolve("session.jsonl"), "a line\n");

        Outcome outcome = Outcome.of("doctor", directory.toString());

        assertThat(outcome.exitCode()).as(outcome.out()).isZero();
        assertThat(outcome.err()).isEmpty();
        List<String> lines = outcome.out().lines().toList();
        assertThat(lines.get(0)).isEqualTo(directory.toRealPath() + ": safe");
        assertThat(lines.get(lines.size() - 1)).isEqualTo("Locks are safe here: two JVMs kept each other out, and kill -9 let go.");
        for (String name : NAMES) {
            assertThat(lines).anyMatch(line -> line.matches("  " + name + " +(ok|unknown)  +\\S.*"));
        }
        for (String name : List.of("exclusion", "mapped-pages", "session-locks", "kill-9", "hard-links", "rename", "fsync", "system")) {
            assertThat(lines).anyMatch(line -> line.matches("  " + name + " +ok  +\\S.*"));
        }
        try (Stream<Path> all = Files.list(directory)) {
            assertThat(all.map(Path::getFileName).map(Path::toString)).containsExactly("session.jsonl");
        }
    }

    @Test
    void stickyDirectoryIsNotSafeForSeveralUsersAndTheRemedyPutsItRight() throws Exception {
        Path shared = Files.createDirectory(directory.resolve("it's shared"));
        Files.setAttribute(shared, "unix:mode", 01777);
        Outcome outcome = Outcome.of("doctor", shared.toString());
        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.out()).contains("other-users       NOT OK", "it is sticky", "before this is put right: other-users.");
        String remedy = outcome.out().lines().dropWhile(line -> !line.contains("other-users")).skip(1).findFirst().orElseThrow().strip();
        assertThat(new ProcessBuilder("sh", "-c", remedy.replaceFirst("to do +", "")).start().waitFor()).isZero();
        assertThat(OtherUsers.check(shared).verdict()).isEqualTo(ProbeVerdict.OK);
    }

    @Test
    void whatTheKernelProtectsFromOtherUsersIsKnown() {
        Path shared = Path.of("/shared");
        assertThat(OtherUsers.check(shared, 0755, 2, 1)).isEqualTo(ProbeResult.ok("other-users", "only its owner may lock here"));
        assertThat(OtherUsers.check(shared, 01755, 2, 1).verdict()).as("sticky, and one user").isEqualTo(ProbeVerdict.OK);
        assertThat(OtherUsers.check(shared, 02770, 2, 1).detail()).startsWith("its group may lock here").contains("fs.protected_hardlinks=1 does no harm");
        assertThat(OtherUsers.check(shared, 01777, 0, 0).detail()).contains("everybody", "only by its own user").doesNotContain("protected");
        assertThat(OtherUsers.check(shared, 01777, 1, 0).detail()).contains("fs.protected_regular=1");
        assertThat(OtherUsers.check(shared, 03770, 1, 0).detail()).doesNotContain("fs.protected_regular");
        assertThat(OtherUsers.check(shared, 03770, 2, 0).detail()).contains("fs.protected_regular=2");
    }

    @Test
    void jsonHasTheFixedForm() throws Exception {
        Outcome outcome = Outcome.of("doctor", "--json", directory.toString());

        assertThat(outcome.exitCode()).as(outcome.out()).isZero();
        assertThat(outcome.out().lines()).hasSize(1);
        assertThat(outcome.out().trim()).matches("\\{\"version\":1,\"directory\":\"" + directory.toRealPath()
                + "\",\"safe\":true,\"checks\":\\[" + CHECK + "(," + CHECK + ")*]}");
        assertThat(Pattern.compile("\"name\":\"([^\"]+)\"").matcher(outcome.out()).results().map(found -> found.group(1)))
                .containsExactlyElementsOf(NAMES);
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void memoryFileSystemIsSafeAndSaysThatItForgets() throws Exception {
        Path shm = Path.of("/dev/shm");
        Needs.check(Files.isWritable(shm) && Files.getFileStore(shm).type().equals("tmpfs"), "no tmpfs on /dev/shm");
        Path memory = Files.createTempDirectory(shm, "sessionlock-test-");
        try {
            Outcome outcome = Outcome.of("doctor", memory.toString());
            assertThat(outcome.exitCode()).as(outcome.out()).isZero();
            assertThat(outcome.out()).contains("tmpfs, in memory: what is written here is gone after a reboot");
            assertThat(memory).isEmptyDirectory();
        } finally {
            Files.delete(memory);
        }
    }

    /** Starts it in a mount namespace where the directory is a file system of its own, in memory. */
    private ToolProcess doctorOnMount(String options) throws Exception {
        Needs.root();
        Needs.program("unshare");
        ToolProcess doctor = ToolProcess.startScript(scratch,
                "exec unshare -m sh -c 'mount -t tmpfs -o mode=755," + options + " none \"$0\" || exit 99; exec \"$@\"' '" + directory + "' "
                        + ToolProcess.quoted("doctor", directory.toString()));
        Needs.check(doctor.exitCode() != 99, "nothing may be mounted here");
        return doctor;
    }

    @Test
    void fullDiskIsSaidToBeFullAndNotToBreakLocks() throws Exception {
        try (ToolProcess doctor = doctorOnMount("size=24k")) {
            assertThat(doctor.exitCode()).as(doctor.toString()).isEqualTo(1);
            assertThat(doctor.out()).contains("space             NOT OK", "to do    free some", "mapped-pages      unknown",
                    "session-locks     unknown", "Do not rely on locks here before this is put right: space.");
        }
    }

    @Test
    void readOnlyFileSystemIsNotSafeAndSaysWhatToDo() throws Exception {
        try (ToolProcess doctor = doctorOnMount("ro")) {
            assertThat(doctor.exitCode()).as(doctor.toString()).isEqualTo(1);
            assertThat(doctor.out()).contains(": NOT SAFE", "permissions       NOT OK   the file system is mounted read-only",
                    "to do    mount it for writing", "exclusion         unknown  not tried: nothing can be written there",
                    "Do not rely on locks here before this is put right: permissions.");
            assertThat(doctor.err()).isEmpty();
        }
    }

    @Test
    void directoryOfAnotherUserIsNotSafeForOneWhoMayNotWriteToIt() throws Exception {
        Needs.root();
        Needs.program("setpriv");
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.setAttribute(directory, "unix:uid", 65534);
        String script = UNPRIVILEGED + ToolProcess.quoted("doctor", "--json", directory.toString());
        try (ToolProcess doctor = ToolProcess.startScript(scratch, script)) {
            assertThat(doctor.exitCode()).as(doctor.toString()).isEqualTo(1);
            assertThat(doctor.out()).contains("\"safe\":false",
                    "{\"name\":\"permissions\",\"ok\":false,\"detail\":\"this user (root) may not write to it; to do: ",
                    "{\"name\":\"exclusion\",\"ok\":null,\"detail\":\"not tried: nothing can be written there\"}");
        }
        assertThat(directory).isEmptyDirectory();
    }

    /** The directory's owner could put a link in the place of whatever the doctor creates, changes and removes by name. */
    @Test
    void rootIsRefusedInTheDirectoryOfAnotherUser() throws Exception {
        Needs.root();
        Path sessions = Files.createDirectory(directory.resolve("my sessions")).toRealPath();
        Files.setAttribute(sessions, "unix:uid", 65534);
        try (ToolProcess doctor = ToolProcess.start(scratch, "doctor", sessions.toString())) {
            assertThat(doctor.exitCode()).as(doctor.toString()).isEqualTo(2);
            assertThat(doctor.err()).contains(sessions + " is in the hands of others", "run it as the user who runs the gateway: sudo -u ",
                    " doctor '" + sessions + "'");
        }
        assertThat(sessions).isEmptyDirectory();
    }

    @Test
    void guardsThatThisUserMayNotWriteToAreFound() throws Exception {
        Needs.root();
        Needs.program("setpriv");
        Path inner = Files.createDirectory(directory.resolve(".session-locks"));
        Path guard = Files.createFile(inner.resolve("guard-07"));
        Files.setPosixFilePermissions(guard, PosixFilePermissions.fromString("rw-r--r--"));
        Files.setAttribute(guard, "unix:uid", 65534);
        try (ToolProcess doctor = ToolProcess.startScript(scratch, UNPRIVILEGED + ToolProcess.quoted("doctor", directory.toString()))) {
            assertThat(doctor.exitCode()).as(doctor.toString()).isEqualTo(1);
            assertThat(doctor.out()).contains("permissions       NOT OK", "but not to " + guard.toRealPath(), "chown -R");
        }
    }

    @Test
    void interruptedDoctorLeavesNothingBehind() throws Exception {
        try (ToolProcess doctor = doctorWithItsSecondJvm()) {
            ProcessTree.signal("TERM", doctor.living()); // like Ctrl-C, which reaches both; SIGINT may be ignored here
            assertThat(doctor.exitCode()).as(doctor.toString()).isEqualTo(128 + 15);
            await().atMost(ToolProcess.PATIENCE).until(() -> doctor.living().isEmpty());
            assertThat(doctor.err()).isEmpty();
        }
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void secondJvmOfAKilledDoctorCleansUpAndEnds() throws Exception {
        try (ToolProcess doctor = doctorWithItsSecondJvm()) {
            doctor.signal("KILL");
            // Both in one look: an orphan that is just being executed shows neither its parent nor its environment for a moment.
            await().atMost(ToolProcess.PATIENCE).untilAsserted(() -> {
                assertThat(doctor.living()).isEmpty();
                assertThat(directory).isEmptyDirectory();
            });
        }
    }

    /** {@return a doctor whose second JVM runs} On a busy machine one may have ended before anybody has seen it. */
    private ToolProcess doctorWithItsSecondJvm() throws Exception {
        for (int tries = 0; tries < 10; tries++) {
            ToolProcess doctor = ToolProcess.start(scratch, "doctor", directory.toString());
            await().atMost(ToolProcess.PATIENCE).pollInterval(Duration.ofMillis(2)).until(() -> hasSecondJvm(doctor) || !doctor.isAlive());
            if (doctor.isAlive()) {
                return doctor;
            }
            doctor.close();
        }
        throw new AssertionError("the second JVM of a doctor was never seen");
    }

    private boolean hasSecondJvm(ToolProcess doctor) throws IOException {
        try (Stream<Path> all = Files.list(directory)) {
            // By its arguments: a process that is just being forked still has those of the first one, and ends with it.
            return all.anyMatch(path -> path.getFileName().toString().startsWith(".sessionlock-doctor-"))
                    && doctor.living().stream().anyMatch(process -> argumentsOf(process).contains(DoctorPartnerCommand.NAME));
        }
    }

    /** {@return the arguments of a process; none if it has ended} {@link ProcessHandle.Info#arguments} has none where they are longer than a page. */
    private static List<String> argumentsOf(ProcessHandle process) {
        try {
            return List.of(Files.readString(Path.of("/proc", Long.toString(process.pid()), "cmdline")).split("\0"));
        } catch (IOException e) {
            return List.of();
        }
    }

    @Test
    void verdictIsColouredOnATerminal() throws Exception {
        Needs.program("script");
        try (ToolProcess doctor = ToolProcess.startOnTerminal(scratch, "doctor", directory.toString())) {
            assertThat(doctor.exitCode()).as(doctor.toString()).isZero();
            assertThat(doctor.out()).contains("\u001b[1m\u001b[32msafe", "\u001b[32mok");
        }
    }

    // ---- a file system that does not exclude, played by a partner with such answers ----

    private List<ProbeResult> with(Partner partner) throws Exception {
        try (PairFiles files = new PairFiles(directory); SessionLocks locks = SessionLocks.create()) {
            return new PairProbes(files, partner, locks).run();
        }
    }

    private static ProbeResult named(String name, List<ProbeResult> checks) {
        return checks.stream().filter(check -> check.name().equals(name)).findFirst().orElseThrow();
    }

    private record Liar(String answer) implements Partner {
        @Override
        public String ask(String order) throws IOException {
            if (answer == null) {
                throw new IOException("the second JVM has ended, exit code 1");
            }
            return answer;
        }

        @Override
        public void kill() {
            // it survives
        }

        @Override
        public void close() {
            // nothing to close
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', value = {
        "got     | while this JVM held the kernel lock, the other one said 'got', not 'refused'",
        "refused | after this JVM let the kernel lock go, the other one said 'refused', not 'got'"})
    void locksThatDoNotExcludeOrNeverComeFreeAreNotSafe(String answer, String said) throws Exception {
        List<ProbeResult> checks = with(new Liar(answer));

        assertThat(named("exclusion", checks).verdict()).isEqualTo(ProbeVerdict.NOT_OK);
        assertThat(named("exclusion", checks).detail()).isEqualTo(said);
        assertThat(named("mapped-pages", checks).verdict()).isEqualTo(ProbeVerdict.NOT_OK);
        assertThat(named("session-locks", checks).verdict()).isEqualTo(ProbeVerdict.NOT_OK);
        assertThat(named("kill-9", checks).verdict()).isEqualTo(ProbeVerdict.NOT_OK);
        assertThat(new Diagnosis(directory, checks).safe()).isFalse();
        assertThat(new Diagnosis(directory, checks).sentence()).contains("exclusion, mapped-pages, session-locks and kill-9.");
    }

    @Test
    void exclusionThatCouldNotBeTriedIsNotSafe() throws Exception {
        List<ProbeResult> checks = with(new Liar(null));

        assertThat(named("exclusion", checks))
                .isEqualTo(ProbeResult.unknown("exclusion", "could not be tried: the second JVM has ended, exit code 1", ""));
        assertThat(new Diagnosis(directory, checks).safe()).isFalse();
        assertThat(new Diagnosis(directory, checks).sentence())
                .startsWith("Locks are not known to be safe here: nothing is wrong, but exclusion");
    }

    @Test
    void onlyWhatProvesExclusionMustBeKnown() {
        List<ProbeResult> proofs = Stream.of("exclusion", "mapped-pages", "session-locks", "kill-9").map(name -> ProbeResult.ok(name, "x")).toList();
        assertThat(new Diagnosis(directory, proofs).safe()).isTrue();
        assertThat(new Diagnosis(directory, proofs.subList(1, 4)).safe()).as("a proof is missing").isFalse();

        List<ProbeResult> checks = new ArrayList<>(proofs);
        checks.add(ProbeResult.unknown("type", "who knows\u001b[2J", ""));
        Diagnosis unknown = new Diagnosis(directory, checks);
        assertThat(unknown.safe()).isTrue();
        assertThat(unknown.text(Ansi.OFF)).contains("  type              unknown  who knows\\u001b[2J").doesNotContain("\u001b");
        assertThat(unknown.json()).contains("{\"name\":\"type\",\"ok\":null,");

        checks.add(ProbeResult.notOk("space", "none", "free some"));
        Diagnosis full = new Diagnosis(directory, checks);
        assertThat(full.safe()).isFalse();
        assertThat(full.text(Ansi.OFF))
                .contains("  space             NOT OK   none", "                    to do    free some", ": NOT SAFE");
        assertThat(full.json()).contains("{\"name\":\"space\",\"ok\":false,\"detail\":\"none; to do: free some\"}", "\"safe\":false");
    }

    @ParameterizedTest
    @CsvSource({"PROVEN, OK, true", "DESIGNED_FOR, UNKNOWN, true", "UNSUPPORTED, NOT_OK, false"})
    void operatingSystemHasItsVerdict(OperatingSystem.Support support, ProbeVerdict verdict, boolean safe) {
        ProbeResult system = FileProbes.system(new OperatingSystem("Plan 9", support));
        assertThat(system.verdict()).isEqualTo(verdict);
        assertThat(system.detail()).startsWith("Plan 9");

        List<ProbeResult> checks = new ArrayList<>(
                Stream.of("exclusion", "mapped-pages", "session-locks", "kill-9").map(name -> ProbeResult.ok(name, "x")).toList());
        checks.add(system);
        assertThat(new Diagnosis(directory, checks).safe()).isEqualTo(safe);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "/dev/my disk   15990784 372311 15618473    3% /mnt/my 3 disk | OK      | 15,618,473 of 15,990,784 free",
        "/dev/sda1      1000 950 50   95% /                           | NOT_OK  | 50 of 1,000 free",
        "/dev/sdb1      0 0 0    - /btrfs                             | OK      | made at need, without a limit",
        "nothing                                                      | UNKNOWN | df -Pi does not tell"})
    void inodesAreReadFromWhatDfSays(String line, ProbeVerdict verdict, String detail) {
        assertThat(FileProbes.inodes(line).verdict()).isEqualTo(verdict);
        assertThat(FileProbes.inodes(line).detail()).isEqualTo(detail);
    }
}
