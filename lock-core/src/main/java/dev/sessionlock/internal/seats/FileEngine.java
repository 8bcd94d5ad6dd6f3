package dev.sessionlock.internal.seats;

import dev.sessionlock.LockException;
import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.PastHold;
import dev.sessionlock.internal.directory.HoldHistory;
import dev.sessionlock.internal.directory.LockContent;
import dev.sessionlock.internal.directory.LockDirectory;
import dev.sessionlock.internal.directory.LockSnapshot;
import dev.sessionlock.internal.directory.OpenDirectories;
import dev.sessionlock.internal.directory.TableFault;
import dev.sessionlock.internal.directory.WaitingProcesses;
import dev.sessionlock.internal.system.Log;
import dev.sessionlock.internal.system.Loggers;
import dev.sessionlock.internal.system.OpenFiles;
import dev.sessionlock.internal.system.ProcessTable;
import dev.sessionlock.internal.system.RareLog;
import dev.sessionlock.internal.system.SystemFiles;
import dev.sessionlock.internal.system.ThreadNames;
import dev.sessionlock.internal.system.UnprovenSystemWarning;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.Maintainable;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;

/** The engine for locks on files of this machine: two seats for each lock, in the directory of the file. */
public final class FileEngine implements FileLockEngine {
    /** The one engine of this process: to the kernel a process is a single owner, whatever the number of engines. */
    public static final FileEngine OF_THIS_PROCESS = new FileEngine();

    private static final Log log = Loggers.LIBRARY;
    private static final RareLog trouble = new RareLog(log, "a directory of locks could not be looked after, and is looked at again");

    private final OpenDirectories directories = OpenDirectories.OF_THIS_PROCESS;

    private FileEngine() {
        OpenFiles.limit(); // while /proc can still be read
    }

    /** The directory may be named in any way; the file's own name counts as it is, except where the system has several for one file. */
    @Override
    public LockId idOf(Path target, boolean networkAllowed) throws IOException {
        LockNameRules.requireDefaultFileSystem(target);
        Path absolute = target.toAbsolutePath();
        Path name = absolute.getFileName();
        if (name == null || name.toString().equals(".") || name.toString().equals("..") || name.toString().isEmpty()) {
            absolute = absolute.toRealPath();
            name = absolute.getFileName();
        }
        if (name == null) {
            throw new LockException("the root directory cannot be locked: there is nothing beside it to put the lock into");
        }
        LockNameRules.requireText(absolute, target);
        String its = SystemFiles.OF_THIS_PROCESS.nameOf(absolute);
        LockNameRules.requireLockable(its, target);
        return new LockId(absolute.getParent(), its, networkAllowed);
    }

    @Override
    public LockId canonical(LockId id) throws IOException {
        return new LockId(id.parent().toRealPath(), id.name(), id.networkAllowed());
    }

    /** Looks only where {@code .session-locks} would be created: elsewhere {@link LockNamespace#requireLockable} is early enough. */
    @Override
    public void requireLockable(LockId id) throws LockException {
        Path parent = id.parent();
        if (!directories.isOpen(parent) && !Files.exists(parent.resolve(LockDirectory.INNER), LinkOption.NOFOLLOW_LINKS)) {
            LockNameRules.requireFile(real(parent), id.name());
        }
    }

    /** {@return the real path, or what was given if there is none: {@link #pin} says why} */
    private static Path real(Path parent) {
        try {
            return parent.toRealPath();
        } catch (IOException e) {
            return parent;
        }
    }

    @Override
    public LockNamespace pin(LockId id) throws IOException {
        Loggers.load();
        UnprovenSystemWarning.OF_THIS_PROCESS.log();
        return viewOf(directories.pin(id.parent(), id.networkAllowed()));
    }

    private OpenDirectory viewOf(LockDirectory directory) {
        return directory.view(OpenDirectory.class, OpenDirectory::new);
    }

    /** A directory that is open in this process. Each may be on a disk of its own. */
    private final class OpenDirectory implements LockNamespace, Maintainable {
        private final LockDirectory directory;

        private OpenDirectory(LockDirectory directory) {
            this.directory = directory;
        }

        @Override
        public String key(String name) {
            return directory.key(name);
        }

        @Override
        public void requireLockable(String name) throws LockException {
            LockNameRules.requireFile(directory.home(), name);
            LockNameRules.requireKey(directory, name);
        }

        @Override
        public EngineLock lock(String name) {
            return new SeatEngine(directory.store(name));
        }

