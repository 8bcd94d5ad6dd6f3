package dev.sessionlock.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockException;
import dev.sessionlock.SessionLocks;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Proxy;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;

/** Some data sources put whole addresses into their exceptions. */
class DataSourcePasswordTest {
    @Test
    void isInNoExceptionOfOurs() {
        DataSource source = (DataSource) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {DataSource.class}, (self, method, args) -> {
            throw new SQLException("No suitable driver found for jdbc:postgresql://db/x?user=me&password=hunter2", "08001");
        });
        try (SessionLocks locks = SessionLocks.over(JdbcLockEngine.postgresql(source))) {
            LockException refused = Assertions.catchThrowableOfType(LockException.class, () -> locks.inspect("a"));
            StringWriter stack = new StringWriter();
            refused.printStackTrace(new PrintWriter(stack));
            assertThat(stack.toString()).contains("No suitable driver", "password=***").doesNotContain("hunter2");
        }
    }
}
