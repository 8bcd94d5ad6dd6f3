package dev.sessionlock.testkit.contract;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.Contender;
import dev.sessionlock.testkit.LockEngineContract;
import dev.sessionlock.testkit.contract.StateFileEngines.Fault;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;

/** The contract on the engine with a row for each lock. There is one class for each fault, since a test class has no parameters. */
abstract class StateFileContract extends LockEngineContract {
    private final Path dir;

    /** Not JUnit's own, which is one for all classes that run at once. */
    StateFileContract() {
        try {
            dir = Files.createTempDirectory("rows-");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterAll
    void deleteRows() throws IOException {
        try (Stream<Path> all = Files.walk(dir)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    @Override
    protected boolean sharesAmongProcesses() {
        return false; // it takes each lock exclusively
    }

    @Override
    protected Contender newContender() throws Exception {
        return inJvm(OnRows.class, dir.toString(), getClass().getSimpleName());
    }

    /** A fault has to show soon. */
    @Override
    protected Duration patience() {
        return Duration.ofSeconds(getClass() == NONE.class ? 60 : 20);
    }

    static final class OnRows implements Opener {
        @Override
        public SessionLocks open(List<String> arguments) {
            return SessionLocks.builder().over(new StateFileEngines(Fault.valueOf(arguments.get(1)))).build();
        }

        @Override
        public Path target(List<String> arguments, String name) {
            return Path.of(arguments.get(0), arguments.get(1) + "-" + name);
        }
    }

    static final class NONE extends StateFileContract {
    }

    static final class TOKEN_STANDS_STILL extends StateFileContract {
    }

    static final class RELEASED_BY_ANYONE extends StateFileContract {
    }

    static final class NEVER_TAKEN_OVER extends StateFileContract {
    }

    static final class ALWAYS_TAKEN_OVER extends StateFileContract {
    }

    static final class HOLDER_DOES_NOT_KNOW_ITS_LEASE extends StateFileContract {
    }

    static final class NEVER_RENEWED extends StateFileContract {
    }

    static final class SOMETIMES_DOES_NOT_LOOK extends StateFileContract {
    }

    static final class DEATH_IS_NOT_NOTICED extends StateFileContract {
    }
}
