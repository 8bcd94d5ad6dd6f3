package dev.sessionlock.testkit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Supplier;

/** The processes of a {@link LockEngineContract}. A test takes a crew, and processes that are still fit after it serve the next test. */
final class ContenderPool {
    private final ConcurrentLinkedDeque<Contender> idle = new ConcurrentLinkedDeque<>();
    private final Callable<Contender> starter;
    private final Supplier<Duration> patience;

    /**
     * A pool without processes.
     *
     * @param starter starts one
     * @param patience for how long each may take to answer
     */
    ContenderPool(Callable<Contender> starter, Supplier<Duration> patience) {
        this.starter = starter;
        this.patience = patience;
    }

    Crew take(int size) throws Exception {
        return new Crew(size);
    }

    /** Ends the processes that no test has. */
    void close() {
        idle.forEach(Contender::close);
    }

    /** The processes of one test, to be given back. */
    final class Crew implements AutoCloseable {
        private final List<Contender> members = new ArrayList<>();

        private Crew(int size) throws Exception {
            try {
                while (members.size() < size) {
                    Contender member = idle.poll();
                    members.add(member == null ? starter.call() : member);
                }
            } catch (Throwable e) {
                members.forEach(Contender::close);
                throw e;
            }
        }

        DirectedContender member(int index) {
            return new DirectedContender(members.get(index), patience.get());
        }

        @Override
        public void close() {
            for (Contender member : members) {
                if (isReady(member)) {
                    idle.add(member);
                } else {
                    member.close();
                }
            }
        }

        private boolean isReady(Contender member) {
            try {
                return member.isFit() && new DirectedContender(member, patience.get()).tell("closeAll").equals("closed");
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
    }
}
