package dev.sessionlock.testkit;

import dev.sessionlock.LockOptions;
import java.time.Duration;
import java.util.List;

/** A {@link Contender} as the tests of a {@link LockEngineContract} direct it: each order is answered in time, or fails the test. */
record DirectedContender(Contender contender, Duration patience) {

    /** What a test waits for. */
    interface Condition {
        boolean holds() throws InterruptedException;
    }

    long pid() {
        return contender.pid();
    }

    void freeze() {
        contender.freeze();
    }

    void wake() {
        contender.wake();
    }

    void kill() {
        contender.kill();
    }

    Contender.Call begin(String... words) {
        return contender.begin(words);
    }

    Contender.Reply end(Contender.Call call) throws InterruptedException {
        return end(call, patience);
    }

    private Contender.Reply end(Contender.Call call, Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        for (Contender.Reply reply = call.poll(); ; reply = call.poll()) {
            if (reply != null) {
                return reply;
            } else if (System.nanoTime() > end) {
                throw new AssertionError("pid " + contender.pid() + " has not answered within " + patience + "\n" + contender.output());
            }
            Thread.sleep(2);
        }
    }

    String tell(String... words) throws InterruptedException {
        return succeed(begin(words), patience, words);
    }

    private String succeed(Contender.Call call, Duration patience, String... words) throws InterruptedException {
        Contender.Reply reply = end(call, patience);
        if (!reply.ok()) {
            throw new AssertionError(String.join(" ", words) + " failed in pid " + contender.pid() + ": " + reply.text() + "\n"
                    + contender.output());
        }
        return reply.text();
    }

    Contender.Call beginAcquire(String handle, String lock, LockOptions options) {
        return begin("acquire", handle, lock, ContenderActions.words(options));
    }

    long acquire(String handle, String lock, LockOptions options) throws InterruptedException {
        return acquired(beginAcquire(handle, lock, options), patience);
    }

    long acquired(Contender.Call acquisition, Duration patience) throws InterruptedException {
        return Long.parseLong(succeed(acquisition, patience, "acquire"));
    }

    boolean tryAcquire(String handle, String lock, LockOptions options) throws InterruptedException {
        return !tell("try", handle, lock, ContenderActions.words(options)).equals("busy");
    }

    void awaitWaiting(int threads) throws InterruptedException {
        await(patience, "as many threads wait", () -> Integer.parseInt(tell("waiting")) == threads);
    }

    void mustBe(String expected, String handle) throws InterruptedException {
        for (String look : List.of("standing", "verify")) {
            check(tell(look, handle).equals(expected), "%s of %s in pid %d should be \"%s\", not \"%s\"", look, handle,
                    contender.pid(), expected, tell(look, handle));
        }
    }

    static void await(Duration patience, String what, Condition condition) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        while (!condition.holds()) {
            check(System.nanoTime() < end, "it did not come about in %s that %s", patience, what);
            Thread.sleep(5);
        }
    }

    static void check(boolean right, String otherwise, Object... words) {
        if (!right) {
            throw new AssertionError(String.format(otherwise, words));
        }
    }

    static void mustWait(Contender.Call acquisition, String otherwise) throws InterruptedException {
        Contender.Reply reply = acquisition.poll();
        check(reply == null, "%s: %s", otherwise, reply);
    }

    static void mustGrow(long earlier, long later) {
        check(later > earlier, "a token must be greater than that of every earlier holder, but %d came after %d", later, earlier);
    }
}
