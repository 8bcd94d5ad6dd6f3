package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockReport.State;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Two ordinary users in a directory whose sticky bit prevents each from removing the other's files. They exclude each other as usual, but only its
 * own user can clear what a killed process has left, and messages say so.
 */
class StickyDirectoryTest {
    private static final Set<String> GONE = Set.of(State.STALE.name(), State.EXPIRED.name());

    @TempDir
    private Path parent;
    private Path directory;

    @BeforeEach
    void make() throws Exception {
        Tools.requireRoot();
        Tools.require("setpriv", "setpriv", "--version");
        directory = Files.createDirectory(parent.resolve("shared"));
        Files.setAttribute(parent, "unix:mode", 0711);
    }

    private Path session() {
        return directory.resolve("session.jsonl");
    }

    /** The users nobody and daemon, in one group. */
    private Puppet as(OtherUser user, int number) throws Exception {
        return user.puppet("setpriv", "--reuid=" + number, "--regid=65534", "--clear-groups");
    }

    @ParameterizedTest
    @ValueSource(strings = {"1777", "3777"})
    void theyExcludeEachOtherAndWhatAKilledOneLeftIsRefusedAtOnceWithTheRemedy(String mode) throws Exception {
        Files.setAttribute(directory, "unix:gid", 65534);
        Files.setAttribute(directory, "unix:uid", 65534); // whoever opens its files must trust its owner
        Files.setAttribute(directory, "unix:mode", Integer.parseInt(mode, 8));
        try (OtherUser classes = OtherUser.prepare(); Puppet nobody = as(classes, 65534); Puppet daemon = as(classes, 1)) {
            nobody.acquire("a", session());
            assertThat(daemon.tryAcquire("b", session())).isFalse();
            nobody.close("a");
            daemon.acquire("b", session());
            assertThat(nobody.tryAcquire("a", session())).isFalse();
            daemon.close("b");

            nobody.acquire("a", session(), "lease=1000"); // with hidepid its death cannot be seen: then its lease counts
            nobody.jvm().kill();
            await().atMost(Puppet.PATIENCE).until(() -> GONE.contains(daemon.tell("inspect", session()).text()));
            Puppet.Reply refused = daemon.ask("acquire", "b", session(), "timeout=30000");
            assertThat(refused.ok()).isFalse();
            assertThat(refused.words().get(0)).isEqualTo("LockException");
            String why = refused.words().get(1);
            assertThat(why).contains("what user nobody has left there must be removed first", directory + " is sticky (mode " + mode + ")",
                    "sudo -u nobody java -jar sessionlock.jar run " + session() + " -- true", "chmod 2770 " + directory);

            // What that command does, as that user.
            try (Puppet again = as(classes, 65534)) {
                assertThat(again.tryAcquire("c", session())).isTrue();
                again.close("c");
            }
            daemon.acquire("b", session());
            assertThat(daemon.verify("b")).isEqualTo("held");
        }
    }

    @Test
    void withoutTheBitTheOtherComesInAtOnce() throws Exception {
        Files.setAttribute(directory, "unix:gid", 65534);
        Files.setAttribute(directory, "unix:uid", 65534);
        Files.setAttribute(directory, "unix:mode", 02770); // as the advice says
        try (OtherUser classes = OtherUser.prepare(); Puppet nobody = as(classes, 65534); Puppet daemon = as(classes, 1)) {
            nobody.acquire("a", session(), "lease=1000");
            nobody.jvm().kill();
            daemon.acquire("b", session());
            assertThat(daemon.verify("b")).isEqualTo("held");
        }
    }
}
