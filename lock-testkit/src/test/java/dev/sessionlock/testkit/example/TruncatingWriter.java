package dev.sessionlock.testkit.example;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * The writer that the README of November 2026 recommended. It survives every kill and every power cut, and still loses lines that others have
 * acknowledged: it cuts and writes at a position, under a lock that others may take over. If it is frozen between its look at the file and its write,
 * it overwrites what others have written since. {@link FreezingStormTest} must notice that.
 */
final class TruncatingWriter implements Writer {
    private static final long MOMENT_NANOS = 200_000;
    private final SessionLocks locks;
    private final Path session;

    TruncatingWriter(Path session, SessionLocks locks) {
        this.session = session;
        this.locks = locks;
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session); FileChannel file = FileChannel.open(session, CREATE, READ, WRITE)) {
            lock.ensureHeld();
            file.truncate(endOfLastWholeLine(file));
            ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
            for (long end = file.size(); bytes.hasRemaining(); ) {
                LockSupport.parkNanos(MOMENT_NANOS); // as long as a page fault or a collection, so that a freeze may come here
                end += file.write(bytes, end);
            }
            file.force(false);
            lock.ensureHeld();
        }
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session, StormedWriters.BRIEF.withTakeover(false))) {
            List<String> kept = Files.readAllLines(session).stream().filter(line -> !line.contains("\"done\"")).toList();
            lock.replace(Files.write(session.resolveSibling(session.getFileName() + ".new"), kept));
        }
    }

    private static long endOfLastWholeLine(FileChannel file) throws IOException {
        ByteBuffer last = ByteBuffer.allocate(1);
        long end = file.size();
        while (end > 0 && (file.read(last.clear(), end - 1) != 1 || last.get(0) != '\n')) {
            end--;
        }
        return end;
    }
}
