package dev.sessionlock.jdbc;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.Contender;
import dev.sessionlock.testkit.LockEngineContract;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;

/** The locks in a table pass the contract, across JVMs that the server wakes. */
class JdbcListeningContractTest extends LockEngineContract {
    private static final String SCHEMA = PostgresServer.newSchema();
    private static final String ROOT = "/on/every/machine";

    @BeforeAll
    static void table() throws Exception {
        JdbcLockEngine.postgresql(PostgresServer.plain(PostgresServer.url())).withSchema(SCHEMA).createSchema();
    }

    @Override
    protected Contender newContender() throws Exception {
        return inJvm(InTable.class, PostgresServer.url(), SCHEMA);
    }

    /** In a schema of a database. */
    static final class InTable implements Opener {
        @Override
        public SessionLocks open(List<String> arguments) {
            JdbcLockEngine engine = JdbcLockEngine.postgresql(PostgresServer.patientPool(arguments.get(0), 4)).withSchema(arguments.get(1))
                    .withListening(PostgresServer.plain(arguments.get(0)));
            return SessionLocks.builder().over(engine).root(Path.of(ROOT)).build();
        }

        @Override
        public Path target(List<String> arguments, String name) {
            return Path.of(ROOT, name);
        }
    }
}
