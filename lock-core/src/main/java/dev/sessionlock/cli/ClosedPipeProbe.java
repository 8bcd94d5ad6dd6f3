package dev.sessionlock.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Notices when the reader of our stdout has gone. A writer notices only at its next write, which may be hours away, so {@code watch DIR | head -1}
 * would not end until then. Java has no way to ask. So we start tail(1): GNU tail, when it writes to a pipe, dies of SIGPIPE as soon as the reader
 * goes. It ends with us even if we are killed; otherwise the reader would wait for it.
 */
final class ClosedPipeProbe implements AutoCloseable {
    private static final int DIED_OF_SIGPIPE = 128 + 13;

    private final @Nullable Process tail;

    private ClosedPipeProbe(@Nullable Process tail) {
        this.tail = tail;
    }

    /** Starts one if stdout is a pipe. Without tail(1) only the next write will tell. */
    static ClosedPipeProbe start(Runnable gone) {
        if (!isPipe()) {
            return new ClosedPipeProbe(null);
        }
        try {
            Process tail = new ProcessBuilder(List.of("tail", "-f", "--pid=" + ProcessHandle.current().pid(), "/dev/null"))
                    .redirectOutput(ProcessBuilder.Redirect.INHERIT).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            tail.getOutputStream().close();
            tail.onExit().thenAccept(ended -> {
                if (ended.exitValue() == DIED_OF_SIGPIPE) {
                    gone.run();
                }
            });
            return new ClosedPipeProbe(tail);
        } catch (IOException e) {
            return new ClosedPipeProbe(null);
        }
    }

    /** {@return whether stdout is a pipe} */
    static boolean isPipe() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString().startsWith("pipe:");
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    @Override
    public void close() {
        if (tail != null) {
            tail.destroyForcibly();
        }
    }
}
