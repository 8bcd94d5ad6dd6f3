package dev.sessionlock.testkit.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import jakarta.annotation.PreDestroy;
import java.io.IOException;
import java.io.StringReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

/** The page on Spring Boot: its configuration and its properties in an application with the actuator. */
class SpringBootPageTest {
    private static final Path PAGE = Path.of("..", "lock-core", "docs", "spring-boot.md");

    @TempDir
    Path dir;
    private ConfigurableApplicationContext context;
    private SessionLocks locks;

    /** An application that uses the page's beans. */
    @EnableAutoConfiguration
    @Import({SessionLocksConfiguration.class, Flusher.class})
    static class Application {
    }

    /** Writes what it still has when the application ends. */
    static final class Flusher {
        private final SessionLocks locks;
        private final Path session;

        Flusher(SessionLocks locks, SessionLocksConfiguration.Properties properties) {
            this.locks = locks;
            this.session = properties.directory().resolve("flushed.jsonl");
        }

        @PreDestroy
        void flush() throws IOException, InterruptedException {
            locks.runWithLock(session, lock -> Files.writeString(session, "the rest\n"));
        }
    }

    private static Map<String, Object> propertiesOfThePage() throws IOException {
        Matcher block = Pattern.compile("(?s)```properties\\n(.*?)```").matcher(Files.readString(PAGE));
        assertThat(block.find()).isTrue();
        Properties properties = new Properties();
        properties.load(new StringReader(block.group(1)));
        Map<String, Object> all = new HashMap<>();
        properties.forEach((key, value) -> all.put(key.toString(), value));
        return all;
    }

    @BeforeEach
    void start() throws IOException {
        Map<String, Object> properties = propertiesOfThePage();
        assertThat(properties.put("sessionlock.directory", dir.toString())).isNotNull();
        properties.putAll(Map.of("server.port", "0", "server.address", "127.0.0.1", "spring.main.banner-mode", "off"));
        SpringApplication application = new SpringApplication(Application.class);
        application.setRegisterShutdownHook(false);
        application.setDefaultProperties(properties);
        context = application.run();
        locks = context.getBean(SessionLocks.class);
    }

    @AfterEach
    void end() {
        context.close();
    }

    private HttpResponse<String> get(String path) throws Exception {
        int port = ((ServletWebServerApplicationContext) context).getWebServer().getPort();
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/actuator/" + path)).timeout(Duration.ofMinutes(1)).build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void itsMetersAreThere() throws Exception {
        locks.acquire(dir.resolve("session.jsonl")).close();
        assertThat(get("metrics/sessionlock.acquired").body()).contains("\"value\":1.0");
        assertThat(get("metrics/sessionlock.hold").body()).contains("\"statistic\":\"COUNT\",\"value\":1.0");
    }

    @Test
    void itIsHealthyUntilALockNeedsAPerson() throws Exception {
        try (SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            assertThat(lock.isHeld()).isTrue();
            assertThat(get("health").body()).contains("\"sessionLocks\":{\"status\":\"UP\"", "\"held\":1");
        }
        Path foreign = Files.writeString(dir.resolve("old.jsonl.lock"),
                "{\"pid\":" + ProcessHandle.current().pid() + ",\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
        HttpResponse<String> stuck = get("health");
        assertThat(stuck.statusCode()).isEqualTo(503);
        assertThat(stuck.body()).contains("\"sessionLocks\":{\"status\":\"DOWN\"", "old.jsonl: ");
        assertThat(get("health/liveness").body()).as("restarting it would not help").contains("UP");
        Files.delete(foreign);
        assertThat(get("health").statusCode()).isEqualTo(200);
    }

    @Test
    void thePropertiesReachTheLocks() throws Exception {
        try (SessionLock lock = locks.acquire(dir.resolve("session.jsonl"))) {
            assertThat(lock.remaining()).isGreaterThan(Duration.ofMinutes(6)).isLessThanOrEqualTo(Duration.ofMinutes(20));
        }
    }

    @Test
    void beansThatUseLocksMayDoSoUntilTheyAreGone() throws Exception {
        context.close();
        assertThat(dir.resolve("flushed.jsonl")).hasContent("the rest");
        assertThatIllegalStateException().isThrownBy(() -> locks.acquire(dir.resolve("session.jsonl"))).withMessageContaining("closed");
    }
}
