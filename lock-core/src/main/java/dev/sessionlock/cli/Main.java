package dev.sessionlock.cli;

import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.internal.system.Passwords;
import dev.sessionlock.internal.system.Printable;
import dev.sessionlock.internal.system.PsStates;
import dev.sessionlock.internal.system.ToolCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The operator's tool: {@code java -jar sessionlock.jar}. Its help lists its exit codes. */
@Command(
        name = "sessionlock",
        description = "Locks on session files: run a job under one, see who holds one and why, clear a dead one.",
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Exit codes:",
            "    0  done, all well",
            "    1  status, why, list: something needs a person; clear: something was refused; doctor: locks are not safe there;",
            "       demo: a line was lost, torn or doubled",
            "    2  bad usage, or the disk refused: one line on stderr says why",
            "   75  run: the lock was not acquired in time (-E gives another code); stderr says who holds it",
            "   76  run: the lock was lost, whatever the job said",
            "  126  run: the job could not be executed",
            "  127  run: the job was not found",
            "  128+n  run: signal n ended the job; any other code is the job's own",
            "",
            "Examples:",
            "  java -jar sessionlock.jar run session.jsonl -- ./compact.sh session.jsonl",
            "  java -jar sessionlock.jar status session.jsonl",
            "  java -jar sessionlock.jar why session.jsonl",
            "  java -jar sessionlock.jar history sessions",
            "  java -jar sessionlock.jar list sessions",
            "  java -jar sessionlock.jar clear sessions",
            "  java -jar sessionlock.jar watch sessions",
            "  java -jar sessionlock.jar doctor sessions",
            "  java -jar sessionlock.jar demo",
            "  java -jar sessionlock.jar run --help"
        })
public final class Main implements Callable<Integer> {
    /** The width of help texts: wide enough for the examples. */
    private static final int HELP_WIDTH = 112;
    /** Some lock does not get well without a person. */
    static final int NEEDS_PERSON = 1;
    /** Bad usage, or an error of the disk. */
    static final int TROUBLE = 2;
    /** The lock could not be acquired in time: EX_TEMPFAIL of sysexits.h, "try again later". */
    static final int NOT_ACQUIRED = 75;
    /** By name, in the order of the help. */
    private static final Map<String, Class<?>> COMMANDS = new LinkedHashMap<>();

    static {
        COMMANDS.put("run", RunCommand.class);
        COMMANDS.put("status", StatusCommand.class);
        COMMANDS.put("why", WhyCommand.class);
        COMMANDS.put("history", HistoryCommand.class);
        COMMANDS.put("list", ListCommand.class);
        COMMANDS.put("clear", ClearCommand.class);
        COMMANDS.put("watch", WatchCommand.class);
        COMMANDS.put("doctor", DoctorCommand.class);
        COMMANDS.put("demo", DemoCommand.class);
        COMMANDS.put("demo-actor", DemoActorCommand.class);
        COMMANDS.put(DoctorPartnerCommand.NAME, DoctorPartnerCommand.class);
    }

    @Spec
    private CommandSpec spec;

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help.")
    private boolean help;

    @Option(names = {"-V", "--version"}, versionHelp = true, description = "Show the version.")
    private boolean version;

    private Main() {
    }

    /** Runs the tool and ends the JVM with its exit code. */
    public static void main(String[] args) {
        Start.nameTool();
        PsStates.enable();
        CommandLine tool = commandLine(args).setOut(Stdout.printer()).setErr(Encoding.ofStderr().printer(System.err));
        int exitCode;
        try {
            exitCode = Stdout.exitCode(tool.execute(args));
        } catch (OutOfMemoryError e) { // the JVM would end with 1, which means that a lock needs a person
            exitCode = say(tool, "there is more to show than fits into this JVM's memory (java -Xmx)", TROUBLE);
        }
        System.exit(exitCode);
    }

    /**
     * {@return the tool, ready for these arguments} If the first argument names a command, the tool knows only that one: reading the options of a
     * command from its annotations takes a good part of the time in which {@code status} answers. Otherwise it knows all commands.
     */
    static CommandLine commandLine(String... args) {
        CommandLine tool = new CommandLine(new Main());
        Class<?> named = args.length == 0 ? null : COMMANDS.get(args[0]);
        for (Class<?> command : named == null ? COMMANDS.values() : List.of(named)) {
            tool.addSubcommand(command);
        }
        if (ToolCommand.isLaunched()) {
            nameLauncher(tool);
        }
        return tool
                .setUsageHelpWidth(HELP_WIDTH)
                .setExpandAtFiles(false) // a job's argument "@x" is the job's
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(Main::badUsage)
                .setExecutionExceptionHandler(Main::failed);
    }

