package dev.sessionlock;

import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.internal.threads.WaitingThreads;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.LockEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What one {@link SessionLocks} sees of locks without disturbing them: one lock, all of a directory, or all whose names begin alike. An engine that
 * locks files is asked for directories; any other for names.
 */
record Inspections(LocalLocks locks, LockEngine engine, LockTarget.Naming naming) {

    Inspection one(LockTarget target) throws LockException {
        try {
            return withThreads(engine.inspect(target.id()), new WaitingThreads(locks));
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "look at", target.shown(), target.file());
        }
    }

    List<Inspection> all(Path directory) throws LockException {
        Objects.requireNonNull(directory, "directory");
        FileLockEngine files = naming.files();
        if (files != null) {
            return inDirectory(files, directory);
        }
        String prefix = naming.prefix(directory);
        return named(prefix).stream().filter(seen -> seen.id().name().indexOf('/', prefix.length()) < 0).toList();
    }

    List<Inspection> all(String prefix) throws LockException {
        return naming.files() != null ? all(LockTarget.Naming.path(prefix, "look at")) : named(prefix);
    }

    private List<Inspection> named(String prefix) throws LockException {
        try {
            return withThreadsOfThisJvm(engine.inspectAll(prefix));
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "look at", prefix.isEmpty() ? "the locks" : prefix, null);
        }
    }

    private List<Inspection> inDirectory(FileLockEngine engine, Path directory) throws LockException {
        try {
            return withThreadsOfThisJvm(engine.inspectAll(directory));
        } catch (IOException e) {
            throw explain(e, directory);
        }
    }

    private static LockException explain(IOException e, Path directory) {
        if (e instanceof LockException explained) {
            return explained;
        }
        if (!Files.isDirectory(directory)) {
            String why = Files.exists(directory) ? "it is not a directory" : "it does not exist; check the path";
            return new LockException("cannot look at " + directory + ": " + why, e);
        }
        return ErrorMessages.explain(e, "look at", directory);
    }

    private List<Inspection> withThreadsOfThisJvm(List<Inspection> all) {
        WaitingThreads waiting = new WaitingThreads(locks);
        return all.stream().map(seen -> withThreads(seen, waiting)).toList();
    }

    private static Inspection withThreads(Inspection seen, WaitingThreads waiting) {
        LockReport report = waiting.in(seen.report(), seen.id().parent());
        return report == seen.report() ? seen : new Inspection(seen.id(), report, seen.leftover(), seen.isComplete(), seen.isDoubtful());
    }

    // ---- what happened before ----

    List<PastHold> history(LockTarget target, int most) throws LockException {
        requireCount(most);
        try {
            return engine.history(target.id(), most);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "look at", target.shown(), target.file());
        }
    }

    List<PastHold> historyOfAll(Path directory, int most) throws LockException {
        Objects.requireNonNull(directory, "directory");
        requireCount(most);
        FileLockEngine files = naming.files();
        if (files == null) {
            String prefix = naming.prefix(directory);
            return historyOfNames(prefix, most);
        }
        try {
            return files.historyOfAll(directory, most);
        } catch (IOException e) {
            throw explain(e, directory);
        }
    }

    List<PastHold> historyOfAll(String prefix, int most) throws LockException {
        requireCount(most);
        return naming.files() != null ? historyOfAll(LockTarget.Naming.path(prefix, "look at"), most) : historyOfNames(prefix, most);
    }

    private List<PastHold> historyOfNames(String prefix, int most) throws LockException {
        try {
            return engine.historyOfAll(prefix, most);
        } catch (IOException e) {
            throw ErrorMessages.explain(e, "look at", prefix.isEmpty() ? "the locks" : prefix, null);
        }
    }

    private static void requireCount(int most) {
        if (most < 0) {
            throw new IllegalArgumentException("most must not be negative: " + most);
        }
    }

    /** {@return the reports of those that are locks} */
    static Stream<LockReport> reports(List<Inspection> inspections) {
        return inspections.stream().map(Inspection::report).filter(report -> report.state() != LockReport.State.FREE);
    }
}
