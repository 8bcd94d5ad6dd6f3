package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Locks on real disks that take {@code session.jsonl} and {@code SESSION.JSONL} for one file. Some of them have no hard links, no modes, and time stamps of two
 * seconds. A disk that this machine cannot mount is skipped, and the reason is printed.
 */
@Tag("soak")
@EnabledOnOs(OS.LINUX)
class FoldingDisksTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path temp;

    private MountedDisk mounted(MountedDisk.Kind kind) throws IOException, InterruptedException {
        return new MountedDisk(kind, temp.resolve("image"), Files.createDirectory(temp.resolve("disk")));
    }

    @ParameterizedTest
    @EnumSource(value = MountedDisk.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "EXFAT_FUSE")
    void spellingsOfOneNameAreOneLock(MountedDisk.Kind kind) throws Exception {
        try (MountedDisk disk = mounted(kind); Puppet one = disk.puppet(); Puppet two = disk.puppet()) {
            Path dir = disk.sessions();
            one.shell("touch '" + dir.resolve("session.jsonl") + "' && test -e '" + dir.resolve("SESSION.JSONL") + "'");
            long first = one.acquire("a", dir.resolve("session.jsonl"), PATIENT).token();
            for (Puppet puppet : new Puppet[] {one, two}) {
                for (String spelling : new String[] {"SESSION.JSONL", "Session.jsonl", "session.jsonl"}) {
                    assertThat(puppet.tryAcquire("b", dir.resolve(spelling))).as(spelling).isFalse();
                }
            }
            assertThat(one.verify("a")).isEqualTo("held");
            one.close("a");

            assertThat(two.acquire("a", dir.resolve("SESSION.JSONL"), PATIENT).token()).isGreaterThan(first);
            assertThat(one.tryAcquire("b", dir.resolve("session.jsonl"))).isFalse();
            assertThat(locksIn(one, dir)).hasSize(1);
            two.close("a");
            assertThat(locksIn(one, dir)).isEmpty();
        }
    }

    /** The folder is one, too, whatever its name is: its guard files must not be opened by a second path. */
    @ParameterizedTest
    @EnumSource(value = MountedDisk.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = {"EXFAT_FUSE", "EXT4_CASEFOLD"}) // on the latter only what is in the folder folds
    void spellingsOfTheFolderAreOneLock(MountedDisk.Kind kind) throws Exception {
        try (MountedDisk disk = mounted(kind); Puppet one = disk.puppet(); Puppet two = disk.puppet()) {
            Path file = disk.sessions().resolve("session.jsonl");
            Path other = disk.sessions().resolveSibling("SESSIONS").resolve("session.jsonl");
            one.acquire("a", file, PATIENT);
            assertThat(one.tryAcquire("b", other)).isFalse();
            assertThat(two.tryAcquire("b", other)).isFalse();
            assertThat(one.verify("a")).isEqualTo("held");
            one.close("a");
            two.acquire("a", other, PATIENT);
            assertThat(one.tryAcquire("b", file)).isFalse();
            assertThat(two.verify("a")).isEqualTo("held");
        }
    }

    /** A holder is not disturbed by coarse time stamps, notices that its record is removed, and is followed by the next one when it is killed or frozen. */
    @ParameterizedTest
    @EnumSource(value = MountedDisk.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "EXFAT_FUSE")
    void holderIsFollowedHoweverItEnds(MountedDisk.Kind kind) throws Exception {
        try (MountedDisk disk = mounted(kind); Puppet one = disk.puppet(); Puppet two = disk.puppet(); Puppet three = disk.puppet()) {
            Path file = disk.sessions().resolve("session.jsonl");
            long first = one.acquire("a", file, "lease=3000").token();
            Puppet.Call waiting = two.beginAcquire("b", file, "lease=3000", "timeout=60000");
            one.shell("i=0; while [ $i -lt 8 ]; do touch '" + disk.sessions() + "'/other-$i; sleep 1; i=$((i+1)); done"); // renewals, and a deep check of the keeper
            assertThat(one.verify("a")).isEqualTo("held");
            assertThat(waiting.isDone()).isFalse();

            one.watch("a");
            one.shell("rm '" + file + ".lock'");
            assertThat(one.awaitLost("a").text()).contains("REMOVED_BY_HAND");
            long second = Puppet.held(waiting).token();
            assertThat(second).isGreaterThan(first);

            two.jvm().kill();
            long third = one.acquire("a", file, "lease=3000", PATIENT).token();
            assertThat(third).isGreaterThan(second);

            one.jvm().freeze();
            assertThat(three.acquire("c", file, PATIENT).token()).isGreaterThan(third);
            one.jvm().wake();
            assertThat(one.ensure("a")).startsWith("lost");
            assertThat(three.verify("c")).isEqualTo("held");
            three.close("c");
        }
    }

    /** Two spellings of the folder's name would lead to two sets of kernel bytes, and to two tables. */
    @Test
    void diskWithAnInodeForEachSpellingIsRefusedAndSaysWhatToDo() throws Exception {
        try (MountedDisk disk = mounted(MountedDisk.Kind.EXFAT_FUSE); Puppet one = disk.puppet(); Puppet two = disk.puppet()) {
            Path file = disk.sessions().resolve("session.jsonl");
            for (Puppet puppet : new Puppet[] {one, two, one}) {
                Puppet.Reply reply = puppet.ask("acquire", "a", file, PATIENT);
                assertThat(reply.ok()).as(reply.text()).isFalse();
                assertThat(reply.text()).contains("another inode for each spelling", "keep the files on another disk", "mount -t exfat");
            }
            assertThat(locksIn(one, disk.sessions())).isEmpty();
        }
    }

    private static String[] locksIn(Puppet puppet, Path dir) throws InterruptedException {
        String names = puppet.shell("cd '" + dir + "' && ls -A | grep -i '[.]lock$' || true").strip();
        return names.isEmpty() ? new String[0] : names.split("\n");
    }
}
