package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** What does not need a JVM of its own: usage, help, version. */
class MainTest {
    @TempDir
    private Path directory;

    /** The result of one call of the tool. */
    record Outcome(int exitCode, String out, String err) {

        static Outcome of(String... args) {
            StringWriter out = new StringWriter();
            StringWriter err = new StringWriter();
            CommandLine tool = Main.commandLine(args).setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
            int exitCode = tool.execute(args);
            return new Outcome(exitCode, out.toString(), err.toString());
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "                            | no command given",
        "frobnicate                  | there is no command 'frobnicate'; try run, status, why, history, list, clear, watch, doctor or demo",
        "--frobnicate                | unknown option --frobnicate",
        "status                      | Missing required parameter: 'FILE'",
        "status a b                  | Unmatched argument at index 2: 'b'",
        "status --jsno a             | Unknown option: '--jsno'; did you mean --json? (help: sessionlock status --help)",
        "list --recusive /tmp        | Unknown option: '--recusive'; did you mean --recursive? (help",
        "run --timout=10s x -- true  | Unknown option: '--timout=10s'; did you mean --timeout? Options of the job come after --",
        "run --frobnicate x -- true  | Unknown option: '--frobnicate'; options of the job come after --",
        "run                         | Missing required parameter: 'FILE'",
        "run x                       | Missing required parameter: 'CMD'",
        "run x --                    | Missing required parameter: 'CMD'",
        "run -- x --                 | Missing required parameter: 'CMD'",
        "run x ls -l                 | Unknown option: '-l'; options of the job come after --",
        "run --timeout -1s x -- true | Invalid value for option '--timeout': '-1s' is not a duration",
        "run --timeout               | 'D'",
        "run --timeout 9000h x -- true   | timeout must be from 0s to ",
        "run --lease 10ms x -- true      | lease must be from 1s to 10m",
        "run --max-hold 1ms x -- true    | maxHold must be from ",
        "demo x                      | Unmatched argument at index 1: 'x'",
        "demo --dir /no/such         | --dir /no/such is not a directory",
        "watch                       | Missing required parameter: 'DIR'",
        "watch --interval 1ms .      | --interval must be from 100ms to 1h",
        "watch /no/such              | /no/such does not exist",
        "watch /dev/null             | /dev/null is not a directory",
        "doctor                      | Missing required parameter: 'DIR'",
        "doctor /no/such             | /no/such does not exist",
        "doctor /dev/null            | /dev/null is not a directory",
        "status /no/such/file        | cannot look at /no/such/file: the directory /no/such does not exist; check the path",
        "list                        | Missing required parameter: 'DIR'",
        "list /no/such               | cannot look at /no/such: it does not exist",
        "list /proc/self/stat        | cannot look at /proc/self/stat: it is not a directory; status shows the lock of one file",
        "list --older-than 1 /tmp    | '1' is not a duration",
        "why                         | Missing required parameter: 'FILE'",
        "why --force /tmp/y          | --force goes with --html",
        "why /no/such/file           | cannot look at /no/such/file: the directory /no/such does not exist",
        "history                     | Missing required parameter: 'FILE|DIR'",
        "history /no/such/file       | cannot look at /no/such/file: the directory /no/such does not exist",
        "history --since 1 /tmp      | '1' is not a duration",
        "clear                       | Missing required parameter: 'FILE|DIR'",
        "clear /no/such/file         | cannot look at /no/such/file: the directory /no/such does not exist",
        "clear --token x /tmp/y      | 'x' is not a number (help:",
        "run -w 0.5x /tmp/y -- true  | '0.5x' is not a number (help:",
        "run -E x /tmp/y -- true     | 'x' is not a number (help:",
        "help run                    | there is no command 'help'; try run, ",
        "frobnicate run x -- true    | there is no command 'frobnicate'; try run, status, why, history, list, clear, watch, doctor or demo (help: sessionlock --help)",
        "clear --token 5 --yes /tmp  | --token is one lock's: name its file, not the directory /tmp",
        "clear --timeout 9h /tmp/y   | timeout must be from 0s to 1h",
        "run /tmp/y                  | Missing required parameter: 'CMD'",
        "run /tmp/y ls -n            | options of the job come after --",
        "run /tmp/y sh -c true       | either -c COMMAND or CMD",
        "run -n -w 1 /tmp/y -- true  | only one of --timeout, -n and -w",
        "run -w -1 /tmp/y -- true    | is not a number of seconds",
        "run -E 256 /tmp/y -- true   | an exit code is a number from 0 to 255",
        "run --takeover --no-takeover /tmp/y -- true | either --takeover or --no-takeover",
        "status --jdbc-user u /tmp/y | --jdbc-user goes with --jdbc",
        "run /no/such/file -- true   | the directory /no/such does not exist; make it first",
        "run /dev/null -- true       | cannot lock /dev/null: it is a FIFO, socket or device",
        "run / -- true               | the root directory cannot be locked",
        "run /proc/self -- true      | cannot lock /proc/self: it is a directory",
        "run . -- true               | it is a directory",
        "run .. -- true              | it is a directory"})
    void badUsageIsOneClearLineAndTwo(String line, String said) {
        Outcome outcome = Outcome.of(line == null ? new String[0] : line.split(" +"));

        assertThat(outcome.err()).contains(said).startsWith("sessionlock: ");
        assertThat(outcome.err().lines()).hasSize(1);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.exitCode()).isEqualTo(2);
    }

    @Test
    void nameThatIsEmptyIsRefused() {
        assertThat(Outcome.of("status", "").err()).contains("FILE", "the name is empty");
        assertThat(Outcome.of("run", "", "--", "true").exitCode()).isEqualTo(2);
    }

    @Test
    void jobThatIsNotThereIs127AndOneThatCannotBeExecuted126AndNothingIsLocked() throws Exception {
        Path file = directory.resolve("x");
        Path text = Files.writeString(directory.resolve("text"), "no program");

        assertThat(Outcome.of("run", file.toString(), "--", "no-such-program"))
                .isEqualTo(new Outcome(127, "", "sessionlock: no-such-program: command not found" + System.lineSeparator()));
        assertThat(Outcome.of("run", file.toString(), "--", text.toString()).exitCode()).isEqualTo(126);
        assertThat(directory.resolve(".session-locks")).doesNotExist();
    }

    @Test
    void whatIsNotALockIsLeftAloneAndTwo() throws Exception {
        Files.writeString(directory.resolve("yarn.lock"), "# yarn lockfile v1\n");

        Outcome outcome = Outcome.of("run", directory.resolve("yarn").toString(), "--", "true");

        assertThat(outcome.exitCode()).isEqualTo(2);
        assertThat(outcome.err()).contains("is not a lock file").doesNotContain("\tat ");
        assertThat(directory.resolve("yarn.lock")).hasContent("# yarn lockfile v1\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "run", "status", "why", "history", "list", "clear", "watch", "doctor", "demo"})
    void helpNamesEveryExitCodeAndHasExamples(String command) {
        Outcome outcome = command.isEmpty() ? Outcome.of("--help") : Outcome.of(command, "--help");

        assertThat(outcome.exitCode()).isZero();
        assertThat(outcome.err()).isEmpty();
        assertThat(outcome.out()).contains("Usage: sessionlock", "Exit code", "Examples:", "java -jar sessionlock.jar " + command);
        assertThat(outcome.out()).doesNotContain("demo-actor", "doctor-partner", "watch DIR", "doctor DIR");
        assertThat(outcome.out().lines()).allMatch(line -> line.length() <= 112);
        assertThat(outcome.out().lines().filter(line -> line.startsWith("  java")).toList()).allMatch(line -> !line.endsWith(" --"));
    }

    @Test
    void versionIsTheManifestsOrDevelopment() {
        assertThat(Outcome.of("--version").out().trim()).matches("sessionlock (development|\\d+\\.\\d+\\.\\d+.*)");
    }
}
