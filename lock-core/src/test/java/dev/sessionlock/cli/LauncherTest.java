package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The script that starts the tool. Usually with a fake java that only prints its arguments; if it is asked to make an archive, it writes one. */
class LauncherTest {
    private static final String FAKE_JAVA = """
            #!/bin/sh
            for word in "$@"; do
                case $word in
                    -XX:ArchiveClassesAtExit=*) echo an archive >"${word#*=}" ; exit ;;
                esac
            done
            printf '<%s>\\n' "$@" "LC_ALL=$LC_ALL" "was=$SESSIONLOCK_LC_ALL" "pid=$$"
            """;

    @TempDir
    private Path scratch;
    private Path place;
    private Path home;
    private Path launcher;
    private final Map<String, String> environment = new HashMap<>();
    private final JobMark mark = JobMark.random();
    private final List<ProcessTree> calls = new ArrayList<>();

    /** The result of one call. */
    private record Call(int exitCode, String out, String err, long pid) {

        List<String> words() {
            return out.lines().toList();
        }

        String archive() {
            return words().stream().filter(word -> word.startsWith("<-XX:SharedArchiveFile=")).findFirst().orElse("");
        }
    }

    @BeforeEach
    void install() throws IOException {
        Needs.program("sh");
        Needs.check(PosixFilePermissions.toString(Files.getPosixFilePermissions(scratch)).equals("rwx------"), "no directory of our own");
        place = Files.createDirectory(scratch.resolve("it's a \"place\" $HOME"));
        home = Files.createDirectory(scratch.resolve("home"));
        launcher = place.resolve("sessionlock");
        Files.copy(Path.of("src/main/launcher/sessionlock"), launcher);
        executable(launcher);
        Files.writeString(place.resolve("sessionlock.jar"), "a jar");
        Files.createDirectories(scratch.resolve("jdk/bin"));
        executable(Files.writeString(scratch.resolve("jdk/bin/java"), FAKE_JAVA));
        environment.put("HOME", home.toString());
        environment.put("JAVA_HOME", scratch.resolve("jdk").toString());
        environment.put("PATH", System.getenv("PATH"));
        mark.addTo(environment);
    }

    /** The archive is made in the background. That ends by itself, but works in our directory until then. */
    @AfterEach
    void untilTheBackgroundHasEnded() {
        try {
            await("what the launcher has started to end").atMost(ToolProcess.PATIENCE).until(() -> living().isEmpty());
        } finally {
            ProcessTree.signal("KILL", living());
        }
    }

    private List<ProcessHandle> living() {
        return calls.stream().flatMap(each -> each.living().stream()).toList();
    }

