package dev.sessionlock.testkit;

import dev.sessionlock.LockException;
import dev.sessionlock.LockLostException.Reason;
import dev.sessionlock.internal.seats.LockNameRules;
import dev.sessionlock.internal.threads.LocalLocks;
import dev.sessionlock.spi.Clock;
import dev.sessionlock.spi.EngineLock;
import dev.sessionlock.spi.FileLockEngine;
import dev.sessionlock.spi.Inspection;
import dev.sessionlock.spi.Internals;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A simulated process. It has its own threads floor, above the memory that it shares with the other processes of its machine. */
final class MemoryProcess implements FileLockEngine {
    static {
        Internals.exportTo(MemoryProcess.class.getModule());
    }

    final MemoryMachine machine;
    final long pid;
    private final OwnClock clock = new OwnClock();
    private final LocalLocks locks;
    // Written under the machine's mutex.
    private volatile boolean dead;
    private volatile @Nullable Long frozenAt;

    MemoryProcess(MemoryMachine machine) {
        this.machine = machine;
        machine.mutex.lock();
        try {
            this.pid = machine.newPid();
        } finally {
            machine.mutex.unlock();
        }
        this.locks = LocalLocks.of(this);
        machine.clock.follow(clock);
    }

    /** The machine's clock, as this process sees it. While the process is frozen, it sees no time pass. */
    private final class OwnClock implements Clock, Clock.Follower {
        private @Nullable Follower threads;

        @Override
        public long nanos() {
            Long frozen = frozenAt;
            return frozen == null ? machine.clock.nanos() : frozen;
        }

        @Override
        public long wallMicros() {
            return machine.clock.wallMicros();
        }

        @Override
        public void follow(Follower follower) {
            threads = follower;
        }

        @Override
        public long nothingIsDueFor() {
            return frozenAt != null ? Long.MAX_VALUE : threads.nothingIsDueFor();
        }

        @Override
        public void moved() {
            if (frozenAt == null) {
                threads.moved();
            }
        }
    }

    LocalLocks locks() {
        return locks;
    }

    boolean isDead() {
        return dead;
    }

    boolean isFrozen() {
        return frozenAt != null;
    }

    void freeze() {
        machine.mutex.lock();
        try {
            if (frozenAt == null) {
                frozenAt = machine.clock.nanos();
            }
        } finally {
            machine.mutex.unlock();
        }
    }

    void wake() {
        machine.mutex.lock();
        try {
            frozenAt = null;
            machine.changed.signalAll();
        } finally {
            machine.mutex.unlock();
        }
        clock.moved(); // at once, all the time that it was frozen
    }

    /**
     * Ends the process.
     *
     * @param inGoodOrder whether its locks are given back; otherwise they are left behind
     */
    void end(boolean inGoodOrder) {
        if (dead) {
            return; // only the first end counts: closing a crashed process does not tidy up what it has left
        } else if (inGoodOrder) {
            locks.loseAll(Reason.SHUTDOWN);
        }
        machine.mutex.lock();
        try {
            dead = true;
            frozenAt = null;
            if (inGoodOrder) {
                machine.slots.values().forEach(slot -> slot.holders.removeIf(holder -> holder.process == this));
            }
            machine.changed.signalAll();
        } finally {
            machine.mutex.unlock();
        }
        clock.moved(); // its handles are lost, and its waiting threads give up
        if (machine.testClock != null) {
            machine.testClock.unfollow(clock);
        }
    }

    private void requireRunning() {
        if (dead) {
            throw new IllegalStateException("the process " + pid + " has ended; a new one is made with anotherProcess()");
        } else if (isFrozen()) {
            throw new IllegalStateException("the process " + pid + " is frozen, and what is frozen does nothing; wake() it first");
        }
    }

    // ---- the SPI ----

    @Override
    public Clock clock() {
        return clock;
    }

    @Override
    public boolean outliveTheProcess() {
        return false;
    }

    @Override
    public LockId idOf(Path target, boolean networkAllowed) throws LockException {
        Path absolute = target.toAbsolutePath().normalize();
        if (absolute.getFileName() == null) {
            throw new LockException("the root directory cannot be locked");
        }
        LockNameRules.requireLockable(absolute.getFileName().toString(), target);
        return new LockId(absolute.getParent(), absolute.getFileName().toString(), networkAllowed);
    }

    static Path path(LockId id) {
        return id.parent().resolve(id.name());
    }

    @Override
    public LockNamespace pin(LockId id) {
        requireRunning();
        return new Directory(this, id.parent());
    }

    /** Nothing has to be opened. */
    private record Directory(MemoryProcess process, Path parent) implements LockNamespace {
        @Override
        public EngineLock lock(String name) {
            return new MemoryEngine(process, parent.resolve(name));
        }
    }

    @Override
    public Inspection inspect(LockId id) {
        return inspection(path(id));
    }

    @Override
    public boolean isDirectory(Path target) {
        Path absolute = target.toAbsolutePath().normalize();
        machine.mutex.lock();
        try {
            return !machine.slots.containsKey(absolute)
                    && machine.slots.keySet().stream().anyMatch(path -> absolute.equals(path.getParent()));
        } finally {
            machine.mutex.unlock();
        }
    }

    @Override
    public List<Inspection> inspectAll(Path directory) {
        Path absolute = directory.toAbsolutePath().normalize();
        machine.mutex.lock();
        try {
            return machine.slots.keySet().stream().filter(path -> absolute.equals(path.getParent())).sorted().map(this::inspection).toList();
        } finally {
            machine.mutex.unlock();
        }
    }

    private Inspection inspection(Path target) {
        return new Inspection(new LockId(target.getParent(), target.getFileName().toString(), false), new MemoryEngine(this, target).inspect());
    }

    @Override
    public boolean closeIdle(boolean atOnce) {
        return true;
    }
}
