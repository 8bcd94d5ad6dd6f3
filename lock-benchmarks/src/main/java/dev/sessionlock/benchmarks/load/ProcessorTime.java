package dev.sessionlock.benchmarks.load;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** The CPU time of a process, all its threads together. */
final class ProcessorTime {
    private ProcessorTime() {
    }

    /**
     * {@return nanoseconds; exact where there is {@code /proc}, otherwise in the units of the system}
     *
     * @param process a living process
     */
    static long of(ProcessHandle process) throws IOException {
        Path tasks = Path.of("/proc", Long.toString(process.pid()), "task");
        if (!Files.exists(tasks.resolve(Long.toString(process.pid())).resolve("schedstat"))) {
            return process.info().totalCpuDuration().orElse(Duration.ZERO).toNanos();
        }
        long nanos = 0;
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(tasks)) {
            for (Path thread : threads) {
                nanos += ofThread(thread);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        return nanos;
    }

    private static long ofThread(Path thread) {
        try {
            String schedstat = Files.readString(thread.resolve("schedstat"));
            return Long.parseLong(schedstat.substring(0, schedstat.indexOf(' ')));
        } catch (IOException e) {
            return 0; // the thread has just ended
        }
    }
}
