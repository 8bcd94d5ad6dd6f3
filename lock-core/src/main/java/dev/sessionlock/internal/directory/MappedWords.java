package dev.sessionlock.internal.directory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;

/** Words in a mapped file: memory that all processes share. In the byte order of the machine, since all of them run on it. */
final class MappedWords implements TableWords {
    private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private final MappedByteBuffer page;

    MappedWords(MappedByteBuffer page) {
        this.page = page;
    }

    @Override
    public long get(int offset) {
        return (long) WORD.getVolatile(page, offset);
    }

    @Override
    public void set(int offset, long value) {
        WORD.setVolatile(page, offset, value);
    }

    @Override
    public boolean replace(int offset, long expected, long value) {
        return WORD.compareAndSet(page, offset, expected, value);
    }

    @Override
    public int size() {
        return page.capacity();
    }

    @Override
    public boolean isReadOnly() {
        return page.isReadOnly();
    }
}
