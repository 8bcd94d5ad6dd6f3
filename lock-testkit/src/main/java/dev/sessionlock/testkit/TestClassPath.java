package dev.sessionlock.testkit;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * All that the test's JVM loads classes from, as one class path for the JVMs that it starts. If a project has a {@code module-info}, build tools put
 * its tests on the module path. {@code java.class.path} then lacks what that module requires, and the module itself. A child runs on the class path
 * nevertheless, where nothing needs to be exported or opened.
 */
final class TestClassPath {
    private static final String PATCH = "--patch-module=";

    private TestClassPath() {
    }

    /** {@return the class path} What was patched into a module comes before the module, as it does there. */
    static String get() {
        Set<String> all = new LinkedHashSet<>();
        for (String argument : arguments()) {
            if (argument.startsWith(PATCH)) {
                all.addAll(entries(argument.substring(argument.indexOf('=', PATCH.length()) + 1)));
            }
        }
        for (String entry : entries(System.getProperty("jdk.module.path"))) {
            all.addAll(modulesIn(Path.of(entry)));
        }
        all.addAll(entries(System.getProperty("java.class.path")));
        return String.join(File.pathSeparator, all);
    }

    private static List<String> arguments() {
        return System.getProperty("jdk.module.path") == null ? List.of() : ManagementFactory.getRuntimeMXBean().getInputArguments();
    }

    private static List<String> entries(String path) {
        return path == null ? List.of() : Arrays.stream(path.split(File.pathSeparator)).filter(entry -> !entry.isEmpty()).toList();
    }

    /** An entry of the module path is a module, or a directory of modules. */
    private static List<String> modulesIn(Path entry) {
        if (!Files.isDirectory(entry) || Files.exists(entry.resolve("module-info.class"))) {
            return List.of(entry.toString());
        }
        List<String> modules = new ArrayList<>();
        try (Stream<Path> inside = Files.list(entry)) {
            inside.filter(path -> path.toString().endsWith(".jar") || Files.exists(path.resolve("module-info.class"))).sorted()
                    .forEach(path -> modules.add(path.toString()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return modules;
    }
}
