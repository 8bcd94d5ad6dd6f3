package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.FileLock;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** An asynchronous channel on a file beneath the lab's directory. Its writes go through the fault injector on a thread of its executor. */
final class LabAsynchronousFileChannel extends AsynchronousFileChannel {
    private static final ExecutorService OURS = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "lab-asynchronous-io");
        thread.setDaemon(true);
        return thread;
    });

    private final FaultInjector injector;
    private final Path path;
    private final AsynchronousFileChannel real;
    private final Written written;
    private final boolean writable;
    private final ExecutorService executor;

    LabAsynchronousFileChannel(FaultInjector injector, Path path, AsynchronousFileChannel real, long inode, Set<? extends OpenOption> options,
                               @Nullable ExecutorService executor) {
        this.injector = injector;
        this.path = path;
        this.real = real;
        this.written = new Written(injector, inode, options);
        this.writable = options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
        this.executor = executor == null ? OURS : executor;
    }

    private <T> Future<T> begin(FaultInjector.Body<T> body) {
        CompletableFuture<T> result = new CompletableFuture<>();
        executor.execute(() -> {
            try {
                result.complete(body.run());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    private <T, A> void begin(FaultInjector.Body<T> body, A attachment, CompletionHandler<T, ? super A> handler) {
        executor.execute(() -> {
            T result;
            try {
                result = body.run();
            } catch (Throwable e) {
                handler.failed(e, attachment);
                return;
            }
            handler.completed(result, attachment);
        });
    }

    private static <T> T await(Future<T> future) throws IOException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return future.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof IOException io) {
                        throw io;
                    } else if (e.getCause() instanceof RuntimeException runtime) {
                        throw runtime;
                    }
                    throw new IOException(e.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private int readNow(ByteBuffer dst, long position) throws IOException {
        injector.look(Operation.onChannel(OperationType.READ, path));
        return await(real.read(dst, position));
    }

    private int writeNow(ByteBuffer src, long position) throws IOException {
        return injector.alone(() -> {
            int length = src.remaining();
            if (length == 0 || !real.isOpen()) {
                return await(real.write(src, position));
            }
            long at = written.at(position, real.size());
            return injector.write(Operation.write(path, at, length), length, most -> {
                ByteBuffer copy = src.duplicate();
                ByteBuffer part = src.duplicate();
                part.limit(part.position() + most);
                int count = await(real.write(part, position));
                src.position(src.position() + count);
                written.record(at, copy, count);
                return count;
            });
        });
    }

    private boolean isRefused(ByteBuffer buffer, long position, boolean writes) {
        return position < 0 || writes && !writable || !writes && buffer.isReadOnly(); // then the call itself throws
    }

    @Override
    public <A> void read(ByteBuffer dst, long position, A attachment, CompletionHandler<Integer, ? super A> handler) {
        if (isRefused(dst, position, false)) {
            real.read(dst, position, attachment, handler);
        } else {
            begin(() -> readNow(dst, position), attachment, handler);
        }
    }

    @Override
    public Future<Integer> read(ByteBuffer dst, long position) {
        return isRefused(dst, position, false) ? real.read(dst, position) : begin(() -> readNow(dst, position));
    }

    @Override
    public <A> void write(ByteBuffer src, long position, A attachment, CompletionHandler<Integer, ? super A> handler) {
        if (isRefused(src, position, true)) {
            real.write(src, position, attachment, handler);
        } else {
            begin(() -> writeNow(src, position), attachment, handler);
        }
    }

    @Override
    public Future<Integer> write(ByteBuffer src, long position) {
        return isRefused(src, position, true) ? real.write(src, position) : begin(() -> writeNow(src, position));
    }

    @Override
    public long size() throws IOException {
        return real.size();
    }

    @Override
    public AsynchronousFileChannel truncate(long size) throws IOException {
        injector.alone(() -> {
            if (!writable || !real.isOpen() || size < 0 || size >= real.size()) {
                return real.truncate(size);
            }
            return injector.change(Operation.truncate(path, size), () -> {
                real.truncate(size);
                written.resize(size);
                return null;
            });
        });
        return this;
    }

    @Override
    public void force(boolean metaData) throws IOException {
        if (!real.isOpen()) {
            throw new ClosedChannelException();
        }
        injector.change(Operation.onChannel(OperationType.FORCE, path), () -> {
            real.force(metaData);
            written.force();
            return null;
        });
    }

    @Override
    public <A> void lock(long position, long size, boolean shared, A attachment, CompletionHandler<FileLock, ? super A> handler) {
        real.lock(position, size, shared, attachment, new CompletionHandler<FileLock, A>() {
            @Override
            public void completed(FileLock lock, A attached) {
                handler.completed(LabFileLock.of(LabAsynchronousFileChannel.this, lock), attached);
            }

            @Override
            public void failed(Throwable why, A attached) {
                handler.failed(why, attached);
            }
        });
    }

    @Override
    public Future<FileLock> lock(long position, long size, boolean shared) {
        CompletableFuture<FileLock> result = new CompletableFuture<>();
        lock(position, size, shared, null, new CompletionHandler<FileLock, Void>() {
            @Override
            public void completed(FileLock lock, Void attached) {
                result.complete(lock);
            }

            @Override
            public void failed(Throwable why, Void attached) {
                result.completeExceptionally(why);
            }
        });
        return result;
    }

    @Override
    public @Nullable FileLock tryLock(long position, long size, boolean shared) throws IOException {
        return LabFileLock.of(this, real.tryLock(position, size, shared));
    }

    @Override
    public boolean isOpen() {
        return real.isOpen();
    }

    @Override
    public void close() throws IOException {
        real.close();
    }
}
