package dev.sessionlock.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PeerTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @EnumSource
    void takesAndGivesBackAgainAndAgain(Peer peer) throws Exception {
        try (PeerLock lock = peer.open(directory, "session.jsonl")) {
            for (int i = 0; i < 3; i++) {
                lock.acquire().close();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"STRICT", "BARE_SKETCH", "CREATE_DELETE", "JGIT"})
    void aRecordLiesBesideTheSessionWhileItIsHeld(Peer peer) throws Exception {
        Path record = directory.resolve("session.jsonl.lock");
        try (PeerLock lock = peer.open(directory, "session.jsonl")) {
            AutoCloseable hold = lock.acquire();
            assertThat(record).exists();
            hold.close();
            assertThat(Files.exists(record)).isFalse();
        }
    }

    /** The tests' own JVM has the arguments from the pom; all others have those of {@link ChronicleAccess}. */
    @Test
    void thePomAndTheCodeNameTheSameJvmArguments() {
        assertThat(ManagementFactory.getRuntimeMXBean().getInputArguments()).containsAll(ChronicleAccess.jvmArgs());
    }

    @Test
    void chronicleReportsNothingToItsMakers() throws Exception {
        try (PeerLock lock = Peer.CHRONICLE.open(directory, "session.jsonl")) {
            lock.acquire().close();
        }
        assertThat(System.getProperty("chronicle.analytics.disable")).isEqualTo("true");
        assertThatThrownBy(() -> Class.forName("net.openhft.chronicle.analytics.Analytics")).isInstanceOf(ClassNotFoundException.class);
    }
}
