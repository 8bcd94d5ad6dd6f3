package dev.sessionlock.testkit.interop;

import dev.sessionlock.LockMode;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import dev.sessionlock.testkit.SmallJvm;
import java.io.IOException;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** A JVM of ours that takes locks on command, and appends to transcripts under them. */
public final class OurProcess implements AutoCloseable {
    /** Makes OpenClaw respect the locks of a process that is not its own. */
    public static final String MARKED = "-Dsessionlock.owner=/openclaw";
    /** Much longer than anything takes that works: the machine is noisy. */
    public static final Duration PATIENCE = Duration.ofSeconds(90);

    private final ChildJvm jvm;
    private final AtomicLong calls = new AtomicLong();

    private OurProcess(ChildJvm jvm) {
        this.jvm = jvm;
    }

    /** Starts one, with these arguments of the JVM. */
    public static OurProcess start(String... jvmArgs) throws IOException, InterruptedException {
        return start(builder().jvmArgs(jvmArgs));
    }

    /** Starts one from its description. */
    public static OurProcess start(ChildJvm.Builder builder) throws IOException, InterruptedException {
        return new OurProcess(builder.start());
    }

    /** {@return the description of one} */
    public static ChildJvm.Builder builder() {
        return SmallJvm.of(Life.class).name("ours");
    }

    public ChildJvm jvm() {
        return jvm;
    }

    public long pid() {
        return jvm.pid();
    }

    @Override
    public void close() {
        jvm.close();
    }

    /** The result of a command. */
    public record Reply(boolean ok, List<String> words) {
        public String text() {
            return String.join(" ", words);
        }
    }

    /** A command that was sent. */
    public final class Call {
        private final String mark;
        private Reply early;

        private Call(String mark) {
            this.mark = mark;
        }

        public boolean isDone() {
            if (early == null) {
                early = jvm.pollMark(mark).map(OurProcess::reply).orElse(null);
            }
            return early != null;
        }

        public Reply reply() throws InterruptedException {
            if (early == null) {
                early = OurProcess.reply(jvm.awaitMark(mark, PATIENCE));
            }
            return early;
        }

        public List<String> mustSucceed() throws InterruptedException {
            Reply reply = reply();
            if (!reply.ok()) {
                throw new AssertionError(jvm + ": " + reply.text() + "\n" + jvm.output());
            }
            return reply.words();
        }
    }

    private static Reply reply(ChildJvm.Mark mark) {
        List<String> words = mark.details().stream().map(word -> URLDecoder.decode(word, StandardCharsets.UTF_8)).toList();
        return new Reply(words.get(0).equals("ok"), words.subList(1, words.size()));
    }

    public Call begin(Object... command) {
        String mark = "reply-" + calls.incrementAndGet();
        StringBuilder line = new StringBuilder(mark);
        for (Object word : command) {
            line.append(' ').append(encode(word));
        }
        jvm.send(line.toString());
        return new Call(mark);
    }

    public Reply ask(Object... command) throws InterruptedException {
        return begin(command).reply();
    }

    public List<String> tell(Object... command) throws InterruptedException {
        return begin(command).mustSucceed();
    }

    /** {@return the result of {@code inspect} there: the state, and its evidence in one line} */
    public String inspect(Path session) throws InterruptedException {
        return String.join(" ", tell("inspect", session));
    }

    private static String encode(Object word) {
        return URLEncoder.encode(String.valueOf(word), StandardCharsets.UTF_8);
    }

    // ---- the child's side ----

    /** The child's program. */
    static final class Life implements ChildScenario {
        private final SessionLocks locks = SessionLocks.create();
        private final Map<String, SessionLock> handles = new ConcurrentHashMap<>();

        @Override
        public void run(ParentJvm parent) throws Exception {
            while (true) {
                List<String> words = Stream.of(parent.awaitLine().split(" ")).map(word -> URLDecoder.decode(word, StandardCharsets.UTF_8)).toList();
                Thread thread = new Thread(() -> parent.mark(words.get(0), answer(words).stream().map(OurProcess::encode).toArray()), words.get(1));
                thread.setDaemon(true);
                thread.start();
            }
        }

