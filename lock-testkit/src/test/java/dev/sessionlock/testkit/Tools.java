package dev.sessionlock.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Tells whether a test can run here; if not, says why and skips it. */
public final class Tools {

    private Tools() {
    }

    /** Skips the test unless a shell command succeeds. */
    public static void require(String what, String... command) throws IOException, InterruptedException {
        boolean works = false;
        try {
            Process probe = new ProcessBuilder(List.of(command)).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
            works = probe.waitFor() == 0;
        } catch (IOException e) {
            what += " (" + e.getMessage() + ")";
        }
        skipUnless(works, what + " is not to be had here: " + String.join(" ", command));
    }

    public static void requireRoot() throws IOException, InterruptedException {
        require("being root", "/bin/sh", "-c", "test \"$(id -u)\" = 0");
    }

    public static void skipUnless(boolean works, String why) {
        if (!works) {
            System.out.println("skipped: " + why);
        }
        assumeTrue(works, why);
    }

    /** {@return what a shell command printed} It must succeed. */
    public static String shell(String command) throws IOException, InterruptedException {
        Process shell = new ProcessBuilder("/bin/sh", "-c", command).redirectErrorStream(true).start();
        String said = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
        if (shell.waitFor() != 0) {
            throw new IOException(command + ": " + said);
        }
        return said;
    }
}
