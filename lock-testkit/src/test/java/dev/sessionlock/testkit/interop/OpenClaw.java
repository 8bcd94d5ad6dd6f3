package dev.sessionlock.testkit.interop;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * OpenClaw's own lock code, from its npm package. Each build fetches it once; it lies below {@code target}, and is never committed. If it is not
 * available, the tests are skipped, and say so.
 */
final class OpenClaw {
    /** The last release whose locks lie beside transcripts, and the packages that its lock code imports. */
    private static final String[] PACKAGES = {"openclaw@2026.7.1", "chalk@5.6.2", "json5@2.2.3", "tslog@4.10.2"};
    /** The lock engine of later releases, with {@code .reclaim}. OpenClaw 2026.7.1 contains version 0.4.1 of it. */
    private static final String NEWER_ENGINE = "@openclaw/fs-safe@0.4.7";
    /** The command that switches to a user without rights. */
    static final String[] OTHER_USER = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    private static final int OLDEST_NODE = 20;
    private static final long FETCH_SECONDS = 150;
    private static final Path CACHE = Path.of("target", "openclaw").toAbsolutePath();

    private static OpenClaw fetched;
    private static String missing;

    private final Path released;
    private final Path newer;
    private final Path script;

    private OpenClaw(Path released, Path newer, Path script) {
        this.released = released;
        this.newer = newer;
        this.script = script;
    }

    /** {@return OpenClaw, fetched; skips the calling test if it is not available} */
    static synchronized OpenClaw require() throws InterruptedException {
        if (fetched == null && missing == null) {
            try {
                requireNode();
                fetched = fetch();
            } catch (IOException e) {
                missing = "OpenClaw's own lock code is not to be had here: " + e.getMessage();
            }
        }
        if (missing != null) {
            System.out.println("skipped: " + missing);
        }
        assumeTrue(missing == null, missing);
        return fetched;
    }

    /** Starts a process with the unchanged lock code of OpenClaw 2026.7.1, which looks like OpenClaw to others. */
    Peer start() throws IOException, InterruptedException {
        return Peer.start(List.of("node", script.toString(), released.toString(), "openclaw"));
    }

    /** Like {@link #start}, with the lock engine of later releases, which creates {@code .reclaim}. */
    Peer startNewer() throws IOException, InterruptedException {
        return Peer.start(List.of("node", script.toString(), newer.toString(), "openclaw"));
    }

