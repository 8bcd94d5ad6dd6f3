package dev.sessionlock.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jetbrains.annotations.Nullable;

/**
 * Tells when the reader of our stdout has gone. A writer learns that with its next write only, which may be hours away, and until then
 * {@code watch DIR | head -1} would not end; Java has no way to ask. So tail(1) is asked: that of GNU, on a pipe, dies of SIGPIPE when the
 * reader goes. It ends with us also if we are killed, or the reader would wait for it.
 */
final class ClosedPipeProbe implements AutoCloseable {
    private static final int DIED_OF_SIGPIPE = 128 + 13;

    private final @Nullable Process tail;

    private ClosedPipeProbe(@Nullable Process tail) {
        this.tail = tail;
    }

    /** Starts one, if stdout is a pipe. Without tail the next write must do. */
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

    private static boolean isPipe() {
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
