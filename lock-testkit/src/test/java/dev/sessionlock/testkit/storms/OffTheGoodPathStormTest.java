package dev.sessionlock.testkit.storms;

import dev.sessionlock.testkit.Tools;
import dev.sessionlock.testkit.storms.Storm.Attack;
import dev.sessionlock.testkit.storms.Storm.Plan;
import dev.sessionlock.testkit.storms.Storm.Promise;
import dev.sessionlock.testkit.storms.Storm.Removals;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Storms off the good path, soak profile: code in a holder's own JVM that opens the guard files, interrupts, an operator who removes, moves or
 * restores the files behind the locks, and a machine that runs out of memory, stack, descriptors or disk. Three JVMs of two JDKs share one directory;
 * leases are 1 s; the witness judges holders and tokens. Afterwards a fresh JVM must get every lock, no record may stay, and each JVM must end on
 * SIGTERM, one of them while it works.
 *
 * <p>{@code -Doffpath.seconds=…} sets the length of each (about 25 s by default), {@code -Dstorm.seed=…} repeats the same choices,
 * {@code -Doffpath.removals=NONE} runs only those without a second fault.
 *
 * <h2>The second fault</h2> Each attack also comes with {@code rm *.lock}. <em>Afterwards</em> means: when the keepers have had the time to see what
 * the attack did. Then all promises are judged that are judged without it. <em>Meanwhile</em> means: at any moment. Some attacks lose kernel bytes or
 * the shared table (guard files read, directories removed or moved, a restored backup, a table cut short). The record was then the only witness left,
 * and two holders are a known limit (PROTOCOL.md, section 1). So holders and tokens are not judged then, but everything else is. With attacks that
 * lose none of these (interrupts, no memory, no stack, no descriptors, a full disk), everything is judged.
 *
 * <h2>What it is worth</h2> A storm finds things by chance. These were run on the code of the day on which they were written (before the remedies of
 * "Off the good path"), on a machine with two cores that others used as well. In 10 to 30 s each found:
 * <ul>
 * <li>guard files read: 1 of 12,046 and 1 of 14,383 new names with two table entries, and a token of the latter that went back;
 * <li>guard files read while the table has no room: 3 of 24 locks held without an entry, and two holders of two of them once the records
 *     were removed;
 * <li>interrupts of a thread group: 19,545 acquisitions refused with a {@code ClosedChannelException}, and every lock of those guard files
 *     dead in that JVM;
 * <li>guard files and table removed: 2 tokens that went back;
 * <li>a restored backup: 7 times two holders, the longest at the same time for 1.2 s;
 * <li>a table cut short: a JVM that died of SIGBUS, threads that hang, two JVMs that did not end on SIGTERM, 27,776
 *     {@code InternalError}s;
 * <li>no memory: locks whose byte nobody freed, so that nobody could take them any more, records that stayed, and a class of the library
 *     ({@code LockEvents}) that could not be initialised for the rest of that JVM's life;
 * <li>no stack: acquisitions that waited for 20 s in vain, records that stayed, locks that nobody could take any more;
 * <li>no descriptors: 14 leases lost without need, and the locks of other directories with them; {@code TimeoutMessage} could not be
 *     initialised, so that from then on a timeout was reported as a {@code NoClassDefFoundError};
 * <li>no blocks on btrfs: JVMs that died of SIGBUS, threads that hang, a JVM that did not end on SIGTERM.
 * </ul>
 * Three attacks found nothing unless records were removed meanwhile: the whole directory moved away and back, the directory replaced by a new one,
 * {@code .session-locks} removed.
 */
@Isolated
@Tag("soak")
class OffTheGoodPathStormTest {
    private static final int FEW_DESCRIPTORS = 220;

    @TempDir
    Path temp;
    private Path dir;

    @BeforeEach
    void makeDirectory() throws IOException {
        dir = Files.createDirectory(temp.resolve("sessions"));
    }

