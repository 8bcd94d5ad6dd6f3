package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What macOS says of itself, with a script in the place of its sysctl(8). */
class MacKernelTest {
    private static final String BOOT = "5E6FFEBE-6B0C-4D3E-9F21-0A1B2C3D4E5F";
    private static final String SAME_BOOT = "5e6ffebe-6b0c-4d3e-9f21-0a1b2c3d4e5f";
    /** Much longer than anything takes that works: the machine is noisy. */
    private static final long PATIENCE = 60_000;

    @Nested
    class Answer {
        @Test
        void namesBootAndHost() {
            assertThat(MacKernel.parse("kern.bootsessionuuid: " + BOOT + "\nkern.hostname: moss.local\n")).isEqualTo(new MacKernel(SAME_BOOT, "moss.local"));
        }

        @Test
        void mayLackOneOfThem() {
            assertThat(MacKernel.parse("kern.hostname: moss.local\n")).isEqualTo(new MacKernel(null, "moss.local"));
            assertThat(MacKernel.parse("kern.bootsessionuuid: " + BOOT)).isEqualTo(new MacKernel(SAME_BOOT, null));
        }

        /** What is no id of a boot could be something else at the next look, and then living processes would be taken for those of an earlier boot. */
        @ParameterizedTest
        @NullSource
        @ValueSource(strings = {"", "\n", "kern.bootsessionuuid:\nkern.hostname: \n", "kern.bootsessionuuid: not permitted", "kern.bootsessionuuid",
                "kern.boottime: { sec = 1764489652, usec = 0 } Sun Nov 30 08:00:52 2025\n", "sysctl: unknown oid 'kern.bootsessionuuid'\n"})
        void isUnknownIfItIsSomethingElse(String output) {
            assertThat(MacKernel.parse(output)).isEqualTo(MacKernel.UNKNOWN);
        }
    }

    @Nested
    class Question {
        @TempDir
        private Path dir;

        private String sysctl(String script) throws IOException {
            Path file = Files.writeString(dir.resolve("sysctl"), "#!/bin/sh\n" + script + "\n");
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
            return file.toString();
        }

        @Test
        void namesBothAndTakesWhatIsPrinted() throws IOException {
            String sysctl = sysctl("echo \"$1: " + BOOT + "\"; echo \"$2: moss.local\"; echo \"unknown oid\" >&2; exit 1");

            assertThat(MacKernel.ask(sysctl, PATIENCE)).isEqualTo(new MacKernel(SAME_BOOT, "moss.local"));
        }

        @Test
        void handsOnNothingOfTheEnvironment() throws IOException {
            assertThat(SystemCommand.output(PATIENCE, sysctl("echo \"<$HOME$USER$JAVA_HOME>\""))).isEqualTo("<>\n");
        }

        @Test
        void hasNoAnswerIfTheProgramIsMissing() {
            assertThat(MacKernel.ask(dir.resolve("missing").toString(), PATIENCE)).isEqualTo(MacKernel.UNKNOWN);
        }

        /** Also not if its child holds the pipe open. */
        @Test
        void isGivenUpIfTheProgramDoesNotEnd() throws Exception {
            Path pid = dir.resolve("pid");
            String sysctl = sysctl("sleep 600 & echo $! > '" + pid + "'; wait");

            assertThat(MacKernel.ask(sysctl, 1_000)).isEqualTo(MacKernel.UNKNOWN);

            if (Files.exists(pid) && !Files.readString(pid).isBlank()) { // it had got as far as that
                ProcessHandle child = ProcessHandle.of(Long.parseLong(Files.readString(pid).trim())).orElse(null);
                if (child != null) {
                    child.onExit().get(1, TimeUnit.MINUTES);
                }
            }
        }

        @Test
        void isAnsweredToAnInterruptedThread() throws IOException {
            String sysctl = sysctl("echo \"$1: " + BOOT + "\"");
            Thread.currentThread().interrupt();
            try {
                assertThat(MacKernel.ask(sysctl, PATIENCE).boot()).isEqualTo(SAME_BOOT);
            } finally {
                assertThat(Thread.interrupted()).as("the interrupt is not swallowed").isTrue();
            }
        }

        @Test
        void isNotAskedElsewhere() {
            if (!System.getProperty("os.name").startsWith("Mac")) {
                assertThat(MacKernel.ask()).isEqualTo(MacKernel.UNKNOWN);
            }
        }
    }
}
