package dev.sessionlock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * People and programs remove, replace or move the files behind the locks while these are in use. There are never two holders, and locking goes on.
 */
class ReplacedDirectoryTest {
    private static final String PATIENT = "timeout=30000";

    @TempDir
    Path temp;
    private Path dir;
    private Path file;

    @BeforeEach
    void makeDirectory() throws IOException {
        dir = Files.createDirectory(temp.resolve("sessions"));
        file = dir.resolve("session.jsonl");
    }

    @Test
    void directoryThatIsRemovedAndMadeAgainBetweenLocksIsLockedAsBefore() throws Exception {
        try (Puppet one = Puppet.start(); Puppet two = Puppet.start()) {
            for (int i = 0; i < 5; i++) { // inode numbers are used again at once
                one.acquire("a", file);
                assertThat(two.tryAcquire("b", file)).isFalse();
                one.close("a");
                two.acquire("b", file);
                two.close("b");
                remove(dir);
                Files.createDirectory(dir);
            }
            assertThat(one.tryAcquire("a", file)).isTrue();
            assertThat(two.tryAcquire("b", file)).isFalse();
        }
    }

    @Test
    void directoryThatIsRemovedIsToldInWordsAndOneThatComesBackIsLocked() throws Exception {
        try (Puppet one = Puppet.start()) {
            one.acquire("a", file);
            one.close("a");
            remove(dir);
            Puppet.Reply reply = one.ask("acquire", "a", file, PATIENT);
            assertThat(reply.text()).contains("LockException").contains("does not exist");
            Files.createDirectory(dir);
            one.acquire("a", file);
        }
    }

    @Test
    void holderOfARecreatedDirectoryLosesItsHandleAndHarmsNothing() throws Exception {
        try (Puppet old = Puppet.start(); Puppet fresh = Puppet.start()) {
            for (int i = 0; i < 3; i++) {
                old.acquire("a" + i, file, "grace=200");
                remove(dir);
                Files.createDirectory(dir);
                Puppet.Held held = fresh.acquire("b" + i, file, PATIENT);
                assertThat(old.awaitLost("a" + i).detail(0)).isIn("REMOVED_BY_HAND", "KERNEL_LOCK_LOST");
                old.close("a" + i);
                Thread.sleep(500); // the old holder's keeper cleans up

                assertThat(fresh.verify("b" + i)).isEqualTo("held");
                assertThat(Files.readString(dir.resolve("session.jsonl.lock"))).contains("\"token\":" + held.token() + ",");
                assertThat(KernelTruth.seats(dir, fresh.jvm().pid())).hasSize(1);
                assertThat(old.tryAcquire("a", file)).isFalse();
                fresh.close("b" + i);
            }
            old.acquire("a", file, PATIENT);
        }
    }

    @Test
    void waiterWhoseDirectoryIsRemovedAndMadeAgainGetsTheLockOfTheNewOne() throws Exception {
        try (Puppet old = Puppet.start(); Puppet waiter = Puppet.start()) {
            old.acquire("a", file, "grace=200");
            Puppet.Call waiting = waiter.beginAcquire("b", file, PATIENT);
            Thread.sleep(300);
            remove(dir);
            Files.createDirectory(dir);
            Puppet.held(waiting);
            assertThat(waiter.verify("b")).isEqualTo("held");
            assertThat(old.awaitLost("a").detail(0)).isIn("REMOVED_BY_HAND", "KERNEL_LOCK_LOST");
            assertThat(old.tryAcquire("a2", file)).isFalse();
            old.close("a");
            assertThat(waiter.verify("b")).isEqualTo("held");
        }
    }

    @Test
    void guardsThatAreRemovedWhileALockIsHeldLetNobodyIn() throws Exception {
        removedUnderAHolder(() -> {
            try (var guards = Files.newDirectoryStream(dir.resolve(".session-locks"), "guard-*")) {
                for (Path guard : guards) {
                    Files.delete(guard);
                }
            }
        });
    }

    @Test
    void removedTableLetsNobodyInBesideAHolder() throws Exception {
        removedUnderAHolder(() -> Files.delete(dir.resolve(".session-locks/board")));
    }

    @Test
    void sessionLocksDirectoryThatIsRemovedWhileALockIsHeldLetsNobodyIn() throws Exception {
        removedUnderAHolder(() -> remove(dir.resolve(".session-locks")));
    }

    /** So many that most records can only be rewritten by their paths, which are gone. */
    @Test
    void sessionLocksDirectoryThatIsRemovedWhileManyLocksAreHeldLetsNobodyIn() throws Exception {
        removedUnderAHolder(40, () -> remove(dir.resolve(".session-locks")));
    }

