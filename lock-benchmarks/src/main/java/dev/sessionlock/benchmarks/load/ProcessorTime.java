package dev.sessionlock.benchmarks.load;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** How long a process has run on a processor, all its threads together. */
final class ProcessorTime {
    private ProcessorTime() {
    }

    /**
     * {@return nanoseconds; to the nanosecond where there is {@code /proc}, else as finely as the system counts}
     *
     * @param process a living one
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
