package dev.sessionlock.testkit.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes without {@code /proc}, as in a chroot and in some containers: no process counts as dead there, and locks work. */
class HiddenProcTest {
    private static final String PATIENT = "timeout=30000";
    private static final String HIDE = "mount -t tmpfs none /proc";

    @TempDir
    Path dir;
    private Path file;
    private Process openClaw;

    @BeforeEach
    void startAProcessThatHoldsAnotherProgramsLock() throws IOException, InterruptedException {
        Tools.require("hiding /proc in a mount namespace", "unshare", "-m", "sh", "-c", HIDE);
        file = dir.resolve("session.jsonl");
        openClaw = new ProcessBuilder("sleep", "600").start();
    }

    @AfterEach
    void endIt() throws InterruptedException {
        if (openClaw != null) {
            openClaw.destroyForcibly().waitFor();
        }
    }

    /** Its launcher and its dynamic linker need {@code /proc/self/exe} to find the JDK's libraries. */
    private static Puppet withoutProc() throws IOException, InterruptedException {
        String lib = System.getProperty("java.home") + "/lib";
        return Puppet.wrappedBy("unshare", "-m", "env", "LD_LIBRARY_PATH=" + lib + ":" + lib + "/server", "sh", "-c", HIDE + " && exec \"$@\"", "sh");
    }

    /** It has used the library while {@code /proc} was still there. */
    private static Puppet whoseProcIsHiddenLater(Path elsewhere) throws IOException, InterruptedException {
        Puppet puppet = Puppet.wrappedBy("unshare", "-m");
        puppet.acquire("warm", elsewhere, PATIENT);
        puppet.close("warm");
        puppet.shell(HIDE);
        return puppet;
    }

    private Path lockFile() {
        return dir.resolve("session.jsonl.lock");
    }

    private String openClawsRecord() {
        return "{\"pid\":" + openClaw.pid() + ",\"createdAt\":\"" + Instant.now() + "\",\"maxHoldMs\":300000}";
    }

    private void leavesALivingProgramsLockAlone(Puppet puppet) throws Exception {
        String record = openClawsRecord();
        Files.writeString(lockFile(), record);

        Puppet.Reply reply = puppet.ask("acquire", "a", file, "timeout=600");

        assertThat(reply.words().get(0)).isEqualTo("LockTimeoutException");
        assertThat(reply.text()).contains("pid " + openClaw.pid() + " cannot be looked up: there is no /proc here", "ps -p " + openClaw.pid(),
                "rm " + lockFile());
        assertThat(lockFile()).hasContent(record);
    }

    /**
     * Another process may have the lost byte just as the holder's keeper takes it again, which it does once a second, and may have it for long: on a slow
     * machine it has yet to load classes. Then the holder has lost its lock, and knows it before anybody else is in.
     */
    private void neverBothHold(Puppet holder, Puppet other) throws InterruptedException {
        boolean in = other.tryAcquire("other", file);
        String standing = holder.ensure("a");
        assertThat(standing).startsWith(in || !standing.equals("held") ? "lost" : "held");
        if (in) {
            other.close("other");
        }
        if (!standing.equals("held")) {
            holder.close("a");
            holder.acquire("a", file, "lease=20000", PATIENT);
        }
    }

    @Nested
    class HiddenFromTheBeginning {

        @Test
        void leavesALivingProgramsLockAlone() throws Exception {
            try (Puppet blind = withoutProc()) {
                HiddenProcTest.this.leavesALivingProgramsLockAlone(blind);
            }
        }

        @Test
        void locksExcludeEachOtherAndOneWhoSees() throws Exception {
            try (Puppet blind = withoutProc(); Puppet second = withoutProc(); Puppet seeing = Puppet.start()) {
                Puppet.Held first = blind.acquire("a", file, PATIENT);
                assertThat(blind.verify("a")).isEqualTo("held");
                assertThat(second.tryAcquire("b", file)).isFalse();
                assertThat(seeing.tryAcquire("c", file)).isFalse();
                Puppet.Call waiting = second.beginAcquire("b", file, PATIENT);
                blind.close("a");
                Puppet.Held next = Puppet.held(waiting);
                assertThat(next.token()).isGreaterThan(first.token());
                second.close("b");
                assertThat(seeing.acquire("c", file, PATIENT).token()).isGreaterThan(next.token());
            }
        }

