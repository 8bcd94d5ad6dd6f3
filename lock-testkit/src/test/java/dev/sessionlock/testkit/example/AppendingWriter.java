package dev.sessionlock.testkit.example;

import static java.nio.file.StandardOpenOption.APPEND;
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

/**
 * A writer whose late writes take nothing away from others: it only ever appends, a line in one write, and cuts a torn line off under a
 * lock that nobody may take over.
 */
final class AppendingWriter implements Writer {
    private static final LockOptions REPAIR = LockOptions.defaults().withPurpose("repair").withTakeover(false);

    private final SessionLocks locks;
    private final Path session;

    AppendingWriter(SessionLocks locks, Path session) {
        this.locks = locks;
        this.session = session;
    }

    @Override
    public void append(String line) throws IOException, InterruptedException {
        while (!tryAppend(line)) {
            repair();
        }
    }

    /** {@return false if a torn line is in the way} */
    private boolean tryAppend(String line) throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session)) {
            if (isTorn()) {
                return false;
            }
            lock.ensureHeld();
            try (FileChannel file = FileChannel.open(session, CREATE, APPEND)) {
                file.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
                file.force(false);
            }
            lock.ensureHeld();                                    // from here on it counts as written
            return !isTorn();                                     // a short write, on a full disk
        }
    }

    private boolean isTorn() throws IOException {
        if (!Files.exists(session)) {
            return false;
        }
        try (FileChannel file = FileChannel.open(session, READ)) {
            return endOfLastWholeLine(file) < file.size();
        }
    }

    private void repair() throws IOException, InterruptedException {
        try (SessionLock lock = locks.acquire(session, REPAIR); FileChannel file = FileChannel.open(session, READ, WRITE)) {
            lock.ensureHeld();
            file.truncate(endOfLastWholeLine(file));
            file.force(false);
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
