package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Where an operation takes place, beneath the lab's directory.
 *
 * @param injector what the operation goes through
 * @param path one of the system's paths
 * @param name the path as the journal calls it
 */
record DiskPath(FaultInjector injector, Path path, String name) {

    /** Something done to a path. */
    interface Action {
        void run() throws IOException;
    }

    Operation operation(OperationType type) {
        return Operation.on(type, path);
    }

    /** Runs an action during which no other thread changes anything. */
    void alone(Action action) throws IOException {
        injector.alone(() -> {
            action.run();
            return null;
        });
    }

    /** Runs an action as a step of the run. */
    void change(Operation operation, Action action) throws IOException {
        injector.change(operation, () -> {
            action.run();
            return null;
        });
    }
}
