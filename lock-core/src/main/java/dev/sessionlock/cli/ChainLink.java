package dev.sessionlock.cli;

import dev.sessionlock.LockOwner;
import dev.sessionlock.LockReport;
import dev.sessionlock.LockReport.Waiter;
import dev.sessionlock.internal.system.ThreadNames;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A thread that holds one lock and waits for another one.
 *
 * @param pid its process
 * @param thread its name
 * @param holds what it holds
 * @param waitsFor what it waits for
 * @param waiting how many are known to wait for what it holds
 */
record ChainLink(long pid, String thread, String holds, String waitsFor, int waiting) {

    /**
     * {@return what the holder of a lock waits for, and what the holder of that waits for, and so on} If the last one waits for something that was in the chain before,
     * none of them gets on.
     *
     * @param all the locks of the directory
     */
    static List<ChainLink> above(LockReport lock, List<LockReport> all) {
        List<ChainLink> chain = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        LockReport at = lock;
        while (at != null && seen.add(at.name())) {
            LockReport next = null;
            for (LockReport other : all) {
                ChainLink link = other.name().equals(at.name()) ? null : between(at, other);
                if (link != null) {
                    chain.add(link);
                    next = other;
                    break;
                }
            }
            at = next;
        }
        return List.copyOf(chain);
    }

    /** {@return the threads that wait for a lock, and hold another one for which others wait} */
    static List<ChainLink> below(LockReport lock, List<LockReport> all) {
        return all.stream().filter(other -> !other.name().equals(lock.name()) && !other.waiters().isEmpty()).map(other -> between(other, lock))
                .filter(Objects::nonNull).toList();
    }

    /** {@return the holder of a lock, if it waits for another one} Both must name its thread: other threads of its process have nothing to do with it. */
    private static @Nullable ChainLink between(LockReport held, LockReport other) {
        LockOwner owner = held.owner();
        Long pid = held.holderPid();
        if (owner == null || !ThreadNames.isNamed(owner.thread()) || pid == null) {
            return null;
        }
        for (Waiter waiter : other.waiters()) {
            if (pid.equals(waiter.pid()) && owner.thread().equals(waiter.thread())) {
                return new ChainLink(pid, owner.thread(), held.name(), other.name(), held.waiters().size());
            }
        }
        return null;
    }
}
