package dev.sessionlock.benchmarks;

import dev.sessionlock.benchmarks.report.ReportCommand;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code java -jar benchmarks.jar}: runs our own commands; everything else goes to JMH, as its users expect. */
@Command(
        name = "benchmarks",
        description = "The session lock beside other file locks.",
        subcommands = {ReportCommand.class, CompareCommand.class, LoadCommand.class, StartCommand.class},
        customSynopsis = {
            "java -jar benchmarks.jar report [--quick] [--dir DIR] [--readme FILE] [--print]",
            "       java -jar benchmarks.jar compare [OPTIONS] PEER[@JAR]...",
            "       java -jar benchmarks.jar load [OPTIONS] PEER...",
            "       java -jar benchmarks.jar start [--rounds N] [--dir DIR]",
            "       java -jar benchmarks.jar [JMH's arguments]"
        },
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Anything else goes to JMH (its help: -h); with no arguments, JMH runs all its benchmarks, which takes some twenty minutes.",
            "",
            "Exit codes: 0 done; 1 one of our own locks let two in at once; 2 bad usage, or the disk refused: one line on stderr says why.",
            "",
            "Examples:",
            "  java -jar benchmarks.jar report --quick --print",
            "  java -jar benchmarks.jar compare BARE_SKETCH STRICT LUCENE",
            "  java -jar benchmarks.jar load --jvms 2 --threads 4 STRICT LUCENE CHANNEL_OPENED",
            "  java -jar benchmarks.jar CycleBenchmark.cycle -p peer=STRICT,BARE_SKETCH,LUCENE -prof gc",
            "  java -D" + Workplace.PROPERTY + "=/srv/sessions -jar benchmarks.jar HeldBenchmark"
        })
public final class Main implements Callable<Integer> {
    /** One of our own locks let two holders in at once. */
    public static final int NOT_EXCLUSIVE = 1;
    private static final int TROUBLE = 2;
    private static final int HELP_WIDTH = 112;
    private static final Set<String> OURS = Set.of("report", "compare", "load", "start", "--help");

    @Spec
    private CommandSpec spec;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    private Main() {
    }

    /** Runs a command, and ends the JVM with its exit code. */
    public static void main(String[] args) throws IOException {
        if (args.length == 0 || !OURS.contains(args[0])) {
            org.openjdk.jmh.Main.main(args);
        } else {
            System.exit(commandLine().execute(args));
        }
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main())
                .setUsageHelpWidth(HELP_WIDTH)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((e, args) -> say(e.getCommandLine(),
                        e.getMessage() + " (help: " + e.getCommandLine().getCommandSpec().qualifiedName() + " --help)"))
                .setExecutionExceptionHandler(Main::failed);
    }

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "no command given");
    }

    private static int failed(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
        if (!(e instanceof IOException)) {
            e.printStackTrace(command.getErr());
        }
        return say(command, e.getClass() == IOException.class ? e.getMessage() : e.toString());
    }

    private static int say(CommandLine command, String what) {
        command.getErr().println("benchmarks: " + what.replaceAll("\\s*\\R\\s*", "; "));
        command.getErr().flush();
        return TROUBLE;
    }
}
