package dev.sessionlock.testkit;

import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.spi.ToolProvider;

/**
 * Child JVMs for these tests, which need hundreds. They are small, and have their classes in an archive (AppCDS), which saves a third of the time of
 * a start. The first one makes the archive, in the background. Until it is there, and where none can be made, the others run without it. It lies in a
 * temporary directory that is removed when this JVM ends.
 */
public final class SmallJvm {
    /** What makes a JVM start fast and stay small. */
    static final String[] FLAGS = {"-Xmx64m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto",
        "-Dorg.slf4j.simpleLogger.showDateTime=true"};
    private static final CompletableFuture<Archive> ARCHIVE = CompletableFuture.supplyAsync(SmallJvm::archive).exceptionally(e -> {
        System.out.println("child JVMs start without an archive of their classes: " + e);
        return null;
    });

    private record Archive(Path file, String classPath) {
    }

    private SmallJvm() {
    }

    /** {@return the description of a JVM that runs a class} */
    public static ChildJvm.Builder of(Class<?> what) {
        ChildJvm.Builder builder = ChildJvm.of(what).jvmArgs(FLAGS);
        Archive archive = ARCHIVE.getNow(null);
        return archive == null ? builder : builder.classPath(archive.classPath()).jvmArgs("-XX:SharedArchiveFile=" + archive.file());
    }

    private static Archive archive() {
        try {
            Path home = Files.createTempDirectory("sessionlock-small-jvm-");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> CrashJvms.delete(home), "removes-small-jvms-archive"));
            Archive archive = new Archive(home.resolve("classes.jsa"), packed(home));
            rehearse(archive, Files.createDirectory(home.resolve("sessions")).resolve("session.jsonl"));
            return Files.exists(archive.file()) ? archive : null;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }

    /** An archive accepts no directories of classes, so they are packed into jars. */
    private static String packed(Path home) {
        ToolProvider jar = ToolProvider.findFirst("jar").orElseThrow();
        List<String> entries = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (Files.isDirectory(Path.of(entry))) {
                String packed = home.resolve(entries.size() + ".jar").toString();
                jar.run(new PrintStream(PrintStream.nullOutputStream()), System.err, "--create", "--no-compress", "--file", packed, "-C", entry, ".");
                entries.add(packed);
            } else if (Files.exists(Path.of(entry))) {
                entries.add(entry);
            }
        }
        return String.join(File.pathSeparator, entries);
    }

    /** Does what most of them do; when it ends, it leaves the archive. */
    private static void rehearse(Archive archive, Path session) throws IOException, InterruptedException {
        try (Puppet puppet = Puppet.start(ChildJvm.of(Puppet.Strings.class).jvmArgs(FLAGS)
                .jvmArgs("-Xlog:disable", "-XX:ArchiveClassesAtExit=" + archive.file()).classPath(archive.classPath()))) {
            puppet.acquire("a", session);
            puppet.verify("a");
            puppet.close("a");
            puppet.jvm().send("0 return");
            puppet.jvm().awaitExit(Puppet.PATIENCE);
        }
    }
}
