package dev.sessionlock.cli;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The terminal on stdout while it shows a table: on its alternate screen, without a cursor and without an echo of what is typed. */
final class Terminal implements AutoCloseable {
    private static final File TTY = new File("/dev/tty");
    private static final String ENTER = "\u001b[?1049h\u001b[?25l\u001b[2J";
    private static final String LEAVE = "\u001b[?25h\u001b[?1049l";
    private static final Screen.Size USUAL = new Screen.Size(80, 24);
    private static final long PATIENCE_MILLIS = 1_000;

    private final FileOutputStream out = new FileOutputStream(FileDescriptor.out);
    private final AtomicBoolean closed = new AtomicBoolean();
    private final Encoding encoding;
    /** The settings for stty(1) that restore it; null if they are unknown. */
    private final @Nullable String before;
    private final Thread hook = new Thread(this::restore, "sessionlock-terminal");

    private Terminal(Encoding encoding) {
        this.encoding = encoding;
        this.before = stty("-g");
    }

    /** {@return whether stdout is a terminal that can move its cursor} */
    static boolean isOnStdout() {
        String term = System.getenv("TERM");
        if (term == null || term.isEmpty() || term.equals("dumb")) {
            return false;
        }
        try {
            Process test = new ProcessBuilder("sh", "-c", "test -t 1").redirectOutput(ProcessBuilder.Redirect.INHERIT).start();
            test.getOutputStream().close();
            return test.waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Takes control of the terminal; {@link #close} gives it back, or the end of the JVM. */
    static Terminal takeOver(Encoding encoding) throws IOException {
        Terminal terminal = new Terminal(encoding);
        Runtime.getRuntime().addShutdownHook(terminal.hook);
        if (terminal.before != null) {
            stty("-icanon", "-echo", "susp", "undef"); // after Ctrl-Z, the shell would be on our screen
        }
        terminal.write(ENTER);
        return terminal;
    }

    /** Passes what is typed to a consumer, on a thread of its own. */
    void listen(Consumer<Character> consumer) {
        Thread ears = new Thread(() -> {
            try (InputStream in = new FileInputStream(TTY)) {
                for (int c = in.read(); c >= 0; c = in.read()) {
                    consumer.accept((char) c);
                }
            } catch (IOException e) {
                // no controlling terminal: there is Ctrl-C
            }
        }, "sessionlock-keys");
        ears.setDaemon(true);
        ears.start();
    }

    /** {@return its size now} */
    Screen.Size size() {
        String size = stty("size");
        String[] words = size == null ? new String[0] : size.split(" ");
        int lines = words.length == 2 ? number(words[0]) : 0;
        int columns = words.length == 2 ? number(words[1]) : 0;
        return new Screen.Size(columns > 0 ? columns : fromEnvironment("COLUMNS", USUAL.columns()),
                lines > 0 ? lines : fromEnvironment("LINES", USUAL.lines()));
    }

    private static int fromEnvironment(String name, int otherwise) {
        int number = number(System.getenv(name));
        return number > 0 ? number : otherwise;
    }

    private static int number(@Nullable String text) {
        return text != null && text.matches("[0-9]{1,4}") ? Integer.parseInt(text) : 0;
    }

    /** Replaces the last frame, in one write and without blanking first, so that nothing flickers. */
    void show(List<String> lines) throws IOException {
        write("\u001b[H" + String.join("\u001b[K\r\n", lines) + "\u001b[K\u001b[J");
    }

    private void write(String text) throws IOException {
        synchronized (closed) {
            if (!closed.get() || text.equals(LEAVE)) {
                out.write(encoding.bytes(text));
            }
        }
    }

    @Override
    public void close() {
        restore();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            return; // the JVM is ending
        }
    }

    private void restore() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        try {
            write(LEAVE);
        } catch (IOException e) {
            // the terminal has gone
        }
        if (before != null) {
            stty(before);
        }
    }

    /** {@return what stty prints; null if it fails} It works on the controlling terminal, and is stopped if we are in the background. */
    private static @Nullable String stty(String... args) {
        List<String> command = new ArrayList<>(List.of("stty"));
        command.addAll(List.of(args));
        Process stty = null;
        try {
            stty = new ProcessBuilder(command).redirectInput(TTY).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            if (!stty.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS)) {
                return null;
            }
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            stty.getInputStream().transferTo(said);
            return stty.exitValue() == 0 ? said.toString(StandardCharsets.US_ASCII).trim() : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        } finally {
            if (stty != null) {
                stty.destroyForcibly();
            }
        }
    }
}