        /** In addition, a backup in its JVM has made the kernel drop its bytes: only its record vouches for it. */
        @Test
        void holderWhoseBytesAreLostAndOneFromEitherSideNeverBothHold() throws Exception {
            try (Puppet blind = withoutProc(); Puppet second = withoutProc(); Puppet seeing = Puppet.start()) {
                for (Puppet each : new Puppet[] {second, seeing}) { // so that none loads classes while it has the byte
                    each.acquire("warm", dir.resolve("other"), PATIENT);
                    each.close("warm");
                }
                blind.acquire("a", file, "lease=20000", PATIENT);
                blind.tell("walk", dir);
                neverBothHold(blind, second);
                neverBothHold(blind, seeing);
                blind.close("a");

                seeing.acquire("a", file, "lease=20000", PATIENT);
                seeing.tell("walk", dir);
                neverBothHold(seeing, blind);
            }
        }

        @Test
        void killedHolderIsFollowedAfterItsLease() throws Exception {
            try (Puppet second = withoutProc(); Puppet seeing = Puppet.start()) {
                try (Puppet blind = withoutProc()) {
                    blind.acquire("a", file, "lease=1500", "takeover=false", PATIENT);
                    blind.jvm().kill();
                }
                second.acquire("b", file, PATIENT);
                second.close("b");
                try (Puppet blind = withoutProc()) {
                    blind.acquire("a", file, "lease=1500", PATIENT);
                    blind.jvm().kill();
                }
                seeing.acquire("c", file, PATIENT);
            }
        }
    }

    @Nested
    class HiddenLater {

        @Test
        void leavesALivingProgramsLockAlone() throws Exception {
            try (Puppet blinded = whoseProcIsHiddenLater(dir.resolve("other"))) {
                HiddenProcTest.this.leavesALivingProgramsLockAlone(blinded);
            }
        }

        @Test
        void locksExcludeEachOther() throws Exception {
            try (Puppet blinded = whoseProcIsHiddenLater(dir.resolve("other")); Puppet seeing = Puppet.start()) {
                blinded.acquire("a", file, PATIENT);
                assertThat(blinded.verify("a")).isEqualTo("held");
                assertThat(seeing.tryAcquire("b", file)).isFalse();
                blinded.close("a");
                seeing.acquire("b", file, PATIENT);
                seeing.tell("walk", dir); // and its record is left as the only witness
                assertThat(blinded.tryAcquire("a", file)).isFalse();
                assertThat(seeing.ensure("b")).isEqualTo("held");
            }
        }
    }

    /** As after {@code umount /proc} in a container: beneath lies the {@code /proc} of the machine, where the same numbers are other processes. */
    @Nested
    class ReplacedLater {
        private static final String[] CONTAINER = {"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"};

        private Puppet whoseProcIsReplaced(Path elsewhere) throws IOException, InterruptedException {
            String[] probe = java.util.Arrays.copyOf(CONTAINER, CONTAINER.length + 3);
            System.arraycopy(new String[] {"sh", "-c", "umount /proc && test -e /proc/1/stat"}, 0, probe, CONTAINER.length, 3);
            Tools.require("a /proc beneath that of a pid namespace", probe);
            Puppet puppet = Puppet.wrappedBy(CONTAINER);
            puppet.acquire("warm", elsewhere, PATIENT);
            puppet.close("warm");
            return puppet;
        }

        @Test
        void leavesALivingProgramsLockAlone() throws Exception {
            try (Puppet puppet = whoseProcIsReplaced(dir.resolve("other"))) {
                String[] program = puppet.shell("sleep 600 >/dev/null 2>&1 & echo $! $(cut -d' ' -f22 /proc/$!/stat)").trim().split("\\s+");
                String record = "{\"pid\":" + program[0] + ",\"createdAt\":\"" + Instant.now() + "\",\"maxHoldMs\":300000,\"starttime\":" + program[1] + "}";
                Files.writeString(lockFile(), record);
                assertThat(puppet.tryAcquire("a", file)).as("with its own /proc").isFalse();
                puppet.shell("umount /proc");

                Puppet.Reply reply = puppet.ask("acquire", "a", file, "timeout=600");

                assertThat(reply.words().get(0)).isEqualTo("LockTimeoutException");
                assertThat(reply.text()).contains("pid " + program[0] + " cannot be looked up: /proc shows another pid namespace now");
                assertThat(lockFile()).hasContent(record);
            }
        }

        /** In the other {@code /proc} its kernel locks have another number: it must not take them for lost. */
        @Test
        void holderKeepsItsLock() throws Exception {
            try (Puppet puppet = whoseProcIsReplaced(dir.resolve("other")); Puppet seeing = Puppet.start()) {
                puppet.acquire("a", file, PATIENT);
                puppet.shell("umount /proc");
                assertThat(puppet.verify("a")).isEqualTo("held");
                assertThat(puppet.jvm().output()).doesNotContain("the kernel had lost our lock");
                assertThat(seeing.tryAcquire("b", file)).isFalse();
                puppet.close("a");
                seeing.acquire("b", file, PATIENT);
            }
        }
    }
}
