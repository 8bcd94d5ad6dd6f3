package dev.sessionlock.benchmarks.load;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.benchmarks.peers.Peer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CrewTest {
    private static final Duration A_MOMENT = Duration.ofMillis(250);

    @TempDir
    private Path temporary;

    @Test
    void countsTheCyclesOfALockThatKeepsOthersOut() throws Exception {
        try (Crew crew = crew(Peer.STRICT)) {
            LoadResult result = crew.load(Load.onOneLock(2, A_MOMENT));

            assertThat(result.cycles()).hasSize(2).allSatisfy(threads -> assertThat(threads).hasSize(2));
            assertThat(result.total()).isPositive();
            assertThat(result.waits().getTotalCount()).isEqualTo(result.total());
            assertThat(result.excluded()).isTrue();
        }
    }

    @Test
    void aLockOfAnotherMakerExcludesThreadsAndProcesses() throws Exception {
        try (Crew crew = crew(Peer.CHRONICLE)) {
            LoadResult result = crew.load(Load.onOneLock(2, A_MOMENT));

            assertThat(result.total()).isPositive();
            assertThat(result.excluded()).isTrue();
        }
    }

    @Test
    void aHoldLastsAsLongAsTold() throws Exception {
        try (Crew crew = crew(Peer.REENTRANT_LOCK)) {
            LoadResult result = crew.load(Load.held(4, Duration.ofMillis(50), A_MOMENT));

            assertThat(result.cycles()).as("at most 5 in that time, and one for each thread, which began in time")
                    .allSatisfy(threads -> assertThat(threads.stream().mapToLong(Long::longValue).sum()).isBetween(1L, 5 + 4L));
        }
    }

    @Test
    void aPermitThatALockHasLeftDoesNotShortenASleep() {
        long end = System.nanoTime() + Duration.ofMillis(20).toNanos();
        LockSupport.unpark(Thread.currentThread());

        Worker.sleepUntil(end);

        assertThat(System.nanoTime() - end).isNotNegative();
    }

    @Test
    void servesMessagesAsTheyComeAndNoFaster() throws Exception {
        try (Crew crew = crew(Peer.WARM)) {
            LoadResult result = crew.load(Load.messages(4, 1, 40, Duration.ofSeconds(1)));

            assertThat(result.total()).as("of 80 in the mean").isBetween(1L, 200L);
            assertThat(result.excluded()).isTrue();
        }
    }

    @Test
    void findsOutThatThereIsNoLockAndLeavesNoProcessBehind() throws Exception {
        List<ProcessHandle> workers;
        try (Crew crew = crew(Peer.NOTHING)) {
            workers = crew.workers().stream().map(worker -> ProcessHandle.of(worker.pid()).orElseThrow()).toList();
            LoadResult result = crew.load(Load.onOneLock(4, A_MOMENT));

            assertThat(result.doubles()).isPositive();
            assertThat(result.excluded()).isFalse();
        }
        assertThat(workers).hasSize(2).noneMatch(ProcessHandle::isAlive);
    }

    private Crew crew(Peer peer) throws Exception {
        return Crew.start(peer, Files.createDirectory(temporary.resolve("locks")), 2, 1);
    }
}
