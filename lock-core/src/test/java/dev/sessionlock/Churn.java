package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThatCode;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

/** Three threads that take locks in turn, again and again, until it is closed. What went wrong is thrown then. */
final class Churn implements AutoCloseable {
    private final List<Actor> actors = new ArrayList<>();
    private final List<Future<Boolean>> ends = new ArrayList<>();
    private final AtomicLong turns = new AtomicLong();
    private volatile boolean over;

    interface Turn {
        /** The {@code i}th iteration of a thread. */
        void take(String thread, int i) throws Exception;
    }

    Churn(Turn turn) {
        for (String name : List.of("one", "two", "three")) {
            Actor actor = new Actor(name);
            actors.add(actor);
            ends.add(actor.begin(() -> {
                for (int i = 0; !over; i++) {
                    turn.take(name, i);
                    turns.incrementAndGet();
                }
                return true;
            }));
        }
    }

    /** {@return how many iterations are done so far} */
    long turns() {
        return turns.get();
    }

    /** {@return whether none has failed so far} */
    boolean goesOn() {
        return ends.stream().noneMatch(Future::isDone);
    }

    @Override
    public void close() {
        over = true;
        for (Future<Boolean> end : ends) {
            assertThatCode(() -> Actor.end(end)).doesNotThrowAnyException();
        }
        actors.forEach(Actor::close);
    }
}
