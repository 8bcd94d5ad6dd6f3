package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program of an ordinary user that swaps newly created files: {@code attacker.c}. */
final class Attacker implements AutoCloseable {
    static final int NOBODY = 65534;

    private final Process process;

    private Attacker(Process process) {
        this.process = process;
    }

    static void require() {
        check(System.getProperty("user.name").equals("root"), "only root can be attacked by another user, and make one");
        check(runs("gcc", "--version") && runs("setpriv", "--version"), "no gcc or no setpriv on this system");
    }

    private static void check(boolean there, String otherwise) {
        if (!there) {
            System.out.println("SKIPPED a test: " + otherwise);
        }
        assumeTrue(there, otherwise);
    }

    private static boolean runs(String... command) {
        try {
            return run(command) == 0;
        } catch (IOException | InterruptedException e) {
            return false;
        }
    }

    private static int run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
    }

    /** {@return the program, in a place where any user may run it} */
    static Path compileIn(Path dir) throws IOException, InterruptedException {
        Path source = dir.resolve("attacker.c");
        try (InputStream in = Attacker.class.getResourceAsStream("/attacker.c")) {
            Files.write(source, in.readAllBytes());
        }
        assertThat(run("gcc", "-O2", "-w", "-o", dir.resolve("attacker").toString(), source.toString())).isZero();
        return dir.resolve("attacker");
    }

    /** Starts one, and returns when it is ready. */
    static Attacker start(Path program, String how, Path dir, Path victim) throws IOException {
        List<String> command = new ArrayList<>(List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups"));
        command.addAll(List.of(program.toString(), how, dir.toString(), victim.toString()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        assertThat(new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)).readLine()).isEqualTo("ready");
        return new Attacker(process);
    }

    boolean isAtWork() {
        return process.isAlive();
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
    }
}
