package dev.sessionlock.testkit.verdicts;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.util.List;

/** What a test needs of the machine. If it is missing, the test is skipped, and says why. */
final class Required {
    private Required() {
    }

    static void root() throws IOException, InterruptedException {
        command("being root", "/bin/sh", "-c", "test \"$(id -u)\" = 0");
    }

    /** Requires that a command succeeds. */
    static void command(String what, String... command) throws IOException, InterruptedException {
        boolean works;
        try {
            works = new ProcessBuilder(List.of(command)).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
        } catch (IOException e) {
            works = false; // no such program
        }
        that(works, what + " is not to be had here: " + String.join(" ", command));
    }

    static void that(boolean works, String why) {
        if (!works) {
            System.out.println("skipped: " + why);
        }
        assumeTrue(works, why);
    }
}
