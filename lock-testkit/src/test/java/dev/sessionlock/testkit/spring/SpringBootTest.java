package dev.sessionlock.testkit.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.ChildJvm;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A gateway on Spring Boot is told to end (SIGTERM) while it serves: the requests that it has begun are answered and written. */
class SpringBootTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @TempDir
    Path dir;

    @Test
    void requestsInFlightAreWritten() throws Exception {
        try (ChildJvm gateway = ChildJvm.of(Gateway.class).jvmArgs("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
                .args(dir.toString()).start()) {
            URI messages = URI.create("http://127.0.0.1:" + gateway.awaitMark("serves", PATIENCE).number(0) + "/messages");
            CompletableFuture<HttpResponse<String>> holding = send(messages, "?session=a.jsonl&before=0&within=3000", "held over the end");
            gateway.awaitMark("locked", PATIENCE);
            CompletableFuture<HttpResponse<String>> late = send(messages, "?session=b.jsonl&before=1500&within=1500", "taken after the signal");
            gateway.awaitMark("begun", PATIENCE);
            gateway.awaitMark("begun", PATIENCE);

            gateway.terminate();

            assertThat(answer(holding)).isEqualTo("200 written");
            assertThat(answer(late)).isEqualTo("200 written");
            assertThat(gateway.awaitExit(PATIENCE)).as(gateway.output()).isEqualTo(128 + 15);
            assertThat(Files.readAllLines(dir.resolve("a.jsonl"))).containsExactly("held over the end");
            assertThat(Files.readAllLines(dir.resolve("b.jsonl"))).containsExactly("taken after the signal");
            assertThat(dir.resolve("a.jsonl.lock")).doesNotExist();
        }
    }

    private static CompletableFuture<HttpResponse<String>> send(URI to, String query, String line) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(to + query)).timeout(PATIENCE)
                .POST(HttpRequest.BodyPublishers.ofString(line)).header("Content-Type", "text/plain").build();
        return HttpClient.newHttpClient().sendAsync(request, HttpResponse.BodyHandlers.ofString());
    }

    private static String answer(CompletableFuture<HttpResponse<String>> response) throws Exception {
        return response.get().statusCode() + " " + response.get().body();
    }
}
