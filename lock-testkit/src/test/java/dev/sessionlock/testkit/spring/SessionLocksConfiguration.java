package dev.sessionlock.testkit.spring;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.metrics.SessionLockMetrics;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The example of lock-core/docs/spring-boot.md, word for word: {@code DocumentsTest} looks for its lines here. Change both together. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(SessionLocksConfiguration.Properties.class)
class SessionLocksConfiguration {

    @ConfigurationProperties("sessionlock")
    record Properties(Path directory, @DefaultValue("10s") Duration timeout, @DefaultValue("5m") Duration maxHold, @DefaultValue("1s") Duration logLongWaits) {
    }

    @Bean                                                       // Spring calls its close(), after that of all beans which use it
    SessionLocks sessionLocks(Properties properties) {
        LockOptions defaults = LockOptions.defaults().withTimeout(properties.timeout()).withMaxHold(properties.maxHold());
        return SessionLocks.builder().defaults(defaults).logLongWaits(properties.logLongWaits()).build();
    }

    @Bean                                                       // the actuator binds it to each registry
    MeterBinder sessionLockMetrics(SessionLocks locks) {
        return new SessionLockMetrics(locks);
    }

    @Bean
    HealthIndicator sessionLocksHealthIndicator(SessionLocks locks, Properties properties) {
        return () -> {
            try {
                List<String> stuck = locks.list(properties.directory()).filter(report -> report.facts().needsPerson())
                        .map(report -> report.name() + ": " + report.advice()).toList();
                Health.Builder health = stuck.isEmpty() ? Health.up() : Health.down().withDetail("stuck", stuck);
                return health.withDetail("held", locks.stats().held()).withDetail("longestHold", locks.longestHold()).build();
            } catch (LockException e) {
                return Health.down(e).build();                  // the directory is missing, or cannot be read
            }
        };
    }
}
