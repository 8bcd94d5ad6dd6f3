package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.WaiterScanner;
import dev.sessionlock.internal.system.Printable;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Looks at the locks of a directory again and again, and remembers since when each process has waited. It changes nothing. */
final class DirectoryObserver implements LockView {
    private final Path directory;
    private final boolean recursive;
    private final Duration longFrom;
    private final Reports reports;
    /** The waits that the last look has seen, and since when. */
    private Map<ObservedWait, Instant> waits = new HashMap<>();

    /** The source of the reports. */
    interface Reports {
        /** {@return the reports on all locks of one directory, without its subdirectories} */
        List<LockReport> in(Path directory) throws LockException;
    }

    private record ObservedWait(Path lock, long pid) {
    }

    /**
     * @param directory the real path of what is watched
     * @param recursive whether to watch all directories below it, too
     * @param longFrom from which age on a hold counts as long
     */
    DirectoryObserver(Path directory, boolean recursive, Duration longFrom, Reports reports) {
        this.directory = directory;
        this.recursive = recursive;
        this.longFrom = longFrom;
        this.reports = reports;
    }

    /**
     * Looks once.
     *
     * @throws IOException if the directory is no longer there, or cannot be read
     */
    @Override
    public ViewSnapshot look() throws IOException {
        Map<ObservedWait, Instant> waiting = new HashMap<>();
        List<LockRow> seen = new ArrayList<>();
        List<Path> unreadable = new ArrayList<>();
        List<String> unnamed = new ArrayList<>();
        for (Path place : places(unreadable)) {
            try {
                lookAt(place, waiting, seen);
                UnreadableNames.in(place).ifPresent(unnamed::add);
            } catch (IOException e) {
                if (!Files.isDirectory(directory)) {
                    throw gone();
                } else if (place.equals(directory)) {
                    throw e;
                } else if (Files.isDirectory(place)) {
                    unreadable.add(place);
                }
            }
        }
        if (!Files.isDirectory(directory)) {
            throw gone();
        }
        waits = waiting;
        seen.sort(LockRow.WORST_FIRST);
        return new ViewSnapshot(seen, unreadable.size(), unnamed, Instant.now());
    }

    private IOException gone() {
        return new IOException(directory + " was removed while it was watched");
    }

    private void lookAt(Path place, Map<ObservedWait, Instant> waiting, List<LockRow> seen) throws IOException {
        List<LockReport> all = reports.in(place);
        if (all.isEmpty()) {
            return;
        }
        WaiterScanner waiters = WaiterScanner.in(place);
        Instant now = Instant.now();
        for (LockReport report : all) {
            Path target = place.resolve(report.name());
            List<Long> pids = waiters.of(report.name());
            if (report.state() == State.NOT_A_LOCK || report.state() == State.FREE && pids.isEmpty()) {
                continue;
            }
            Duration waited = null;
            for (long pid : pids) {
                ObservedWait wait = new ObservedWait(target, pid);
                Instant since = waits.getOrDefault(wait, now);
                waiting.put(wait, since);
                waited = longer(waited, Duration.between(since, now));
            }
            String session = Printable.text(directory.relativize(target).toString());
            ReportView finding = new ReportView(target, report, now);
            seen.add(new LockRow(session, finding, finding.needsPerson(), pids.size(), waited, longFrom));
        }
    }

    private static Duration longer(@Nullable Duration one, Duration other) {
        return one == null || other.compareTo(one) > 0 ? other : one;
    }

    private List<Path> places(List<Path> unreadable) throws IOException {
        if (!recursive) {
            return List.of(directory);
        }
        List<Path> places = new ArrayList<>();
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path place, BasicFileAttributes attributes) {
                String name = place.getFileName() == null ? "" : place.getFileName().toString();
                if (name.equals(LockDirectory.INNER) || name.startsWith(ProbeDirectory.PREFIX)) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                places.add(place);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path place, IOException e) throws IOException {
                if (place.equals(directory)) {
                    throw Files.isDirectory(directory) ? e : gone();
                } else if (Files.exists(place)) {
                    unreadable.add(place);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path place, @Nullable IOException e) {
                return FileVisitResult.CONTINUE; // a directory that was removed while it was listed
            }
        });
        return places;
    }
}
