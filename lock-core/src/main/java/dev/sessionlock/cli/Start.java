package dev.sessionlock.cli;

import dev.sessionlock.internal.system.PsStates;
import dev.sessionlock.internal.system.ToolCommand;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The main class of the tool. It answers the most frequent question itself: {@code status FILE}, in its plain form. Until picocli has read the
 * annotations of its options, twice the time of the whole answer has passed. So nothing that is loaded for the answer refers to picocli.
 * {@linkplain Main Everything else} uses picocli.
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

    /** Ends the JVM, unless something goes wrong. Nothing is printed then, and {@link Main} asks once more and reports the error. */
    private static void status(String file, boolean json) {
        nameTool();
        PsStates.enable();
        int exitCode;
        try {
            StatusQuestion question = new StatusQuestion(FileName.path(file), json);
            exitCode = Stdout.exitCode(question.answer(Stdout.printer()));
        } catch (IOException | RuntimeException e) {
            return;
        }
        System.exit(exitCode);
    }

    /** Advice names the tool so that its reader can start it from anywhere: by the launcher, which passes its own path, or by the jar. */
    static void nameTool() {
        String launcher = System.getProperty("sessionlock.tool", "");
        String jar = System.getProperty("java.class.path", "");
        if (!launcher.isEmpty()) {
            ToolCommand.isLauncher(launcher);
        } else if (jar.endsWith(".jar") && jar.indexOf(File.pathSeparatorChar) < 0) { // the argument of -jar
            ToolCommand.isJar(Path.of(jar).toAbsolutePath().normalize().toString());
        }
    }
}
