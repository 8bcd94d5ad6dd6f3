package dev.sessionlock;

import static dev.sessionlock.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.LockReport.WaiterPlace;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Who waits for a lock, as an inspection shows it: threads of this JVM, and those of other processes. */
class WaitersTest extends LocksFixture {
    private final List<Future<?>> begun = new ArrayList<>();

    private void waits(String name) {
        begun.add(actor(name).begin(() -> {
            locks.acquire(session(), PATIENT.withPurpose("by " + name)).close();
            return null;
        }));
        await().until(() -> locks.stats().waiting() == begun.size());
    }

    private List<Waiter> waiters() throws Exception {
        return locks.inspect(session()).waiters();
    }

    private static List<Path> waitingFiles(Path dir) throws Exception {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(dir.resolve(".session-locks"), "waiting-*")) {
            all.forEach(files::add);
        }
        return files;
    }

    private void end(SessionLock lock) throws Exception {
        lock.close();
        for (Future<?> each : begun) {
            Actor.end(each);
        }
    }

    @Nested
    class OfThisJvm {
        @Test
        void areKnownAtOnceAndInOrder() throws Exception {
            Instant before = Instant.now().minusMillis(2);
            SessionLock lock = locks.acquire(session());
            waits("first");
            waits("second");
            waits("third");
            long pid = ProcessHandle.current().pid();
            assertThat(waiters()).extracting(Waiter::thread).containsExactly("first", "second", "third");
            assertThat(waiters()).allSatisfy(waiter -> {
                assertThat(waiter.pid()).isEqualTo(pid);
                assertThat(waiter.purpose()).isEqualTo("by " + waiter.thread());
                assertThat(waiter.since()).isBetween(before, Instant.now());
                assertThat(waiter.where()).isEqualTo(WaiterPlace.PROCESS_OF_HOLDER);
            });
            assertThat(locks.list(dir).toList().get(0).waiters()).hasSize(3);
            end(lock);
            assertThat(waiters()).isEmpty();
        }

        @Test
        void thatGaveUpAreNotShown() throws Exception {
            SessionLock lock = locks.acquire(session());
            assertThatThrownBy(() -> actor("brief").does(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Duration.ofMillis(20)))))
                    .isInstanceOfSatisfying(LockTimeoutException.class, late -> assertThat(late.report().waiters()).isEmpty());
            assertThat(waiters()).isEmpty();
            waits("patient");
            assertThatThrownBy(() -> actor("brief").does(() -> locks.acquire(session(), LockOptions.defaults().withTimeout(Duration.ofMillis(20)))))
                    .isInstanceOfSatisfying(LockTimeoutException.class, late -> assertThat(late.report().waiters()).extracting(Waiter::thread).containsExactly("patient"));
            end(lock);
        }

        @Test
        void ofAnotherLockAreNotShown() throws Exception {
            SessionLock lock = locks.acquire(session());
            waits("first");
            try (SessionLock other = locks.acquire(dir.resolve("other"))) {
                assertThat(locks.inspect(dir.resolve("other")).waiters()).isEmpty();
                assertThat(other.isHeld()).isTrue();
            }
            end(lock);
        }
    }

    @Nested
    class OfAnotherProcess {
        @Test
        void areShownWithTheirThreadsOnceTheyHaveWaitedForAWhile() throws Exception {
            try (SessionLock lock = locks.acquire(session()); Child child = Child.waiting(dir, 3)) {
                await().until(() -> waiters().size() == 3);
                assertThat(waiters()).extracting(Waiter::thread).containsExactly("waiter-0", "waiter-1", "waiter-2");
                assertThat(waiters()).allSatisfy(waiter -> {
                    assertThat(waiter.pid()).isEqualTo(child.pid());
                    assertThat(waiter.purpose()).startsWith("wait ");
                    assertThat(waiter.where()).isEqualTo(WaiterPlace.OTHER_PROCESS);
                    assertThat(waiter.since()).isBefore(Instant.now());
                });
                assertThat(lock.isHeld()).isTrue();
            }
        }

        @Test
        void comeAfterThoseWhoHaveWaitedLonger() throws Exception {
            SessionLock lock = locks.acquire(session());
            waits("mine");
            try (Child child = Child.waiting(dir, 1)) {
                await().until(() -> waiters().size() == 2 && waiters().get(1).thread() != null);
                assertThat(waiters()).extracting(Waiter::thread).containsExactly("mine", "waiter-0");
                child.kill();
                await().until(() -> waiters().size() == 1);
            }
            end(lock);
        }

        @Test
        void thatHasTheLockItself() throws Exception {
            try (Child child = Child.holdingAndWaiting(dir, 2)) {
                await().until(() -> waiters().size() == 2 && waiters().get(0).thread() != null);
                assertThat(waiters()).extracting(Waiter::where).containsOnly(WaiterPlace.PROCESS_OF_HOLDER);
                assertThat(waiters()).extracting(Waiter::pid).containsOnly(child.pid());
            }
        }

        @Test
        void thatWasKilledIsNotShownAndItsFileIsSwept() throws Exception {
            try (SessionLock lock = locks.acquire(session()); Child child = Child.waiting(dir, 1)) {
                await().until(() -> !waitingFiles(dir).isEmpty());
                child.kill();
                await().until(() -> waiters().isEmpty());
                await().until(() -> waitingFiles(dir).isEmpty());
                assertThat(lock.isHeld()).isTrue();
            }
        }
    }

    @Nested
    class TheFile {
        @Test
        void isThereWhileSomebodyWaitsAndNoLonger() throws Exception {
            SessionLock lock = locks.acquire(session());
            waits("first");
            await().until(() -> waitingFiles(dir).size() == 1 && Files.size(waitingFiles(dir).get(0)) > 0);
            Path file = waitingFiles(dir).get(0);
            assertThat(Files.readString(file)).contains("\"thread\":\"first\"", "\"purpose\":\"by first\"");
            Object written = Files.getLastModifiedTime(file);
            Instant seen = Instant.now();
            await().until(() -> Duration.between(seen, Instant.now()).toMillis() > 2_500);
            assertThat(Files.getLastModifiedTime(file)).as("nothing has changed").isEqualTo(written);
            end(lock);
            await().until(() -> waitingFiles(dir).isEmpty());
        }

        @Test
        void mayBeRemovedOrBroken() throws Exception {
            SessionLock lock = locks.acquire(session());
            waits("first");
            await().until(() -> waitingFiles(dir).size() == 1);
            Path file = waitingFiles(dir).get(0);
            Files.writeString(file, "junk\n{\"name\":\"session.jsonl\",\"pid\":1}\n");
            Files.writeString(dir.resolve(".session-locks/waiting-of-nobody"), "{}");
            Files.createDirectory(dir.resolve(".session-locks/waiting-7"));
            assertThat(waiters()).extracting(Waiter::thread).containsExactly("first");
            Files.delete(file);
            assertThat(waiters()).extracting(Waiter::thread).containsExactly("first");
            waits("second");
            await().until(() -> waitingFiles(dir).contains(file));
            end(lock);
        }
    }
}
