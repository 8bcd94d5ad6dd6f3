package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileLockStoreTest {
    @TempDir
    Path dir;

    @Test
    void lockThatComesAndGoesIsNotTakenForAFileThatMayNotBeRead() throws Exception {
        Path lockFile = dir.resolve("session.jsonl.lock");
        Path record = Files.writeString(dir.resolve("record"), "{\"pid\":1,\"createdAt\":\"2026-02-09T06:45:43.000Z\"}");
        AtomicBoolean over = new AtomicBoolean();
        CompletableFuture<Void> other = CompletableFuture.runAsync(() -> comeAndGo(lockFile, record, over));
        try {
            for (int i = 0; i < 30_000; i++) {
                LockStore.Found found = LockFileReader.read(lockFile);
                assertThat(found != null && found.content() instanceof LockContent.NotALock).as("look %d: %s", i, found).isFalse();
            }
        } finally {
            over.set(true);
            other.join();
        }
    }

    private static void comeAndGo(Path lockFile, Path record, AtomicBoolean over) {
        try {
            while (!over.get()) {
                Files.createLink(lockFile, record);
                Files.delete(lockFile);
            }
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
