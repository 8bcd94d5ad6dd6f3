package dev.sessionlock.internal.directory;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sessionlock.LockReport;
import dev.sessionlock.internal.system.Failures;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.Mutex;
import dev.sessionlock.internal.system.OpenFile;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.SystemFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Which threads of this process wait for locks of a directory, for other processes to read: {@code waiting-<process>}, a {@link CheckedLine} for each. The keeper
 * writes it at its tick, once a thread has waited for a while, when something has changed, and now and then to show that it is not out of date. Nobody waits for it,
 * and no lock depends on it. {@link WaitingProcesses} reads it.
 */
final class WaitingFile {
    private static final SystemFiles FILES = SystemFiles.OF_THIS_PROCESS;
    static final String PREFIX = "waiting-";
    /** How many waiters are written down. */
    static final int MOST_LINES = 256;
    static final int LONGEST_TEXT = 256;
    static final int LONGEST_NAME = 1024;
    /** Written anew after this, though nothing has changed. */
    private static final long AGAIN_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final RareLog trouble = new RareLog(Loggers.LIBRARY, "others could not be told who waits for locks here, and the locks go on");

    private final LockDirectory directory;
    private final Mutex lock = new Mutex();
    @GuardedBy("lock")
    private List<byte[]> shown = new ArrayList<>();
    @GuardedBy("lock")
    private byte[] written = new byte[0];
    @GuardedBy("lock")
    private long writtenAt;
    /** The file; null if there is none. */
    @GuardedBy("lock")
    private @Nullable Path file;
    /** Its inode, as Java tells it. */
    @GuardedBy("lock")
    private @Nullable Object key;

    WaitingFile(LockDirectory directory) {
        this.directory = directory;
    }

    /** These threads wait for a lock, until {@link #write} is called. Memory only. */
    void show(String name, List<LockReport.Waiter> waiters) {
        ProcessIdentity self = ProcessIdentity.current();
        lock.locked(() -> {
            for (LockReport.Waiter waiter : waiters) {
                if (shown.size() < MOST_LINES) {
                    shown.add(new CheckedLine().number("v", 1L).text("name", name, LONGEST_NAME).number("pid", self.pid()).number("starttime", self.startTicks())
                            .time("started", self.started()).text("boot", self.boot(), LONGEST_TEXT).text("pidns", self.pidNamespace(), LONGEST_TEXT)
                            .text("timens", self.timeNamespace(), LONGEST_TEXT).text("thread", waiter.thread(), LONGEST_TEXT)
                            .text("purpose", waiter.purpose(), LONGEST_TEXT).time("since", waiter.since()).bytes());
                }
            }
        });
    }

    /** Writes who was shown since the last call; if nobody was, removes the file. Throws nothing because of the disk. On a worker of the keeper. */
    void write() {
        lock.locked(() -> {
            List<byte[]> lines = shown;
            if (lines.isEmpty() && file == null) {
                return;
            }
            shown = new ArrayList<>();
            try {
                write(lines);
            } catch (IOException | RuntimeException e) {
                trouble.warn(e.toString(), null);
            }
        });
    }

    private void write(List<byte[]> lines) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] line : lines) {
            all.writeBytes(line);
            all.write('\n');
        }
        byte[] bytes = all.toByteArray();
        Path path = directory.inner().resolve(PREFIX + Long.toHexString(directory.recordFiles().process()));
        if (lines.isEmpty() || !path.equals(file)) {
            remove();
        }
        boolean stays = Arrays.equals(bytes, written) && System.nanoTime() - writtenAt < AGAIN_NANOS;
        if (!lines.isEmpty() && !stays && directory.mayCreate()) {
            try (OpenFile open = open(path)) {
                open.write(bytes);
                open.setLength(bytes.length);
            }
            written = bytes;
            writtenAt = System.nanoTime();
        }
    }

    private OpenFile open(Path path) throws IOException {
        if (key != null) {
            try {
                return directory.mode().openRecord(path, key);
            } catch (NoSuchFileException e) {
                key = null; // somebody removed it
            }
        }
        FileMode.Made made = directory.mode().create(path);
        file = path;
        key = made.key();
        return made.file();
    }

    private void remove() throws IOException {
        Path path = file;
        Object its = key;
        file = null;
        key = null;
        written = new byte[0];
        if (path != null && its != null) {
            Path there = directory.mode().inner().resolve(path.getFileName());
            if (its.equals(FileKey.ofOrNull(there))) {
                FILES.remove(there).done();
            }
        }
    }

    /** Deletes what processes that are gone have left. */
    void sweep() throws IOException {
        try (DirectoryStream<Path> all = FolderStream.open(directory.mode().inner(), PREFIX)) {
            Failures failures = new Failures();
            for (Path left : all) {
                failures.close(() -> sweep(left));
            }
            failures.throwFirst();
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    private void sweep(Path left) throws IOException {
        long process = processOf(left);
        if (process >= 0 && process != directory.recordFiles().process() && Files.isRegularFile(left, LinkOption.NOFOLLOW_LINKS)
                && directory.recordFiles().isGone(process)) {
            FILES.remove(left).done();
        }
    }

    private static long processOf(Path path) {
        try {
            long process = Long.parseLong(path.getFileName().toString().substring(PREFIX.length()), 16);
            return process >>> GuardLayout.PROCESS_BITS == 0 ? process : -1;
        } catch (NumberFormatException e) {
            return -1; // not one of ours
        }
    }
}
