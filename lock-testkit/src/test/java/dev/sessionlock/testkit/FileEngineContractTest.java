package dev.sessionlock.testkit;

import dev.sessionlock.SessionLocks;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/** The locks on files pass the contract. */
class FileEngineContractTest extends LockEngineContract {
    @TempDir
    static Path dir;

    @Override
    protected boolean sharesAmongProcesses() {
        return false; // it takes each lock exclusively
    }

    @Override
    protected Contender newContender() throws Exception {
        return inJvm(OnFiles.class, dir.toString());
    }

    /** In a directory. */
    static final class OnFiles implements Opener {
        @Override
        public SessionLocks open(List<String> arguments) {
            return SessionLocks.create();
        }

        @Override
        public Path target(List<String> arguments, String name) {
            return Path.of(arguments.get(0), name);
        }
    }
}
