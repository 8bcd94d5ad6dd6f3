package dev.sessionlock.testkit.example;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The writer of the README that stands everything. */
final class SessionWriter implements Writer {
    private final SessionLocks locks;
    private final Path session;

    SessionWriter(Path session) {
        this(SessionLocks.create(), session);
    }

    SessionWriter(SessionLocks locks, Path session) {
        this.locks = locks;
        this.session = session;
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session); FileChannel file = FileChannel.open(session, CREATE, READ, WRITE)) {
            lock.ensureHeld();
            file.truncate(endOfLastWholeLine(file));              // a killed writer's half line; else ours is glued to it
            ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
            for (long end = file.size(); bytes.hasRemaining(); ) {
                end += file.write(bytes, end);                    // a write may be short
            }
            file.force(false);                                    // from here on no power cut takes the line away
            lock.ensureHeld();                                    // and from here on it counts as written
        }
    }

    @Override
    public void compact() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTakeover(false))) {
            List<String> kept = Files.readAllLines(session).stream().filter(line -> !line.contains("\"done\"")).toList();
            lock.replace(Files.write(session.resolveSibling("session.jsonl.new"), kept));
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
