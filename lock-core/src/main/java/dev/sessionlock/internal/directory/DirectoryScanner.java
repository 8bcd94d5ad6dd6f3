package dev.sessionlock.internal.directory;

import dev.sessionlock.internal.directory.LockStore.Found;
import dev.sessionlock.internal.system.KernelLocks;
import dev.sessionlock.internal.system.ProcessIdentity;
import dev.sessionlock.internal.system.SystemFiles;
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
import org.jspecify.annotations.Nullable;

/**
 * Looks at one lock of a directory, or at all of them at once: the table is mapped once, the kernel asked once a round, each record read once. Disk
 * and kernel cannot be read at one moment. So locks whose record and byte contradict each other are looked at again, all together: that tells locks
 * that changed hands meanwhile from those where something is wrong. The kernel shows its locks a page at a time, so one reading may miss a byte that stays
 * (PROTOCOL.md, trap 14). Where no record tells of the holder, the table does: a byte that is missing there is looked for again, too.
 *
 * <p>It only looks: nothing is created, no guard file is opened (closing it would drop this process's bytes), no byte is requested.
 */
final class DirectoryScanner {
    private static final int ROUNDS = 10;
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
    private final FileSystemTraits traits;
    private final @Nullable SharedTable table;
    /** The names in the directory and in {@code .session-locks}, if all locks are looked at: a file that is not among them need not be opened. */
    private @Nullable Set<String> files;
    private @Nullable Set<String> innerFiles;
    /** Of the names, each once. */
    private final Map<String, Long> hashes = new HashMap<>();
    /** What the kernel said in the first round. */
    private @Nullable KernelBytes firstBytes;

    DirectoryScanner(Path home) throws IOException {
        this.home = home;
        this.inner = home.resolve(LockDirectory.INNER);
        this.used = Files.isDirectory(inner, LinkOption.NOFOLLOW_LINKS);
        if (!used && Files.exists(inner, LinkOption.NOFOLLOW_LINKS)) {
            throw OwnerTrust.notADirectory(inner, null); // nobody can lock here: "no locks" would be wrong
        }
        this.traits = used ? FileSystemTraits.of(home) : new FileSystemTraits(null, false);
        this.table = used ? tableOf(inner, self) : null;
    }

    private static @Nullable SharedTable tableOf(Path inner, ProcessIdentity self) throws IOException {
        try {
            return SharedTable.openToLook(inner, self);
        } catch (NoSuchFileException | FileNotFoundException e) {
            return null; // not there, or not readable for this user: the report says what else is known
        }
    }

    /** {@return what can be seen of one lock} */
    LockSnapshot of(String name) throws IOException {
        return look(List.of(name)).get(name);
    }

    /**
     * {@return what can be seen of every lock that leaves a trace, by name: a file beside its target, a successor's record, or a kernel byte without
     * either whose target is in the directory}
     */
    Collection<LockSnapshot> ofAll() throws IOException {
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
        Map<String, LockSnapshot> all = look(locks);
        all.putAll(look(thoseWithoutRecord(locks)));
        return all.values();
    }

    /**
     * Locks whose records were removed by hand. Kernel and table know them by number alone, so their names have to be guessed from the targets. The table is
     * asked as well, since one answer of the kernel's may miss some.
     */
    private Set<String> thoseWithoutRecord(Set<String> locks) throws IOException {
        KernelBytes bytes = firstBytes;
        Set<String> found = new TreeSet<>();
        if (bytes == null || files == null) {
            return found;
        }
        Set<KernelLocks.KernelLock> unknown = bytes.ofSeats();
        locks.forEach(name -> bytes.on(hash(name)).forEach(unknown::remove));
        if (unknown.isEmpty() && table == null) {
            return found;
        }
        long now = Clock.SYSTEM.nanos();
        for (String file : files) {
            if (!locks.contains(file) && (bytes.on(hash(file)).stream().anyMatch(unknown::contains) || isPublished(file, now))) {
                found.add(file);
            }
        }
        return found;
    }

    /** {@return whether the table says that a seat of a lock is held} */
    private boolean isPublished(String name, long now) throws IOException {
        TableEntry entry = table == null ? null : table.find(hash(name));
        return entry != null && (!TableEntry.isPast(entry.expiry(0), now, table.comparable()) || !TableEntry.isPast(entry.expiry(1), now, table.comparable())
                || TableEntry.readersIn(entry.readers()) != 0);
    }

    /** {@code .session-locks} may belong to another user, or have been removed just now: the records beside the targets are there all the same. */
    private Set<String> namesInInner() throws IOException {
        try {
            return namesIn(FolderStream.open(inner, ""));
        } catch (AccessDeniedException | NoSuchFileException e) {
            return Set.of();
        }
    }

    /** {@return the names in a directory, without those that this JVM cannot encode: {@link FileNames#locksWithoutText}} */
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

