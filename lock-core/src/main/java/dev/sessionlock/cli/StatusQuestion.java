package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Remedy;
import dev.sessionlock.LockReport.RemedyKind;
import dev.sessionlock.LockReport.Sentence;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.LockReport.Topic;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.WaiterScanner;
import dev.sessionlock.internal.seats.InspectionSentences;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ToolCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What {@code status} asks.
 *
 * @param file the file that is meant, or its lock file
 * @param json whether to answer as a JSON document
 */
record StatusQuestion(Path file, boolean json) {
    private static final String SUFFIX = ".lock";

    /** Looks at the lock of the file, and answers. Returns the exit code. Nothing is printed if it throws. */
    int answer(PrintWriter out) throws IOException {
        return answer(out, look());
    }

    /** Answers. Returns the exit code. */
    int answer(PrintWriter out, ReportView finding) {
        out.println(json ? ReportView.json(List.of(finding)) : finding.text(Colours.areWanted()));
        out.flush();
        return finding.needsPerson() ? Main.NEEDS_PERSON : 0;
    }

    private ReportView look() throws IOException {
        try (SessionLocks locks = SessionLocks.create()) {
            return look(locks);
        }
    }

    /** Looks at the lock of the file. */
    ReportView look(SessionLocks locks) throws IOException {
        Path target = targetOf(locks, file);
        LockReport report = locks.inspect(target);
        Path home = target.toAbsolutePath().getParent();
        List<Long> waiters = WaiterScanner.in(home.toRealPath()).of(report.name());
        if (report.state() == State.FREE && Files.isDirectory(target)) {
            report = listed(report, target);
        } else if (report.state() == State.FREE && Files.exists(target) && !Files.isRegularFile(target)) {
            report = told(report, "it is a FIFO, socket or device, and only files are locked", Remedy.none());
        }
        boolean missing = report.state() == State.FREE && waiters.isEmpty() && !Files.exists(target, LinkOption.NOFOLLOW_LINKS);
        return new ReportView(target, missing ? missing(report, target, home) : report, Instant.now(), waiters);
    }

    /** Somebody wants to know of the files in it. */
    private static LockReport listed(LockReport report, Path directory) {
        return told(report, "it is a directory, and only files are locked",
                new Remedy(RemedyKind.LOOK, ToolCommand.words() + " list " + Printable.shellWord(directory.toString())));
    }

    /** Perhaps a session that is yet to be made, perhaps a slip of the pen: then "free" would be said of another file than the one that is meant. */
    private static LockReport missing(LockReport report, Path target, Path home) throws IOException {
        Set<String> names = new TreeSet<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(home)) {
            for (Path path : all) {
                String name = path.getFileName().toString();
                names.add(name.endsWith(SUFFIX) && name.length() > SUFFIX.length() ? name.substring(0, name.length() - SUFFIX.length()) : name);
            }
        } catch (DirectoryIteratorException | AccessDeniedException e) {
            names.clear(); // one that may be entered and not read
        }
        names.remove(LockDirectory.INNER);
        String meant = Spelling.nearest(report.name(), names);
        return told(report, "there is no file of that name, and nothing tells of a lock", meant == null ? Remedy.none()
                : new Remedy(RemedyKind.LOOK, InspectionSentences.statusOf(target.resolveSibling(meant)), "did you mean this one?"));
    }

    private static LockReport told(LockReport report, String more, Remedy remedy) {
        List<Sentence> evidence = new ArrayList<>(report.sentences());
        evidence.add(new Sentence(Topic.OTHER, more));
        return new LockReport(report.name(), report.lockFile(), report.state(), report.owner(), report.facts(), evidence, remedy);
    }

    /** {@return the locked file that is meant: the name of its lock file will do, too, unless that is itself a locked file's} */
    static Path targetOf(SessionLocks locks, Path file) throws LockException {
        String name = file.getFileName() == null ? "" : file.getFileName().toString();
        boolean lockFile = name.endsWith(SUFFIX) && name.length() > SUFFIX.length();
        return lockFile && locks.inspect(file).state() == State.FREE
                ? file.resolveSibling(name.substring(0, name.length() - SUFFIX.length()))
                : file;
    }
}
