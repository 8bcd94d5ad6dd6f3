package dev.sessionlock;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs a program in a JVM of its own, which has used no lock before. */
final class FreshJvm {
    private FreshJvm() {
    }

    /**
     * Runs a program to its end.
     *
     * @param program whose {@code main} is run, with the path of a session's file as its argument
     * @param dir where that file lies
     * @param options of the JVM
     * @return what it printed
     */
    static String run(Class<?> program, Path dir, String... options) throws Exception {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m",
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(options));
        command.addAll(List.of(program.getName(), dir.resolve("session.jsonl").toString()));
        Path said = dir.resolve("said.txt");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
        try {
            if (!process.waitFor(Patience.LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                new ProcessBuilder("kill", "-QUIT", Long.toString(process.pid())).start().waitFor(); // it prints what its threads do
                process.waitFor(1, TimeUnit.SECONDS);
                throw new AssertionError("it did not end, and said:\n" + Files.readString(said));
            }
        } finally {
            process.destroyForcibly();
        }
        return Files.readString(said);
    }
}