    /** What was found at the two places where a record of a lock may lie. */
    private record RecordsFound(String name, @Nullable Found record, @Nullable Found takeover) {
    }

    private Map<String, LockSnapshot> look(Collection<String> names) throws IOException {
        Map<String, LockSnapshot> settled = new TreeMap<>();
        Collection<String> open = names;
        for (int round = 1; round == 1 && firstBytes == null || !open.isEmpty(); round++) {
            long now = Clock.SYSTEM.nanos(); // before everything else: a lease that is renewed meanwhile then only looks longer
            List<RecordsFound> seen = new ArrayList<>(open.size());
            for (String name : open) {
                seen.add(read(name, round > 1 || innerFiles == null || innerFiles.contains(TAKEOVER + name)));
            }
            KernelBytes bytes = used ? readBytes() : KernelBytes.NONE;
            firstBytes = firstBytes == null ? bytes : firstBytes;
            List<String> again = new ArrayList<>();
            for (RecordsFound found : seen) {
                LockSnapshot snapshot = snapshot(found, bytes, now);
                if (round == ROUNDS || !isTorn(found) && !mayBeMissed(snapshot) && (agrees(snapshot) || isStill(found))) {
                    settled.put(found.name(), snapshot);
                } else {
                    again.add(found.name());
                }
            }
            if (!again.isEmpty()) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            open = again;
        }
        return settled;
    }

    private RecordsFound read(String name, boolean alsoTakeover) throws IOException {
        Found record = LockFileReader.readOnce(home.resolve(name + SUFFIX));
        return new RecordsFound(name, record, used && alsoTakeover ? takeover(name) : null);
    }

    private @Nullable Found takeover(String name) throws IOException {
        boolean fits = TAKEOVER.length() + name.getBytes(StandardCharsets.UTF_8).length <= LONGEST_NAME; // else nobody ever had such a file
        return fits ? LockFileReader.readOnce(inner.resolve(TAKEOVER + name)) : null;
    }

    /** Perhaps it was read while its owner rewrote it. */
    private static boolean isTorn(RecordsFound found) {
        return isTorn(found.record()) || isTorn(found.takeover());
    }

    private static boolean isTorn(@Nullable Found found) {
        return found != null && found.content() instanceof LockContent.Torn;
    }

    /** {@return whether record and kernel agree, or the kernel says nothing} */
    private static boolean agrees(LockSnapshot snapshot) {
        List<List<Long>> owners = snapshot.owners();
        if (owners == null) {
            return true;
        } else if (snapshot.takeover() != null || !owners.get(1).isEmpty()) {
            return false;
        } else if (snapshot.record() == null) {
            return owners.get(0).isEmpty();
        }
        return snapshot.record().content() instanceof LockContent.Ours ours && owners.get(0).contains(ours.record().pid());
    }

    /** {@return whether the kernel shows no holder of a seat, and no record does, while the seat's expiry is not past} */
    private static boolean mayBeMissed(LockSnapshot snapshot) {
        return isMissing(snapshot, 0, snapshot.record()) || isMissing(snapshot, 1, snapshot.takeover());
    }

    private static boolean isMissing(LockSnapshot snapshot, int seat, @Nullable Found record) {
        return record == null && snapshot.owners() != null && snapshot.owners().get(seat).isEmpty()
                && !TableEntry.isPast(snapshot.expiries().get(seat), snapshot.now(), snapshot.comparable());
    }

    /** {@return whether the file read before the kernel was asked is still there: then it was there when the kernel was asked} */
    private boolean isStill(RecordsFound before) throws IOException {
        RecordsFound now = read(before.name(), true);
        return isSame(before.record(), now.record()) && isSame(before.takeover(), now.takeover());
    }

    private static boolean isSame(@Nullable Found one, @Nullable Found other) {
        if (one == null || other == null) {
            return one == other;
        }
        boolean sameHold = one.content() instanceof LockContent.Ours a && other.content() instanceof LockContent.Ours b
                && a.record().token() == b.record().token(); // perhaps renewed
        return one.key().equals(other.key()) && (sameHold || Objects.equals(one.content(), other.content()));
    }

    private LockSnapshot snapshot(RecordsFound found, @Nullable KernelBytes bytes, long now) throws IOException {
        String name = found.name();
        long h = used ? hash(name) : 0;
        TableEntry entry = table == null ? null : table.find(h);
        List<Reader> readers = entry == null ? List.of() : readers(name, TableEntry.readersIn(entry.readers()), bytes, now);
        Reader first = representative(found.record(), readers);
        return new LockSnapshot(
                home.resolve(name),
                first == null || found.record() == null ? found.record() : first.found(),
                found.takeover(),
                bytes == null ? null : List.of(first != null ? first.owners() : bytes.holders(h, 0), bytes.holders(h, 1)),
                entry == null ? List.of(0L, 0L) : List.of(first != null ? first.expiry() : entry.expiry(0), entry.expiry(1)),
                table == null || table.comparable(),
                files == null ? Files.exists(home.resolve(name), LinkOption.NOFOLLOW_LINKS) : files.contains(name),
                used,
                entry == null ? 0 : entry.lastToken(),
                now,
                self,
                readers.stream().map(Reader::record).toList());
    }

