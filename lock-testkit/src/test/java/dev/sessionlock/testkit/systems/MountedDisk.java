package dev.sessionlock.testkit.systems;

import dev.sessionlock.testkit.Puppet;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * A disk of its own, of another file system: an image on a loop device, mounted in a mount namespace that nobody else sees. One process keeps all that: when it
 * ends, the kernel takes mount, device and namespace away. It is ended with the test, whatever ends that.
 */
final class MountedDisk implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** File systems that take names for one that differ in case, and what the test needs to make and mount one. */
    enum Kind {
        /** Folds names in a directory that is told to. It has all that ext4 has. */
        EXT4_CASEFOLD("mkfs.ext4 -q -O casefold \"$IMAGE\"", "mount -o loop \"$IMAGE\" \"$DIR\" && mkdir \"$DIR\"/sessions && chattr +F \"$DIR\"/sessions && exec sleep infinity"),
        /** No hard links, time stamps of two seconds, no owners and modes. */
        VFAT("mkfs.vfat \"$IMAGE\"", "mount -t vfat -o loop \"$IMAGE\" \"$DIR\" && mkdir \"$DIR\"/sessions && exec sleep infinity"),
        /** The same by a program, which has another inode for each spelling of a name. It is a local disk (fuseblk). */
        EXFAT_FUSE("mkfs.exfat \"$IMAGE\"", "exec mount.exfat-fuse -d \"$LOOP\" \"$DIR\" >/dev/null 2>&1"),
        /** By a program, too, with hard links. */
        NTFS_3G("mkntfs -F -q \"$IMAGE\"", "exec lowntfs-3g -o no_detach,ignore_case \"$LOOP\" \"$DIR\"");

        private final String format;
        private final String mount;

        Kind(String format, String mount) {
            this.format = format;
            this.mount = mount;
        }

        /** A shell that has the device open lets go of it: the kernel takes it away when the last one does. */
        private String script() {
            String device = mount.contains("$LOOP") ? "LOOP=$(losetup -f --show \"$IMAGE\") && exec 9<\"$LOOP\" && losetup -d \"$LOOP\" && " : "";
            return "PATH=$PATH:/usr/sbin:/sbin; truncate -s 64M \"$IMAGE\" && " + format + " >/dev/null && " + device + mount;
        }
    }

    private final Path dir;
    private final Process keeper;

    /** Skips the test where such a disk cannot be had. */
    MountedDisk(Kind kind, Path image, Path dir) throws IOException, InterruptedException {
        this.dir = dir;
        Tools.require("a mount namespace of its own", "setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "true");
        ProcessBuilder builder = new ProcessBuilder("setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "/bin/sh", "-c", kind.script());
        builder.environment().put("IMAGE", image.toString());
        builder.environment().put("DIR", dir.toString());
        Path said = image.resolveSibling(image.getFileName() + ".out");
        this.keeper = builder.redirectErrorStream(true).redirectOutput(said.toFile()).start();
        boolean mounted = false;
        try {
            mounted = isMounted();
            Tools.skipUnless(mounted, "no disk of the kind " + kind + " can be mounted here: " + said(said));
            inside("mkdir -p '" + sessions() + "'");
        } finally {
            if (!mounted) {
                close();
            }
        }
    }

    private static String said(Path output) throws IOException {
        return String.join("; ", Files.readAllLines(output));
    }

    /** Mounting takes a moment; what cannot be mounted ends the process. */
    private boolean isMounted() throws IOException, InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (keeper.isAlive() && System.nanoTime() < end) {
            if (inside("mountpoint -q '" + dir + "' && test -e '" + dir + "'/.") == 0) {
                return true;
            }
            keeper.waitFor(20, TimeUnit.MILLISECONDS);
        }
        return false;
    }

    private int inside(String command) throws IOException, InterruptedException {
        return new ProcessBuilder("nsenter", namespace(), "/bin/sh", "-c", command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
    }

    private String namespace() {
        return "--mount=/proc/" + keeper.pid() + "/ns/mnt";
    }

    /** {@return a directory on the disk} */
    Path sessions() {
        return dir.resolve("sessions");
    }

    /** {@return a process that sees the disk} */
    Puppet puppet() throws IOException, InterruptedException {
        return Puppet.wrappedBy("nsenter", namespace());
    }

    @Override
    public void close() {
        keeper.destroy(); // no SIGKILL: a program that is a file system would wait for itself while the kernel unmounts it, for ever
        keeper.onExit().orTimeout(PATIENCE.toSeconds(), TimeUnit.SECONDS).join();
    }
}
