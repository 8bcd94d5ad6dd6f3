package dev.sessionlock.internal.system;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Reads files under {@code /proc}. Not with {@code Files}: that uses a channel, which fails on an interrupted thread. Our own identity, or whether a
 * holder lives, must not look unknown because somebody interrupted the thread that asks.
 */
final class ProcFile {

    private ProcFile() {
    }

    static byte[] bytes(Path file) throws IOException {
        try (FileInputStream in = new FileInputStream(file.toFile())) {
            return in.readAllBytes();
        }
    }

    static String text(Path file) throws IOException {
        return new String(bytes(file), StandardCharsets.ISO_8859_1);
    }
}
