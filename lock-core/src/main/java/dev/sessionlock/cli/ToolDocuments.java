package dev.sessionlock.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * Writes what is installed beside the tool: its launcher, the man page, and the completion for bash and zsh. The last two are made from its own help.
 * The build calls this.
 */
public final class ToolDocuments {
    private static final String NAME = "sessionlock";

    private ToolDocuments() {
    }

    /** @param args the directory to write to, and the launcher's script */
    public static void main(String[] args) throws IOException {
        Path directory = Files.createDirectories(Path.of(args[0]));
        CommandLine tool = Main.commandLine();
        Main.nameLauncher(tool); // they lie beside the launcher
        Files.writeString(directory.resolve(NAME + ".1"), manPage(tool));
        Files.writeString(directory.resolve(NAME + "-completion.sh"), AutoComplete.bash(NAME, tool));
        Path launcher = Files.copy(Path.of(args[1]), directory.resolve(NAME), StandardCopyOption.REPLACE_EXISTING);
        if (!launcher.toFile().setExecutable(true, false)) {
            throw new IOException(launcher + " cannot be made executable");
        }
    }

    /** {@return the page in the language of man(7)} */
    static String manPage(CommandLine tool) {
        List<String> page = new ArrayList<>();
        CommandSpec main = tool.getCommandSpec();
        page.add(".TH SESSIONLOCK 1");
        page.add(".SH NAME");
        page.add(NAME + " \\- " + text("locks on session files: run a job under one, see who holds one and why, clear a dead one"));
        page.add(".SH SYNOPSIS");
        page.add(".B " + NAME);
        page.add("COMMAND ...");
        page.add(".SH COMMANDS");
        for (CommandLine command : tool.getSubcommands().values()) {
            if (!command.getCommandSpec().usageMessage().hidden()) {
                command(page, command.getCommandSpec());
            }
        }
        page.add(".SH OPTIONS");
        main.options().forEach(option -> option(page, option));
        footer(page, main);
        return String.join("\n", page) + "\n";
    }

    private static void command(List<String> page, CommandSpec command) {
        page.add(".SS " + text(command.name()));
        for (String header : command.usageMessage().header()) {
            page.add(text(header));
        }
        page.add(".PP");
        String between = null;
        for (String synopsis : command.usageMessage().customSynopsis()) {
            if (between != null) {
                page.add(between);
            }
            page.add(".B " + text(synopsis.strip()));
            between = ".br";
        }
        for (String paragraph : command.usageMessage().description()) {
            page.add(".PP");
            page.add(text(paragraph));
        }
        for (PositionalParamSpec parameter : command.positionalParameters()) {
            tagged(page, parameter.paramLabel(), parameter.description());
        }
        command.options().forEach(option -> option(page, option));
        footer(page, command);
    }

    private static void option(List<String> page, OptionSpec option) {
        if (!option.hidden()) {
            String label = option.arity().max() == 0 ? "" : " " + option.paramLabel();
            tagged(page, String.join(", ", option.names()) + label, option.description());
        }
    }

    private static void tagged(List<String> page, String tag, String[] description) {
        page.add(".TP");
        page.add(".B " + text(tag));
        for (String line : description) {
            page.add(text(line));
        }
    }

    /** Writes paragraphs, and lines that are laid out by hand: those are indented. */
    private static void footer(List<String> page, CommandSpec command) {
        page.add(".PP");
        for (String line : command.usageMessage().footer()) {
            if (line.startsWith(" ")) {
                page.addAll(List.of(".nf", text(line), ".fi"));
            } else {
                page.add(line.isEmpty() ? ".PP" : text(line));
            }
        }
    }

    /** Escapes a help text for roff: no line becomes a request, and a minus stays what a shell understands. */
    private static String text(String line) {
        String plain = Ansi.OFF.string(line.replace("%n", " ").replace("%%", "%"));
        String escaped = plain.replace("\\", "\\e").replace("-", "\\-");
        return escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" + escaped : escaped;
    }
}
