package dev.sessionlock.testkit;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Puppets that run as a user without rights, with a copy of the class path that this user may read. */
public final class OtherUser implements AutoCloseable {
    private final Path copy;
    private final String classPath;

    private OtherUser(Path copy, String classPath) {
        this.copy = copy;
        this.classPath = classPath;
    }

    public static OtherUser prepare() throws IOException, InterruptedException {
        Path copy = Files.createTempDirectory("sessionlock-class-path");
        List<String> entries = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            boolean needed = entry.contains("lock-core") || entry.contains("lock-testkit") || entry.contains("slf4j");
            if (needed) {
                entries.add(copy(Path.of(entry), copy.resolve(Integer.toString(entries.size()))).toString());
            }
        }
        Tools.shell("chmod -R a+rX '" + copy + "'");
        return new OtherUser(copy, String.join(File.pathSeparator, entries));
    }

    private static Path copy(Path from, Path to) throws IOException {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path path : all.toList()) {
                Files.copy(path, to.resolve(from.relativize(path).toString()));
            }
        }
        return to;
    }

    /** Starts one, with a command that switches to the other user. */
    Puppet puppet(String... wrapper) throws IOException, InterruptedException {
        return Puppet.start(jvm(Puppet.Strings.class, wrapper));
    }

    /** {@return the description of a JVM that runs a class, with a command that switches to the other user} */
    public ChildJvm.Builder jvm(Class<?> what, String... wrapper) {
        return ChildJvm.of(what).jvmArgs(SmallJvm.FLAGS).classPath(classPath).directory(copy).wrappedBy(wrapper);
    }

    @Override
    public void close() throws IOException {
        try (Stream<Path> all = Files.walk(copy)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
