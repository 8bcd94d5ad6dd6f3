package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the flight recorder sees, without any listener. */
class FlightRecorderTest {
    @TempDir
    Path dir;

    @AfterEach
    void letGo() {
        Patience.untilLetGo(dir);
    }


    @Test
    void itRecordsWhatHappensToLocks() throws Exception {
        Path session = dir.resolve("session.jsonl");
        long dead = OtherProcess.ended();
        Files.writeString(dir.resolve("session.jsonl.lock"), OtherProcess.strangersLock(dead));
        long first;
        long second;
        long third;
        try (Recording recording = new Recording(); SessionLocks locks = SessionLocks.create(); Actor other = new Actor("other")) {
            for (String event : List.of("Acquired", "Contended", "Released", "Lost", "Reclaimed")) {
                recording.enable("dev.sessionlock." + event);
            }
            recording.start();
            SessionLock lock = locks.acquire(session);
            first = lock.token();
            Future<SessionLock> next = other.begin(() -> locks.acquire(session));
            await().until(() -> locks.stats().waiting() == 1);
            Thread.sleep(30);
            lock.close();
            SessionLock handed = Actor.end(next);
            second = handed.token();
            handed.close();
            SessionLock lost = locks.acquire(session, LockOptions.defaults().withMaxHold(Duration.ofMillis(500)).withRevokeGrace(Duration.ZERO));
            third = lost.token();
            CountDownLatch told = new CountDownLatch(1);
            lost.onLost(why -> told.countDown());
            told.await(); // not by the counter, which is raised before the event
            lost.close();
            recording.stop();
            recording.dump(dir.resolve("recording.jfr"));
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(dir.resolve("recording.jfr")).stream()
                .filter(event -> event.getEventType().getName().startsWith("dev.sessionlock."))
                .sorted(java.util.Comparator.comparing(RecordedEvent::getStartTime)).toList();

        assertThat(events).allMatch(event -> event.getString("lockFile").endsWith("session.jsonl.lock"));
        assertThat(tokens(events, "Acquired")).containsExactlyInAnyOrder(first, second, third);
        assertThat(tokens(events, "Released")).containsExactlyInAnyOrder(first, second);
        assertThat(tokens(events, "Lost")).containsExactly(third);
        assertThat(tokens(events, "Reclaimed")).containsExactly(first);
        assertThat(tokens(events, "Contended")).containsExactly(0L);
        assertThat(of(events, "Lost").get(0).getString("why")).isEqualTo("MAX_HOLD");
        assertThat(of(events, "Reclaimed").get(0).getString("why")).contains("pid " + dead);
        assertThat(of(events, "Released").get(0).getDuration("elapsed")).isPositive().isLessThan(Duration.ofSeconds(60));
        assertThat(of(events, "Acquired")).anyMatch(event -> event.getLong("token") == second
                && event.getDuration("elapsed").compareTo(Duration.ofMillis(20)) > 0);
    }

    @Test
    void aRecordingFromTheFirstMomentOnDisturbsNothing() throws Exception {
        Path file = dir.resolve("whole.jfr");
        assertThat(fresh("-XX:StartFlightRecording:filename=" + file)).contains("acquired 1, held 0, flight recorder true");
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(of(events, "Acquired")).hasSize(1);
        assertThat(of(events, "Released")).hasSize(1);
    }

    @Test
    void withoutTheModuleThereAreNoEventsAndAllElseWorks() throws Exception {
        assertThat(fresh("--limit-modules", "java.base,java.logging")).contains("acquired 1, held 0, flight recorder false");
    }

    /** Locks once in a JVM of its own. {@return what it said} */
    private String fresh(String... options) throws Exception {
        List<String> command = new java.util.ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m",
                "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(options));
        command.addAll(List.of(OneLock.class.getName(), dir.resolve("session.jsonl").toString()));
        Path said = dir.resolve("said.txt");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
        try {
            assertThat(process.waitFor(Patience.LIMIT.toSeconds(), java.util.concurrent.TimeUnit.SECONDS)).as("it ended").isTrue();
        } finally {
            process.destroyForcibly();
        }
        return Files.readString(said);
    }

    private static List<RecordedEvent> of(List<RecordedEvent> events, String name) {
        return events.stream().filter(event -> event.getEventType().getName().equals("dev.sessionlock." + name)).toList();
    }

    private static List<Long> tokens(List<RecordedEvent> events, String name) {
        return of(events, name).stream().map(event -> event.getLong("token")).toList();
    }
}
