package dev.sessionlock.cli;

import dev.sessionlock.internal.system.ToolCommand;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;

/**
 * Where the tool starts. The question that is asked most often, {@code status FILE}, is answered here in its plain form. picocli would take twice as long
 * to read the annotations of its options as the answer takes, so nothing that is loaded for the answer refers to it. All else is for
 * {@linkplain Main picocli}.
 */
public final class Start {
    private static final String JSON = "--json";

    private Start() {
    }

    /** Runs the tool and ends the JVM with its exit code. */
    public static void main(String[] args) {
        boolean json = args.length == 3 && args[1].equals(JSON);
        boolean plain = args.length == 2 || json;
        if (plain && args[0].equals("status") && !args[args.length - 1].startsWith("-")) {
            status(args[args.length - 1], json);
        }
        Main.main(args);
    }

    /** Ends the JVM, unless something goes wrong: then nothing was printed, and {@link Main} asks once more and tells of it. */
    private static void status(String file, boolean json) {
        nameTool();
        int exitCode;
        try {
            StatusQuestion question = new StatusQuestion(FileName.path(file), json);
            exitCode = question.answer(Encoding.ofStdout().printer(System.out));
        } catch (IOException | RuntimeException e) {
            return;
        }
        System.exit(exitCode);
    }

    /** Advice names the tool as its reader can start it from anywhere: by the launcher, which says where it is, or by the jar. */
    static void nameTool() {
        String launcher = System.getProperty("sessionlock.tool", "");
        String jar = System.getProperty("java.class.path", "");
        if (!launcher.isEmpty()) {
            ToolCommand.isLauncher(launcher);
        } else if (jar.endsWith(".jar") && jar.indexOf(File.pathSeparatorChar) < 0) { // what -jar was given
            ToolCommand.isJar(Path.of(jar).toAbsolutePath().normalize().toString());
        }
    }
}
