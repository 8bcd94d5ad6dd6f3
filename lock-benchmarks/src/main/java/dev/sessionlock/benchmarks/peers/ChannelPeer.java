package dev.sessionlock.benchmarks.peers;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.locks.ReentrantLock;

/** The kernel lock that the JDK offers. */
final class ChannelPeer {
    private ChannelPeer() {
    }

    /** One channel for the JVM. Its threads queue in front of it, since two at once would get an {@link OverlappingFileLockException}. */
    static PeerLock kept(Path directory, String name) throws IOException {
        FileChannel channel = openForLocking(directory.resolve(name));
        ReentrantLock threads = new ReentrantLock();
        return new PeerLock() {
            @Override
            public AutoCloseable acquire() throws Exception {
                threads.lockInterruptibly();
                try {
                    FileLock lock = channel.lock();
                    return () -> {
                        try {
                            lock.release();
                        } finally {
                            threads.unlock();
                        }
                    };
                } catch (Throwable e) {
                    threads.unlock();
                    throw e;
                }
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }

    /**
     * A channel for each acquisition. A thread that meets another thread of its own JVM closes its channel and tries again. That drops the other
     * thread's lock: closing any descriptor of a file drops the process's locks on it.
     */
    static PeerLock openedEachTime(Path directory, String name) {
        Path file = directory.resolve(name);
        return new PeerLock() {
            @Override
            public AutoCloseable acquire() throws Exception {
                while (true) {
                    FileChannel channel = openForLocking(file);
                    try {
                        channel.lock();
                        return channel; // closing it releases the lock
                    } catch (OverlappingFileLockException e) {
                        channel.close();
                        Polling.pause();
                    }
                }
            }

            @Override
            public boolean staysOpen() {
                return false;
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        };
    }

    private static FileChannel openForLocking(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }
}
