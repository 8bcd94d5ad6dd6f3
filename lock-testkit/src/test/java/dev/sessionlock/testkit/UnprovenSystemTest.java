package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What somebody sees who uses the library where nobody has seen all its tests pass. The child JVMs believe to be on that system. */
class UnprovenSystemTest {
    private static final String WARNING = "not yet proven";

    @TempDir
    Path dir;

    private static Puppet on(String osName) throws IOException, InterruptedException {
        return Puppet.start(Puppet.child().jvmArgs("-Dos.name=" + osName, "-Dsun.jnu.encoding=UTF-8").environment("LC_ALL", "C.UTF-8"));
    }

    /** Uses two directories: each is a first use of its own. */
    private void use(Puppet puppet) throws IOException, InterruptedException {
        for (String home : new String[] {"one", "two"}) {
            puppet.acquire(home, Files.createDirectories(dir.resolve(home)).resolve("session.jsonl"));
            puppet.close(home);
        }
    }

    @Test
    void warnsOnceAndLocks() throws Exception {
        try (Puppet puppet = on("Mac OS X")) {
            use(puppet);
            await("the warning").atMost(Puppet.PATIENCE).until(() -> puppet.jvm().output().contains(WARNING));
            assertThat(puppet.jvm().output().lines().filter(line -> line.contains(WARNING))).singleElement().asString()
                    .contains("WARN dev.sessionlock - locks on files are not yet proven on macOS; see");
        }
    }

    @Test
    void warnsOfNothingOnLinux() throws Exception {
        try (Puppet puppet = on("Linux")) {
            use(puppet);
            puppet.shell("true"); // later than what the library has printed
            assertThat(puppet.jvm().output()).doesNotContain(WARNING);
        }
    }

    /** There names are folded, by tables that may be newer than those of this JVM. */
    @Test
    void refusesNamesOfWhichItCannotTellWhetherTheyAreOne() throws Exception {
        String name = "session-\u0378.jsonl"; // a character that no Unicode has yet
        try (Puppet mac = on("Mac OS X"); Puppet linux = on("Linux")) {
            linux.acquire("a", dir.resolve(name));

            Puppet.Reply reply = mac.ask("acquire", "b", dir.resolve(name), "timeout=600");

            assertThat(reply.words().get(0)).isEqualTo("LockException");
            assertThat(reply.text()).contains("newer than the Unicode of this JVM (Java " + Runtime.version().feature() + ")", "use a later Java");
        }
    }
}
