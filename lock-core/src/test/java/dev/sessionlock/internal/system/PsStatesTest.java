package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PsStatesTest {
    /** Much longer than anything takes that works: the machine is noisy. */
    private static final long PATIENCE = 60_000;

    @ParameterizedTest
    @CsvSource({"S, S", "'Ss+ \n', S", "R+, R", "T, T", "Z, Z", "'  I\n', I", "U, D"})
    void firstLetterIsTheState(String output, char state) {
        assertThat(PsStates.parse(output)).isEqualTo(state);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n", "STAT\nS", "ps: illegal option", "?"})
    void whatIsNoStateIsUnknown(String output) {
        assertThat(PsStates.parse(output)).isEqualTo((char) 0);
        assertThat(PsStates.parse(null)).isEqualTo((char) 0);
    }

    /** The library must not start a process for a look at another one. */
    @Test
    void isNotAskedUnlessTheToolWantsIt() {
        assertThat(PsStates.of(ProcessHandle.current().pid())).isEqualTo((char) 0);
    }

    @Test
    void psKnowsWhoIsStopped() throws IOException, InterruptedException {
        boolean there = Files.isExecutable(Path.of("/bin/ps"));
        if (!there) {
            System.out.println("SKIPPED psKnowsWhoIsStopped: no /bin/ps on this system");
        }
        assumeTrue(there, "no /bin/ps on this system");
        Process sleeping = new ProcessBuilder("sleep", "600").start();
        try {
            assertThat(new ProcessBuilder("kill", "-STOP", Long.toString(sleeping.pid())).start().waitFor()).isZero();
            await("ps to say that it is stopped").atMost(Duration.ofSeconds(60)).until(() -> PsStates.of(sleeping.pid(), "/bin/ps", PATIENCE) == 'T');
        } finally {
            sleeping.destroyForcibly().waitFor();
        }
        assertThat(PsStates.of(sleeping.pid(), "/bin/ps", PATIENCE)).as("it does not exist").isEqualTo((char) 0);
    }
}
