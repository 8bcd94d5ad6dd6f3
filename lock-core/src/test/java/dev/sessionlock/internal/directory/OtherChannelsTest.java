package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sessionlock.internal.system.SystemFiles;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.reflect.Proxy;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Channels on which a thread waits, where the system wants one of their own for that, as Windows does. */
class OtherChannelsTest {
    @TempDir
    Path dir;
    private Path file;
    private FileChannel guard;
    private final Deque<FileChannel> toGiveOut = new ArrayDeque<>();
    private final OtherChannels others = new OtherChannels((SystemFiles) Proxy.newProxyInstance(SystemFiles.class.getClassLoader(), new Class<?>[] {SystemFiles.class},
            (proxy, method, args) -> toGiveOut.remove()));

    @BeforeEach
    void open() throws IOException {
        file = Files.createFile(dir.resolve("guard-00"));
        guard = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    @AfterEach
    void close() throws IOException {
        guard.close();
    }

    private FileChannel waitedOn(FileChannel its) throws IOException {
        toGiveOut.add(its);
        return others.toWaitOn(guard, file, FileKey.of(file));
    }

    /** A channel of a file whose closing fails, after the file is closed: a disk said that it lost something. */
    private FileChannel failing(String message) throws IOException {
        return new RandomAccessFile(file.toFile(), "rw") {
            @Override
            public void close() throws IOException {
                super.close();
                throw new IOException(message);
            }
        }.getChannel();
    }

    /** In any order: which of them comes first is up to a hash code. */
    @Test
    void areAllClosedWhateverTheClosingOfOneThrows() throws IOException {
        List<FileChannel> all = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            all.add(waitedOn(i % 10 == 0 ? failing("lost " + i) : FileChannel.open(file, StandardOpenOption.WRITE)));
        }

        assertThatThrownBy(others::closeAll).isInstanceOf(IOException.class).hasMessageStartingWith("lost")
                .satisfies(e -> assertThat(e.getSuppressed()).singleElement().matches(other -> other.getMessage().startsWith("lost")));

        assertThat(all).noneMatch(FileChannel::isOpen);
        assertThatCode(others::closeAll).doesNotThrowAnyException();
        assertThat(all).noneMatch(others::isWaitedOn);
    }

    @Test
    void areOfTheFileThatTheyWereOpenedOn() throws IOException {
        FileChannel its = waitedOn(FileChannel.open(file, StandardOpenOption.WRITE));
        assertThat(others.isOf(FileKey.of(file), its)).isTrue();
        assertThat(others.isWaitedOn(its)).isTrue();
        others.close(its);
        assertThat(others.isWaitedOn(its)).isFalse();
        others.close(guard);
        assertThat(guard.isOpen()).as("it carries bytes, and is none of them").isTrue();
    }

    @Test
    void areNotOfAFileThatWasReplacedMeanwhile() throws IOException {
        FileChannel its = FileChannel.open(file, StandardOpenOption.WRITE);
        toGiveOut.add(its);
        assertThatThrownBy(() -> others.toWaitOn(guard, file, "another file")).isInstanceOf(NoSuchFileException.class);
        assertThat(its.isOpen()).isFalse();
    }

    @Test
    void areNoneWhereTheGuardFilesOwnChannelServes() throws IOException {
        assertThat(waitedOn(guard)).isSameAs(guard);
        others.closeAll();
        assertThat(guard.isOpen()).isTrue();
    }
}