    /** Makes the examples in the help name the launcher, as its user calls it. */
    static void nameLauncher(CommandLine tool) {
        String[] footer = tool.getCommandSpec().usageMessage().footer();
        for (int i = 0; i < footer.length; i++) {
            footer[i] = footer[i].replace(ToolCommand.ANYWHERE, "sessionlock");
        }
        tool.getCommandSpec().usageMessage().footer(footer);
        tool.getSubcommands().values().forEach(Main::nameLauncher);
    }

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "no command given");
    }

    private static int badUsage(ParameterException e, String[] args) {
        CommandSpec command = e.getCommandLine().getCommandSpec();
        String what = e.getMessage().replaceFirst("' is not an? (int|long|double)$", "' is not a number");
        if (args.length > 0 && !args[0].startsWith("-") && !COMMANDS.containsKey(args[0])) { // even if a command comes later: "help run"
            CommandLine main = e.getCommandLine().getParent() == null ? e.getCommandLine() : e.getCommandLine().getParent();
            return say(main, oneLine(noSuchCommand(args[0], main.getCommandSpec())) + " (help: " + main.getCommandName() + " --help)", TROUBLE);
        } else if (e instanceof UnmatchedArgumentException unmatched && command.parent() == null) {
            String first = unmatched.getUnmatched().get(0);
            what = first.startsWith("-") ? "unknown option " + first : noSuchCommand(first, command);
        } else if (e instanceof UnmatchedArgumentException unmatched) {
            String meant = meant(unmatched.getUnmatched().get(0), command);
            String jobs = meant.isEmpty() ? "; options of the job come after --" : " Options of the job come after --";
            what += meant + (command.userObject() instanceof RunCommand ? jobs : "");
        }
        return say(e.getCommandLine(), oneLine(what) + " (help: " + command.qualifiedName() + " --help)", TROUBLE);
    }

    /** {@return the option that was mistyped, in words; empty if none is near} */
    private static String meant(String typed, CommandSpec command) {
        String name = typed.replaceFirst("=.*", "");
        String nearest = name.startsWith("-") ? Spelling.nearest(name, command.optionsMap().keySet()) : null;
        return nearest == null ? "" : "; did you mean " + nearest + "?";
    }

    private static String noSuchCommand(String name, CommandSpec main) {
        return "there is no command '" + name + "'; try " + commands(main);
    }

    /** {@return the commands that a person may type, in words} */
    private static String commands(CommandSpec main) {
        List<String> names = main.subcommands().values().stream().map(CommandLine::getCommandSpec)
                .filter(command -> !command.usageMessage().hidden()).map(CommandSpec::name).distinct().toList();
        int last = names.size() - 1;
        return String.join(", ", names.subList(0, last)) + " or " + names.get(last);
    }

    private static int failed(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
        if (e instanceof LockTimeoutException) {
            sayBusy(command, e);
            return NOT_ACQUIRED;
        } else if (e instanceof IOException) {
            return say(command, explained((IOException) e), TROUBLE);
        }
        StringWriter stack = new StringWriter();
        Printable.throwable(e).printStackTrace(new PrintWriter(stack, true));
        command.getErr().print(Passwords.hiddenIn(stack.toString())); // a defect of ours: whoever reports it needs the stack
        return say(command, "this is a defect of sessionlock; please report it with the lines above", TROUBLE);
    }

    private static String explained(IOException e) {
        boolean plain = e instanceof dev.sessionlock.LockException || e.getClass() == IOException.class;
        return oneLine(plain && e.getMessage() != null ? e.getMessage() : e.toString());
    }

    private static String oneLine(String text) {
        return text.replaceAll("\\s*\\R\\s*", "; ");
    }

    /** The first line stands alone: users search for "session file locked" at the start of a line. */
    static void sayBusy(CommandLine command, Exception busy) {
        command.getErr().println(Passwords.hiddenIn(String.valueOf(busy.getMessage())));
        command.getErr().flush();
    }

    /** Prints one line on stderr. Returns the exit code. */
    static int say(CommandLine command, String line, int exitCode) {
        PrintWriter err = command.getErr();
        err.println("sessionlock: " + Printable.text(Passwords.hiddenIn(line)));
        err.flush();
        return exitCode;
    }

    /** Reads the version that the build wrote into the manifest. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"sessionlock " + (version == null ? "development" : version)};
        }
    }
}
