package dev.sessionlock.cli;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Finds programs as a shell does: along {@code PATH}, unless the name has a slash. */
final class Executables {
    /** The exit code of a shell for a program that exists and cannot be executed. */
    static final int CANNOT_EXECUTE = 126;
    /** The exit code of a shell for a program that does not exist. */
    static final int NOT_FOUND = 127;

    /**
     * The result of a search.
     *
     * @param path the program; null if there is none that can be executed
     * @param exitCode 0, or the exit code of a shell
     * @param problem what is wrong; empty if nothing
     */
    record Search(@Nullable Path path, int exitCode, String problem) {
    }

    private Executables() {
    }

    static Search find(String name) {
        return find(name, System.getenv("PATH"));
    }

    static Search find(String name, @Nullable String searchPath) {
        if (name.isEmpty()) {
            return new Search(null, NOT_FOUND, "the job's name is empty");
        }
        if (name.indexOf('/') >= 0) {
            return judge(Path.of(name));
        }
        Search best = new Search(null, NOT_FOUND, name + ": command not found");
        for (String directory : (searchPath == null ? "/usr/bin:/bin" : searchPath).split(":", -1)) {
            Search found = in(directory, name);
            if (found.exitCode() == 0) {
                return found;
            } else if (found.exitCode() == CANNOT_EXECUTE && !Files.isDirectory(Path.of(directory, name))) {
                best = found;
            }
        }
        return best;
    }

    private static Search in(String directory, String name) {
        try {
            return judge(Path.of(directory.isEmpty() ? "." : directory, name));
        } catch (InvalidPathException e) {
            return new Search(null, NOT_FOUND, name + ": command not found");
        }
    }

    private static Search judge(Path path) {
        if (!Files.exists(path)) {
            return new Search(null, NOT_FOUND, path + ": no such file");
        } else if (Files.isDirectory(path)) {
            return new Search(null, CANNOT_EXECUTE, path + ": is a directory");
        } else if (!Files.isExecutable(path)) {
            return new Search(null, CANNOT_EXECUTE, path + ": permission denied (it is not executable)");
        }
        return new Search(path, 0, "");
    }
}
