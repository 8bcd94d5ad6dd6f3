package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.nio.file.Path;
import java.time.Duration;

/** Uses a directory into whose files somebody has written arbitrary bytes. Only the exceptions of locks may come out. */
final class HostileUse implements AutoCloseable {
    static final LockOptions ONE_TRY = LockOptions.defaults().withTimeout(Duration.ZERO);

    interface Call {
        Object run() throws Exception;
    }

    private final Path dir;
    private final SessionLocks locks = SessionLocks.create();

    HostileUse(Path dir) {
        this.dir = dir;
    }

    SessionLocks locks() {
        return locks;
    }

    /** Uses a lock in every possible way. */
    void use(String name) throws Exception {
        Path session = dir.resolve(name);
        onlyTyped(() -> locks.inspect(session));
        onlyTyped(() -> locks.list(dir).map(LockReport::toString).toList());
        onlyTyped(() -> locks.clear(dir, ClearOptions.dryRun()));
        onlyTyped(() -> locks.clear(session, ClearOptions.forReal()));
        onlyTyped(() -> tryOnce(name));
    }

    /** {@return its token} */
    long tryOnce(String name) throws Exception {
        try (SessionLock lock = locks.acquire(dir.resolve(name), ONE_TRY)) {
            return lock.token();
        }
    }

    static void onlyTyped(Call call) throws Exception {
        try {
            call.run();
        } catch (LockException e) {
            assertThat(e).hasMessageNotContaining("Exception: null");
        }
    }

    @Override
    public void close() {
        locks.close();
    }
}
