package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A record file that another program has made longer. */
class LengthenedRecordFileTest {
    private static final byte[] RECORD = {'{', '}', '\n'};

    @TempDir
    Path dir;

    /** Its first user had seen that it is longer, and gave it back without writing again. */
    @Test
    void isCutWhenItIsUsedAgain() throws Exception {
        GuardFiles guards = new GuardFiles(dir, FileMode.of(dir));
        guards.enter(dir);
        RecordFilePool pool = new RecordFilePool(dir, FileMode.of(dir), guards);
        try {
            RecordFilePool.PooledFile file = pool.take();
            file.write(RECORD);
            Files.write(file.path(), new byte[13], StandardOpenOption.APPEND);
            file.mayBeLonger();
            pool.recycle(file);
            RecordFilePool.PooledFile again = pool.take();
            again.write(RECORD);
            assertThat(again.path()).isEqualTo(file.path()).hasBinaryContent(RECORD);
            pool.recycle(again);
        } finally {
            pool.close();
            guards.leave();
        }
    }
}