    private void storm(String name, Plan plan, Set<Promise> promises, Attack attack) throws Exception {
        skipUnlessAskedFor(plan.removals());
        try (Storm storm = new Storm(name + ", records removed: " + plan.removals(), plan, temp)) {
            storm.rage(Duration.ofSeconds(Long.getLong("offpath.seconds", 25)), attack);
            storm.calm();
            storm.assertKept(promises);
        }
    }

    private static void skipUnlessAskedFor(Removals removals) {
        boolean asked = System.getProperty("offpath.removals", removals.name()).equals(removals.name());
        Tools.skipUnless(asked, "storms with records removed " + removals + " were not asked for");
    }

    /** The promises for an attack that loses neither bytes nor words. */
    private static Set<Promise> all() {
        return EnumSet.allOf(Promise.class);
    }

    /** The promises for an attack that loses one of the witnesses. */
    private static Set<Promise> allAgainstOneFault(Removals removals) {
        return removals == Removals.MEANWHILE ? EnumSet.complementOf(EnumSet.of(Promise.ONE_HOLDER, Promise.GROWING_TOKENS)) : all();
    }

    @Nested
    class GuardsReadInTheHoldersJvm {
        /** One guard file, that of all the new names; or each in turn. */
        @ParameterizedTest
        @CsvSource({"0, NONE", "-1, NONE", "0, AFTERWARDS", "-1, AFTERWARDS", "-1, MEANWHILE"})
        void giveNoLockTwoEntriesOrTwoHolders(int guard, Removals removals) throws Exception {
            Plan plan = Plan.in(dir).allowing("lost KERNEL_LOCK_LOST", "lost LEASE_EXPIRED").removals(removals);
            storm("guards read, " + guard, plan, allAgainstOneFault(removals), storm -> {
                Set<String> names = storm.withNewNames(guard, s -> s.tellAll("read-guards", guard, 2_000));
                storm.suspect(TableOnDisk.read(dir).doubled(names));
            });
        }
    }

    @Nested
    class RoomInTheTable {
        /** An entry may be cleared for another lock if nobody has drawn a token from it for a minute. */
        private static final long OLD_MILLIS = 62_000;
        private static final int OLD = 24;

        /**
         * One JVM has held some locks for a minute. Then its guard files are read, so that its bytes are free, while others need room for new names.
         * Whatever becomes of the entries: a holder without one must have lost its lock once its keeper has looked, and nobody gets the lock at the
         * same time when the records are removed later.
         */
        @ParameterizedTest
        @EnumSource(names = {"NONE", "AFTERWARDS"})
        void isNotMadeOfTheEntriesOfTheLiving(Removals removals) throws Exception {
            Plan plan = Plan.in(dir).allowing("lost KERNEL_LOCK_LOST", "lost LEASE_EXPIRED").removals(removals);
            Set<String> old = new LinkedHashSet<>();
            IntStream.range(0, OLD).forEach(i -> old.add("old-" + i));
            storm("guards read while the board has no room", plan, all(), storm -> {
                storm.tellFirst("hold", String.join(",", old));
                Thread.sleep(OLD_MILLIS);
                storm.withNewNames(Gateway.ANY_GUARD, s -> s.tellFirst("read-guards", Gateway.ANY_GUARD, 1_500));
                storm.suspect(old);
                Thread.sleep(Storm.KEEPER_HAS_LOOKED.toMillis());
                TableOnDisk table = TableOnDisk.read(dir);
                for (String name : storm.tellFirst("held").split(",")) {
                    if (!name.equals(Gateway.NONE) && !table.has(name)) {
                        storm.write(Promise.ONE_ENTRY_A_LOCK, name + " is held, and has no line on the board");
                    }
                }
            });
        }
    }

    @Nested
    class InterruptedThreads {
        @ParameterizedTest
        @CsvSource({"group, NONE", "all, NONE", "group, AFTERWARDS", "all, MEANWHILE"})
        void loseNoLockAndNoGuard(String which, Removals removals) throws Exception {
            storm("interrupts, " + which, Plan.in(dir).allowing("interrupted").removals(removals), all(), storm -> {
                storm.tellAll("interrupt", which, 1_500);
                Thread.sleep(1_000);
            });
        }
    }

