package dev.sessionlock.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;

/**
 * What the launcher makes its archive of classes from: a JVM in which the commands that have to start quickly have each done their work, as far as that
 * changes nothing. It is told of a directory of the launcher's own, in which {@code session} is locked.
 */
final class Training {

    private Training() {
    }

    /** Ends by itself: an archive is made when the JVM ends. */
    public static void main(String[] args) throws IOException {
        Path directory = Path.of(args[0]);
        PrintWriter nobody = new PrintWriter(PrintWriter.nullWriter());
        Start.nameTool();
        new StatusQuestion(directory.resolve("session"), false).answer(Encoding.ofStdout().printer(System.out));
        for (String[] command : new String[][] {{"status", "--json", directory + "/session"}, {"list", directory.toString()},
            {"clear", directory.toString()}, {"run", directory + "/free", "--", "true"}}) {
            Main.commandLine(command).setOut(nobody).setErr(nobody).execute(command);
        }
    }
}
