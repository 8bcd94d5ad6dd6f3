package dev.sessionlock.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;

/**
 * The run from which the launcher makes its archive of classes: a JVM in which each command that has to start quickly does its work once, as far as
 * that changes nothing. Its argument is a directory of the launcher's own, in which {@code session} is locked.
 */
final class Training {

    private Training() {
    }

    /** The JVM must end by itself: the archive is made at its end. */
    public static void main(String[] args) throws IOException {
        Path directory = Path.of(args[0]);
        PrintWriter nobody = new PrintWriter(PrintWriter.nullWriter());
        Start.nameTool();
        new StatusQuestion(directory.resolve("session"), false).answer(Stdout.printer());
        for (String[] command : new String[][] {{"status", "--json", directory + "/session"}, {"list", directory.toString()},
            {"clear", directory.toString()}, {"run", directory + "/free", "--", "true"}}) {
            Main.commandLine(command).setOut(nobody).setErr(nobody).execute(command);
        }
    }
}
