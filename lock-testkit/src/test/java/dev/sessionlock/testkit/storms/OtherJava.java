package dev.sessionlock.testkit.storms;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Properties;

/** Another JDK of this machine, since gateways of several versions share locks. {@code -Dstorm.java=…} names its {@code java}. */
final class OtherJava {
    private static final Optional<Path> FOUND = find();

    private OtherJava() {
    }

    /** {@return its {@code java}; empty if there is none of another version} */
    static Optional<Path> find() {
        String named = System.getProperty("storm.java");
        if (named != null) {
            return Optional.of(Path.of(named));
        }
        Path all = Path.of("/usr/lib/jvm");
        if (!Files.isDirectory(all)) {
            return Optional.empty();
        }
        try (DirectoryStream<Path> homes = Files.newDirectoryStream(all)) {
            for (Path home : homes) {
                if (isAnother(home)) {
                    return Optional.of(home.resolve("bin/java"));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Optional.empty();
    }

    private static boolean isAnother(Path home) throws IOException {
        Path release = home.resolve("release");
        if (!Files.isExecutable(home.resolve("bin/java")) || !Files.exists(release)) {
            return false;
        }
        Properties properties = new Properties();
        try (Reader in = Files.newBufferedReader(release)) {
            properties.load(in);
        }
        String version = properties.getProperty("JAVA_VERSION", "").replace("\"", "");
        int feature = version.isEmpty() ? 0 : Integer.parseInt(version.split("[.+-]")[0]);
        return feature >= 17 && feature != Runtime.version().feature();
    }

    static Optional<Path> get() {
        return FOUND;
    }
}
