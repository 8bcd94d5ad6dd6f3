package dev.sessionlock.cli;

import java.lang.reflect.Proxy;
import java.util.List;
import java.util.function.Consumer;

/**
 * Has the signals that would end this JVM told to a consumer instead. A shutdown hook would not do for a job's sake: it does not say
 * which signal came, comes once only, the JVM's exit code is then the signal's and not the job's, and by then the locks are being
 * given up. {@code sun.misc.Signal} is in a module that need not be there ({@code jdk.unsupported}), hence the reflection.
 */
final class SignalHooks {
    static final List<String> NAMES = List.of("HUP", "INT", "TERM");

    private SignalHooks() {
    }

    /** As {@link #install(List, Consumer)}, for the signals that would end this JVM. */
    static boolean install(Consumer<String> consumer) {
        return install(NAMES, consumer);
    }

    /**
     * Installs it for good. A signal that this process was started to ignore (nohup) stays ignored.
     *
     * @param names the signals, without SIG
     * @param consumer told each signal's name without SIG, on a thread of its own
     * @return false if this JVM does not allow it
     */
    static boolean install(List<String> names, Consumer<String> consumer) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            for (String name : names) {
                Object proxy = Proxy.newProxyInstance(SignalHooks.class.getClassLoader(), new Class<?>[] {handler}, (self, method, args) ->
                        switch (method.getName()) {
                            case "handle" -> {
                                consumer.accept(name);
                                yield null;
                            }
                            case "equals" -> self == args[0];
                            case "hashCode" -> System.identityHashCode(self);
                            default -> "relay of SIG" + name;
                        });
                signal.getMethod("handle", signal, handler).invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
            }
            return true;
        } catch (ReflectiveOperationException | RuntimeException e) {
            return false; // no such module, or the JVM was started with -Xrs
        }
    }

    /** {@return what a shell exits with when this signal ended a job} */
    static int exitCode(String name) {
        return 128 + switch (name) {
            case "HUP" -> 1;
            case "INT" -> 2;
            default -> 15;
        };
    }
}
