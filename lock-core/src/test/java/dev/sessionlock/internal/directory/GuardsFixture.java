package dev.sessionlock.internal.directory;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** What tests of kernel bytes need: the guard files of a directory, open, and closed afterwards. */
abstract class GuardsFixture {
    @TempDir
    Path dir;
    GuardFiles guards;

    @BeforeEach
    void open() throws IOException {
        guards = new GuardFiles(dir, FileMode.of(dir));
        guards.enter(dir);
    }

    @AfterEach
    void close() throws IOException {
        guards.leave();
    }
}
