package dev.sessionlock.cli;

import dev.sessionlock.internal.system.SystemReason;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Replays the outage. */
@Command(
        name = "demo",
        header = "Replays the outage and proves that no line is lost.",
        customSynopsis = {"sessionlock demo [--dir D] [--keep]"},
        description = "In about 10 s: writers and a compaction job on one transcript, kill -9, a leaked handle, a frozen holder, "
                + "an rm of the lock file. Prints how long it took until writing went on, and the proof that no line was lost.",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Exit code: 0 nothing was lost; 1 a line was lost, torn or doubled, or writing did not go on; 2 the disk refused.",
            "",
            "Examples:",
            "  java -jar sessionlock.jar demo",
            "  java -jar sessionlock.jar demo --dir /srv/sessions --keep"
        })
final class DemoCommand implements Callable<Integer> {
    private static final int SOMETHING_LOST = 1;

    @Spec
    private CommandSpec spec;

    @Mixin
    private HelpOption help;

    @Option(names = "--dir", paramLabel = "D", description = "Where to play, to try the file system of D: in a new directory "
            + "there. Default: the directory for temporary files.")
    private @Nullable Path parent;

    @Option(names = "--keep", description = "Leave the files behind, to look at them.")
    private boolean keep;

    private final AtomicBoolean tidied = new AtomicBoolean();

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (parent != null && !Files.isDirectory(parent)) {
            throw new IOException("--dir " + parent + " is not a directory; make it first, or name another one");
        }
        Path directory = stage().toRealPath();
        Demo demo = new Demo(spec.commandLine().getOut(), directory);
        Thread hook = new Thread(() -> tidy(demo, directory), "sessionlock-demo"); // Ctrl-C
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            return demo.play() ? 0 : SOMETHING_LOST;
        } catch (Demo.StuckException e) {
            return tidied.get() ? SOMETHING_LOST : Main.say(spec.commandLine(), e.getMessage(), SOMETHING_LOST);
        } catch (IOException e) {
            if (tidied.get()) {
                return SOMETHING_LOST; // Ctrl-C: the actors have gone, and nobody wants a message
            }
            throw e;
        } finally {
            tidy(demo, directory);
        }
    }

    private Path stage() throws IOException {
        String prefix = "sessionlock-demo-";
        try {
            return parent == null ? Files.createTempDirectory(prefix) : Files.createTempDirectory(parent, prefix);
        } catch (IOException e) {
            Object where = parent == null ? System.getProperty("java.io.tmpdir") : parent;
            String reason = e instanceof AccessDeniedException ? "no permission" : SystemReason.of(e);
            throw new IOException("cannot make a directory in " + where + ": " + (reason.isEmpty() ? e : reason) + "; name another place: --dir D", e);
        }
    }

    private void tidy(Demo demo, Path directory) {
        if (!tidied.compareAndSet(false, true)) {
            return;
        }
        demo.close();
        if (keep) {
            spec.commandLine().getOut().println("The files are in " + directory);
            spec.commandLine().getOut().flush();
            return;
        }
        try (Stream<Path> all = Files.walk(directory)) {
            List<Path> inside = all.sorted(Comparator.reverseOrder()).toList();
            for (Path path : inside) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | java.io.UncheckedIOException | DirectoryIteratorException e) {
            Main.say(spec.commandLine(), "could not remove " + directory + ": " + e + "; remove it yourself: rm -r " + directory, 0);
        }
    }
}
