package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.List;

/**
 * A view of named streams, which the JDK reads and writes through a channel: an interrupt closes it.
 *
 * @param real how they are stored
 * @param streams how they are read
 */
record InterruptibleStreams(UserDefinedFileAttributeView real, NamedStreams streams) implements UserDefinedFileAttributeView {

    private static void requireNoInterrupt() throws ClosedByInterruptException {
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
    }

    @Override
    public String name() {
        return real.name();
    }

    @Override
    public List<String> list() throws IOException {
        return streams.ask(real::list, all -> List.copyOf(all.keySet())).stream().filter(NamedStreams::isShown).toList();
    }

    @Override
    public int size(String name) throws IOException {
        requireNoInterrupt();
        return streams.ask(() -> real.size(name), all -> all.get(name).length);
    }

    @Override
    public int read(String name, ByteBuffer dst) throws IOException {
        requireNoInterrupt();
        return streams.ask(() -> real.read(name, dst), all -> {
            dst.put(all.get(name));
            return all.get(name).length;
        });
    }

    @Override
    public int write(String name, ByteBuffer src) throws IOException {
        requireNoInterrupt();
        return real.write(name, src);
    }

    @Override
    public void delete(String name) throws IOException {
        real.delete(name);
    }
}
