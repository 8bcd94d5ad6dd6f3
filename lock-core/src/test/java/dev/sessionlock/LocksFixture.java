package dev.sessionlock;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** What tests of locks need: a directory, a session in it, locks, and threads that take them. It cleans up everything. */
abstract class LocksFixture {
    static final LockOptions ONE_TRY = LockOptions.defaults().withTimeout(Duration.ZERO);
    static final LockOptions PATIENT = LockOptions.defaults().withTimeout(Patience.LIMIT);

    @TempDir
    Path dir;
    final SessionLocks locks = SessionLocks.create();
    final List<Actor> actors = new ArrayList<>();

    @AfterEach
    void close() {
        actors.forEach(Actor::close);
        locks.close();
        Patience.untilLetGo(dir);
    }

    Actor actor(String name) {
        Actor actor = new Actor(name);
        actors.add(actor);
        return actor;
    }

    Path session() {
        return dir.resolve("session.jsonl");
    }

    Path lockFile() {
        return dir.resolve("session.jsonl.lock");
    }
}
