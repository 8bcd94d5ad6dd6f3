package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The reader of lock files alone: thousands of inputs a second. {@link LockFileFuzzTest}, which has the same corpus, uses what was read, some dozen
 * times a second.
 */
class LockContentFuzzTest {
    static Stream<byte[]> corpus() throws IOException {
        List<byte[]> all = new ArrayList<>(LockFileFuzzTest.records().toList());
        for (Path file : HostileFilesTest.corpus()) {
            all.add(Files.readAllBytes(file));
        }
        return all.stream();
    }

    @MethodSource("corpus")
    @FuzzTest(maxDuration = "10m")
    void anythingIsRead(byte[] file) {
        if (file == null) {
            return; // an input of Jazzer's own
        }
        read(file);
        byte[] sealed = LockFileFuzzTest.sealed(file);
        if (sealed != null) {
            read(sealed);
        }
    }

    private static void read(byte[] file) {
        byte[] before = file.clone();
        LockContent content = LockContent.parse(file);
        assertThat(content.toString()).isNotNull();
        assertThat(LockContent.parse(file)).isEqualTo(content);
        assertThat(file).isEqualTo(before);
        if (content instanceof LockContent.Ours ours) { // a renewal turns it into a record again
            assertThat(LockContent.parse(RecordCodec.encode(ours.record()))).isInstanceOf(LockContent.Ours.class);
        }
    }
}
