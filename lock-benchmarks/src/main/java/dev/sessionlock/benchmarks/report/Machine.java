package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.Workplace;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.stream.Stream;

/** Where and when was measured: without this a figure means nothing. */
final class Machine {
    private static final DateTimeFormatter MINUTE = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'", Locale.ROOT);

    private final String fileSystem;
    private final double loadBefore = load();
    private final ZonedDateTime since = ZonedDateTime.now(ZoneOffset.UTC);

    /** Create this before anything is measured: it reads how busy the machine is with other things. */
    Machine(Workplace place) throws IOException {
        fileSystem = place.fileSystem();
    }

    private static double load() {
        return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    }

    /** {@return one paragraph of Markdown} */
    String text() {
        return processor() + ", " + Runtime.getRuntime().availableProcessors() + " cores · "
                + System.getProperty("os.name") + " " + System.getProperty("os.version") + " · "
                + fileSystem + " · " + System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version") + " · "
                + MINUTE.format(since) + " · load average before: " + Bar.number(loadBefore)
                + (loadBefore > Runtime.getRuntime().availableProcessors() / 4.0 ? " (**the machine was not idle**)" : "");
    }

    private static String processor() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name")).findFirst().map(line -> line.substring(line.indexOf(':') + 1).trim())
                    .orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }
}
