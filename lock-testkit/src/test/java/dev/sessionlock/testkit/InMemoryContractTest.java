package dev.sessionlock.testkit;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The locks in memory pass the contract, with their simulated processes. The tests cover everything that needs no second JVM, which is all except the
 * proof that a real process excludes another.
 */
class InMemoryContractTest extends LockEngineContract {
    private final InMemoryLocks machine = InMemoryLocks.create();

    @Override
    protected Duration lease() {
        return Duration.ofMillis(1_500); // no disk delays it
    }

    @Override
    protected Contender newContender() {
        return new InMemory(machine.anotherProcess());
    }

    /** In this JVM. */
    private static final class InMemory extends Contender {
        private final InMemoryLocks process;
        private final ContenderActions actions;
        private boolean killed;

        InMemory(InMemoryLocks process) {
            this.process = process;
            this.actions = new ContenderActions(process.locks(), name -> Path.of("memory", name));
        }

        @Override
        Call begin(String... words) {
            CompletableFuture<Reply> reply = new CompletableFuture<>();
            Thread thread = new Thread(() -> {
                try {
                    reply.complete(new Reply(true, actions.obey(List.of(words))));
                } catch (Throwable e) {
                    reply.complete(new Reply(false, e.getClass().getSimpleName() + ": " + e.getMessage()));
                }
            }, words[0]);
            thread.setDaemon(true);
            thread.start();
            return () -> reply.getNow(null);
        }

        @Override
        long pid() {
            return process.pid();
        }

        @Override
        void freeze() {
            process.freeze();
        }

        @Override
        void wake() {
            process.wake();
        }

        @Override
        void kill() {
            process.crash();
            killed = true;
        }

        @Override
        boolean isFit() {
            return !killed && !process.isFrozen();
        }

        @Override
        String output() {
            return "";
        }

        @Override
        public void close() {
            process.close();
        }
    }
}
