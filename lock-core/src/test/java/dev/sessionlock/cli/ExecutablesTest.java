package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExecutablesTest {
    @TempDir
    private Path directory;

    private Path program(String name, String mode) throws IOException {
        Path program = Files.createDirectories(directory.resolve(name).getParent()).resolve(directory.resolve(name).getFileName());
        Files.writeString(program, "#!/bin/sh\n");
        return Files.setPosixFilePermissions(program, PosixFilePermissions.fromString(mode));
    }

    private String searchPath() {
        return directory.resolve("missing") + ":" + directory.resolve("one") + ":" + directory.resolve("two");
    }

    @Test
    void nameIsLookedForAlongThePathAndOnlyExecutablesCount() throws IOException {
        program("one/job", "rw-r--r--");
        Path second = program("two/job", "rwxr-xr-x");

        assertThat(Executables.find("job", searchPath())).isEqualTo(new Executables.Search(second, 0, ""));
    }

    @Test
    void nameThatIsNowhereIs127AndOneThatCannotBeExecutedIs126() throws IOException {
        program("one/job", "rw-r--r--");
        Files.createDirectories(directory.resolve("two/folder"));

        assertThat(Executables.find("job", searchPath()).exitCode()).isEqualTo(126);
        assertThat(Executables.find("job", searchPath()).problem()).endsWith("one/job: permission denied (it is not executable)");
        assertThat(Executables.find("other", searchPath())).isEqualTo(new Executables.Search(null, 127, "other: command not found"));
        assertThat(Executables.find("folder", searchPath()).exitCode()).as("a directory on the path is no program").isEqualTo(127);
        assertThat(Executables.find("", searchPath()).exitCode()).isEqualTo(127);
        assertThat(Executables.find("sh", null).exitCode()).isZero();
    }

    @Test
    void nameWithASlashIsTakenAsItIs() throws IOException {
        Path job = program("one/job", "rwxr-xr-x");

        assertThat(Executables.find(job.toString(), "").path()).isEqualTo(job);
        assertThat(Executables.find(directory + "/none", "").exitCode()).isEqualTo(127);
        assertThat(Executables.find(directory + "/one", "").problem()).isEqualTo(directory + "/one: is a directory");
        assertThat(Executables.find(directory + "/one", "").exitCode()).isEqualTo(126);
    }
}
