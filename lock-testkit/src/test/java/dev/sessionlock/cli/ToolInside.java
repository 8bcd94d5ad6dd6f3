package dev.sessionlock.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/** The operator's tool, run within this JVM: hundreds of runs in the time that a JVM takes to start. */
public final class ToolInside {

    private ToolInside() {
    }

    /** The output of a run, on both streams, and its exit code. */
    public record Said(int exit, String text) {
        public boolean isNothing() {
            return exit == 0 && text.isBlank();
        }
    }

    public static Said run(String... arguments) {
        StringWriter said = new StringWriter();
        PrintWriter out = new PrintWriter(said, true);
        CommandLine tool = Main.commandLine().setOut(out).setErr(out);
        int exit = tool.execute(arguments);
        return new Said(exit, said.toString());
    }
}