        @Override
        public void pinAgain() {
            directories.pinAgain(directory);
        }

        @Override
        public void unpin() {
            directories.unpin(directory);
        }

        @Override
        public void suspect() throws IOException {
            directories.verify(directory);
        }

        @Override
        public void verify() {
            directory.isLookedAt(); // before the look: a suspicion raised during it counts for the next look
            try {
                directories.verify(directory);
            } catch (IOException e) {
                trouble.warn(directory.toString(), e);
            }
        }

        @Override
        public boolean isSuspect() {
            return directory.isSuspect();
        }

        @Override
        public void sweep() {
            try {
                directory.sweep();
            } catch (IOException | DirectoryIteratorException e) {
                log.debug("could not sweep {}; trying again", directory, e);
            }
        }

        @Override
        public void record(boolean last) {
            directory.notes().write(last);
        }

        @Override
        public boolean closeIdle(boolean atOnce) {
            return directories.closeIfIdle(directory, atOnce);
        }

        @Override
        public String toString() {
            return directory.toString();
        }
    }

    // ---- looking ----

    @Override
    public Inspection inspect(LockId id) throws IOException {
        try {
            Path home = id.parent().toRealPath();
            ProcessTable processes = ProcessTable.ofOneLook();
            return inspection(LockSnapshot.at(home, id.name()), processes, WaitingProcesses.in(home, processes));
        } catch (TableFault e) {
            throw e.getCause();
        }
    }

    @Override
    public boolean isDirectory(Path target) {
        return Files.isDirectory(target);
    }

    @Override
    public List<Inspection> inspectAll(Path directory) throws IOException {
        LockNameRules.requireDefaultFileSystem(directory);
        try {
            Path home = directory.toRealPath();
            Collection<LockSnapshot> seen = LockSnapshot.atAll(home);
            ProcessTable processes = ProcessTable.ofOneLook(); // once all records have been read
            WaitingProcesses waiting = WaitingProcesses.in(home, processes);
            return seen.stream().map(each -> inspection(each, processes, waiting)).toList();
        } catch (TableFault e) {
            throw e.getCause();
        }
    }

    private static Inspection inspection(LockSnapshot seen, ProcessTable processes, WaitingProcesses waiting) {
        boolean complete = Inspector.isReplaceableNow(seen);
        boolean bare = seen.record() != null && seen.record().content() instanceof LockContent.Foreign it && it.createdAt() == null;
        LockId id = new LockId(seen.target().getParent(), seen.target().getFileName().toString(), false);
        LockReport report = Inspector.report(seen, processes);
        List<LockReport.Waiter> waiters = waiting.of(id.name(), report.holderPid()).stream().filter(waiter -> !hasGotIn(waiter, report)).toList();
        return new Inspection(id, report.withWaiters(waiters), seen.takeover() != null, complete, bare && !seen.targetExists());
    }

    /** {@return whether a thread has the lock for which it waited when its process last wrote that down, up to a second ago} */
    private static boolean hasGotIn(LockReport.Waiter waiter, LockReport report) {
        LockOwner owner = report.owner();
        return owner != null && ThreadNames.isNamed(owner.thread()) && owner.thread().equals(waiter.thread()) && Objects.equals(waiter.pid(), report.holderPid())
                && waiter.since() != null && owner.since() != null && !waiter.since().isAfter(owner.since());
    }

    @Override
    public List<PastHold> history(LockId id, int most) throws IOException {
        Path home = id.parent().toRealPath();
        return HoldHistory.read(home, name -> name.equals(id.name()), most);
    }

    @Override
    public List<PastHold> historyOfAll(Path directory, int most) throws IOException {
        LockNameRules.requireDefaultFileSystem(directory);
        Path home = directory.toRealPath();
        if (!Files.isDirectory(home)) {
            throw new NotDirectoryException(home.toString());
        }
        return HoldHistory.read(home, name -> true, most);
    }

    // ---- the keeper's ----

    @Override
    public List<? extends Maintainable> maintained() {
        List<Maintainable> parts = new ArrayList<>();
        for (LockDirectory directory : directories.all()) {
            parts.add(viewOf(directory));
        }
        return parts;
    }

    @Override
    public void onSuspicion(Runnable wake) {
        directories.onSuspicion(wake);
    }

    /** Each directory is closed independently. */
    @Override
    public boolean closeIdle(boolean atOnce) {
        return directories.all().isEmpty();
    }
}