    private static void executable(Path file) throws IOException {
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Call call(String... args) throws Exception {
        return call(launcher, args);
    }

    private Call call(Path started, String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(started.toString()));
        command.addAll(List.of(args));
        ProcessBuilder builder = new ProcessBuilder(command).directory(scratch.toFile());
        Path out = Files.createTempFile(scratch, "out", "");
        Path err = Files.createTempFile(scratch, "err", "");
        builder.environment().clear();
        builder.environment().putAll(environment);
        Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        calls.add(new ProcessTree(process, mark, true));
        if (!process.waitFor(ToolProcess.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("it did not end");
        }
        return new Call(process.exitValue(), Files.readString(out), Files.readString(err), process.pid());
    }

    private Path cache() {
        return home.resolve(".cache/sessionlock");
    }

    private List<Path> archives() throws IOException {
        if (!Files.isDirectory(cache())) {
            return List.of();
        }
        try (Stream<Path> all = Files.list(cache())) {
            return all.toList();
        }
    }

    /** Calls it once, and waits until the archive has been made in the background. Returns the archive. */
    private Path made() throws Exception {
        assertThat(call("status").archive()).isEmpty();
        return awaitMade();
    }

    private Path awaitMade() throws IOException {
        await().atMost(ToolProcess.PATIENCE).until(() -> archives().size() == 1 && archives().get(0).toString().endsWith(".jsa"));
        return archives().get(0);
    }

    @Nested
    class Starting {
        @Test
        void passesArgumentsOnLetterByLetterInTheSameProcess() throws Exception {
            Call call = call("run", "a b", "it's", "*", "", "-x");

            assertThat(call.err()).isEmpty();
            assertThat(call.words()).containsSubsequence("<-jar>", "<" + place.toRealPath().resolve("sessionlock.jar") + ">", "<run>", "<a b>",
                    "<it's>", "<*>", "<>", "<-x>");
            assertThat(call.words()).contains("<pid=" + call.pid() + ">", "<-Dsessionlock.tool=" + launcher + ">");
        }

        @Test
        void linksToItAreFollowedAndNamedAsCalled() throws Exception {
            Path bin = Files.createDirectory(scratch.resolve("bin"));
            Files.createSymbolicLink(place.resolve("second"), Path.of("sessionlock"));
            Path link = Files.createSymbolicLink(bin.resolve("sl"), Path.of("..").resolve(place.getFileName()).resolve("second"));

            Call call = call(link, "list");

            assertThat(call.words()).contains("<-Dsessionlock.tool=" + link + ">").containsSubsequence("<-cp>", "<" + place.toRealPath().resolve("sessionlock.jar") + ">",
                    "<dev.sessionlock.cli.Start>", "<list>");
        }

        @Test
        void relativeNameIsMadeAbsolute() throws Exception {
            Call call = call(Path.of("./" + place.getFileName() + "/sessionlock"), "list");

            assertThat(call.words()).contains("<-Dsessionlock.tool=" + launcher + ">");
        }

        @Test
        void missingJavaOrJarIsOneLineAndTwo() throws Exception {
            environment.put("JAVA_HOME", "/no/such");
            environment.put("PATH", scratch.resolve("no tools").toString());
            assertThat(call("list")).matches(call -> call.exitCode() == 2 && call.err().contains("set JAVA_HOME") && call.err().lines().count() == 1);

            Files.delete(place.resolve("sessionlock.jar"));
            assertThat(call("list")).matches(call -> call.exitCode() == 2 && call.err().contains("there is no " + place));
        }

        @Test
        void ownerAndOptionsComeFromTheEnvironment() throws Exception {
            environment.put("SESSIONLOCK_OWNER", "/openclaw");
            environment.put("SESSIONLOCK_JAVA_OPTS", "-Xmx64m -Da=*");

            assertThat(call("run").words()).contains("<-Dsessionlock.owner=/openclaw>", "<-Xmx64m>", "<-Da=*>");
        }

        @Test
        void localeIsOfUtf8AndTheOtherOneIsKeptForTheJob() throws Exception {
            assertThat(call("list").words()).contains("<LC_ALL=C.UTF-8>", "<was=>");
            environment.put("LC_ALL", "POSIX");
            assertThat(call("list").words()).contains("<LC_ALL=C.UTF-8>", "<was=POSIX>");
            environment.put("LC_ALL", "de_DE.UTF-8");
            assertThat(call("list").words()).contains("<LC_ALL=de_DE.UTF-8>", "<was=>");
        }
    }

    @Nested
    class Archive {
        @Test
        void isMadeBehindTheFirstCallAndUsedByTheNext() throws Exception {
            Path archive = made();

            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(cache()))).isEqualTo("rwx------");
            assertThat(call("status").archive()).isEqualTo("<-XX:SharedArchiveFile=" + archive.toRealPath() + ">");
        }

        @Test
        void anotherJarHasAnotherOne() throws Exception {
            Path first = made();
            Files.writeString(place.resolve("sessionlock.jar"), "a longer jar");

            assertThat(call("status").archive()).isEmpty();
            await().atMost(ToolProcess.PATIENCE).until(() -> archives().size() == 2);
            assertThat(archives()).contains(first);
        }

        @Test
        void damagedOneIsNotUsedAndMadeAnew() throws Exception {
            Path archive = made();
            Files.writeString(archive, "an archivf\n");

            assertThat(call("status").archive()).isEmpty();
            Path again = awaitMade();
            assertThat(again).hasContent("an archive");
        }

