package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Sha256Test {
    @Test
    void itIsTheJdksForTextsOfAllLengths() throws NoSuchAlgorithmException {
        MessageDigest jdks = MessageDigest.getInstance("SHA-256");
        Random random = new Random(1);
        for (int i = 0; i < 2_000; i++) {
            byte[] text = new byte[i % 300];
            random.nextBytes(text);
            assertThat(Sha256.head(text)).as("%s bytes", text.length).isEqualTo(ByteBuffer.wrap(jdks.digest(text)).getLong());
        }
    }
}
