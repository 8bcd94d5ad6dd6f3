package dev.sessionlock.internal.directory;

import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Files of other programs that are named like a lock of ours and are none: whatever they contain, they are never touched. Only those that could be
 * mistaken by their content need to be known here (git's are empty at times, an editor's hold a pid). Any other file that does not read like a lock
 * is left alone anyway.
 */
final class KnownLockFiles {
    private static final Map<String, String> BY_NAME = Map.ofEntries(
            Map.entry("yarn.lock", "Yarn's list of versions"),
            Map.entry("npm.lock", "npm's lock file"),
            Map.entry("package.lock", "a package manager's list of versions"),
            Map.entry("bun.lock", "Bun's list of versions"),
            Map.entry("deno.lock", "Deno's list of versions"),
            Map.entry("Cargo.lock", "Cargo's list of versions"),
            Map.entry("composer.lock", "Composer's list of versions"),
            Map.entry("Gemfile.lock", "Bundler's list of versions"),
            Map.entry("Pipfile.lock", "Pipenv's list of versions"),
            Map.entry("poetry.lock", "Poetry's list of versions"),
            Map.entry("uv.lock", "uv's list of versions"),
            Map.entry("flake.lock", "Nix's list of versions"),
            Map.entry("pubspec.lock", "Dart's list of versions"),
            Map.entry("mix.lock", "Mix's list of versions"),
            Map.entry("Podfile.lock", "CocoaPods' list of versions"),
            Map.entry("docker.lock", "Docker's lock file"),
            Map.entry("buildkitd.lock", "Docker's lock file"),
            Map.entry("code.lock", "an editor's lock file"),
            Map.entry("parent.lock", "a browser's lock file"));

    private KnownLockFiles() {
    }

    /** {@return what a file is, if it is known to be another program's; null if it is not} */
    static @Nullable String at(Path lockFile) {
        String known = BY_NAME.get(lockFile.getFileName().toString());
        if (known != null) {
            return known;
        }
        Path parent = lockFile.getParent();
        if (parent == null || parent.getFileName() == null) {
            return null;
        }
        String directory = parent.getFileName().toString();
        for (Path above : parent) {
            if (above.toString().equals(".git")) {
                return "git's lock file";
            }
        }
        return directory.endsWith(".git") ? "git's lock file" : directory.equals("_locks") ? "npm's lock file" : null;
    }
}
