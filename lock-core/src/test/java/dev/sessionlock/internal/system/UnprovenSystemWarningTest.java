package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.system.OperatingSystem.Support;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.Logger;
import org.slf4j.helpers.MessageFormatter;

class UnprovenSystemWarningTest {
    private final List<String> logged = new ArrayList<>();
    private boolean loggerFails;
    private final Logger logger = (Logger) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, args) -> {
        if (method.getReturnType() == boolean.class) {
            return true;
        } else if (loggerFails) {
            throw new OutOfMemoryError();
        }
        logged.add(method.getName() + ' ' + MessageFormatter.arrayFormat((String) args[0], (Object[]) args[1]).getMessage());
        return null;
    });

    private UnprovenSystemWarning on(String osName) {
        return new UnprovenSystemWarning(OperatingSystem.of(osName), new Log(() -> logger));
    }

    @ParameterizedTest
    @CsvSource({"Linux, Linux, PROVEN", "Mac OS X, macOS, DESIGNED_FOR", "Windows 11, Windows, UNSUPPORTED", "Windows Server 2022, Windows, UNSUPPORTED",
            "FreeBSD, FreeBSD, UNSUPPORTED", "'', an unknown system, UNSUPPORTED"})
    void systemsAreKnownByTheNamesThatJavaGivesThem(String osName, String name, Support support) {
        assertThat(OperatingSystem.of(osName)).isEqualTo(new OperatingSystem(name, support));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"Mac OS X | warn locks on files are not yet proven on macOS; see ",
            "Windows 11 | warn locks on files are not yet proven on Windows, and there are known defects; see "})
    void isLoggedOnce(String osName, String beginning) {
        UnprovenSystemWarning warning = on(osName);
        warning.log();
        warning.log();
        assertThat(logged).singleElement().asString().startsWith(beginning).contains("lock-core/README.md#operating-systems", "sessionlock doctor DIR");
    }

    @Test
    void isNotLoggedWhereAllTestsPass() {
        on("Linux").log();
        assertThat(logged).isEmpty();
    }

    @Test
    void isLoggedAtTheNextCallIfTheLoggerFails() {
        UnprovenSystemWarning warning = on("Mac OS X");
        loggerFails = true;
        warning.log();
        loggerFails = false;
        warning.log();
        warning.log();
        assertThat(logged).hasSize(1);
    }
}