        @Test
        void xdgCacheHomeIsUsed() throws Exception {
            environment.put("XDG_CACHE_HOME", scratch.resolve("xdg cache").toString());

            call("status");

            await().atMost(ToolProcess.PATIENCE).until(() -> Files.isDirectory(scratch.resolve("xdg cache/sessionlock")));
        }

        @ParameterizedTest
        @ValueSource(strings = {"off", "no home", "relative", "not a directory"})
        void whereThereIsNoneTheToolRunsWithout(String why) throws Exception {
            switch (why) {
                case "off" -> environment.put("SESSIONLOCK_CACHE", "off");
                case "no home" -> environment.remove("HOME");
                case "relative" -> environment.put("XDG_CACHE_HOME", "cache");
                default -> Files.writeString(home.resolve(".cache"), "");
            }
            Call call = call("status");

            assertThat(call).matches(it -> it.exitCode() == 0 && it.err().isEmpty() && it.archive().isEmpty());
            assertThat(Files.exists(cache()) || Files.exists(scratch.resolve("cache"))).isFalse();
        }

        @ParameterizedTest
        @ValueSource(strings = {"rwxrwx---", "rwxr-xrwx"})
        void whereOthersMayWriteItIsNeitherUsedNorMade(String mode) throws Exception {
            Path archive = made();

            for (Path shared : List.of(cache(), home.resolve(".cache"), home)) {
                Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString(mode));
                assertThat(call("status").archive()).as("%s %s", mode, shared).isEmpty();
                Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwx------"));
            }
            Files.setPosixFilePermissions(archive, PosixFilePermissions.fromString("rw-rw-rw-"));
            assertThat(call("status").archive()).isEmpty();