    @Test
    void removedFolderContentLetsNobodyInBesideManyHolders() throws Exception {
        removedUnderAHolder(40, () -> {
            try (var all = Files.newDirectoryStream(dir.resolve(".session-locks"))) {
                for (Path each : all) {
                    Files.delete(each);
                }
            }
        });
    }

    private interface Hand {
        void run() throws IOException;
    }

    /** With a process that knew the directory before, and one that comes later. */
    private void removedUnderAHolder(Hand hand) throws Exception {
        removedUnderAHolder(0, hand);
    }

    private void removedUnderAHolder(int others, Hand hand) throws Exception {
        try (Puppet holder = Puppet.start(); Puppet known = Puppet.start(); Puppet late = Puppet.start()) {
            known.acquire("warm", file);
            known.close("warm");
            for (int i = 0; i < others; i++) {
                holder.acquire("other-" + i, dir.resolve("other-" + i));
            }
            // If many are held: shorter than the keeper needs to notice by itself what was done.
            Puppet.Held held = holder.acquire("a", file, others > 0 ? "lease=1500" : "lease=4000", "grace=300");
            holder.watch("a");
            hand.run();
            takeTurns(holder, held, new Waiting(known, "b", file), new Waiting(late, "c", file));
        }
    }

    /** A puppet that waits for a lock. */
    private record Waiting(Puppet puppet, String handle, Puppet.Call call) {
        Waiting(Puppet puppet, String handle, Path file) {
            this(puppet, handle, puppet.beginAcquire(handle, file, PATIENT));
        }
    }

    /**
     * The holder of handle "a" may be revoked because of what was done, and so may those after it, if it turns out that they have used removed files.
     * Otherwise it closes after a while. But nobody gets in before the last moment of the holder before.
     */
    private static void takeTurns(Puppet holder, Puppet.Held held, Waiting... waiting) throws InterruptedException {
        List<Waiting> others = new ArrayList<>(List.of(waiting));
        Puppet in = holder;
        String handle = "a";
        long patience = 7_000; // longer than the keeper needs to notice it
        for (Puppet.Held last = held; !others.isEmpty(); patience = 500) {
            long end = System.nanoTime() + patience * 1_000_000;
            while (others.stream().noneMatch(w -> w.call().isDone())) {
                if (System.nanoTime() > end) {
                    in.close(handle);
                }
                Thread.sleep(5);
            }
            Waiting next = null;
            for (Waiting each : others) { // the first, in case this test was too slow to see one come and go
                if (each.call().isDone() && (next == null || Puppet.held(each.call()).nanos() < Puppet.held(next.call()).nanos())) {
                    next = each;
                }
            }
            Puppet.Held entry = Puppet.held(next.call());
            next.puppet().watch(next.handle());
            in.close(handle);
            assertThat(in.heldTo(handle)).as("the last moment of %s, before the entry of %s", handle, next.handle()).isLessThan(entry.nanos());
            assertThat(entry.token()).as("token of %s after that of %s", next.handle(), handle).isGreaterThan(last.token());
            others.remove(next);
            in = next.puppet();
            handle = next.handle();
            last = entry;
        }
        assertThat(in.verify(handle)).as("the last one, who has nobody beside it").isIn("held", "lost KERNEL_LOCK_LOST");
        in.close(handle);
    }

    // ---- moved ----

    @Test
    void directoryThatIsMovedWhileItsLocksAreHeldIsStillLockedUnderItsNewPath() throws Exception {
        Path moved = temp.resolve("moved");
        Path movedFile = moved.resolve("session.jsonl");
        try (Puppet holder = Puppet.start(); Puppet other = Puppet.start(); Puppet late = Puppet.start()) {
            other.acquire("warm", file);
            other.close("warm");
            Puppet.Held held = holder.acquire("a", file, "lease=4000 grace=300");
            holder.watch("a");
            Files.move(dir, moved);
            takeTurns(holder, held, new Waiting(holder, "same", movedFile), new Waiting(other, "b", movedFile), new Waiting(late, "c", movedFile));

            holder.acquire("again", movedFile, PATIENT);
            assertThat(other.tryAcquire("b", movedFile)).isFalse();
            assertThat(KernelTruth.seats(moved, holder.jvm().pid())).hasSize(1);
            assertThat(moved.resolve("session.jsonl.lock")).exists();

            // And whatever is created at the old path is another directory.
            Files.createDirectory(dir);
            other.acquire("fresh", file);
            assertThat(late.tryAcquire("fresh", file)).isFalse();
        }
    }

    private static void remove(Path directory) throws IOException {
        for (int tries = 0; ; tries++) {
            try (Stream<Path> all = Files.walk(directory)) {
                for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
                return;
            } catch (IOException | java.io.UncheckedIOException e) {
                if (tries == 50) { // a waiter creates a file while its directory is being removed
                    throw e;
                }
            }
        }
    }
}
