package dev.sessionlock.testkit.systems;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sessionlock.LockReentryException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.LabSystem;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A file has one lock, however its name is spelled; and where no spellings are one, each has its own. On Windows NFC and NFD are two files, and have one lock all the same:
 * where names fold at all, the library folds all that any system folds. That may keep somebody out, and never lets two in.
 */
@EnabledOnOs(OS.LINUX)
class FoldedNamesTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final List<String> SPELLINGS = List.of("SESSION-\u00e9", "session-e\u0301", "Session-\u00e9");

    @TempDir
    Path dir;

    @ParameterizedTest
    @CsvSource({"POSIX, own-own-own", "MACOS, same-same-same", "WINDOWS, same-same-same"})
    void spellingsOfOneNameHaveOneLock(LabSystem system, String expected) throws Exception {
        assumeTrue(LabDisk.hasStreams(dir), "the disk of the tests has no extended attributes, which play named streams");
        Path session = Files.createFile(dir.resolve("session-\u00e9"));
        String path = session.toString();
        try (ChildJvm child = ChildJvm.running(parent -> {
            Path file = Path.of(path);
            StringBuilder said = new StringBuilder();
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(file)) {
                for (String name : SPELLINGS) {
                    try (SessionLock other = locks.acquire(file.resolveSibling(name))) {
                        said.append(other.token() > 0 ? "own " : "");
                    } catch (LockReentryException e) {
                        said.append("same ");
                    }
                }
                lock.verifyHeld();
            }
            parent.mark("said", said.toString().trim().replace(" ", "-"));
        }).on(system).start()) {
            assertThat(child.awaitMark("said", PATIENCE).text()).isEqualTo(expected);
        }
    }
}
