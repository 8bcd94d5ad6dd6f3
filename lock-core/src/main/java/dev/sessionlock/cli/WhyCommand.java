package dev.sessionlock.cli;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.ProcessState;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.PastHold;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.HolderProcesses;
import dev.sessionlock.internal.system.Passwords;
import dev.sessionlock.internal.system.ThreadNames;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Tells why a lock is stuck, or was. */
@Command(
        name = "why",
        header = "Tells why the lock of a file is stuck, or was, and what to do.",
        customSynopsis = {"sessionlock why [--json] [--html OUT [--force]] [--no-stack] [--jdbc URL] FILE"},
        description = {
            "Tells the story of a lock on one screen: why it is stuck and the one next step, who has it and why it is judged so, who waits and since when, how "
                    + "the last ten holds ended, and what is unusual. It tells of the last trouble, too, for a day.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "FILE is the file that is locked, or its lock file, as for status.",
            "",
            "If a JVM of yours has held the lock for a second, why asks it for the stack of the thread, as jcmd PID Thread.print does. That JVM stands still for some "
                    + "milliseconds. The same holds for the JVM of a thread that lost the lock at maxHold. --no-stack leaves both alone. "
                    + "Otherwise it only looks: holders and waiters do not notice.",
            "",
            "Exit code: as of status. 0 all well, or it gets well by itself; 1 it needs a person; 2 bad usage, or the directory cannot be read, or OUT cannot be "
                    + "written.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar why session.jsonl",
            "  java -jar sessionlock.jar why --html incident.html session.jsonl",
            "  java -jar sessionlock.jar why --json session.jsonl | jq -r '.cause, .next.step'"
        })
final class WhyCommand implements Callable<Integer> {
    /** So many past holds are read. */
    private static final int PAST = 1_000;

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Mixin
    private JdbcOption jdbc;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Option(names = "--html", paramLabel = "OUT", converter = FileConverter.class,
            description = "Also write the story as a page with a timeline, for a ticket; it needs no other file. Only you can read it. It replaces an earlier page of yours.")
    private @Nullable Path html;

    @Option(names = "--force", description = "With --html: replace OUT if it is any other file, or a link.")
    private boolean force;

    @Option(names = "--no-stack", description = "Do not ask the holder's JVM for a stack.")
    private boolean noStack;

    @Parameters(paramLabel = "FILE", converter = FileConverter.class, description = "The file, or its lock file.")
    private Path file;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (force && html == null) {
            throw new ParameterException(spec.commandLine(), "--force goes with --html");
        }
        Story story;
        try (SessionLocks locks = jdbc.builder().build()) {
            story = story(locks);
        }
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? StoryDocument.of(story) : new StorySentences(story).text(Colours.areWanted()));
        out.flush();
        if (html != null) { // afterwards: whoever asks has an answer, even if the page cannot be written
            new PageFile(html, StoryPage.BEGINNING).write(new StoryPage(story).page(), force);
        }
        return story.view().needsPerson() ? Main.NEEDS_PERSON : 0;
    }

    // ---- looking ----

    private Story story(SessionLocks locks) throws IOException, InterruptedException {
        ReportView view = look(locks);
        ThreadSnapshot thread = null;
        if (!noStack && Story.mayBeStuck(view)) {
            LockOwner owner = view.report().owner();
            thread = ThreadDump.look(owner.pid(), owner.thread());
            view = look(locks);
            LockOwner now = view.report().owner();
            if (now == null || !Objects.equals(now.token(), owner.token())) {
                thread = null; // another hold, of which the stack says nothing
            }
        }
        List<PastHold> past = past(locks, view);
        PastIncident before = PastIncident.of(past, view.at());
        return Story.of(view, past, others(locks, view), thread, before == null ? null : seen(before));
    }

    private List<PastHold> past(SessionLocks locks, ReportView view) {
        try {
            return jdbc.isGiven() ? locks.history(jdbc.name(), PAST) : locks.history(view.target(), PAST);
        } catch (LockException e) {
            return untold("what happened before", e);
        }
    }

    /** Whoever asks has what can be read. */
    private <T> List<T> untold(String what, IOException cause) {
        PrintWriter err = spec.commandLine().getErr();
        err.println("sessionlock: " + what + " is left out: " + Passwords.hiddenIn(String.valueOf(cause.getMessage())));
        err.flush();
        return List.of();
    }

    private ReportView look(SessionLocks locks) throws IOException {
        if (!jdbc.isGiven()) {
            return new StatusQuestion(file, json).look(locks);
        }
        LockReport report = locks.inspect(jdbc.name());
        return new ReportView(file, report, Instant.now(), DatabaseView.waiters(report));
    }

    /** The database does not know which thread waits, so it has no chains. */
    private List<LockReport> others(SessionLocks locks, ReportView view) {
        Path home = view.target().toAbsolutePath().getParent();
        try {
            return jdbc.isGiven() || view.report().state() == State.FREE || home == null ? List.of() : locks.list(home).toList();
        } catch (LockException e) {
            return untold("who waits for what else", e);
        }
    }

    /** Sees what has become of the process of a past hold. */
    private PastIncident seen(PastIncident before) throws InterruptedException {
        PastHold hold = before.hold();
        ProcessState state = HolderProcesses.stateNow(hold, !jdbc.isGiven());
        boolean ask = !noStack && before.cause() == Cause.HUNG_THREAD && state == ProcessState.ALIVE && ThreadNames.isNamed(hold.thread());
        return before.with(state, ask ? ThreadDump.look(hold.pid(), hold.thread()) : null);
    }
}