    /** Like {@link #start}, as another user, with a command that switches to it. */
    Peer startAs(String... wrapper) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(wrapper));
        command.addAll(List.of("node", script.toString(), released.toString(), "openclaw"));
        return Peer.start(command);
    }

    /** Skips the calling test unless this process may switch to another user, and that user may read what was fetched. */
    static void requireOtherUser() throws InterruptedException {
        List<String> command = new ArrayList<>(List.of(OTHER_USER));
        command.addAll(List.of("test", "-r", CACHE.resolve("peer.mjs").toString()));
        String why = null;
        try {
            run(CACHE.getRoot(), 20, command.toArray(new String[0]));
        } catch (IOException e) {
            why = "a process of another user is not to be had here: " + e.getMessage();
            System.out.println("skipped: " + why);
        }
        assumeTrue(why == null, why);
    }

    // ---- fetching ----

    private static void requireNode() throws IOException, InterruptedException {
        String version = run(CACHE.getRoot(), 20, "node", "--version").trim();
        int major = Integer.parseInt(version.replaceAll("^v(\\d+)[.].*", "$1"));
        if (major < OLDEST_NODE) {
            throw new IOException("node " + version + " is older than " + OLDEST_NODE);
        }
    }

    private static OpenClaw fetch() throws IOException, InterruptedException {
        Path home = CACHE.resolve("2026.7.1");
        if (!Files.isDirectory(home)) {
            unpack(home);
        }
        Path dist = home.resolve("openclaw/dist");
        Path chunk = chunk(dist);
        Path script = CACHE.resolve("peer.mjs");
        try (InputStream source = Objects.requireNonNull(OpenClaw.class.getResourceAsStream("peer.mjs"), "peer.mjs")) {
            Files.write(script, source.readAllBytes());
        }
        return new OpenClaw(chunk, onNewerEngine(dist, home.resolve("fs-safe/dist/file-lock.js")), script);
    }

    private static void unpack(Path home) throws IOException, InterruptedException {
        Files.createDirectories(CACHE);
        Path scratch = Files.createTempDirectory(CACHE, "fetching-");
        try {
            List<String> pack = new ArrayList<>(List.of("npm", "pack", "--ignore-scripts", "--silent", "--prefer-offline", "--fetch-retries=1",
                    "--fetch-timeout=30000", NEWER_ENGINE));
            pack.addAll(List.of(PACKAGES));
            run(scratch, FETCH_SECONDS, pack.toArray(new String[0]));
            for (Path archive : archives(scratch)) {
                String name = archive.getFileName().toString();
                Path into = name.startsWith("openclaw-fs-safe") ? scratch.resolve("fs-safe")
                        : name.startsWith("openclaw-") ? scratch.resolve("openclaw")
                        : scratch.resolve("node_modules").resolve(name.substring(0, name.indexOf('-')));
                Files.createDirectories(into);
                run(scratch, FETCH_SECONDS, "tar", "xzf", archive.toString(), "-C", into.toString(), "--strip-components=1", "--no-same-owner");
                Files.delete(archive);
            }
            Files.setPosixFilePermissions(scratch, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.move(scratch, home);
        } catch (FileAlreadyExistsException e) {
            System.out.println("OpenClaw was fetched by another build of this directory meanwhile");
        }
    }

    private static List<Path> archives(Path scratch) throws IOException {
        try (Stream<Path> files = Files.list(scratch)) {
            return files.filter(file -> file.toString().endsWith(".tgz")).toList();
        }
    }

    /** The names of the chunks change with each release. */
    private static Path chunk(Path dist) throws IOException {
        try (Stream<Path> files = Files.list(dist)) {
            for (Path file : files.filter(f -> f.getFileName().toString().matches("session-write-lock-[^.]*[.]js")).toList()) {
                if (Files.readString(file).matches("(?s).*export \\{[^}]*\\btesting,[^}]*\\bacquireSessionWriteLock\\b[^}]*\\}.*")) {
                    return file;
                }
            }
        }
        throw new IOException("no chunk in " + dist + " exports acquireSessionWriteLock");
    }

    /** OpenClaw's rules on the newer engine: its two chunks are copied, with one import changed. */
    private static Path onNewerEngine(Path dist, Path engine) throws IOException {
        String outer = Files.readString(chunk(dist));
        String inner = outer.replaceAll("(?s).*from \"\\./(session-write-lock-[^\"]*)\".*", "$1");
        String code = Files.readString(dist.resolve(inner));
        String changed = code.replaceFirst("import \\{ n as createFileLockManager \\} from \"[^\"]*\"",
                "import { createFileLockManager } from \"" + engine.toUri() + "\"");
        if (changed.equals(code)) {
            throw new IOException(dist.resolve(inner) + " does not import its lock engine as it used to");
        }
        Path newer = dist.resolve("newer-session-write-lock.mjs");
        Files.writeString(dist.resolve("newer-engine.mjs"), changed);
        Files.writeString(newer, outer.replace("./" + inner, "./newer-engine.mjs"));
        return newer;
    }

    private static String run(Path directory, long seconds, String... command) throws IOException, InterruptedException {
        Path out = Files.createTempFile("sessionlock-interop", ".out");
        Process process = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile())).redirectOutput(out.toFile()).start();
        try {
            boolean ended = process.waitFor(seconds, TimeUnit.SECONDS);
            String said = Files.readString(out);
            if (!ended || process.exitValue() != 0) {
                throw new IOException(String.join(" ", command) + (ended ? " failed: " : " did not end in " + seconds + " s: ") + said.strip());
            }
            return said;
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().onExit().join(); // it works in a directory that is deleted next
            Files.delete(out);
        }
    }
}