            Files.delete(archive);
            Files.delete(cache());
            Files.setPosixFilePermissions(home, PosixFilePermissions.fromString(mode));
            call("status");
            assertThat(cache()).doesNotExist();
        }

        @Test
        void whatBelongsToAnotherUserIsNotUsed() throws Exception {
            Needs.root();
            Path archive = made();

            for (Path theirs : List.of(archive, cache(), home)) {
                Files.setAttribute(theirs, "unix:uid", 65534);
                assertThat(call("status").archive()).as("%s", theirs).isEmpty();
                Files.setAttribute(theirs, "unix:uid", 0);
            }
            assertThat(call("status").archive()).isNotEmpty();
        }

        @Test
        void linkInItsPlaceIsNotUsed() throws Exception {
            Path archive = made();
            Path elsewhere = Files.move(archive, scratch.resolve("elsewhere"));
            Files.createSymbolicLink(archive, elsewhere);

            assertThat(call("status").archive()).isEmpty();
        }

        @Test
        void attemptThatWasKilledIsClearedAwayLater() throws Exception {
            Path archive = made();
            String key = archive.getFileName().toString().replaceAll("-.*", "");
            Files.delete(archive);
            Path making = Files.createDirectory(cache().resolve(key + ".making"));
            Files.setLastModifiedTime(making, FileTime.from(Instant.now().minus(Duration.ofHours(1))));

            call("status");
            await().atMost(ToolProcess.PATIENCE).until(() -> !Files.exists(making));
            call("status");

            assertThat(awaitMade()).hasContent("an archive");
        }
    }

    /** With the real java and the real tool: the JVM accepts the archive that the script has made. */
    @Test
    void toolStartsFromItsArchiveAndNamesTheLauncherInAdvice() throws Exception {
        jar(place.resolve("sessionlock.jar"));
        environment.put("JAVA_HOME", System.getProperty("java.home"));
        Path session = scratch.resolve("session.jsonl");
        Files.writeString(scratch.resolve("session.jsonl.lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");

        // Where a name needs escaping in a URL, a JVM takes only its own classes from the archive, not the jar's.
        Path plain = Files.createDirectory(scratch.resolve("plain"));
        Files.copy(launcher, plain.resolve("sessionlock"), StandardCopyOption.COPY_ATTRIBUTES);
        Files.copy(place.resolve("sessionlock.jar"), plain.resolve("sessionlock.jar"));
        call(plain.resolve("sessionlock"), "status", session.toString());
        awaitMade();
        environment.put("SESSIONLOCK_JAVA_OPTS", "-Xlog:class+load:stdout");
        Call warm = call(plain.resolve("sessionlock"), "status", session.toString());
        environment.remove("SESSIONLOCK_JAVA_OPTS");
        environment.put("SESSIONLOCK_CACHE", "off");
        Call cold = call("status", session.toString());

        assertThat(call("list", "--help").out()).contains("\n  sessionlock list sessions\n").doesNotContain("java -jar");

        String quoted = "'" + launcher.toString().replace("'", "'\\''") + "'";
        String asJar = new String(new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-XX:TieredStopAtLevel=1", "-jar",
                place.getFileName() + "/sessionlock.jar", "status", session.toString()).directory(scratch.toFile()).start()
                .getInputStream().readAllBytes());
        assertThat(asJar).contains("java -jar " + quoted.replace("sessionlock'", "sessionlock.jar'") + " clear --yes");
        assertThat(cold).matches(call -> call.exitCode() == 0 && call.err().isEmpty());
        assertThat(cold.out()).contains("foreign", "to do     " + quoted + " clear --yes " + scratch.toRealPath().resolve("session.jsonl"));
        assertThat(warm.out()).containsPattern("dev\\.sessionlock\\.internal\\.seats\\.Inspector source: shared objects file \\(top\\)")
                .contains(cold.out().lines().findFirst().orElseThrow());
        assertThat(warm.out()).as("a plain question loads no class that the archive cannot have").doesNotContain("picocli");
    }

    @Test
    void jobHasTheLocaleOfItsCaller() throws Exception {
        String[] run = {"run", scratch.resolve("x").toString(), "--", "sh", "-c", "echo job=${LC_ALL-none}/${SESSIONLOCK_LC_ALL-none}"};
        try (ToolProcess without = ToolProcess.startScript(scratch, "LC_ALL=C.UTF-8 SESSIONLOCK_LC_ALL= exec " + ToolProcess.quoted(run))) {
            without.awaitOut("job=none/none");
        }
        try (ToolProcess with = ToolProcess.startScript(scratch, "LC_ALL=C.UTF-8 SESSIONLOCK_LC_ALL=POSIX exec " + ToolProcess.quoted(run))) {
            with.awaitOut("job=POSIX/none");
        }
    }

    /** The tool as one jar, as far as an archive needs it: classes in directories cannot be archived. */
    private static void jar(Path jar) throws Exception {
        Path classes = Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        StringBuilder path = new StringBuilder();
        for (String entry : System.getProperty("java.class.path").split(":")) {
            if (entry.matches(".*/(slf4j|picocli)-?[^/]*\\.jar")) {
                path.append("\r\n  ").append(Path.of(entry).toUri());
            }
        }
        String manifest = "Manifest-Version: 1.0\r\nMain-Class: " + Start.class.getName() + "\r\nClass-Path:" + wrapped(path) + "\r\n\r\n";
        try (OutputStream out = Files.newOutputStream(jar); ZipOutputStream zip = new ZipOutputStream(out);
                Stream<Path> files = Files.walk(classes)) {
            zip.putNextEntry(new ZipEntry("META-INF/MANIFEST.MF"));
            zip.write(manifest.getBytes());
            for (Path file : files.filter(Files::isRegularFile).filter(each -> !each.endsWith("module-info.class")).toList()) {
                zip.putNextEntry(new ZipEntry(classes.relativize(file).toString()));
                Files.copy(file, zip);
            }
        }
    }

    /** Lines of a manifest have 72 bytes at most. */
    private static String wrapped(CharSequence entries) {
        return entries.toString().replaceAll("\\s+", " ").replaceAll("(.{50})", "$1\r\n ");
    }
}
