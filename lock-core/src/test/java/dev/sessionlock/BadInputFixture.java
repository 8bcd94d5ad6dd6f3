package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.TreeMap;

/** Bad input and missing resources: a typed exception at once, in words that a person can act on, and the disk as it was. */
abstract class BadInputFixture extends LocksFixture {
    /** Refused at once, though the default timeout is 10 s. The disk is as it was, except for the library's own folder. */
    void assertThatItIsRefused(Path target, Class<? extends LockException> type, String... words) throws IOException {
        TreeMap<String, String> before = Listing.of(dir);
        long start = System.nanoTime();
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> locks.acquire(target)).isExactlyInstanceOf(type).hasMessageContainingAll(words);
            assertThatThrownBy(() -> locks.tryAcquire(target)).isExactlyInstanceOf(type).hasMessageContainingAll(words);
        }
        assertThat(System.nanoTime() - start).as("at once").isLessThan(LockOptions.defaults().timeout().toNanos());
        assertThat(Listing.of(dir)).isEqualTo(before);
        assertThat(Kernel.seatsHeldIn(dir)).isZero();
        assertThat(locks.stats()).isEqualTo(new LockStats(0, 0, 0, 0, 0));
    }
}