    // ---- readers ----

    /** A process that holds a reader slot, as its record, the kernel and the table tell. */
    private record Reader(Found found, LockRecord record, List<Long> owners, long expiry) {
    }

    private List<Reader> readers(String name, int counted, @Nullable KernelBytes bytes, long now) throws IOException {
        List<Reader> readers = new ArrayList<>(counted);
        for (int slot = 0; slot < counted; slot++) {
            long number = ReaderSlotStore.number(key(name), slot);
            Found found = LockFileReader.readOnce(inner.resolve(ReaderSlotStore.fileName(number)));
            TableEntry entry = table.find(number);
            List<Long> owners = bytes == null ? List.of() : bytes.holders(number, 0);
            long expiry = entry == null ? 0 : entry.expiry(0);
            boolean held = bytes == null ? !TableEntry.isPast(expiry, now, table.comparable()) : !owners.isEmpty();
            if (held && found != null && found.content() instanceof LockContent.Ours ours && ours.record().shared() && !ours.record().isGivenBack()) {
                readers.add(new Reader(found, ours.record(), owners, expiry));
            }
        }
        return readers;
    }

    /** {@return the reader whose record stands for all: that which lies at {@code x.lock}, or the first; null if what lies there is no reader's} */
    private static @Nullable Reader representative(@Nullable Found record, List<Reader> readers) {
        boolean others = record != null && !(record.content() instanceof LockContent.Ours ours && ours.record().shared());
        if (others || readers.isEmpty()) {
            return null;
        }
        return readers.stream().filter(reader -> record != null && reader.found().key().equals(record.key())).findFirst().orElse(readers.get(0));
    }

    private long hash(String name) {
        return hashes.computeIfAbsent(name, it -> LockName.hash(key(it)));
    }

    private String key(String name) {
        return traits.foldsNames() ? LockName.fold(name) : name;
    }

    // ---- what the kernel says ----

    /** The held bytes of the guard files, by guard and first byte. Two owners cannot hold one byte, so no two ranges overlap. */
    private record KernelBytes(Map<Integer, TreeMap<Long, KernelLocks.KernelLock>> byGuard) {
        /** Where no guard file was ever created nobody can hold a byte. */
        private static final KernelBytes NONE = new KernelBytes(Map.of());

        KernelLocks.@Nullable KernelLock at(long h, int seat) {
            TreeMap<Long, KernelLocks.KernelLock> guard = byGuard.get(GuardLayout.guardOf(h));
            Map.Entry<Long, KernelLocks.KernelLock> entry = guard == null ? null : guard.floorEntry(GuardLayout.positionOf(h, seat));
            return entry != null && entry.getValue().covers(GuardLayout.positionOf(h, seat)) ? entry.getValue() : null;
        }

        List<Long> holders(long h, int seat) {
            KernelLocks.KernelLock entry = at(h, seat);
            return entry == null ? List.of() : List.of(entry.pid());
        }

        List<KernelLocks.KernelLock> on(long h) {
            List<KernelLocks.KernelLock> entries = new ArrayList<>(2);
            for (int seat = 0; seat < 2; seat++) {
                KernelLocks.KernelLock entry = at(h, seat);
                if (entry != null) {
                    entries.add(entry);
                }
            }
            return entries;
        }

        Set<KernelLocks.KernelLock> ofSeats() {
            Set<KernelLocks.KernelLock> all = new HashSet<>();
            byGuard.values().forEach(guard -> all.addAll(guard.tailMap(GuardLayout.positionOf(0, 0)).values()));
            return all;
        }
    }

    /** {@return what the kernel says; null if it does not say} */
    private @Nullable KernelBytes readBytes() {
        Map<Long, Integer> guards = new HashMap<>();
        for (int guard = 0; guard < GuardLayout.COUNT; guard++) {
            guards.put(GuardLayout.inode(inner, guard), guard);
        }
        guards.remove(-1L);
        if (guards.isEmpty()) {
            return KernelBytes.NONE;
        } else if (guards.containsKey(SystemFiles.NO_INODES) || !self.seesItselfInProc()) {
            return null;
        }
        Optional<List<KernelLocks.KernelLock>> entries = new KernelLocks().read(guards::containsKey);
        return entries.map(all -> {
            Map<Integer, TreeMap<Long, KernelLocks.KernelLock>> byGuard = new HashMap<>();
            for (KernelLocks.KernelLock entry : all) {
                if (!entry.waiting()) {
                    byGuard.computeIfAbsent(guards.get(entry.inode()), guard -> new TreeMap<>()).put(entry.start(), entry);
                }
            }
            return new KernelBytes(byGuard);
        }).orElse(null);
    }
}
