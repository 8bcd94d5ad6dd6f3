package dev.sessionlock.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** What a test needs of the machine. If it is missing, the test is skipped, and says so. */
final class Needs {
    private Needs() {
    }

    static void program(String name) {
        check(Executables.find(name).exitCode() == 0, "no program " + name + " on this system");
    }

    static void root() {
        check(System.getProperty("user.name").equals("root"), "only root may do this");
    }

    static void check(boolean there, String otherwise) {
        if (!there) {
            System.out.println("SKIPPED a test: " + otherwise);
        }
        assumeTrue(there, otherwise);
    }
}
