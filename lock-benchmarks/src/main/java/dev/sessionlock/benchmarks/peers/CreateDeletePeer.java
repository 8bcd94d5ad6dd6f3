package dev.sessionlock.benchmarks.peers;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What most lock files do, OpenClaw's among them. The file of a killed holder stays. */
final class CreateDeletePeer implements PeerLock {
    private final Path file;

    CreateDeletePeer(Path directory, String name) {
        file = directory.resolve(name + ".lock");
    }

    @Override
    public AutoCloseable acquire() throws Exception {
        while (true) {
            try {
                Files.write(file, BareSketch.RECORD, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                return () -> Files.delete(file);
            } catch (FileAlreadyExistsException e) {
                Polling.pause();
            }
        }
    }

    @Override
    public boolean staysOpen() {
        return false;
    }

    @Override
    public void close() throws IOException {
        // Nothing is open.
    }
}