    @Nested
    class WhatLocksStandOn {
        private Plan plan(Removals removals) {
            return Plan.in(dir).allowing("lost KERNEL_LOCK_LOST", "lost LEASE_EXPIRED", "lost REMOVED_BY_HAND", "refused").removals(removals);
        }

        @ParameterizedTest
        @EnumSource
        void mayBeRemoved(Removals removals) throws Exception {
            storm("rm -rf .session-locks", plan(removals), allAgainstOneFault(removals), storm -> {
                shell("for i in $(seq 50); do rm -rf '" + dir + "/.session-locks' 2> /dev/null && exit 0; done; exit 1"); // others make it anew meanwhile
                Thread.sleep(500 + storm.random().nextInt(2_500));
            });
        }

        @ParameterizedTest
        @EnumSource
        void mayLoseItsFiles(Removals removals) throws Exception {
            // If records are removed as well, a token may go back by less than a millisecond (PROTOCOL.md, section 7).
            Set<Promise> promised = removals == Removals.NONE ? all() : EnumSet.complementOf(EnumSet.of(Promise.GROWING_TOKENS));
            promised.retainAll(allAgainstOneFault(removals));
            storm("rm guards and board", plan(removals), promised, storm -> {
                shell("cd '" + dir + "/.session-locks' && rm -f guard-* board*");
                Thread.sleep(500 + storm.random().nextInt(2_500));
            });
        }

        @ParameterizedTest
        @EnumSource
        void mayBeMovedAwayAndBack(Removals removals) throws Exception {
            storm("directory moved away and back", plan(removals), allAgainstOneFault(removals), storm -> {
                Path away = temp.resolve("away");
                Files.move(dir, away);
                Thread.sleep(20 + storm.random().nextInt(storm.random().nextBoolean() ? 100 : 3_000));
                Files.move(away, dir);
                Thread.sleep(200 + storm.random().nextInt(2_500));
            });
        }

        /** The locks of the new directory are other locks: a holder of the old directory's lock holds it there. */
        @ParameterizedTest
        @EnumSource
        void mayBeReplacedByANewDirectory(Removals removals) throws Exception {
            Plan plan = plan(removals).setting(Duration.ofSeconds(30), 5, true);
            storm("directory replaced", plan, allAgainstOneFault(removals), storm -> {
                Files.move(dir, temp.resolve("old-" + System.nanoTime()));
                Files.createDirectory(dir);
                Thread.sleep(1_000 + storm.random().nextInt(3_000));
            });
        }

        /** A backup of the same day is restored over the live directory: existing files are overwritten in place. */
        @ParameterizedTest
        @EnumSource
        void mayBeRestoredFromABackup(Removals removals) throws Exception {
            // A record that a backup has torn is replaced once it is 30 s old. And the backup overwrites both witnesses at once: another process may
            // come in until the holder's keeper looks, within a tick (PROTOCOL.md, section 1).
            Set<Promise> promised = EnumSet.complementOf(EnumSet.of(Promise.ONE_HOLDER, Promise.GROWING_TOKENS));
            storm("cp -a of a backup", plan(removals).bound(Duration.ofSeconds(45)), promised, storm -> {
                Path backup = temp.resolve("backup");
                shell("rm -rf '" + backup + "' && cp -a '" + dir + "' '" + backup + "' || true"); // files come and go during the copy
                Thread.sleep(500 + storm.random().nextInt(3_000));
                shell("cp -a '" + backup + "'/. '" + dir + "'/ || true");
                Thread.sleep(1_000 + storm.random().nextInt(2_000));
            });
        }

        @ParameterizedTest
        @EnumSource
        void mayHaveATableThatIsCutShort(Removals removals) throws Exception {
            storm("board cut short", plan(removals), allAgainstOneFault(removals), storm -> {
                cutTable(dir, storm);
                Thread.sleep(1_000 + storm.random().nextInt(2_000));
            });
        }

