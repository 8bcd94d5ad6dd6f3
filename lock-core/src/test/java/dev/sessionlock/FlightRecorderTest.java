package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the flight recorder sees, without any listener. */
class FlightRecorderTest {
    private static final Duration THRESHOLD = Duration.ofMillis(20);
    private static final LockOptions WARM = LockOptions.defaults().withLinger(Duration.ofSeconds(10));

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
        Files.writeString(dir.resolve("session.jsonl.lock"), OtherProcess.foreignLock(dead));
        long first;
        long second;
        long third;
        try (Recording recording = new Recording(); SessionLocks locks = SessionLocks.create(); Actor other = new Actor("other")) {
            for (String event : List.of("Acquired", "Contended", "Released", "Lost", "Reclaimed")) {
                recording.enable("dev.sessionlock." + event).withThreshold(Duration.ZERO);
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
            told.await(); // not by the counter, which is incremented before the event
            lost.close();
            dump(recording);
        }
        List<RecordedEvent> events = recorded().stream().filter(event -> event.getEventType().getName().startsWith("dev.sessionlock.")).toList();

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

    /** An uncontended lock is taken some hundred thousand times a second. A recording that runs all day must not fill up with that. */
    @Test
    void aRecordingWithDefaultSettingsHoldsOnlyWhatTookLong() throws Exception {
        Path session = dir.resolve("session.jsonl");
        int brief = 10_000;
        long slow;
        try (Recording recording = new Recording(jdk.jfr.Configuration.getConfiguration("default")); SessionLocks locks = SessionLocks.create()) {
            recording.start();
            for (int i = 0; i < brief; i++) {
                locks.acquire(session, WARM).close();
            }
            try (SessionLock lock = locks.acquire(session, WARM)) {
                slow = lock.token();
                Thread.sleep(60);
            }
            dump(recording);
        }
        List<RecordedEvent> events = recorded();
        assertThat(of(events, "Acquired").size() + of(events, "Released").size()).as("of %s", brief).isLessThan(brief / 20); // a noisy machine is slow now and then
        assertThat(of(events, "Acquired")).allSatisfy(event -> assertThat(event.getDuration()).isGreaterThanOrEqualTo(THRESHOLD));
        assertThat(of(events, "Released")).allSatisfy(event -> assertThat(event.getDuration()).isGreaterThanOrEqualTo(THRESHOLD))
                .anyMatch(event -> event.getLong("token") == slow);
    }

    @Test
    void aTimeoutIsRecordedByDefault() throws Exception {
        Path session = dir.resolve("session.jsonl");
        try (Recording recording = new Recording(jdk.jfr.Configuration.getConfiguration("default")); SessionLocks locks = SessionLocks.create();
                Actor other = new Actor("the one in vain")) {
            recording.start();
            try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withPurpose("compaction"))) {
                assertThatThrownBy(() -> other.does(() -> locks.acquire(session, LockOptions.defaults().withTimeout(Duration.ofMillis(30)))))
                        .isInstanceOf(LockTimeoutException.class);
                lock.ensureHeld();
            }
            dump(recording);
        }
        assertThat(of(recorded(), "TimedOut")).singleElement().satisfies(event -> {
            assertThat(event.getString("lockFile")).endsWith("session.jsonl.lock");
            assertThat(event.getDuration("elapsed")).isGreaterThanOrEqualTo(Duration.ofMillis(30));
            assertThat(event.getString("why")).startsWith("session file locked (timeout 30ms): pid=").contains("purpose \"compaction\"");
            assertThat(event.getThread().getJavaName()).isEqualTo("the one in vain");
        });
    }

    @Test
    void aRecordingWithoutAThresholdHoldsAll() throws Exception {
        Path session = dir.resolve("session.jsonl");
        int rounds = 300;
        try (Recording recording = new Recording(); SessionLocks locks = SessionLocks.create()) {
            recording.enable("dev.sessionlock.Acquired").withThreshold(Duration.ZERO);
            recording.enable("dev.sessionlock.Released").withThreshold(Duration.ZERO);
            recording.start();
            for (int i = 0; i < rounds; i++) {
                locks.acquire(session).close();
                locks.acquire(session, WARM).close();
                locks.tryAcquire(session, WARM).orElseThrow().close();
            }
            dump(recording);
        }
        List<RecordedEvent> events = recorded();
        assertThat(tokens(events, "Acquired")).hasSize(3 * rounds).doesNotHaveDuplicates().containsExactlyElementsOf(tokens(events, "Released"));
    }

    /** As with {@code jcmd JFR.start} in a JVM that has used locks for days. */
    @Test
    void aRecordingThatBeginsWhileALockIsHeldSeesItReleased() throws Exception {
        String said = FreshJvm.run(LockThenRecord.class, dir);
        assertThat(said).contains("event classes before: 0", "Acquired 1", "Released 2");
    }

    @Test
    void anAcquisitionIsRecordedByTheThreadThatWaited() throws Exception {
        Path session = dir.resolve("session.jsonl");
        try (Recording recording = new Recording(); SessionLocks locks = SessionLocks.create(); Actor other = new Actor("the one who waits")) {
            recording.enable("dev.sessionlock.Acquired");
            recording.start();
            SessionLock lock = locks.acquire(session);
            Future<SessionLock> next = other.begin(() -> locks.acquire(session));
            await().until(() -> locks.stats().waiting() == 1);
            Thread.sleep(60);
            lock.close(); // this hands it over
            SessionLock handed = Actor.end(next);
            handed.close();
            dump(recording);
            assertThat(of(recorded(), "Acquired")).filteredOn(event -> event.getLong("token") == handed.token()).singleElement().satisfies(event -> {
                assertThat(event.getThread().getJavaName()).isEqualTo("the one who waits");
                assertThat(event.getDuration()).isGreaterThanOrEqualTo(THRESHOLD);
                assertThat(event.getStackTrace().getFrames()).anyMatch(frame -> frame.getMethod().getType().getName().equals(SessionLocks.class.getName()));
            });
        }
    }

    @Test
    void withoutTheModuleThereAreNoEventsAndAllElseWorks() throws Exception {
        assertThat(FreshJvm.run(OneLock.class, dir, "--limit-modules", "java.base,java.logging"))
                .contains("acquired 1, held 0, flight recorder false");
    }

    @Test
    void aRecordingFromTheFirstMomentOnDisturbsNothing() throws Exception {
        Path file = dir.resolve("whole.jfr");
        assertThat(FreshJvm.run(OneLock.class, dir, "-XX:StartFlightRecording:filename=" + file + ",+dev.sessionlock.Acquired#threshold=0ms,+dev.sessionlock.Released#threshold=0ms"))
                .contains("acquired 1, held 0, flight recorder true");
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(of(events, "Acquired")).hasSize(1);
        assertThat(of(events, "Released")).hasSize(1);
    }

    private void dump(Recording recording) throws IOException {
        recording.stop();
        recording.dump(dir.resolve("recording.jfr"));
    }

    private List<RecordedEvent> recorded() throws IOException {
        return RecordingFile.readAllEvents(dir.resolve("recording.jfr")).stream()
                .sorted(Comparator.comparing(RecordedEvent::getStartTime)).toList();
    }

    private static List<RecordedEvent> of(List<RecordedEvent> events, String name) {
        return events.stream().filter(event -> event.getEventType().getName().equals("dev.sessionlock." + name)).toList();
    }

    /** Takes a lock, records, and gives it back; then takes it once more. */
    static final class LockThenRecord {
        private LockThenRecord() {
        }

        public static void main(String[] args) throws Exception {
            Path session = Path.of(args[0]);
            try (SessionLocks locks = SessionLocks.create()) {
                SessionLock lock = locks.acquire(session);
                try (Recording recording = new Recording()) {
                    System.out.println("event classes before: " + FlightRecorder.getFlightRecorder().getEventTypes().stream()
                            .filter(type -> type.getName().startsWith("dev.sessionlock.")).count());
                    recording.enable("dev.sessionlock.Acquired").withThreshold(Duration.ZERO);
                    recording.enable("dev.sessionlock.Released").withThreshold(Duration.ZERO);
                    recording.start();
                    lock.close();
                    locks.acquire(session).close();
                    recording.stop();
                    Path file = session.resolveSibling("late.jfr");
                    recording.dump(file);
                    List<RecordedEvent> events = RecordingFile.readAllEvents(file);
                    for (String name : List.of("Acquired", "Released")) {
                        System.out.println(name + " " + of(events, name).size());
                    }
                }
            }
        }
    }

    private static List<Long> tokens(List<RecordedEvent> events, String name) {
        return of(events, name).stream().map(event -> event.getLong("token")).toList();
    }
}
