package dev.sessionlock.testkit;

import dev.sessionlock.SessionLocks;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A process that contends for the locks of an engine under test, on the orders of {@link LockEngineContract}. {@link LockEngineContract#inJvm} starts
 * one.
 */
public abstract class Contender implements AutoCloseable {

    Contender() {
    }

    /** The result of an action. */
    record Reply(boolean ok, String text) {
    }

    /** An action that was begun. */
    interface Call {
        /** {@return its result if it has ended; otherwise null} */
        @Nullable Reply poll() throws InterruptedException;
    }

    /** Begins an action of {@link ContenderActions} in the process. */
    abstract Call begin(String... words);

    abstract long pid();

    abstract void freeze();

    abstract void wake();

    abstract void kill();

    /** {@return whether it runs, and can serve another test} */
    abstract boolean isFit();

    /** {@return what the process has printed, for whoever has to understand a failure} */
    abstract String output();

    @Override
    public abstract void close();

    /** A contender in a JVM of its own. */
    static final class InJvm extends Contender {
        private final ChildJvm jvm;
        private final AtomicLong calls = new AtomicLong();
        private boolean frozen;

        private InJvm(ChildJvm jvm) {
            this.jvm = jvm;
        }

        static InJvm start(Class<? extends LockEngineContract.Opener> opener, String... arguments)
                throws IOException, InterruptedException {
            return start(ChildJvm.of(Scenario.class), opener, arguments);
        }

        static InJvm startOn(LabSystem system, Class<? extends LockEngineContract.Opener> opener, String... arguments)
                throws IOException, InterruptedException {
            return start(ChildJvm.of(Scenario.class).on(system), opener, arguments);
        }

        private static InJvm start(ChildJvm.Builder jvm, Class<? extends LockEngineContract.Opener> opener, String... arguments)
                throws IOException, InterruptedException {
            String[] args = new String[arguments.length + 1];
            args[0] = opener.getName();
            System.arraycopy(arguments, 0, args, 1, arguments.length);
            return new InJvm(jvm.name("contender").args(args)
                    .jvmArgs("-Xmx64m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto").start());
        }

        @Override
        Call begin(String... words) {
            String id = "reply-" + calls.incrementAndGet();
            jvm.send(id + " " + Arrays.stream(words).map(InJvm::encode).collect(Collectors.joining(" ")));
            return () -> {
                Duration aMoment = Duration.ZERO;
                return jvm.isAlive() ? jvm.pollMark(id).map(InJvm::reply).orElse(null) : reply(jvm.awaitMark(id, aMoment));
            };
        }

        private static Reply reply(ChildJvm.Mark mark) {
            return new Reply(mark.detail(0).equals("ok"), decode(mark.detail(1)));
        }

        private static String encode(String word) {
            return URLEncoder.encode(word, StandardCharsets.UTF_8);
        }

        private static String decode(String word) {
            return URLDecoder.decode(word, StandardCharsets.UTF_8);
        }

        @Override
        long pid() {
            return jvm.pid();
        }

        @Override
        void freeze() {
            jvm.freeze();
            frozen = true;
        }

        @Override
        void wake() {
            jvm.wake();
            frozen = false;
        }

        @Override
        void kill() {
            jvm.kill();
        }

        @Override
        boolean isFit() {
            return jvm.isAlive() && !frozen;
        }

        @Override
        String output() {
            return jvm.output();
        }

        @Override
        public void close() {
            jvm.close();
        }

        /** The child's side. */
        static final class Scenario implements ChildScenario {
            @Override
            public void run(ParentJvm parent) throws Exception {
                List<String> arguments = parent.args().subList(1, parent.args().size());
                Constructor<?> constructor = Class.forName(parent.args().get(0)).getDeclaredConstructor();
                constructor.setAccessible(true);
                LockEngineContract.Opener opener = (LockEngineContract.Opener) constructor.newInstance();
                SessionLocks locks = opener.open(arguments);
                ContenderActions actions = new ContenderActions(locks, name -> opener.target(arguments, name));
                while (true) {
                    List<String> words = Arrays.stream(parent.awaitLine().split(" ")).map(InJvm::decode).toList();
                    Thread thread = new Thread(() -> obey(parent, actions, words), words.get(1) + "-" + words.get(0));
                    thread.setDaemon(true);
                    thread.start();
                }
            }

            private static void obey(ParentJvm parent, ContenderActions actions, List<String> words) {
                try {
                    parent.mark(words.get(0), "ok", encode(actions.obey(words.subList(1, words.size()))));
                } catch (Throwable e) {
                    e.printStackTrace(System.out);
                    parent.mark(words.get(0), "failed", encode(e.getClass().getSimpleName() + ": " + e.getMessage()));
                }
            }
        }
    }
}
