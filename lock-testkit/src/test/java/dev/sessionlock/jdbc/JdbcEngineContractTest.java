package dev.sessionlock.jdbc;

import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.Contender;
import dev.sessionlock.testkit.LockEngineContract;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;

/** The locks in a table pass the contract, across JVMs. */
class JdbcEngineContractTest extends LockEngineContract {
    static final String SCHEMA = PostgresServer.newSchema();
    private static final String ROOT = "/on/every/machine";

    @BeforeAll
    static void table() throws Exception {
        JdbcLockEngine.postgresql(PostgresServer.plain(PostgresServer.url())).withSchema(SCHEMA).createSchema();
    }

    @Override
    protected boolean sharesAmongProcesses() {
        return false; // it takes each lock exclusively
    }

    @Override
    protected Contender newContender() throws Exception {
        return inJvm(InTable.class, PostgresServer.url(), SCHEMA);
    }

    /** In a schema of a database. */
    static class InTable implements Opener {
        @Override
        public SessionLocks open(List<String> arguments) {
            return SessionLocks.builder().over(engine(arguments)).root(Path.of(ROOT)).build();
        }

        JdbcLockEngine engine(List<String> arguments) {
            return JdbcLockEngine.postgresql(PostgresServer.patientPool(arguments.get(0), 4)).withSchema(arguments.get(1));
        }

        @Override
        public Path target(List<String> arguments, String name) {
            return Path.of(ROOT, name);
        }
    }
}
