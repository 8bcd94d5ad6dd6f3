package dev.sessionlock.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.annotations.Nullable;

/**
 * Sees to it that what we start dies with us, also when we die of {@code kill -9}, and the lock with us.
 *
 * <p>Two means, since each has a hole. {@code setpriv --pdeathsig} has the kernel kill the process at once, but not what it started.
 * The kernel sends that signal when the <em>thread</em> that started the process ends: so start it on one that stays. Therefore also
 * a shell in a session of its own, which waits for the end of a pipe that we hold, and then kills what bears our mark in its
 * environment; it comes some milliseconds late.
 */
final class ParentDeathGuard {
    /**
     * Reads the mark, which must not be on a command line, the session to which daemons do not belong or a dash, and pids, one a line.
     * After "done" it goes; at the end of its input it kills the pids and all that bear the mark. The shell's own printf shows it to nobody.
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
            "marked() {", // a stranger's environment of gigabytes ends grep, not the machine's memory
            "  (ulimit -v 262144; printf '%s\\n' \"$mark\" | LC_ALL=C grep -lzxF -f - /proc/[0-9]*/environ) | pids_of",
            "}",
            "marked_one_by_one() {", // what grep did not come to
            "  for environ in /proc/[0-9]*/environ; do",
            "    if head -c " + ProcessTree.LONGEST_ENVIRONMENT + " \"$environ\" | LC_ALL=C grep -qzxF -f /dev/fd/3 3<<MARK",
            "$mark",
            "MARK",
            "    then echo \"$environ\"; fi",
            "  done | pids_of",
            "}",
            "if [ -n \"$pids\" ]; then kill -9 $pids; fi",
            "rounds=0",
            "while [ $rounds -lt 100 ]; do", // again: one that was forked meanwhile may have been missed
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
     * @param mark what the guarded have in their environment
     * @param daemonsToo whether it kills also what has made itself a session of its own
     */
    static ParentDeathGuard start(JobMark mark, boolean daemonsToo) {
        List<String> command = new ArrayList<>();
        if (Executables.find("setsid").exitCode() == 0) {
            command.add("setsid"); // so that what kills our process group spares it
        }
        command.addAll(List.of("sh", "-c", SCRIPT, "sessionlock-guardian"));
        ParentDeathGuard guardian;
        try {
            guardian = new ParentDeathGuard(helper(command).start());
        } catch (IOException e) {
            return new ParentDeathGuard(null); // no shell here: the kernel's means must do
        }
        long session = daemonsToo ? -1 : ProcessTree.sessionOf(ProcessHandle.current().pid());
        guardian.send(mark.line());
        guardian.send(session < 0 ? "-" : Long.toString(session));
        return guardian;
    }

    /** A helper of ours: silent, and not marked by a run within which we run, which would wait for it and kill it. */
    static ProcessBuilder helper(List<String> command) {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD);
        JobMark.removeAllFrom(builder.environment());
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
