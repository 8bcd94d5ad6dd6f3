package dev.sessionlock.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes what we start die with us, even if {@code kill -9} kills us, and the lock with us.
 *
 * <p>There are two means, since each has a gap. With {@code setpriv --pdeathsig} the kernel kills the process at once, but not what that process has
 * started. The kernel sends this signal when the <em>thread</em> ends that has started the process, so start it from a thread that lives on. The
 * second means is a shell in a session of its own. It waits for the end of a pipe that we hold open, and then kills all processes with our mark in
 * their environment. It comes some milliseconds late.
 */
final class ParentDeathGuard {
    /**
     * Reads the mark, which must not be on a command line; then the session to which daemons do not belong, or a dash; then pids, one a line. After
     * "done" it ends. At the end of its input it kills the pids and all processes with the mark. printf is built into the shell, so no other process
     * sees the mark.
     */
    private static final String SCRIPT = String.join("\n",
            "trap '' HUP INT TERM",
            "read -r mark && read -r session || exit 1",
            "pids=",
            "while read -r word; do",
            "  if [ \"$word\" = done ]; then exit 0; fi",
            "  pids=\"$pids $word\"",
            "done",
            "belongs() {",
            "  if [ \"$session\" = - ]; then return 0; fi",
            "  stat=$(cat \"/proc/$1/stat\") || return 1",
            "  set -- ${stat##*) }",
            "  for allowed in $session $pids; do if [ \"$4\" = \"$allowed\" ]; then return 0; fi; done",
            "  return 1",
            "}",
            "pids_of() {",
            "  while read -r environ; do",
            "    pid=${environ#/proc/}",
            "    pid=${pid%/environ}",
            "    if belongs \"$pid\"; then echo \"$pid\"; fi",
            "  done",
            "}",
            "marked() {", // if another user's environment has gigabytes, grep ends, not the machine's memory
            "  (ulimit -v 262144; printf '%s\\n' \"$mark\" | LC_ALL=C grep -lzxF -f - /proc/[0-9]*/environ) | pids_of",
            "}",
            "beginning() {", // a small system may have no head
            "  head -c " + ProcessTree.LONGEST_ENVIRONMENT + " \"$1\" || cat \"$1\"",
            "}",
            "marked_one_by_one() {", // the processes that grep did not get to
            "  for environ in /proc/[0-9]*/environ; do",
            "    if beginning \"$environ\" | (ulimit -v 262144; ulimit -t 1; LC_ALL=C grep -qzxF -f /dev/fd/3) 3<<MARK",
            "$mark",
            "MARK",
            "    then echo \"$environ\"; fi",
            "  done | pids_of",
            "}",
            "if [ -n \"$pids\" ]; then kill -9 $pids; fi",
            "rounds=0",
            "while [ $rounds -lt 100 ]; do", // again: a process that was forked meanwhile may have been missed
            "  found=$(marked)",
            "  if [ -z \"$found\" ]; then found=$(marked_one_by_one); fi",
            "  if [ -z \"$found\" ]; then exit 0; fi",
            "  kill -9 $found",
            "  rounds=$((rounds + 1))",
            "  if [ $rounds -gt 5 ]; then sleep 1; fi",
            "done");

    private final @Nullable Process shell;

    private ParentDeathGuard(@Nullable Process shell) {
        this.shell = shell;
    }

    /**
     * Starts one.
     *
     * @param mark what the guarded processes have in their environment
     * @param daemonsToo whether to kill also processes that have moved to a session of their own
     */
    static ParentDeathGuard start(JobMark mark, boolean daemonsToo) {
        List<String> command = new ArrayList<>();
        if (Executables.find("setsid").exitCode() == 0) {
            command.add("setsid"); // so that a signal to our process group spares it
        }
        command.addAll(List.of("sh", "-c", SCRIPT, "sessionlock-guardian"));
        ParentDeathGuard guard;
        try {
            guard = new ParentDeathGuard(helper(command).start());
        } catch (IOException e) {
            return new ParentDeathGuard(null); // there is no shell: only the kernel's means is left
        }
        long session = daemonsToo ? -1 : ProcessTree.sessionOf(ProcessHandle.current().pid());
        guard.send(mark.line());
        guard.send(session < 0 ? "-" : Long.toString(session));
        return guard;
    }

    /** A helper process: silent, and without the mark of a run within which we run, which would wait for it and kill it. */
    static ProcessBuilder helper(List<String> command) {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD);
        JobMark.removeAllFrom(builder.environment());
        return builder;
    }

    /** {@return the command that starts another command so that the kernel kills it when the thread ends that started it} */
    static List<String> tethered(List<String> command) {
        Path setpriv = Executables.find("setpriv").path();
        if (setpriv == null || !knowsDeathSignal(setpriv)) {
            return command;
        }
        List<String> tethered = new ArrayList<>(List.of(setpriv.toString(), "--pdeathsig", "KILL", "--"));
        tethered.addAll(command);
        return tethered;
    }

    /** BusyBox has a setpriv that does not. */
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

    /** Guards one more process, known by its id. */
    void guard(long pid) {
        send(Long.toString(pid));
    }

    /** Ends it: all guarded processes have ended. */
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
            return; // somebody has killed it
        }
    }
}
