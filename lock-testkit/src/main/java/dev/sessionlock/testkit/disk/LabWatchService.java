package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.Watchable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Passes on what the system's own watches see, with the lab's paths in it. */
final class LabWatchService implements WatchService {
    private final LabFileSystem fileSystem;
    private final WatchService real;
    /** The same key for the same registration, like the system's own service. */
    private final Map<WatchKey, Key> keys = new ConcurrentHashMap<>();

    LabWatchService(LabFileSystem fileSystem, WatchService real) {
        this.fileSystem = fileSystem;
        this.real = real;
    }

    WatchKey register(LabPath path, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) throws IOException {
        return wrap(path.real().register(real, events, modifiers));
    }

    private Key wrap(WatchKey key) {
        return keys.computeIfAbsent(key, Key::new);
    }

    private @Nullable WatchKey wrapOrNull(@Nullable WatchKey key) {
        return key == null ? null : wrap(key);
    }

    @Override
    public void close() throws IOException {
        real.close();
    }

    @Override
    public @Nullable WatchKey poll() {
        return wrapOrNull(real.poll());
    }

    @Override
    public @Nullable WatchKey poll(long timeout, TimeUnit unit) throws InterruptedException {
        return wrapOrNull(real.poll(timeout, unit));
    }

    @Override
    public WatchKey take() throws InterruptedException {
        return wrap(real.take());
    }

    private final class Key implements WatchKey {
        private final WatchKey key;

        Key(WatchKey key) {
            this.key = key;
        }

        @Override
        public boolean isValid() {
            return key.isValid();
        }

        @Override
        public List<WatchEvent<?>> pollEvents() {
            List<WatchEvent<?>> events = new ArrayList<>();
            key.pollEvents().forEach(event -> events.add(new Event<>(event)));
            return events;
        }

        @Override
        public boolean reset() {
            return key.reset();
        }

        @Override
        public void cancel() {
            key.cancel();
            keys.remove(key);
        }

        @Override
        public Watchable watchable() {
            return fileSystem.wrap((Path) key.watchable());
        }
    }

    private final class Event<T> implements WatchEvent<T> {
        private final WatchEvent<T> event;

        Event(WatchEvent<T> event) {
            this.event = event;
        }

        @Override
        public WatchEvent.Kind<T> kind() {
            return event.kind();
        }

        @Override
        public int count() {
            return event.count();
        }

        @Override
        public T context() {
            T context = event.context();
            return context instanceof Path path ? event.kind().type().cast(fileSystem.wrap(path)) : context;
        }
    }
}
