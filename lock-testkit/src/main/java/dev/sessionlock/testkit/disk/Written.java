package dev.sessionlock.testkit.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/** Records what is written through one channel. */
final class Written {
    private final FaultInjector injector;
    private final long inode;
    private final boolean append;
    /** Opened with SYNC or DSYNC: every write is forced before it returns. */
    private final boolean forced;

    Written(FaultInjector injector, long inode, Set<? extends OpenOption> options) {
        this.injector = injector;
        this.inode = inode;
        this.append = options.contains(StandardOpenOption.APPEND);
        this.forced = options.contains(StandardOpenOption.SYNC) || options.contains(StandardOpenOption.DSYNC);
    }

    /** {@return where a write lands} In a file opened to append, that is the end, whatever position was asked for (on Linux). */
    long at(long position, long size) {
        return append ? size : position;
    }

    void record(long at, ByteBuffer source, int count) throws IOException {
        if (count > 0) {
            byte[] bytes = new byte[count];
            source.get(bytes);
            injector.record(new Effect.Wrote(inode, at, bytes));
            if (forced) {
                force();
            }
        }
    }

    void resize(long size) throws IOException {
        injector.record(new Effect.Resized(inode, size));
    }

    void force() throws IOException {
        injector.record(new Effect.Forced(inode));
    }
}
