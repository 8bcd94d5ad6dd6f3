package dev.sessionlock.benchmarks;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A directory of our own on the disk that is measured. At the end, also after Ctrl-C, it is removed, and every process ends that this JVM has
 * started.
 */
public final class Workplace implements Closeable {
    /** Names the directory to work in. A JVM that JMH forks learns it by this property. */
    public static final String PROPERTY = "sessionlock.bench.dir";

    /** Locks in memory are no locks on a disk: their figures would look good and mean nothing. */
    private static final Set<String> IN_MEMORY = Set.of("tmpfs", "ramfs");

    private final Path path;
    private final Thread hook = new Thread(this::clearAway, "bench-clears-away");

    private Workplace(Path path) {
        this.path = path;
    }

    /**
     * Creates one in the directory that the system property names. Without the property, in the first of these that is on a disk: the temporary
     * directory, {@code /var/tmp}, the working directory.
     *
     * @return the directory, to be closed
     * @throws IOException if there is none, or it cannot be written to; the message is for people
     */
    public static Workplace create() throws IOException {
        String named = System.getProperty(PROPERTY);
        return in(named == null ? someDisk() : Path.of(named));
    }

    /**
     * Creates one in a directory.
     *
     * @param parent an existing directory
     * @return the directory, to be closed
     * @throws IOException if it does not exist or cannot be written to; the message is for people
     */
    public static Workplace in(Path parent) throws IOException {
        if (!Files.isDirectory(parent)) {
            throw new IOException(parent + " is not a directory");
        }
        Workplace place = new Workplace(Files.createTempDirectory(parent.toRealPath(), "sessionlock-bench-"));
        Runtime.getRuntime().addShutdownHook(place.hook);
        return place;
    }

    private static Path someDisk() throws IOException {
        List<Path> candidates = List.of(Path.of(System.getProperty("java.io.tmpdir")), Path.of("/var/tmp"), Path.of("").toAbsolutePath());
        for (Path candidate : candidates) {
            if (Files.isWritable(candidate) && !IN_MEMORY.contains(Files.getFileStore(candidate).type())) {
                return candidate;
            }
        }
        throw new IOException("none of " + candidates + " is a writable directory on a disk; name one with -D" + PROPERTY + "=DIR");
    }

    /** {@return its path} */
    public Path path() {
        return path;
    }

    /**
     * Creates a directory in it.
     *
     * @param name of the directory; a number is added
     * @return a new, empty directory
     * @throws IOException if the disk refuses
     */
    public Path directory(String name) throws IOException {
        return Files.createTempDirectory(path, name + "-");
    }

    /** {@return the type of its file system and the device, as the system names them} */
    public String fileSystem() throws IOException {
        return Files.getFileStore(path).type() + " on " + Files.getFileStore(path).name();
    }

    private void clearAway() {
        List<ProcessHandle> started = ProcessHandle.current().descendants().toList();
        started.forEach(ProcessHandle::destroyForcibly);
        started.forEach(process -> process.onExit().join());
        try {
            delete();
        } catch (IOException e) {
            System.err.println("benchmarks: " + path + " could not be removed: " + e);
        }
    }

    private void delete() throws IOException {
        if (Files.exists(path)) {
            try (Stream<Path> all = Files.walk(path)) {
                for (Path file : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    /** Removes it with all its content. */
    @Override
    public void close() throws IOException {
        delete();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The hook is running already, and will find nothing.
        }
    }
}
