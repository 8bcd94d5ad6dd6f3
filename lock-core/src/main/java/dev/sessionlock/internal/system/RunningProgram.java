package dev.sessionlock.internal.system;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a person has to know of a process to end it, or to start its program again. As far as {@code /proc} shows it.
 *
 * @param pid its id
 * @param commandLine its command line, shortened, without control characters; null if unknown
 * @param user the user who runs it; null if unknown
 * @param supervisor what starts it again; null if no such thing is seen
 */
public record RunningProgram(long pid, @Nullable String commandLine, @Nullable String user, @Nullable Supervisor supervisor) {
    private static final int LONGEST = 60;
    private static final Path PROC = Path.of("/proc");

    /** What starts a program again. */
    public sealed interface Supervisor permits Service, Container {
    }

    /**
     * A service of systemd.
     *
     * @param unit the name of its unit
     * @param ofUser the number of the user whose own systemd runs it; null if the system's does
     */
    public record Service(String unit, @Nullable String ofUser) implements Supervisor {
        /** Services that run programs and do not start them again. */
        private static final Set<String> OTHERS_HOSTS = Set.of("cron", "crond", "cronie", "anacron", "atd", "ssh", "sshd", "docker", "containerd",
                "podman", "crio", "kubelet", "supervisor", "supervisord", "tmux", "screen", "dbus", "init");
    }

    /**
     * A container.
     *
     * @param engine the program that runs it: {@code docker} or {@code podman}
     * @param id its id
     */
    public record Container(String engine, String id) implements Supervisor {
    }

    private static final Pattern SERVICE = Pattern.compile("/([A-Za-z0-9:_.@\\\\-]+)\\.service(?:/|$)");
    private static final Pattern USERS = Pattern.compile("/user@(\\d+)\\.service/(.*)");
    private static final Pattern CONTAINER = Pattern.compile("/(?:(docker)[-/]|(libpod)-)([0-9a-f]{64})(?:\\.scope)?(?:/.*)?$");

    /** {@return what is known of a process of this pid namespace} */
    public static RunningProgram of(long pid) {
        Path process = PROC.resolve(Long.toString(pid));
        return new RunningProgram(pid, commandLine(text(process.resolve("cmdline"))), user(process),
                supervisor(text(process.resolve("cgroup"))));
    }

    private static String text(Path file) {
        try {
            return new String(ProcFile.bytes(file), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    private static @Nullable String user(Path process) {
        try {
            return Files.readAttributes(process, PosixFileAttributes.class).owner().getName();
        } catch (IOException | UnsupportedOperationException e) {
            return null;
        }
    }

    /** Any process may call itself as it likes: characters that a shell or a terminal would interpret are left out. */
    static @Nullable String commandLine(String arguments) {
        String line = arguments.replace('\0', ' ').strip().replaceAll("[\\p{C}\\p{Zl}\\p{Zp}]", "?");
        return line.isEmpty() ? null : line.length() <= LONGEST ? line : line.substring(0, LONGEST).strip() + "...";
    }

    /** {@return the supervisor named in {@code /proc/<pid>/cgroup}; null if it names nothing that would start the program again} */
    static @Nullable Supervisor supervisor(String cgroup) {
        for (String line : cgroup.split("\n")) {
            String[] fields = line.split(":", 3); // the number of the hierarchy, its controllers, the path
            if (fields.length == 3 && (fields[1].isEmpty() || fields[1].equals("name=systemd"))) {
                Supervisor found = supervisorAt(fields[2]);
                if (found != null) {
                    return found;
                }
            }
        }
        return null;
    }

    private static @Nullable Supervisor supervisorAt(String path) {
        Matcher container = CONTAINER.matcher(path);
        if (container.find()) {
            return new Container(container.group(1) != null ? "docker" : "podman", container.group(3).substring(0, 12));
        }
        Matcher users = USERS.matcher(path);
        boolean ofUser = users.find();
        Matcher service = SERVICE.matcher(ofUser ? "/" + users.group(2) : path);
        String unit = service.find() ? service.group(1) : null;
        boolean startsAgain = unit != null && !unit.startsWith("systemd-") && !unit.startsWith("user@") && !Service.OTHERS_HOSTS.contains(unit);
        return startsAgain ? new Service(unit + ".service", ofUser ? users.group(1) : null) : null;
    }

    /** {@return the process and what it runs, as {@code pid 30522 (node openclaw gateway, user moss)}} */
    public String inWords() {
        String more = commandLine == null ? user == null ? "" : "user " + user : commandLine + (user == null ? "" : ", user " + user);
        return "pid " + pid + (more.isEmpty() ? "" : " (" + more + ")");
    }
}
