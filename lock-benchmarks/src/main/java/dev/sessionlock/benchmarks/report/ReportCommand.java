package dev.sessionlock.benchmarks.report;

import dev.sessionlock.benchmarks.Main;
import dev.sessionlock.benchmarks.Workplace;
import dev.sessionlock.benchmarks.peers.Peer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures everything, and writes it into lock-benchmarks/README.md. */
@Command(
        name = "report",
        header = "Measures everything beside everything, and writes the report in lock-benchmarks/README.md and its chart.",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "It takes some nineteen minutes, or eight with --quick, and wants the machine for itself: one JVM in which all take turns, JMH for what is held, then JVMs that "
                    + "fight for a lock, take turns, and are killed. Ctrl-C leaves nothing behind. The part of that file between "
                    + ReadmeSection.BEGIN + " and " + ReadmeSection.END + " is replaced, nothing else.",
            "",
            "Exit code: 0, also where the bar is not met; 1 if one of our own locks let two in at once; 2 bad usage, or the disk refused.",
            "",
            "Examples:",
            "  java -jar lock-benchmarks/target/benchmarks.jar report",
            "  java -jar lock-benchmarks/target/benchmarks.jar report --quick --print",
            "  java -jar benchmarks.jar report --readme ~/sessionlock/lock-benchmarks/README.md --dir /srv/sessions"
        })
public final class ReportCommand implements Callable<Integer> {
    static final String README = "lock-benchmarks/README.md";
    static final String CHART = "benchmarks.svg";

    @Spec
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(names = "--quick", description = "Shorter, and less exact.")
    private boolean quick;

    @Option(names = "--print", description = "Print the Markdown instead of writing files; no chart.")
    private boolean print;

    @Option(names = "--dir", paramLabel = "DIR", description = "The directory to take locks in. Default: a temporary one on a disk.")
    private Path directory;

    @Option(names = "--readme", paramLabel = "FILE", defaultValue = README,
            description = "The file that has the report; the chart goes to benchmarks.svg beside it. Default: ${DEFAULT-VALUE}.")
    private Path readme;

    @Override
    public Integer call() throws IOException, InterruptedException {
        ReadmeSection section = print ? null : writable();
        Findings findings;
        String text;
        try (Workplace place = directory == null ? Workplace.create() : Workplace.in(directory)) {
            Machine machine = new Machine(place);
            findings = new Campaign(quick ? Effort.quick() : Effort.full(), place, spec.commandLine().getErr()).run();
            text = MarkdownReport.of(findings, machine.text(), command(), CHART);
        }
        if (section == null) {
            spec.commandLine().getOut().println(text);
        } else {
            Files.writeString(chart(), new Chart(findings).svg());
            section.write(text);
        }
        return findings.fails(Peer.STRICT) || findings.fails(Peer.WARM) ? Main.NOT_EXCLUSIVE : 0;
    }

    /** {@return the section} Whatever prevents us from writing it should do so now, not after ten minutes. */
    private ReadmeSection writable() throws IOException {
        ReadmeSection section = ReadmeSection.of(readme);
        if (!Files.isWritable(chart())) {
            throw new IOException("there is no " + chart() + " to be replaced; the README must be the repository's lock-benchmarks/README.md");
        }
        new Chart(new Findings()).svg();
        return section;
    }

    private Path chart() {
        return readme.resolveSibling(CHART);
    }

    private String command() {
        return "java -jar lock-benchmarks/target/benchmarks.jar report" + (quick ? " --quick" : "")
                + (directory == null ? "" : " --dir " + directory);
    }
}
