package dev.sessionlock.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A partner in a JVM of its own, started from the same jar or class path. */
final class PartnerProcess implements Partner {
    /** A JVM starts in half a second; on an overloaded machine it may take much longer. */
    private static final long PATIENCE_SECONDS = 15;
    private static final String ENDED = "ended";

    private final Process process;
    private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    private boolean ready;
    /** Why it makes no sense to ask it again; null as long as it does. */
    private @Nullable String failure;

    private PartnerProcess(Process process) {
        this.process = process;
        Thread ears = new Thread(this::hear, "hears-doctor-partner");
        ears.setDaemon(true);
        ears.start();
    }

    /** Starts one. It starts up by itself while the first order is still to come. */
    static Partner start(Path probe) {
        List<String> command = List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx48m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
                Main.class.getName(), DoctorPartnerCommand.NAME, probe.toString());
        try {
            return new PartnerProcess(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start());
        } catch (IOException e) {
            return new NoPartner("a second JVM could not be started: " + e.getMessage());
        }
    }

    private record NoPartner(String why) implements Partner {
        @Override
        public String ask(String order) throws IOException {
            throw new IOException(why);
        }

        @Override
        public void kill() throws IOException {
            throw new IOException(why);
        }

        @Override
        public void close() {
            // there is none
        }
    }

    private void hear() {
        try (BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                answers.add(line);
            }
        } catch (IOException e) {
            // its output ends: so does this thread
        }
        answers.add(ENDED);
    }

    @Override
    public String ask(String order) throws IOException, InterruptedException {
        if (failure != null) {
            throw new IOException(failure);
        }
        if (!ready) {
            answer(); // its first line: it is ready
            ready = true;
        }
        OutputStream in = process.getOutputStream();
        in.write((order + "\n").getBytes(StandardCharsets.US_ASCII));
        in.flush();
        return answer();
    }

    private String answer() throws IOException, InterruptedException {
        String answer = answers.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (answer == null) {
            failure = "the second JVM (pid " + process.pid() + ") did not answer within " + PATIENCE_SECONDS + " s";
            throw new IOException(failure);
        } else if (answer.equals(ENDED)) {
            failure = "the second JVM has ended, exit code " + process.waitFor();
            throw new IOException(failure);
        }
        return answer;
    }

    @Override
    public void kill() throws IOException, InterruptedException {
        process.destroyForcibly();
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new IOException("the second JVM (pid " + process.pid() + ") did not die of kill -9 within " + PATIENCE_SECONDS + " s");
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