        private void cutTable(Path directory, Storm storm) throws IOException {
            try (DirectoryStream<Path> tableFiles = Files.newDirectoryStream(directory.resolve(".session-locks"), "board*")) {
                for (Path tableFile : tableFiles) {
                    try (RandomAccessFile file = new RandomAccessFile(tableFile.toFile(), "rw")) {
                        file.setLength(storm.random().nextBoolean() ? 0 : file.length() / 2);
                    }
                }
            }
        }
    }

    @Nested
    class WhenSomethingRunsOut {
        private final Duration shortHold = Duration.ofSeconds(3);

        /** Afterwards no lock is dead, neither in the JVM that had no memory nor in others, not even one without takeover. */
        @ParameterizedTest
        @EnumSource
        void memory(Removals removals) throws Exception {
            Plan plan = Plan.in(dir).jvmArgs("-Xmx16m").setting(shortHold, 40, false).removals(removals)
                    // The collector may stop a holder for a lease just as it unlinks its record, which may then be its successor's (PROTOCOL.md,
                    // section 1).
                    .allowing("OutOfMemoryError", "BootstrapMethodError", "InternalError", "lost LEASE_EXPIRED", "lost REMOVED_BY_HAND",
                            "refused LockException: cannot lock");
            // A JVM that has no memory for a whole lease, here a second, renews nothing, in no directory.
            Set<Promise> promised = EnumSet.complementOf(EnumSet.of(Promise.OTHER_DIRECTORIES_UNHARMED));
            storm("no memory", plan, promised, storm -> {
                storm.tellAll("fill-heap", 3_000);
                Thread.sleep(1_000);
            });
        }

        @ParameterizedTest
        @CsvSource({"compiled, NONE", "compiled, AFTERWARDS", "compiled, MEANWHILE", "interpreted, NONE"})
        void stack(String how, Removals removals) throws Exception {
            Plan plan = Plan.in(dir).jvmArgs(how.equals("interpreted") ? "-Xint" : "-XX:TieredStopAtLevel=1").setting(shortHold, 20, false)
                    .allowing("StackOverflowError").removals(removals);
            storm("no stack, " + how, plan, all(), storm -> {
                storm.tellAll("overflow", 30);
                Thread.sleep(500);
            });
        }

        /** Renewing takes no descriptor, so nothing is lost; an acquisition says what is missing. */
        @ParameterizedTest
        @EnumSource
        void descriptors(Removals removals) throws Exception {
            Plan plan = Plan.in(dir).wrappedBy("/bin/sh", "-c", "ulimit -n " + FEW_DESCRIPTORS + " && exec \"$@\"", "sh").removals(removals)
                    .allowing("refused LockException: cannot lock .*([Oo]pen files|descriptor|ulimit)");
            storm("no descriptors", plan, all(), storm -> {
                storm.tellAll("use-up-descriptors", 3_000);
                Thread.sleep(1_500);
            });
        }

        @ParameterizedTest
        @EnumSource
        void blocksOfACopyOnWriteDisk(Removals removals) throws Exception {
            skipUnlessAskedFor(removals);
            BtrfsDisk.require(temp);
            try (BtrfsDisk disk = BtrfsDisk.mount(temp.resolve("disk.img"), dir)) {
                Plan plan = Plan.in(dir).seenFromOutsideAs(disk.mounted(), disk.wrapper()).removals(removals)
                        .allowing("refused LockException: cannot lock", "lost LEASE_EXPIRED") // a renewal writes to a new block, and there is none
                        .bound(Duration.ofSeconds(45)); // a record that a full disk has torn is replaced once it is 30 s old
                storm("no blocks on btrfs", plan, all(), storm -> {
                    Thread.sleep(1_000);
                    disk.sync();
                    disk.fill();
                    Thread.sleep(3_000 + storm.random().nextInt(2_000));
                    disk.free();
                });
            }
        }
    }

    private static void shell(String command) throws IOException, InterruptedException {
        Process shell = new ProcessBuilder("/bin/sh", "-c", command).redirectErrorStream(true).start();
        String said = new String(shell.getInputStream().readAllBytes());
        if (shell.waitFor() != 0) {
            throw new IOException(command + ": " + said);
        }
    }
}
