package dev.sessionlock.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** One of the demo's processes, seen from the demo. */
final class DemoActor {
    private final String name;
    private final Process process;
    private final Thread ears;
    private volatile boolean dismissed;

    /**
     * What an actor reported.
     *
     * @param actor the actor
     * @param words what it said
     * @param at when it was heard, monotonic nanoseconds
     */
    record ActorMark(DemoActor actor, List<String> words, long at) {

        boolean is(String word) {
            return words.get(0).equals(word);
        }

        /** {@return the fencing token of a mark that has one} */
        long token() {
            return Long.parseLong(words.get(2));
        }
    }

    private DemoActor(String name, Process process, Consumer<ActorMark> listener) {
        this.name = name;
        this.process = process;
        this.ears = new Thread(() -> hear(listener), "hears-" + name);
        ears.setDaemon(true);
        ears.start();
    }

    /** Starts one, from a thread that lives on: the actor dies when that thread ends. */
    static DemoActor start(String name, boolean compaction, Path file, JobMark mark, Consumer<ActorMark> listener)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx48m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
                Main.class.getName(), "demo-actor"));
        if (compaction) {
            command.add("--compaction");
        }
        command.add(name);
        command.add(file.toString());
        ProcessBuilder builder = new ProcessBuilder(ParentDeathGuard.tethered(command)).redirectError(ProcessBuilder.Redirect.INHERIT);
        mark.addTo(builder.environment());
        return new DemoActor(name, builder.start(), listener);
    }

    private void hear(Consumer<ActorMark> listener) {
        try (BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                listener.accept(new ActorMark(this, List.of(line.split(" ")), System.nanoTime()));
            }
        } catch (IOException e) {
            // its output ends: so does this thread
        }
        listener.accept(new ActorMark(this, List.of("ended"), System.nanoTime()));
    }

    String name() {
        return name;
    }

    long pid() {
        return process.pid();
    }

    /** {@return whether it was told to end, or killed} */
    boolean isDismissed() {
        return dismissed;
    }

    void order(DemoActorCommand.ActorOrder order) throws IOException {
        dismissed |= order == DemoActorCommand.ActorOrder.STOP;
        OutputStream in = process.getOutputStream();
        in.write((order + "\n").getBytes(StandardCharsets.US_ASCII));
        in.flush();
    }

    void signal(String signal) {
        ProcessTree.signal(signal, List.of(process.toHandle()));
    }

    /** {@return whether it has ended and all that it reported was heard} */
    boolean awaitEnd(long seconds) throws InterruptedException {
        boolean ended = process.waitFor(seconds, TimeUnit.SECONDS);
        ears.join(TimeUnit.SECONDS.toMillis(seconds));
        return ended && !ears.isAlive();
    }

    /** Kills it, whatever state it is in. */
    void kill() {
        dismissed = true;
        process.destroyForcibly();
    }
}
