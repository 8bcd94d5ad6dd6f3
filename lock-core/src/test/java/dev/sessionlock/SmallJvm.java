package dev.sessionlock;

import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The command of child JVMs, of which these tests start hundreds. Such a JVM has its classes in an archive (AppCDS), which saves a third of what a start costs.
 * The first JVM of the tests that needs a child makes the archive, in the background; the others wait for nothing and use it as soon as it is there. It lies in
 * {@code target/small-jvm}, under a name that changes with each class of the class path.
 */
public final class SmallJvm {
    /** Small, and compiles less than usual: most children end before compiled code pays. */
    private static final List<String> FLAGS = List.of("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:CompileThresholdScaling=5", "-XX:-UsePerfData",
            "-Xshare:auto", "-Xlog:disable");
    private static final Path JAVA = Path.of(System.getProperty("java.home"), "bin", "java");
    private static final String[] CLASS_PATH = System.getProperty("java.class.path").split(File.pathSeparator);
    /** Loads what the tool and most programs of the tests need. */
    private static final String REHEARSAL = "dev.sessionlock.cli.Start";
    private static final @Nullable Path HOME = home();

    static {
        if (HOME != null && !Files.exists(archive(HOME))) {
            Thread maker = new Thread(() -> make(HOME), "makes-the-archive-of-small-jvms");
            maker.setDaemon(true);
            maker.start();
        }
    }

    private SmallJvm() {
    }

    /**
     * {@return the start of a command; the name of a class and its arguments follow}
     *
     * @param options of the JVM; they win over ours
     */
    public static List<String> command(String... options) {
        List<String> command = new ArrayList<>(List.of(JAVA.toString()));
        command.addAll(FLAGS);
        String classPath = System.getProperty("java.class.path");
        if (HOME != null && Files.exists(archive(HOME))) {
            command.add("-XX:SharedArchiveFile=" + archive(HOME));
            classPath = classPath(HOME);
        }
        command.addAll(List.of("-cp", classPath));
        command.addAll(List.of(options));
        return command;
    }

    private static Path archive(Path home) {
        return home.resolve("classes.jsa");
    }

    /** An archive accepts no directories of classes, so they are packed into jars. */
    private static String classPath(Path home) {
        List<String> entries = new ArrayList<>();
        for (String entry : CLASS_PATH) {
            entries.add(Files.isDirectory(Path.of(entry)) ? packed(home, entry).toString() : entry);
        }
        return String.join(File.pathSeparator, entries);
    }

    private static Path packed(Path home, String directory) {
        return home.resolve(Path.of(directory).getFileName() + ".jar");
    }

    /** Null where the class path cannot be told; then there is no archive. */
    private static @Nullable Path home() {
        try {
            StringBuilder all = new StringBuilder(JAVA.toRealPath() + " " + Runtime.version() + FLAGS);
            for (String entry : CLASS_PATH) {
                all.append('\n').append(entry);
                if (Files.isDirectory(Path.of(entry))) {
                    try (Stream<Path> files = Files.walk(Path.of(entry))) {
                        for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile).sorted()::iterator) {
                            all.append('\n').append(file).append(' ').append(Files.size(file)).append(' ').append(Files.getLastModifiedTime(file));
                        }
                    }
                }
            }
            String name = UUID.nameUUIDFromBytes(all.toString().getBytes(StandardCharsets.UTF_8)).toString();
            return Files.createDirectories(Path.of("target", "small-jvm", name).toAbsolutePath());
        } catch (IOException e) {
            System.out.println("child JVMs start without an archive of their classes: " + e);
            return null;
        }
    }

    /** One JVM of the tests makes it. The kernel frees this lock if that JVM ends before it is done. */
    private static void make(Path home) {
        try (FileChannel channel = FileChannel.open(home.resolve("making"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.tryLock()) {
            if (lock == null || Files.exists(archive(home))) {
                return;
            }
            ToolProvider jar = ToolProvider.findFirst("jar").orElseThrow();
            for (String entry : CLASS_PATH) {
                if (Files.isDirectory(Path.of(entry))) {
                    jar.run(new PrintStream(PrintStream.nullOutputStream()), System.err, "--create", "--no-compress", "--no-manifest", "--file", packed(home, entry).toString(), "-C", entry, ".");
                }
            }
            Path fresh = home.resolve("fresh.jsa");
            Files.deleteIfExists(fresh);
            rehearse(home, fresh);
            if (Files.exists(fresh)) {
                Files.move(fresh, archive(home), StandardCopyOption.ATOMIC_MOVE); // nobody sees half an archive
            }
        } catch (IOException | RuntimeException e) {
            System.out.println("child JVMs start without an archive of their classes: " + e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void rehearse(Path home, Path archive) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(JAVA.toString()));
        command.addAll(FLAGS);
        command.addAll(List.of("-XX:ArchiveClassesAtExit=" + archive, "-cp", classPath(home), REHEARSAL, "run", home.resolve("session.jsonl").toString(), "--", "true"));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        if (!process.waitFor(Patience.LIMIT.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
    }
}
