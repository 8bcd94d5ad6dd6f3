package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.directory.LockPlace.Found;
import dev.sessionlock.internal.system.KernelLocks;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.spi.Clock;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import org.jetbrains.annotations.Nullable;

/**
 * Looks at one lock of a directory, or at all of them at once: the board is mapped once, the kernel asked once a round, each record
 * read once. The disk and the kernel cannot be read at one moment, so a lock whose record and byte contradict each other is looked at
 * again, all such locks together: what changed hands in between is told from what is wrong.
 *
 * <p>It only looks: nothing is made, no guard is opened (closing it would drop this process's bytes), no byte is asked for.
 */
final class Survey {
    private static final int ROUNDS = 5;
    private static final long PAUSE_NANOS = 200_000;
    private static final String SUFFIX = ".lock";
    private static final String TAKEOVER = "takeover-";
    /** In bytes: that of files on Unix. */
    private static final int LONGEST_NAME = 255;

    private final Path home;
    private final Path inner;
    private final ProcessIdentity self = ProcessIdentity.current();
    /** Whether anybody has locked anything here. */
    private final boolean used;
    private final Traits traits;
    private final @Nullable Board board;
    /** The names in the directory and in our folder, if all locks are looked at: what is not among them need not be asked for. */
    private @Nullable Set<String> files;
    private @Nullable Set<String> innerFiles;
    /** Of the names, each once. */
    private final Map<String, Long> hashes = new HashMap<>();
    /** What the kernel said first. */
    private @Nullable Bytes firstBytes;

    Survey(Path home) throws IOException {
        this.home = home;
        this.inner = home.resolve(LockDirectory.INNER);
        this.used = Files.isDirectory(inner, LinkOption.NOFOLLOW_LINKS);
        if (!used && Files.exists(inner, LinkOption.NOFOLLOW_LINKS)) {
            throw FileMode.notADirectory(inner, null); // nobody can lock here: "no locks" would be no answer
        }
        this.traits = used ? Traits.of(home) : new Traits(null, false);
        this.board = used ? boardOf(inner, self) : null;
    }

    private static @Nullable Board boardOf(Path inner, ProcessIdentity self) throws IOException {
        try {
            return Board.openToLook(inner, self);
        } catch (NoSuchFileException | FileNotFoundException e) {
            return null; // not there, or not readable for this user: the report says what else is known
        }
    }

    /** {@return what can be seen of one lock} */
    Glance of(String name) throws IOException {
        return look(List.of(name)).get(name);
    }

    /**
     * {@return what can be seen of every lock that leaves a trace: a file beside its target, a successor's record, or a kernel byte
     * without either whose target is in the directory; by name}
     */
    Collection<Glance> ofAll() throws IOException {
        files = namesIn(Files.newDirectoryStream(home));
        Set<String> locks = new TreeSet<>();
        for (String file : files) {
            if (file.endsWith(SUFFIX) && file.length() > SUFFIX.length()) {
                locks.add(file.substring(0, file.length() - SUFFIX.length()));
            }
        }
        if (used) {
            innerFiles = namesInInner();
            innerFiles.stream().filter(file -> file.startsWith(TAKEOVER) && file.length() > TAKEOVER.length())
                    .forEach(file -> locks.add(file.substring(TAKEOVER.length())));
        }
        Map<String, Glance> all = look(locks);
        all.putAll(look(thoseWithoutRecord(locks)));
        return all.values();
    }

    /** Their records were removed by hand; the kernel knows them by number alone, so that their names can but be guessed. */
    private Set<String> thoseWithoutRecord(Set<String> locks) {
        Bytes bytes = firstBytes;
        if (bytes == null) {
            return Set.of();
        }
        Set<KernelLocks.Entry> unknown = bytes.ofSeats();
        locks.forEach(name -> bytes.on(hash(name)).forEach(unknown::remove));
        Set<String> found = new TreeSet<>();
        for (String file : unknown.isEmpty() || files == null ? Set.<String>of() : files) {
            if (bytes.on(hash(file)).stream().anyMatch(unknown::contains)) {
                found.add(file);
            }
        }
        return found;
    }

