package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PasswordsTest {
    @ParameterizedTest
    @ValueSource(strings = {
        "No suitable driver found for jdbc:postgresql://db/x?user=me&password=hunter2&ssl=true",
        "Unknown option: '--jbdc=jdbc:postgresql://db/x?PASSWORD=hunter2'", "{user=me, password=hunter2}", "sslpassword = hunter2",
        "password=hunt'er2", "password=(hunter2)", "postgres://me:hunter2@db:5432/x", "jdbc:postgresql://me:hun/ter@2@db/x",
        "//:hunter2@db"
    })
    void isHidden(String text) {
        assertThat(Passwords.hiddenIn(text)).contains("***").doesNotContain("hunt", "hun/", "er2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"FATAL: password authentication failed for user \"me\"", "jdbc:postgresql://db:5432/x?user=me", "http://db:80/a b@c", ""})
    void isNotSeenWhereThereIsNone(String text) {
        assertThat(Passwords.hiddenIn(text)).isEqualTo(text);
    }

    @Test
    void isHiddenInExceptionsAndTheirCauses() {
        SQLException plain = new SQLException("refused", "28P01");
        assertThat((Throwable) Passwords.hiddenIn(plain, "hunter2")).isSameAs(plain);

        SQLException told = new SQLException("not //me:hunter2@db", "08001", 7, new IllegalStateException("password=hunter2"));
        SQLException safe = Passwords.hiddenIn(told, null);
        assertThat((Throwable) safe).hasMessage("not //***@db").hasNoCause();
        assertThat(safe.getSQLState()).isEqualTo("08001");
        assertThat(safe.getErrorCode()).isEqualTo(7);
        assertThat(safe.getStackTrace()).isEqualTo(told.getStackTrace());

        assertThat((Throwable) Passwords.hiddenIn(new SQLException("it was hunter2", new SQLException("x")), "hunter2")).hasMessage("it was ***");
        assertThat((Throwable) Passwords.hiddenIn(new SQLException("a", new SQLException("it was hunter2")), "hunter2")).hasMessage("a").hasNoCause();
    }
}
