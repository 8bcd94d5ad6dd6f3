package dev.sessionlock.cli;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/**
 * Tells a consumer of the signals that would otherwise end this JVM. A shutdown hook is not enough to pass a signal on to a job. It does not say
 * which signal came, and it runs only once. The JVM's exit code is then the signal's and not the job's, and the locks are already being released.
 * {@code sun.misc.Signal} is in a module that may be missing ({@code jdk.unsupported}), hence the reflection.
 */
final class SignalHooks {
    static final List<String> NAMES = List.of("HUP", "INT", "TERM");
    private static final List<String> FOR_JOBS_ONLY = List.of("USR1", "USR2");

    private SignalHooks() {
    }

    /** Like {@link #install(List, Consumer)}, for the signals that would end this JVM. */
    static boolean install(Consumer<String> consumer) {
        return install(NAMES, consumer);
    }

    /**
     * Like {@link #install(List, Consumer)}, also for signals that mean nothing to us, but may mean something to a job. Left out are SIGQUIT, which
     * the JVM uses (a thread dump), and SIGUSR2 while Flight Recorder uses it to sample threads.
     */
    static boolean installForJob(Consumer<String> consumer) {
        for (String name : FOR_JOBS_ONLY) {
            if (!isIgnored(name)) {
                install(List.of(name), name.equals("USR2") ? unlessRecorded(consumer) : consumer);
            }
        }
        return install(consumer);
    }

    private static Consumer<String> unlessRecorded(Consumer<String> consumer) {
        return name -> {
            try {
                if (Class.forName("jdk.jfr.FlightRecorder").getMethod("isInitialized").invoke(null).equals(true)) {
                    return;
                }
            } catch (ReflectiveOperationException e) {
                // no Flight Recorder here
            }
            consumer.accept(name);
        };
    }

    /** The JVM checks this for {@link #NAMES} only. Returns whether we were started to ignore a signal; false if that is unknown. */
    static boolean isIgnored(String name) {
        try {
            int number = exitCode(name) - 128;
            for (String line : Files.readAllLines(Path.of("/proc/self/status"), StandardCharsets.ISO_8859_1)) {
                if (line.startsWith("SigIgn:")) {
                    return (Long.parseUnsignedLong(line.substring("SigIgn:".length()).trim(), 16) >>> (number - 1) & 1) != 0;
                }
            }
            return false;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Installs it for good. A signal that this process was started to ignore (nohup) stays ignored.
     *
     * @param names the signals, without SIG
     * @param consumer told the name of each signal, without SIG, on a thread of its own
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

    /** {@return a shell's exit code for a job that this signal ended} */
    static int exitCode(String name) {
        boolean linux = System.getProperty("os.name").equals("Linux");
        return 128 + switch (name) {
            case "HUP" -> 1;
            case "INT" -> 2;
            case "USR1" -> linux ? 10 : 30;
            case "USR2" -> linux ? 12 : 31;
            default -> 15;
        };
    }
}
