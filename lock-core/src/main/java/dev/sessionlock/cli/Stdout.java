package dev.sessionlock.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;

/** Our stdout. It remembers the first error, which {@link PrintStream} swallows: half an answer on a full disk must not look like an answer. */
final class Stdout {
    private static volatile @Nullable IOException failure;

    private Stdout() {
    }

    /** {@return a printer to it} It flushes after each line. */
    static PrintWriter printer() {
        return Encoding.ofStdout().printer(new PrintStream(new BufferedOutputStream(new Remembering(new FileOutputStream(FileDescriptor.out)))));
    }

    /** {@return the exit code of the tool} If something could not be written, says so on stderr. A reader that has gone, as {@code head}, is no error. */
    static int exitCode(int answered) {
        IOException e = failure;
        if (e == null || ClosedPipeProbe.isPipe() || "Broken pipe".equals(e.getMessage())) {
            return answered;
        }
        System.err.println("sessionlock: could not write the answer to stdout: " + e.getMessage());
        return Main.TROUBLE;
    }

    private static final class Remembering extends FilterOutputStream {
        Remembering(OutputStream to) {
            super(to);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
                out.write(bytes, offset, length);
            } catch (IOException e) {
                failure = failure == null ? e : failure;
                throw e;
            }
        }
    }
}
