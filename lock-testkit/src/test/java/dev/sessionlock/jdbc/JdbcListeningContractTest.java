package dev.sessionlock.jdbc;

import dev.sessionlock.testkit.Contender;
import java.util.List;
import org.junit.jupiter.api.Tag;

/** The locks in a table pass the contract, across JVMs that the server wakes. */
@Tag("soak") // in the default build the locks in a table pass it without, and JdbcListeningTest tests what wakes
class JdbcListeningContractTest extends JdbcEngineContractTest {

    @Override
    protected Contender newContender() throws Exception {
        return inJvm(Listening.class, PostgresServer.url(), SCHEMA);
    }

    /** As {@link InTable}, and woken. */
    static final class Listening extends InTable {
        @Override
        JdbcLockEngine engine(List<String> arguments) {
            return super.engine(arguments).withListening(PostgresServer.plain(arguments.get(0)));
        }
    }
}
