package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two ordinary users in one sticky directory, where each is protected from the other. */
class SharedDirectoryTest {
    private static final String[] NOBODY = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    private static final String[] DAEMON = {"setpriv", "--reuid=1", "--regid=1", "--clear-groups"};

    @TempDir
    Path temp;
    private Path dir;

    @BeforeEach
    void stickyDirectory() throws Exception {
        Tools.requireRoot();
        Tools.require("setpriv", "setpriv", "--version");
        Files.setAttribute(temp, "unix:mode", 0755);
        dir = Files.createDirectory(temp.resolve("shared"));
        Files.setAttribute(dir, "unix:mode", 01777);
    }

    /** In such a folder, whoever created it could put a link in the place of each file that is created there. */
    @Test
    void folderThatAnotherHasOpenedToAllIsRefused() throws Exception {
        try (OtherUser other = OtherUser.prepare(); Puppet nobody = other.puppet(NOBODY); Puppet daemon = other.puppet(DAEMON)) {
            nobody.shell("mkdir '" + dir + "/.session-locks' && chmod 0777 '" + dir + "/.session-locks'");
            Puppet.Reply reply = daemon.ask("acquire", "a", dir.resolve("session.jsonl"), "timeout=0");
            assertThat(reply.text()).contains("LockException", dir.resolve(".session-locks") + " belongs to user 65534, who is neither");
            assertThat(dir.resolve("session.jsonl.lock")).doesNotExist();
        }
    }

    @Test
    void theyExcludeEachOtherInTheOneThatTheLibraryMakes() throws Exception {
        Path session = dir.resolve("session.jsonl");
        try (OtherUser other = OtherUser.prepare(); Puppet nobody = other.puppet(NOBODY); Puppet daemon = other.puppet(DAEMON)) {
            nobody.acquire("a", session);
            assertThat(daemon.tryAcquire("b", session)).isFalse();
            nobody.close("a");
            daemon.acquire("b", session);
            assertThat(nobody.tryAcquire("a", session)).isFalse();
            assertThat(Files.getAttribute(dir.resolve("session.jsonl.lock"), "unix:uid")).isEqualTo(1);
        }
    }
}
