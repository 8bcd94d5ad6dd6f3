package dev.sessionlock.testkit.storms;

import dev.sessionlock.testkit.Tools;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A small copy-on-write disk in a file, mounted in a mount namespace of its own. It disappears with its last process, and its loop device with it,
 * whatever happens to this JVM. One process holds the namespace; others enter it by {@link #wrapper}.
 */
final class BtrfsDisk implements AutoCloseable {
    private static final String[] FILLERS = {"filler-1048576", "filler-65536", "filler-4096"};

    private final Process holder;
    private final Path mounted;

    private BtrfsDisk(Process holder, Path mounted) {
        this.holder = holder;
        this.mounted = mounted;
    }

    /** Skips the test if that is not permitted, or if the tools for it are missing. */
    static void require(Path temp) throws IOException, InterruptedException {
        Tools.requireRoot();
        Tools.require("mkfs.btrfs (apt-get install btrfs-progs)", "mkfs.btrfs", "--version");
        Tools.require("entering another process's mount namespace", "nsenter", "--version");
        Path image = temp.resolve("probe.img");
        Path at = Files.createDirectories(temp.resolve("probe"));
        Tools.require("a loop-mounted btrfs", "unshare", "--mount", "/bin/sh", "-c", commands(image, at));
        Files.delete(image);
    }

    /** On such a small disk, files share their blocks with the records of other files, so it is full to the last block. */
    private static String commands(Path image, Path at) {
        return "truncate -s 64M '" + image + "' && mkfs.btrfs -q --mixed '" + image + "' >/dev/null && mount -o loop '" + image + "' '" + at + "'";
    }

    static BtrfsDisk mount(Path image, Path at) throws IOException {
        Process holder = new ProcessBuilder("unshare", "--mount", "/bin/sh", "-c", commands(image, at) + " && echo ready && read -r until_closed")
                .redirectErrorStream(true).start();
        // Its reader is not closed: that would close the pipe.
        String said = new BufferedReader(new java.io.InputStreamReader(holder.getInputStream(), StandardCharsets.UTF_8)).readLine();
        if (!"ready".equals(said)) {
            holder.destroyForcibly();
            throw new IOException("no btrfs: " + said);
        }
        return new BtrfsDisk(holder, Path.of("/proc/" + holder.pid() + "/root" + at));
    }

    /** {@return the command prefix of a process that sees the disk} */
    String[] wrapper() {
        return new String[] {"nsenter", "--mount=/proc/" + holder.pid() + "/ns/mnt"};
    }

    /** {@return the disk as this JVM sees it} */
    Path mounted() {
        return mounted;
    }

    /** Fills it to the last block, in ever smaller pieces. */
    void fill() throws IOException {
        for (String filler : FILLERS) {
            byte[] piece = new byte[Integer.parseInt(filler.substring(filler.indexOf('-') + 1))];
            try (RandomAccessFile file = new RandomAccessFile(mounted.resolve(filler).toFile(), "rw")) {
                while (true) {
                    file.write(piece);
                    file.getFD().sync();
                }
            } catch (IOException e) {
                Thread.onSpinWait(); // that piece had no room
            }
        }
    }

    void free() throws IOException, InterruptedException {
        for (String filler : FILLERS) {
            Files.deleteIfExists(mounted.resolve(filler));
        }
        sync();
    }

    /** What was freed can be used once it is on the disk. */
    void sync() throws IOException, InterruptedException {
        new ProcessBuilder("sync", "-f", mounted.toString()).start().waitFor();
    }

    @Override
    public void close() {
        holder.destroyForcibly().onExit().orTimeout(20, TimeUnit.SECONDS).join();
    }
}
