package dev.sessionlock.cli;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.system.CurrentUser;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.ToolCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Says whether locks are safe in a directory. */
@Command(
        name = "doctor",
        header = "Says whether locks are safe in a directory, by trying them there.",
        customSynopsis = {"sessionlock doctor [--json] DIR"},
        description = {
            "Tries in DIR itself what locks depend on: whether two JVMs exclude each other, whether a killed JVM loses its lock, hard links, renames, "
                    + "and so on. It works in a directory of its own, DIR/" + ProbeDirectory.PREFIX + "..., and removes it again; sessions "
                    + "and their locks are not touched.",
            ""
        },
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Run it as the user who runs the gateway, on the machine or in the container where it runs. As root it refuses a directory in which another "
                    + "user could rename what it makes. What is 'unknown' does no harm, "
                    + "unless it is exclusion itself.",
            "",
            "Exit code: 0 safe; 1 not safe, or not known to be; 2 bad usage, or there is no such directory.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar doctor ~/.openclaw/sessions",
            "  java -jar sessionlock.jar doctor --json /srv/sessions | jq -r '.checks[] | select(.ok == false) | .detail'"
        })
final class DoctorCommand implements Callable<Integer> {
    private static final int NOT_SAFE = 1;

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    @Parameters(paramLabel = "DIR", converter = FileConverter.class, description = "The directory of the sessions.")
    private Path directory;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Diagnosis diagnosis = new Diagnosis(there(directory), examine(there(directory)));
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? diagnosis.json() : diagnosis.text(Ansi.AUTO));
        out.flush();
        return diagnosis.safe() ? 0 : NOT_SAFE;
    }

    /** {@return the real path of a directory} If there is none, throws what a person understands. */
    static Path there(Path directory) throws IOException {
        try {
            Path real = directory.toRealPath();
            if (Files.isDirectory(real)) {
                return real;
            }
        } catch (NoSuchFileException e) {
            throw new IOException(directory + " does not exist; check the path", e);
        } catch (AccessDeniedException e) {
            throw new IOException("no permission to look at " + directory, e);
        }
        throw new IOException(directory + " is not a directory; name the directory of the sessions");
    }

    /** The doctor creates, changes and removes files there by their names. Whoever may change these names could lead root elsewhere. */
    private static void refuseInTheHandsOfOthers(Path real) throws IOException {
        if (CurrentUser.isRoot() && Files.isWritable(real) && LockDirectory.othersRenameOurs(real)) {
            String owner = Files.getOwner(real).getName();
            throw new IOException(real + " is in the hands of others, who could have root change other files than the doctor means; run it as the user "
                    + "who runs the gateway: sudo -u " + (owner.equals("root") ? "USER" : owner) + " "
                    + ToolCommand.words() + " doctor " + Printable.shellWord(real.toString()));
        }
    }

    private List<ProbeResult> examine(Path real) throws IOException, InterruptedException {
        refuseInTheHandsOfOthers(real);
        List<ProbeResult> checks = new ArrayList<>(FileProbes.ofDirectory(real));
        ProbeDirectory probe;
        try {
            probe = ProbeDirectory.in(real);
        } catch (IOException e) {
            checks.add(FileProbes.notWritable(real, e));
            checks.addAll(PairProbes.untried("nothing can be written there"));
            checks.addAll(FileProbes.ofSystem());
            return checks;
        }
        AtomicBoolean over = new AtomicBoolean();
        Thread hook = new Thread(() -> { // Ctrl-C
            over.set(true);
            tidy(probe);
        }, "sessionlock-doctor");
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            checks.addAll(examine(real, probe));
        } catch (IOException e) {
            if (!over.get()) {
                throw e;
            }
        } finally {
            tidy(probe);
            if (!over.get()) {
                Runtime.getRuntime().removeShutdownHook(hook);
            }
        }
        return checks;
    }

    private static List<ProbeResult> examine(Path real, ProbeDirectory probe) throws IOException, InterruptedException {
        List<ProbeResult> checks = new ArrayList<>();
        try (Partner partner = PartnerProcess.start(probe.path())) { // the partner starts up while the other probes run
            checks.addAll(FileProbes.ofFileSystem(real, probe.path()));
            checks.addAll(between(partner, probe.path()));
        }
        checks.add(FileProbes.names(probe.path()));
        checks.addAll(FileProbes.ofSystem());
        return checks;
    }

    private static List<ProbeResult> between(Partner partner, Path probe) throws InterruptedException {
        try (PairFiles files = new PairFiles(probe); SessionLocks locks = SessionLocks.create()) {
            return new PairProbes(files, partner, locks).run();
        } catch (IOException e) {
            return PairProbes.untried(FileProbes.said(e));
        }
    }

    private void tidy(ProbeDirectory probe) {
        try {
            probe.close();
        } catch (IOException e) {
            Main.say(spec.commandLine(), "could not remove " + probe.path() + ": " + FileProbes.said(e) + "; remove it by hand", 0);
        }
    }
}
