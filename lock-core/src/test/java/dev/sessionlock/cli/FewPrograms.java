package dev.sessionlock.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A search path with the few programs that {@code run} cannot do without: no {@code setpriv}, no {@code setsid}, no {@code head}. */
record FewPrograms(Path directory) implements AutoCloseable {
    private static final List<String> PROGRAMS = List.of("sh", "cat", "grep", "sleep");

    static FewPrograms in(Path scratch) throws IOException {
        FewPrograms few = new FewPrograms(Files.createDirectory(scratch.resolve("bin")));
        for (String program : PROGRAMS) {
            Files.createSymbolicLink(few.directory.resolve(program), Executables.find(program).path());
        }
        return few;
    }

    String searchPath() {
        return directory.toString();
    }

    /** JUnit warns of links that lead out. */
    @Override
    public void close() throws IOException {
        for (String program : PROGRAMS) {
            Files.delete(directory.resolve(program));
        }
    }
}
