package dev.sessionlock.testkit;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport.State;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.directory.LockRecord;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Internals;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Creates the lock files that crashes, reboots, other programs and accidents leave behind, for tests of recovery, health checks and tools. They are
 * real files in a real directory; if a kind needs a living process, it is a real one.
 *
 * <pre>{@code
 * @ParameterizedTest
 * @EnumSource
 * void writerRecoversFromWhatItCan(LockFiles.Kind kind) throws Exception {
 *     try (LockFiles files = LockFiles.of(session); SessionLocks locks = SessionLocks.create()) {
 *         files.make(kind);
 *         assertThat(locks.inspect(session).state()).isEqualTo(kind.verdict());
 *         if (kind.makesWay()) {
 *             new SessionWriter(locks).append(session, "a line");   // gets the lock, whatever lies there
 *         } else {
 *             assertThatThrownBy(() -> new SessionWriter(locks).append(session, "a line")).isInstanceOf(LockException.class);
 *         }
 *     }
 * }
 * }</pre>
 *
 * <p>One object creates one lock file at a time. {@link #close} removes what it has created, if it is still there, and ends its processes. If the
 * test's JVM dies, they end by themselves. For Unix systems. Not thread-safe.
 */
public final class LockFiles implements AutoCloseable {
    static {
        Internals.exportTo(LockFiles.class.getModule());
    }

    /** The longest possible lease, so that no machine is too slow for it. */
    private static final Duration RUNNING = LockOptions.MAX_LEASE;
    /** Torn records are left alone until they are 30 s old. */
    private static final Duration OLD = Duration.ofMinutes(2);
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long TOKEN = 1_770_617_943_000_001L;
    private static final String OTHER_BOOT = "00000000-1111-2222-3333-444444444444";

    /** What can lie in the place of a lock, and what acquirers and reports make of it. */
    public enum Kind {
        /** Another JVM holds the lock: a real holder, with the kernel lock. */
        LIVE(State.HELD, false),
        /** Another JVM holds the lock, and is frozen past its lease: others take over. */
        FROZEN(State.EXPIRED, true),
        /** Another JVM holds the lock with {@code takeover(false)}, and is frozen past its lease: others wait for it. */
        FROZEN_WITHOUT_TAKEOVER(State.HELD, false),
        /** The record of a process that is gone. */
        DEAD(State.STALE, true),
        /** The record of a process that is gone; another process has its id now. */
        REBORN(State.STALE, true),
        /** The record of a process that ran before the machine was restarted. */
        REBOOTED(State.STALE, true),
        /** The record of another host and boot. On a local disk that is an earlier life of this machine, so it is replaced. */
        OTHER_HOST(State.FOREIGN, true),
        /** The record of a process of another pid namespace, such as a container's, that cannot be seen from here. Its lease runs. */
        OTHER_PID_NAMESPACE(State.HELD, false),
        /** Like {@link #OTHER_PID_NAMESPACE}, and its lease is over. */
        OTHER_PID_NAMESPACE_EXPIRED(State.EXPIRED, true),
        /** The record of a process that lives, without the kernel lock: some code of the process made the kernel drop it. Its lease runs. */
        LIVE_WITHOUT_KERNEL_LOCK(State.HELD, false),
        /** OpenClaw's lock, of a process that lives: never replaced. */
        FOREIGN(State.FOREIGN, false),
        /** OpenClaw's lock, of a process that is gone. */
        FOREIGN_DEAD(State.FOREIGN, true),
        /** Another program's pid file, of a process that lives: never replaced. */
        PID_TEXT(State.FOREIGN, false),
        /** Another program's pid file, of a process that is gone. */
        PID_TEXT_DEAD(State.FOREIGN, true),
        /** The record of a later version of this library, of a process that lives: honoured as a foreign lock. */
        FUTURE_VERSION(State.FOREIGN, false),
        /** The record of a later version of this library, of a process that is gone. */
        FUTURE_VERSION_DEAD(State.FOREIGN, true),
        /** The beginning of a record, just written: perhaps the rest is still to come. */
        TORN(State.TORN, false),
        /** The beginning of a record, old enough to be replaced. */
        TORN_OLD(State.TORN, true),
        /** An empty file, just created, beside its target. */
        EMPTY(State.TORN, false),
        /** An empty file beside its target, old enough to be replaced. */
        EMPTY_OLD(State.TORN, true),
        /** A file that is no lock and only has the name of one, such as {@code yarn.lock}: refused at once, and never touched. */
        NOT_A_LOCK(State.NOT_A_LOCK, false);

        private final State verdict;
        private final boolean makesWay;

        Kind(State verdict, boolean makesWay) {
            this.verdict = verdict;
            this.makesWay = makesWay;
        }

        /** {@return the state that {@link SessionLocks#inspect} reports} */
        public State verdict() {
            return verdict;
        }

        /** {@return whether the next {@code acquire} gets in within moments, and by itself} */
        public boolean makesWay() {
            return makesWay;
        }
    }

    /**
     * What was created.
     *
     * @param kind its kind
     * @param lockFile where it is
     * @param pid the process that it names; 0 if it names none
     */
    public record Made(Kind kind, Path lockFile, long pid) {
    }

    private final Path target;
    private final Path lockFile;
    private @Nullable Process bystander;
    private @Nullable ChildJvm holder;
    private @Nullable Object madeKey;

    private LockFiles(Path target) {
        this.target = target.toAbsolutePath();
        this.lockFile = this.target.resolveSibling(this.target.getFileName() + ".lock");
    }

    /**
     * Creates lock files for one target.
     *
     * @param target the file that they lock. Its directory must exist; the file need not. The {@link Kind#EMPTY} kinds create it, since an empty file
     *     without a target is no lock
     * @return the maker, to be closed
     */
    public static LockFiles of(Path target) {
        return new LockFiles(Objects.requireNonNull(target, "target"));
    }

    /** {@return the path of the lock's record: {@code <target>.lock}} */
    public Path lockFile() {
        return lockFile;
    }

    /**
     * Creates a lock file, in place of the one that this object created before.
     *
     * @param kind what to create
     * @return what was created
     * @throws FileAlreadyExistsException if a file lies there that this object has not created
     * @throws IOException if the disk refuses
     * @throws InterruptedException if interrupted
     */
    public Made make(Kind kind) throws IOException, InterruptedException {
        takeBack();
        long pid = switch (kind) {
            case LIVE -> hold(RUNNING, true);
            case FROZEN -> freeze(hold(LockOptions.MIN_LEASE, true));
            case FROZEN_WITHOUT_TAKEOVER -> freeze(hold(LockOptions.MIN_LEASE, false));
            default -> write(kind);
        };
        madeKey = key();
        return new Made(kind, lockFile, pid);
    }

    // ---- lock files of a real holder ----

    /** Holds a lock until it is told to let go. */
    static final class Holder implements ChildScenario {
        @Override
        public void run(ParentJvm parent) throws Exception {
            Path target = Path.of(parent.args().get(0));
            LockOptions options = LockOptions.defaults().withPurpose("to be in the way").withMaxHold(LockOptions.UNLIMITED)
                    .withLease(Duration.parse(parent.args().get(1))).withTakeover(Boolean.parseBoolean(parent.args().get(2)));
            try (SessionLocks locks = SessionLocks.create(); SessionLock lock = locks.acquire(target, options)) {
                parent.mark("held", lock.token());
                parent.awaitLine();
            }
        }
    }

    private long hold(Duration lease, boolean takeover) throws IOException, InterruptedException {
        if (Files.exists(lockFile, LinkOption.NOFOLLOW_LINKS)) {
            throw new FileAlreadyExistsException(lockFile.toString());
        }
        holder = ChildJvm.of(Holder.class).name("holder of " + target.getFileName())
                .jvmArgs("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
                .args(target.toString(), lease.toString(), Boolean.toString(takeover)).start();
        holder.awaitMark("held", PATIENCE);
        return holder.pid();
    }

    /** Returns when the lease is over. */
    private long freeze(long pid) throws InterruptedException {
        holder.freeze();
        TimeUnit.NANOSECONDS.sleep(LockOptions.MIN_LEASE.toNanos() * 11 / 10);
        return pid;
    }

    // ---- lock files written here ----

    private long write(Kind kind) throws IOException, InterruptedException {
        long pid = switch (kind) {
            case LIVE_WITHOUT_KERNEL_LOCK, FOREIGN, PID_TEXT, FUTURE_VERSION, REBORN,
                    DEAD, FOREIGN_DEAD, PID_TEXT_DEAD, FUTURE_VERSION_DEAD -> live();
            case OTHER_PID_NAMESPACE, OTHER_PID_NAMESPACE_EXPIRED -> 1;
            case TORN, TORN_OLD, EMPTY, EMPTY_OLD, NOT_A_LOCK -> 0;
            default -> ProcessHandle.current().pid();
        };
        byte[] content = content(kind, pid);
        if (kind.name().endsWith("_DEAD") || kind == Kind.DEAD) {
            endBystander(); // only now: its start time was still needed
        }
        if ((kind == Kind.EMPTY || kind == Kind.EMPTY_OLD) && !Files.exists(target)) {
            Files.createFile(target);
        }
        Files.write(lockFile, content, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        if (kind == Kind.TORN_OLD || kind == Kind.EMPTY_OLD) {
            Files.setLastModifiedTime(lockFile, FileTime.from(Instant.now().minus(OLD)));
        }
        return pid;
    }

    private byte[] content(Kind kind, long pid) throws IOException {
        return switch (kind) {
            case FOREIGN, FOREIGN_DEAD -> text(openClaws(pid));
            case PID_TEXT, PID_TEXT_DEAD -> text(pid + "\n");
            case FUTURE_VERSION, FUTURE_VERSION_DEAD -> ofVersion2(new Record(pid).made().bytes());
            case TORN, TORN_OLD -> Arrays.copyOf(new Record(ProcessHandle.current().pid()).made().bytes(), 200);
            case EMPTY, EMPTY_OLD -> new byte[0];
            case NOT_A_LOCK -> text("# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n");
            default -> new Record(pid).of(kind).made().bytes();
        };
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** In the format of OpenClaw 2026.7. */
    private static String openClaws(long pid) {
        long ticks = startTicks(pid);
        return "{\n  \"pid\": " + pid + ",\n  \"createdAt\": \"" + Instant.now().truncatedTo(ChronoUnit.MILLIS)
                + "\",\n  \"maxHoldMs\": 300000"
                + (ticks < 0 ? "" : ",\n  \"starttime\": " + ticks) + "\n}\n";
    }

    /** A record of ours, with all its fields. */
    private static final class Record {
        private final ProcessIdentity self = ProcessIdentity.current();
        private final long pid;
        private long startTicks;
        private long started;
        private String host = self.host();
        private String boot = self.boot();
        private String pidNamespace = self.pidNamespace();
        private Duration left = RUNNING;

        Record(long pid) {
            this.pid = pid;
            this.startTicks = startTicks(pid);
            this.started = ProcessHandle.of(pid).flatMap(process -> process.info().startInstant()).map(Instant::toEpochMilli).orElse(-1L);
        }

        Record of(Kind kind) {
            switch (kind) {
                case REBORN -> {
                    startTicks = startTicks < 0 ? -1 : startTicks - 1;
                    started = started < 0 ? -1 : started - TimeUnit.HOURS.toMillis(1);
                }
                case REBOOTED -> boot = OTHER_BOOT;
                case OTHER_HOST -> {
                    boot = OTHER_BOOT;
                    host = "another-host";
                }
                case OTHER_PID_NAMESPACE -> pidNamespace = "1";
                case OTHER_PID_NAMESPACE_EXPIRED -> {
                    pidNamespace = "1";
                    left = RUNNING.dividedBy(-2);
                }
                default -> { }
            }
            return this;
        }

        LockRecord made() {
            long wall = System.currentTimeMillis();
            return new LockRecord(pid, wall, -1, startTicks, null, TOKEN, host, started, boot, pidNamespace, self.timeNamespace(),
                    "worker", "made by LockFiles", true, RUNNING.toMillis(), wall + left.toMillis(), System.nanoTime() + left.toNanos());
        }
    }

    /** Whole, with a valid checksum, and of a version that does not exist yet. */
    private static byte[] ofVersion2(byte[] record) {
        String text = new String(record, StandardCharsets.ISO_8859_1).replace(",\"v\":1,", ",\"v\":2,");
        int end = text.lastIndexOf(",\"crc\":\"");
        CRC32C crc = new CRC32C();
        crc.update(text.substring(0, end).getBytes(StandardCharsets.ISO_8859_1));
        int digits = end + ",\"crc\":\"".length();
        String checked = text.substring(0, digits) + String.format(Locale.ROOT, "%08x", crc.getValue()) + text.substring(digits + 8);
        return checked.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** {@return field 22 of its stat file; -1 where there is none} */
    private static long startTicks(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"), StandardCharsets.ISO_8859_1);
            return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19]);
        } catch (IOException e) {
            return -1;
        }
    }

    // ---- processes ----

    /** {@return the pid of a process that lives until {@link #endBystander}, or the end of this JVM: then its input ends} */
    private long live() throws IOException {
        bystander = new ProcessBuilder("/bin/sh", "-c", "read -r nothing").redirectErrorStream(true).start();
        return bystander.pid();
    }

    private void endBystander() {
        Process ending = bystander;
        bystander = null;
        if (ending != null) {
            ending.destroyForcibly();
            boolean interrupted = Thread.interrupted();
            while (ending.isAlive()) {
                try {
                    ending.waitFor();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void takeBack() throws IOException {
        if (holder != null) {
            holder.close();
        }
        endBystander();
        if (madeKey != null && madeKey.equals(key())) {
            Files.deleteIfExists(lockFile);
        }
        holder = null;
        madeKey = null;
    }

    /**
     * {@return what identifies the file that lies there} It includes the time of modification: a file system may give the number of a deleted file to
     * the next one.
     */
    private @Nullable Object key() throws IOException {
        if (!Files.exists(lockFile, LinkOption.NOFOLLOW_LINKS)) {
            return null;
        }
        BasicFileAttributes attributes = Files.readAttributes(lockFile, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        // a holder changes the time when it renews
        return holder != null ? attributes.fileKey() : List.of(String.valueOf(attributes.fileKey()), attributes.lastModifiedTime());
    }

    /** Removes what was created, if it is still there, and ends its processes. What belongs to somebody else by now stays. */
    @Override
    public void close() {
        try {
            takeBack();
        } catch (IOException e) {
            throw new UncheckedIOException("could not take back " + lockFile, e);
        }
    }
}
