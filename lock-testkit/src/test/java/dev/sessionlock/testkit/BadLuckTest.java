package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Full disks, read-only disks, missing rights: an error in words at once, and the disk as it was. */
class BadLuckTest {
    @TempDir
    Path dir;

    // ---- read-only ----

    @Test
    void readOnlyFileSystemIsToldInWords() throws Exception {
        try (Puppet puppet = onADiskOfItsOwn("size=1m", "echo line > '" + dir + "/session.jsonl' && mount -o remount,ro '" + dir + "'")) {
            assertRefused(puppet, "read-only file system");
            assertThat(puppet.tell("inspect", file()).text()).isEqualTo("FREE");
            puppet.shell("mount -o remount,rw '" + dir + "'");
            puppet.acquire("a", file());
        }
    }

    @Test
    void fileSystemThatBecomesReadOnlyWhileALockIsHeldDoesNotLoseIt() throws Exception {
        try (Puppet puppet = onADiskOfItsOwn("size=1m", "true")) {
            String standing = "";
            for (int tries = 0; tries < 3 && !standing.equals("held"); tries++) { // if the machine stands still for a lease, the hold ends
                puppet.acquire("a", file(), "lease=2500");
                // A remount would be refused while files are open for writing; a separate bind mount is not.
                puppet.shell("mount --bind '" + dir + "' '" + dir + "' && mount -o remount,bind,ro '" + dir + "'");
                Thread.sleep(4_000); // several renewals
                standing = puppet.ensure("a");
                if (!standing.equals("held")) {
                    puppet.close("a");
                    puppet.shell("umount '" + dir + "'");
                }
            }
            assertThat(standing).isEqualTo("held");
            puppet.close("a"); // cannot delete its record now
            puppet.shell("umount '" + dir + "'");
            puppet.acquire("b", file(), "timeout=20000");
            puppet.close("b");
            assertThat(puppet.list(dir)).doesNotContain("session.jsonl.lock");
        }
    }

    // ---- full ----

    @Test
    void fullDiskIsToldInWordsAndLeftAsItWas() throws Exception {
        try (Puppet puppet = onADiskOfItsOwn("size=256k", "true")) {
            puppet.acquire("a", file());
            puppet.close("a");
            fill(puppet);
            String before = puppet.list(dir);
            // Its record file exists already, with room for a record; other locks need record files of their own.
            puppet.acquire("a", file());
            Puppet.Reply refused = puppet.ask("acquire", "b", dir.resolve("another.jsonl"), "timeout=0");
            if (!refused.ok()) {
                assertThat(refused.words().get(0)).isEqualTo("LockException");
                assertThat(refused.words().get(1)).contains("is full");
            } else {
                puppet.close("b");
            }
            assertThat(puppet.verify("a")).isEqualTo("held");
            puppet.close("a");
            assertThat(withoutGuards(puppet.list(dir))).isEqualTo(withoutGuards(before));

            puppet.shell("rm '" + dir + "/filler'");
            puppet.acquire("b", dir.resolve("another.jsonl"));
        }
    }

    @Test
    void diskWithoutInodesIsToldInWordsAndLeftAsItWas() throws Exception {
        for (int inodes = 1; ; inodes++) {
            // The root directory takes one. Each further inode is for what the library creates next: its directory, a guard file, the table, a record
            // file.
            try (Puppet puppet = onADiskOfItsOwn("size=1m,nr_inodes=" + (inodes + 1), "true")) {
                Puppet.Reply reply = puppet.ask("acquire", "a", file(), "timeout=0");
                if (reply.ok()) {
                    assertThat(puppet.verify("a")).isEqualTo("held");
                    assertThat(inodes).as("inodes that one lock takes").isGreaterThan(3);
                    return;
                }
                assertThat(reply.words().get(0)).isEqualTo("LockException");
                assertThat(reply.words().get(1)).contains("is full");
                assertThat(puppet.list(dir)).doesNotContain(".lock ");
                assertThat(inodes).as("inodes that were not enough").isLessThan(20);
            }
        }
    }

    private static void fill(Puppet puppet) throws InterruptedException {
        puppet.shell("dd if=/dev/zero of='" + puppet.shell("pwd") + "/filler' bs=4k 2>/dev/null; true");
    }

    private static String withoutGuards(String list) {
        return list.replaceAll("\\S*/(guard|claim)-\\S+ ?", "");
    }

    // ---- rights ----

    @Test
    void missingRightsAreToldInWords() throws Exception {
        Tools.requireRoot();
        Tools.require("setpriv", "setpriv", "--version");
        try (OtherUser other = OtherUser.prepare();
                Puppet nobody = other.puppet("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"); Puppet root = Puppet.start()) {
            chmod(dir, "rwxr-xr-x");
            assertRefused(nobody, "no permission");
            assertThat(dir.toFile().list()).isEmpty();
            assertThat(nobody.tell("inspect", file()).text()).isEqualTo("FREE");

            // Locked by its owner: others may look, and are told who holds it, but cannot lock.
            root.acquire("a", file());
            assertThat(nobody.tell("inspect", file()).text()).isEqualTo("HELD");
            assertRefused(nobody, "no permission");
            assertThat(root.verify("a")).isEqualTo("held");
            root.close("a");

            chmod(dir, "rwx------");
            assertRefused(nobody, "no permission");
            assertThat(nobody.ask("inspect", file()).words().get(0)).isEqualTo("LockException");
        }
    }

    @Test
    void whoMayWriteToTheDirectoryMayLockThereWhateverTheUmask() throws Exception {
        Tools.requireRoot();
        Tools.require("setpriv", "setpriv", "--version");
        chmod(dir, "rwxrwxrwx");
        try (OtherUser other = OtherUser.prepare();
                Puppet nobody = other.puppet("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups");
                Puppet root = Puppet.wrappedBy("/bin/sh", "-c", "umask 077 && exec \"$@\"", "sh")) {
            root.acquire("a", file());
            assertThat(nobody.tryAcquire("b", file())).isFalse();
            root.close("a");
            nobody.acquire("b", file());
            assertThat(root.tryAcquire("a", file())).isFalse();
            nobody.jvm().kill();
            root.acquire("a", file());
        }
    }

    private void assertRefused(Puppet puppet, String why) throws InterruptedException {
        for (String command : new String[] {"acquire", "try"}) {
            Puppet.Reply reply = puppet.ask(command, "refused", file(), "timeout=5000");
            assertThat(reply.ok()).as("%s: %s", command, reply.text()).isFalse();
            assertThat(reply.words().get(0)).isEqualTo("LockException");
            assertThat(reply.words().get(1)).contains("cannot lock " + file()).contains(why);
        }
    }

    private Path file() {
        return dir.resolve("session.jsonl");
    }

    private static void chmod(Path path, String mode) throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
    }

    /** A puppet that sees a small disk where the test's directory is; no other process sees it. */
    private Puppet onADiskOfItsOwn(String options, String andThen) throws IOException, InterruptedException {
        Tools.require("a small disk of its own", "unshare", "--mount", "/bin/sh", "-c", "mount -t tmpfs -o size=64k tmpfs " + dir);
        return Puppet.wrappedBy("unshare", "--mount", "/bin/sh", "-c",
                "mount -t tmpfs -o " + options + " tmpfs '" + dir + "' && " + andThen + " && cd '" + dir + "' && exec \"$@\"", "sh");
    }
}