        private List<String> answer(List<String> words) {
            List<String> answer = new ArrayList<>();
            try {
                answer.add("ok");
                answer.addAll(obey(words.get(1), words.subList(2, words.size())));
                return answer;
            } catch (Throwable e) {
                e.printStackTrace(System.out);
                return List.of("failed", e.getClass().getSimpleName(), String.valueOf(e.getMessage()));
            }
        }

        private List<String> obey(String command, List<String> args) throws Exception {
            switch (command) {
                case "acquire", "read" -> { // HANDLE FILE TIMEOUT_MS [LEASE_MS [TAKEOVER]]
                    LockOptions options = LockOptions.defaults().withTimeout(Duration.ofMillis(Long.parseLong(args.get(2))))
                            .withMode(command.equals("read") ? LockMode.SHARED : LockMode.EXCLUSIVE);
                    if (args.size() > 3) {
                        options = options.withLease(Duration.ofMillis(Long.parseLong(args.get(3))));
                    }
                    if (args.size() > 4) {
                        options = options.withTakeover(Boolean.parseBoolean(args.get(4)));
                    }
                    SessionLock lock = locks.acquire(Path.of(args.get(1)), options).detach();
                    handles.put(args.get(0), lock);
                    return List.of(Long.toString(lock.token()));
                }
                case "close" -> handles.remove(args.get(0)).close();
                case "verify" -> handles.get(args.get(0)).verifyHeld();
                case "inspect" -> {
                    LockReport report = locks.inspect(Path.of(args.get(0)));
                    return List.of(report.state().toString(), String.join("; ", report.evidence()), report.advice());
                }
                case "shell" -> {
                    return List.of(shell(args.get(0)));
                }
                case "append" -> {
                    return List.of(Integer.toString(append(Path.of(args.get(0)), args.get(1), Integer.parseInt(args.get(2)),
                            Integer.parseInt(args.get(3)))));
                }
                case "once" -> {
                    try (SessionLock lock = locks.acquire(Path.of(args.get(0)), LockOptions.defaults().withTimeout(PATIENCE))) {
                        return List.of(Integer.toString(inside(Path.of(args.get(0)), args.get(1))), Long.toString(lock.token()));
                    }
                }
                default -> throw new IllegalArgumentException("no such command: " + command);
            }
            return List.of();
        }

        private static String shell(String command) throws IOException, InterruptedException {
            Process shell = new ProcessBuilder("/bin/sh", "-c", command).redirectErrorStream(true).start();
            String said = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
            if (shell.waitFor() != 0) {
                throw new IOException(command + ": " + said);
            }
            return said;
        }

        private int append(Path session, String who, int rounds, int thinkMillis) throws Exception {
            int overlaps = 0;
            for (int round = 0; round < rounds; round++) {
                try (SessionLock lock = locks.acquire(session, LockOptions.defaults().withTimeout(PATIENCE))) {
                    overlaps += inside(session, who + " " + round);
                    lock.ensureHeld();
                }
                Thread.sleep(ThreadLocalRandom.current().nextInt(2 * thinkMillis));
            }
            return overlaps;
        }

        /** As in {@code peer.mjs}: a flag that only one can create at a time, and a count that an overlap would spoil. */
        private static int inside(Path session, String line) throws IOException, InterruptedException {
            int overlaps = 0;
            Path flag = session.resolveSibling(session.getFileName() + ".inside");
            try {
                Files.createFile(flag);
            } catch (FileAlreadyExistsException e) {
                overlaps++;
            }
            Path counter = session.resolveSibling(session.getFileName() + ".counter");
            int count = Files.exists(counter) ? Integer.parseInt(Files.readString(counter)) : 0;
            Thread.sleep(ThreadLocalRandom.current().nextInt(4));
            Files.writeString(session, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            Files.writeString(counter, Integer.toString(count + 1));
            Files.deleteIfExists(flag);
            return overlaps;
        }
    }
}
