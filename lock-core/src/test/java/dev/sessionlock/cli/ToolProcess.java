package dev.sessionlock.cli;

import static org.awaitility.Awaitility.await;

import dev.sessionlock.SmallJvm;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The tool in a JVM of its own, as its user starts it. Closing it kills it, all that it started, and all processes with its mark. */
final class ToolProcess implements AutoCloseable {
    /** Prevents hanging; measures nothing, since the machine is busy. */
    static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Process process;
    private final ProcessTree processes;
    private final Path out;
    private final Path err;

    private ToolProcess(ProcessBuilder builder, Path directory) throws IOException {
        JobMark mark = JobMark.random();
        this.out = Files.createTempFile(directory, "tool", ".out");
        this.err = Files.createTempFile(directory, "tool", ".err");
        mark.addTo(builder.environment());
        this.process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        this.processes = new ProcessTree(process, mark, true);
    }

    /** Starts the tool; its output goes to files in {@code scratch}. */
    static ToolProcess start(Path scratch, String... args) throws IOException {
        return new ToolProcess(new ProcessBuilder(command(args)), scratch);
    }

    /** Starts the tool with a job and freezes it, so that its lease runs out from now on. The job has printed "runs", and sleeps. */
    static ToolProcess startFrozen(Path scratch, Path session, String lease, String... options) throws IOException {
        String[] run = Stream.of(List.of("run", "--lease", lease), List.of(options),
                List.of(session.toString(), "--", "sh", "-c", "echo runs; sleep 1000")).flatMap(List::stream).toArray(String[]::new);
        while (true) {
            ToolProcess tool = start(scratch, run);
            await().atMost(PATIENCE).until(() -> tool.out().contains("runs") || !tool.isAlive());
            tool.signal("STOP");
            if (tool.isAlive() && tool.err().isEmpty()) {
                return tool;
            }
            tool.close(); // the machine stood still for a lease, and the tool has noticed
        }
    }

    /** Starts the tool with another search path for programs. */
    static ToolProcess startWithPath(String searchPath, Path scratch, String... args) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command(args));
        builder.environment().put("PATH", searchPath);
        return new ToolProcess(builder, scratch);
    }

    /** Starts the tool on a terminal; what is typed there goes to it. */
    static ToolProcess startOnTerminal(Path scratch, String... args) throws IOException {
        return startScriptOnTerminal(scratch, "exec " + quoted(args));
    }

    /** Starts a shell script on a terminal, see {@link #quoted}. */
    static ToolProcess startScriptOnTerminal(Path scratch, String script) throws IOException {
        ProcessBuilder builder = new ProcessBuilder("script", "-qec", script, "/dev/null");
        builder.environment().put("TERM", "xterm");
        builder.environment().keySet().removeAll(List.of("NO_COLOR", "COLUMNS", "LINES"));
        return new ToolProcess(builder, scratch);
    }

    /** Starts a shell script, see {@link #quoted}. */
    static ToolProcess startScript(Path scratch, String script) throws IOException {
        return new ToolProcess(new ProcessBuilder("sh", "-c", script), scratch);
    }

    /** {@return the command that starts the tool, for a shell} */
    static String quoted(String... args) {
        return command(args).stream().map(word -> "'" + word.replace("'", "'\\''") + "'").collect(Collectors.joining(" "));
    }

    private static List<String> command(String... args) {
        List<String> command = SmallJvm.command("--add-opens", "java.base/java.io=ALL-UNNAMED");
        command.add(Start.class.getName());
        command.addAll(List.of(args));
        return command;
    }

    long pid() {
        return process.pid();
    }

    ToolProcess type(String text) throws IOException {
        OutputStream in = process.getOutputStream();
        in.write(text.getBytes(StandardCharsets.UTF_8));
        in.flush();
        return this;
    }

    ToolProcess signal(String name) {
        ProcessTree.signal(name, List.of(process.toHandle()));
        return this;
    }

    /** Waits until it, or its job, has printed this. */
    ToolProcess awaitOut(String text) {
        return awaitSaid(text, this::out);
    }

    /** Waits until it, or its job, has printed this on standard error. */
    ToolProcess awaitErr(String text) {
        return awaitSaid(text, this::err);
    }

    private ToolProcess awaitSaid(String text, Callable<String> said) {
        await("the tool to say '" + text + "'").atMost(PATIENCE).pollInterval(Duration.ofMillis(20))
                .failFast(() -> {
                    if (!process.isAlive() && !said.call().contains(text)) {
                        throw new AssertionError("the tool has ended: " + this);
                    }
                })
                .until(() -> said.call().contains(text));
        return this;
    }

    boolean isAlive() {
        return process.isAlive();
    }

    int exitCode() throws InterruptedException {
        if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
            throw new AssertionError("the tool did not end: " + this);
        }
        return process.exitValue();
    }

    String out() throws IOException {
        return Files.readString(out);
    }

    String err() throws IOException {
        return Files.readString(err);
    }

    /** {@return the living processes among it and all that it started} */
    List<ProcessHandle> living() {
        return processes.living();
    }

    @Override
    public void close() {
        for (List<ProcessHandle> left = processes.living(); !left.isEmpty(); left = processes.living()) {
            ProcessTree.signal("KILL", left);
            await().pollDelay(Duration.ofMillis(5)).until(() -> true);
        }
    }

    @Override
    public String toString() {
        try {
            String state = process.isAlive() ? ", alive" : ", exit code " + process.exitValue();
            return "pid " + pid() + state + "\nout: " + out() + "\nerr: " + err();
        } catch (IOException e) {
            return e.toString();
        }
    }
}