    /** Our folder may be another user's, or just removed by hand: the records beside the targets are there all the same. */
    private Set<String> namesInInner() throws IOException {
        try {
            return namesIn(FolderStream.open(inner, ""));
        } catch (AccessDeniedException | NoSuchFileException e) {
            return Set.of();
        }
    }

    /** {@return the names in a directory, but for those that this JVM cannot write down: {@link FileNames#locksWithoutText}} */
    private static Set<String> namesIn(DirectoryStream<Path> directory) throws IOException {
        Set<String> names = new HashSet<>();
        try (DirectoryStream<Path> entries = directory) {
            for (Path entry : entries) {
                if (FileNames.isText(entry.getFileName())) {
                    names.add(entry.getFileName().toString());
                }
            }
            return names;
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    // ---- rounds ----

    /** What lay at a lock's two spots. */
    private record Sighting(String name, @Nullable Found record, @Nullable Found takeover) {
    }

    private Map<String, Glance> look(Collection<String> names) throws IOException {
        Map<String, Glance> settled = new TreeMap<>();
        Collection<String> open = names;
        for (int round = 1; round == 1 && firstBytes == null || !open.isEmpty(); round++) {
            long now = Clock.SYSTEM.nanos(); // before everything else: leases that are renewed meanwhile look the longer
            List<Sighting> seen = new ArrayList<>(open.size());
            for (String name : open) {
                seen.add(sight(name, round > 1 || innerFiles == null || innerFiles.contains(TAKEOVER + name)));
            }
            Bytes bytes = used ? readBytes() : Bytes.NONE;
            firstBytes = firstBytes == null ? bytes : firstBytes;
            List<String> again = new ArrayList<>();
            for (Sighting sighting : seen) {
                Glance glance = glance(sighting, bytes, now);
                if (round == ROUNDS || !isTorn(sighting) && (agrees(glance) || isStill(sighting))) {
                    settled.put(sighting.name(), glance);
                } else {
                    again.add(sighting.name());
                }
            }
            if (!again.isEmpty()) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            open = again;
        }
        return settled;
    }

    private Sighting sight(String name, boolean alsoTakeover) throws IOException {
        Found record = FilePlace.readOnce(home.resolve(name + SUFFIX));
        return new Sighting(name, record, used && alsoTakeover ? takeover(name) : null);
    }

    private @Nullable Found takeover(String name) throws IOException {
        boolean fits = TAKEOVER.length() + name.getBytes(StandardCharsets.UTF_8).length <= LONGEST_NAME; // else nobody ever had such a file
        return fits ? FilePlace.readOnce(inner.resolve(TAKEOVER + name)) : null;
    }

    /** Perhaps it was read in the middle of its owner's rewriting. */
    private static boolean isTorn(Sighting sighting) {
        return isTorn(sighting.record()) || isTorn(sighting.takeover());
    }

    private static boolean isTorn(@Nullable Found found) {
        return found != null && found.content() instanceof LockContent.Torn;
    }

    /** {@return whether record and kernel tell one story, or the kernel tells none} */
    private static boolean agrees(Glance glance) {
        List<List<Long>> owners = glance.owners();
        if (owners == null) {
            return true;
        } else if (glance.takeover() != null || !owners.get(1).isEmpty()) {
            return false;
        } else if (glance.record() == null) {
            return owners.get(0).isEmpty();
        }
        return glance.record().content() instanceof LockContent.Ours ours && owners.get(0).contains(ours.record().pid());
    }

    /** {@return whether what lay there before the kernel was asked still does: then it lay there when the kernel was asked} */
    private boolean isStill(Sighting before) throws IOException {
        Sighting now = sight(before.name(), true);
        return isSame(before.record(), now.record()) && isSame(before.takeover(), now.takeover());
    }

    private static boolean isSame(@Nullable Found one, @Nullable Found other) {
        if (one == null || other == null) {
            return one == other;
        }
        boolean sameHold = one.content() instanceof LockContent.Ours a && other.content() instanceof LockContent.Ours b
                && a.record().token() == b.record().token(); // renewed perhaps
        return one.key().equals(other.key()) && (sameHold || Objects.equals(one.content(), other.content()));
    }

    private Glance glance(Sighting sighting, @Nullable Bytes bytes, long now) throws IOException {
        String name = sighting.name();
        long h = used ? hash(name) : 0;
        Line line = board == null ? null : board.find(h);
        return new Glance(
                home.resolve(name),
                sighting.record(),
                sighting.takeover(),
                bytes == null ? null : List.of(bytes.holders(h, 0), bytes.holders(h, 1)),
                line == null ? List.of(0L, 0L) : List.of(line.until(0), line.until(1)),
                board == null || board.comparable(),
                files == null ? Files.exists(home.resolve(name), LinkOption.NOFOLLOW_LINKS) : files.contains(name),
                used,
                line == null ? 0 : line.lastToken(),
                now,
                self);
    }

    private long hash(String name) {
        return hashes.computeIfAbsent(name, it -> LockName.hash(traits.foldsNames() ? LockName.fold(it) : it));
    }

    // ---- the kernel's word ----

    /** Which bytes of the guards are held, by guard and first byte. Two owners cannot hold one byte, so that no two overlap. */
    private record Bytes(Map<Integer, TreeMap<Long, KernelLocks.Entry>> byGuard) {
        /** Where no guard was ever made nobody can hold a byte of one. */
        private static final Bytes NONE = new Bytes(Map.of());

        @Nullable KernelLocks.Entry at(long h, int seat) {
            TreeMap<Long, KernelLocks.Entry> guard = byGuard.get(Guards.guardOf(h));
            Map.Entry<Long, KernelLocks.Entry> entry = guard == null ? null : guard.floorEntry(Guards.positionOf(h, seat));
            return entry != null && entry.getValue().covers(Guards.positionOf(h, seat)) ? entry.getValue() : null;
        }

        List<Long> holders(long h, int seat) {
            KernelLocks.Entry entry = at(h, seat);
            return entry == null ? List.of() : List.of(entry.pid());
        }

        List<KernelLocks.Entry> on(long h) {
            List<KernelLocks.Entry> entries = new ArrayList<>(2);
            for (int seat = 0; seat < 2; seat++) {
                KernelLocks.Entry entry = at(h, seat);
                if (entry != null) {
                    entries.add(entry);
                }
            }
            return entries;
        }

        Set<KernelLocks.Entry> ofSeats() {
            Set<KernelLocks.Entry> all = new HashSet<>();
            byGuard.values().forEach(guard -> all.addAll(guard.tailMap(Guards.positionOf(0, 0)).values()));
            return all;
        }
    }

    /** {@return what the kernel says; null if it does not say} */
    private @Nullable Bytes readBytes() {
        Map<Long, Integer> guards = new HashMap<>();
        for (int guard = 0; guard < Guards.COUNT; guard++) {
            guards.put(Guards.inode(inner, guard), guard);
        }
        guards.remove(-1L);
        if (guards.isEmpty()) {
            return Bytes.NONE;
        } else if (!self.seesItselfInProc()) {
            return null;
        }
        Optional<List<KernelLocks.Entry>> entries = new KernelLocks().read(guards::containsKey);
        return entries.map(all -> {
            Map<Integer, TreeMap<Long, KernelLocks.Entry>> byGuard = new HashMap<>();
            for (KernelLocks.Entry entry : all) {
                if (!entry.waiting()) {
                    byGuard.computeIfAbsent(guards.get(entry.inode()), guard -> new TreeMap<>()).put(entry.start(), entry);
                }
            }
            return new Bytes(byGuard);
        }).orElse(null);
    }
}
