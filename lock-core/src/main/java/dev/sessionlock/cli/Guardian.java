package dev.sessionlock.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jetbrains.annotations.Nullable;

/**
 * Sees to it that what we start dies with us, also when we die of {@code kill -9}, and the lock with us.
 *
 * <p>Two means, since each has a hole. {@code setpriv --pdeathsig} has the kernel kill the process at once, but not what it started.
 * The kernel sends that signal when the <em>thread</em> that started the process ends: so start it on one that stays. Therefore also
 * a shell in a session of its own, which waits for the end of a pipe that we hold, and then kills what bears our mark in its
 * environment; it comes some milliseconds late.
 */
final class Guardian {
    /** Reads pids, one a line. After "done" it goes; at the end of its input it kills them and all that bear the marks. */
    private static final String SCRIPT = String.join("\n",
            "trap '' HUP INT TERM",
            "pids=",
            "while read -r word; do",
            "  if [ \"$word\" = done ]; then exit 0; fi",
            "  pids=\"$pids $word\"",
            "done",
            "marked() {",
            "  for environ in $(grep -lzxF -e \"$1\" /proc/[0-9]*/environ); do",
            "    pid=${environ#/proc/}",
            "    all=yes",
            "    for mark in \"$@\"; do grep -qzxF -e \"$mark\" \"$environ\" || all=no; done",
            "    if [ $all = yes ]; then echo \"${pid%/environ}\"; fi",
            "  done",
            "}",
            "if [ -n \"$pids\" ]; then kill -9 $pids; fi",
            "rounds=0",
            "while [ $rounds -lt 100 ]; do", // again: one that was forked meanwhile may have been missed
            "  found=$(marked \"$@\")",
            "  if [ -z \"$found\" ]; then exit 0; fi",
            "  kill -9 $found",
            "  rounds=$((rounds + 1))",
            "  if [ $rounds -gt 5 ]; then sleep 1; fi",
            "done");

    private final @Nullable Process shell;

    private Guardian(@Nullable Process shell) {
        this.shell = shell;
    }

    /**
     * Starts one.
     *
     * @param mark what the guarded have in their environment
     */
    static Guardian start(Map<String, String> mark) {
        List<String> command = new ArrayList<>();
        if (Executables.find("setsid").exitCode() == 0) {
            command.add("setsid"); // so that what kills our process group spares it
        }
        command.addAll(List.of("sh", "-c", SCRIPT, "sessionlock-guardian"));
        mark.forEach((name, value) -> command.add(name + "=" + value));
        try {
            return new Guardian(helper(command, mark).start());
        } catch (IOException e) {
            return new Guardian(null); // no shell here: the kernel's means must do
        }
    }

    /** A helper of ours: silent, and not marked by a run within which we run, which would wait for it and kill it. */
    static ProcessBuilder helper(List<String> command, Map<String, String> mark) {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().keySet().removeAll(mark.keySet());
        return builder;
    }

    /** {@return the command that starts another so that the kernel kills it when the thread that started it ends} */
    static List<String> tethered(List<String> command) {
        Path setpriv = Executables.find("setpriv").path();
        if (setpriv == null || !knowsDeathSignal(setpriv)) {
            return command;
        }
        List<String> tethered = new ArrayList<>(List.of(setpriv.toString(), "--pdeathsig", "KILL", "--"));
        tethered.addAll(command);
        return tethered;
    }

    /** That of BusyBox does not. */
    private static boolean knowsDeathSignal(Path setpriv) {
        try {
            Process probe = new ProcessBuilder(setpriv.toString(), "--pdeathsig", "KILL", "--", "true")
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            return probe.waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Guards a process that is known by its id, too. */
    void guard(long pid) {
        send(Long.toString(pid));
    }

    /** Sends it home: all that was guarded has ended. */
    void dismiss() {
        send("done");
    }

    private void send(String word) {
        if (shell == null) {
            return;
        }
        try {
            OutputStream pipe = shell.getOutputStream();
            pipe.write((word + "\n").getBytes(StandardCharsets.US_ASCII));
            pipe.flush();
        } catch (IOException e) {
            return; // somebody killed it
        }
    }
}
