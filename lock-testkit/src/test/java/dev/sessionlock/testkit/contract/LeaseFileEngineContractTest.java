package dev.sessionlock.testkit.contract;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.Contender;
import dev.sessionlock.testkit.LockEngineContract;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

/** The contract on the engine that the guide shows. */
class LeaseFileEngineContractTest extends LockEngineContract {
    @TempDir
    static Path dir;

    @Override
    protected boolean sharesAmongProcesses() {
        return false; // it takes each lock exclusively
    }

    @Override
    protected Contender newContender() throws Exception {
        return inJvm(OnLeaseFiles.class, dir.toString());
    }

    static final class OnLeaseFiles implements Opener {
        @Override
        public SessionLocks open(List<String> arguments) {
            Path directory = Path.of(arguments.get(0));
            return SessionLocks.builder().over(new LeaseFileEngine(directory)).root(directory).build();
        }

        @Override
        public Path target(List<String> arguments, String name) {
            return Path.of(arguments.get(0), name);
        }
    }
}
