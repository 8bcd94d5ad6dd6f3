package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.LabFileSystemProvider;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Starts the JVMs of labs: small ones, with the lab's provider, and with the scenario's classes in an archive (AppCDS), which the first run makes. An
 * archive accepts no directories of classes, so those of the class path are packed into jars. All of it lies in a temporary directory that is removed
 * when this JVM ends.
 *
 * <p>The boot loader loads the provider. If it were an archived class of the class path, the JDK would ask the default file system for the path of
 * its jar before there is one, and die (seen in 17 and 25).
 */
final class CrashJvms {
    private static final String PROVIDER = "dev/sessionlock/testkit/disk";
    private static final String MANIFEST = "META-INF/MANIFEST.MF";

    private static @Nullable CrashJvms instance;

    private final Path home;
    private final Path provider;
    private final String classPath;
    /** By scenario and arguments. No entry if the JVM could not make one. */
    private final Map<String, Path> archives = new ConcurrentHashMap<>();

    private CrashJvms(Path home) throws IOException {
        this.home = home;
        this.provider = pack(home.resolve("provider.jar"), own(), PROVIDER);
        this.classPath = packed(TestClassPath.get());
    }

    static synchronized CrashJvms get() throws IOException {
        if (instance == null) {
            Path home = Files.createTempDirectory("sessionlock-crash-jvm-");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(home), "removes-crash-archives"));
            instance = new CrashJvms(home);
        }
        return instance;
    }

    static void delete(Path directory) {
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : (Iterable<Path>) tree.sorted(Comparator.reverseOrder())::iterator) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException e) {
            System.err.println("could not remove " + directory + ": " + e);
        }
    }

    // ---- jars ----

    private static Path own() throws IOException {
        try {
            return Path.of(CrashJvms.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new IOException(e);
        }
    }

    private String packed(String path) throws IOException {
        List<String> entries = new ArrayList<>();
        for (String entry : path.split(File.pathSeparator)) {
            Path place = Path.of(entry);
            if (Files.isDirectory(place)) {
                entries.add(pack(home.resolve(entries.size() + "-" + place.getFileName() + ".jar"), place, "").toString());
            } else if (Files.exists(place)) {
                entries.add(place.toAbsolutePath().toString());
            }
        }
        return String.join(File.pathSeparator, entries);
    }

    /** Packs a folder of a directory, or of a jar, into a jar. */
    private static Path pack(Path jar, Path from, String folder) throws IOException {
        if (Files.isDirectory(from)) {
            packTree(jar, from, folder);
        } else {
            try (FileSystem zip = FileSystems.newFileSystem(from)) {
                packTree(jar, zip.getPath("/"), folder);
            }
        }
        return jar;
    }

    private static void packTree(Path jar, Path from, String folder) throws IOException {
        try (OutputStream out = Files.newOutputStream(jar); ZipOutputStream zip = new ZipOutputStream(out);
             Stream<Path> files = Files.walk(from.resolve(folder))) {
            zip.setLevel(Deflater.NO_COMPRESSION);
            for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                String name = from.relativize(file).toString();
                if (!name.equals(MANIFEST)) { // a manifest in a directory belongs to no jar; in a jar, it might extend the class path
                    zip.putNextEntry(new ZipEntry(name));
                    Files.copy(file, zip);
                }
            }
        }
    }

    // ---- JVMs ----

    private static String key(CrashCampaign.ScenarioRun scenarioRun) {
        return scenarioRun.scenario().getName() + " " + scenarioRun.jvmArgs();
    }

    /** {@return whether a run of this scenario has been archived} */
    boolean isTrained(CrashCampaign.ScenarioRun scenarioRun) {
        return archives.containsKey(key(scenarioRun));
    }

    /** {@return where the next run of this scenario leaves its archive} */
    Path newArchive() throws IOException {
        return Files.createTempFile(home, "classes-", ".jsa");
    }

    /** A run of this scenario has left its archive, or none. */
    void trained(CrashCampaign.ScenarioRun scenarioRun, Path archive) throws IOException {
        if (Files.exists(archive) && Files.size(archive) > 0) {
            archives.put(key(scenarioRun), archive);
        }
    }

    /**
     * Starts a JVM that waits for its order.
     *
     * @param making where it leaves an archive when it ends; null if it uses the existing one
     */
    ChildJvm start(CrashCampaign.ScenarioRun scenarioRun, @Nullable Path making) throws IOException, InterruptedException {
        List<String> flags = new ArrayList<>(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-XX:-UsePerfData",
                "-Xshare:auto", "-Xlog:disable", "-Xbootclasspath/a:" + provider,
                LabFileSystemProvider.AS_DEFAULT));
        Path archive = archives.get(key(scenarioRun));
        if (making != null) {
            Files.deleteIfExists(making); // its name was reserved, and the JVM does not overwrite a file
            flags.add("-XX:ArchiveClassesAtExit=" + making);
        } else if (archive != null) {
            flags.add("-XX:SharedArchiveFile=" + archive);
        }
        if (CrashJvms.class.desiredAssertionStatus()) {
            flags.add("-ea");
        }
        flags.addAll(scenarioRun.jvmArgs());
        return ChildJvm.of(CrashChild.class).name(scenarioRun.name()).jvmArgs(flags.toArray(new String[0])).classPath(classPath).start();
    }
}
