package dev.sessionlock.testkit.spring;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ParentJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** A gateway on Spring Boot, as the guide describes it: messages come in by HTTP, and the server shuts down gracefully. */
@EnableAutoConfiguration
@Import(Gateway.Messages.class)
public class Gateway {

    /** @param args the directory of the sessions */
    public static void main(String[] args) {
        SpringApplication application = new SpringApplication(Gateway.class);
        application.setDefaultProperties(Map.of("server.port", "0", "server.address", "127.0.0.1", "server.shutdown", "graceful",
                "sessions", args[0], "spring.main.banner-mode", "off"));
        ConfigurableApplicationContext context = application.run();
        ParentJvm.get().mark("serves", ((ServletWebServerApplicationContext) context).getWebServer().getPort());
    }

    /** Spring closes it after the server. */
    @Bean
    SessionLocks locks() {
        return SessionLocks.create();
    }

    /** Writes each message to its session. */
    @RestController
    static class Messages {
        private final SessionLocks locks;
        private final Path sessions;

        Messages(SessionLocks locks, @Value("${sessions}") Path sessions) {
            this.locks = locks;
            this.sessions = sessions;
        }

        /**
         * Writes one message.
         *
         * @param before milliseconds until it asks for the lock
         * @param within milliseconds for which it holds it
         */
        @PostMapping("/messages")
        String append(@RequestParam("session") String session, @RequestParam("before") long before, @RequestParam("within") long within,
                @RequestBody String line) throws IOException, InterruptedException {
            ParentJvm.get().mark("begun");
            Thread.sleep(before);
            try (SessionLock lock = locks.acquire(sessions.resolve(session))) {
                ParentJvm.get().mark("locked");
                Thread.sleep(within);
                Files.writeString(sessions.resolve(session), line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                lock.ensureHeld();
            }
            return "written";
        }
    }
}
