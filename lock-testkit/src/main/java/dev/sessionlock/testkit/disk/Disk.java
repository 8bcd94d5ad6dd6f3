package dev.sessionlock.testkit.disk;

import dev.sessionlock.internal.directory.LockDirectory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The content of a directory, and what a power cut would leave of it.
 *
 * <p>The model is the weakest that POSIX and Linux promise, with the order that journals keep:
 * <ul>
 *   <li><em>A file's content</em> is safe once the file was forced after the write (POSIX fsync; {@code SYNC} and {@code DSYNC} force
 *       each write). Until then all of it may be lost, or reach the disk in any order and in part. The file's length, its truncation
 *       and its permissions count as content here.
 *   <li><em>A directory's entries</em> are safe once the directory was forced: "calling fsync() does not necessarily ensure that the
 *       entry in the directory containing the file has also reached disk" (Linux, fsync(2)). Until then the operations on them reach
 *       the disk in the order in which they were done, up to some point, as a journal replays them; each whole or not at all. Pillai
 *       et al. ("All File Systems Are Not Created Equal", OSDI 2014) find rename atomic and directory operations ordered on the
 *       journalling file systems; what they find reordered are appends and overwrites. Forcing a directory makes its own entries
 *       safe, and what these depend on in others; not the entry of the directory itself in its parent.
 *   <li>Content and entries are independent: neither waits for the other. When a file is renamed over another one, ext4 forces it. That
 *       is a courtesy of one file system in one mode, and the model does not count on it.
 * </ul>
 */
public final class Disk {
    private static final String OPAQUE = LockDirectory.INNER;
    /** The library writes no record of another length. */
    private static final int RECORD_BYTES = 1_024;

    /** A file, a directory or a symbolic link. */
    private static final class Node {
        final char type;
        final String target;
        /** What a program sees. */
        final Map<String, Node> entries = new TreeMap<>();
        byte[] content = {};
        int mode;
        /** What a power cut leaves. */
        final Map<String, Node> safeEntries = new TreeMap<>();
        byte[] safeContent = {};
        int safeMode;
        /** The changes of the content since it was last forced. */
        final List<Change> unforced = new ArrayList<>();

        Node(char type, String target, int mode) {
            this.type = type;
            this.target = target;
            this.mode = mode;
            this.safeMode = mode;
        }

        void force() {
            safeContent = content;
            safeMode = mode;
            unforced.clear();
        }

        void change(Change change) {
            content = change.appliedTo(content);
            unforced.add(change);
        }
    }

    /** A write, or a new length ({@code bytes} is null). */
    private record Change(long number, long position, byte @Nullable [] bytes) {
        byte[] appliedTo(byte[] content) {
            if (bytes == null) {
                return Arrays.copyOf(content, Math.toIntExact(position));
            }
            int end = Math.toIntExact(position + bytes.length);
            byte[] result = Arrays.copyOf(content, Math.max(content.length, end));
            System.arraycopy(bytes, 0, result, (int) position, bytes.length);
            return result;
        }

        Change half() {
            return bytes == null ? this : new Change(number, position, Arrays.copyOf(bytes, bytes.length / 2));
        }

        /** {@return the content with the length that the change gave it: old bytes where there were some, otherwise zeros} */
        byte[] lengthAppliedTo(byte[] content) {
            return bytes == null ? appliedTo(content)
                    : Arrays.copyOf(content, Math.max(content.length, Math.toIntExact(position + bytes.length)));
        }
    }

    /** One entry of a directory is set, or removed (null). */
    private record Edit(Node directory, String name, @Nullable Node node) {
        void applyTo(Map<String, Node> entries) {
            if (node == null) {
                entries.remove(name);
            } else {
                entries.put(name, node);
            }
        }
    }

    private final Node root = new Node('d', "", 0);
    private final Map<Long, Node> byInode = new HashMap<>();
    /** The operations on directories that were not forced yet, in order. */
    private final List<List<Edit>> pending = new ArrayList<>();
    private long changes;

    private Disk() {
    }

    // ---- from a real directory ----

    /**
     * {@return the disk with a directory on it, all of it safe}
     *
     * @param directory the real directory
     */
    public static Disk of(Path directory) throws IOException {
        Disk disk = new Disk();
        disk.read(directory, disk.root);
        return disk;
    }

    private void read(Path directory, Node into) throws IOException {
        byInode.put(inode(directory), into);
        into.mode = mode(directory);
        into.safeMode = into.mode;
        for (Path path : entries(directory)) {
            long inode = inode(path);
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            Node node = attributes.isDirectory() ? null : byInode.get(inode); // a second link
            if (node == null) {
                char type = type(attributes);
                node = new Node(type, type == 'l' ? Files.readSymbolicLink(path).toString() : "", mode(path));
                byInode.put(inode, node);
                if (type == 'f') {
                    node.content = Files.readAllBytes(path);
                    node.safeContent = node.content;
                } else if (type == 'd') {
                    read(path, node);
                }
            }
            String name = path.getFileName().toString();
            into.entries.put(name, node);
            into.safeEntries.put(name, node);
        }
    }

    private static List<Path> entries(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.sorted().toList();
        }
    }

    private static char type(BasicFileAttributes attributes) {
        return attributes.isSymbolicLink() ? 'l' : attributes.isDirectory() ? 'd' : attributes.isRegularFile() ? 'f' : 'o';
    }

    private static long inode(Path path) throws IOException {
        return ((Number) Files.getAttribute(path, "unix:ino", LinkOption.NOFOLLOW_LINKS)).longValue();
    }

    private static int mode(Path path) throws IOException {
        return ((Number) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS)).intValue() & 07777;
    }

    // ---- changes ----

    /** Applies what a run did. */
    public void apply(Effect effect) {
        if (effect instanceof Effect.Made made) {
            Node node = new Node(made.type(), made.target(), made.mode());
            byInode.put(made.inode(), node);
            set(made.name(), node);
        } else if (effect instanceof Effect.Linked linked) {
            Node node = byInode.get(linked.inode());
            if (node != null) {
                set(linked.name(), node);
            }
        } else if (effect instanceof Effect.Removed removed) {
            set(removed.name(), null);
        } else if (effect instanceof Effect.Renamed renamed) {
            rename(renamed.from(), renamed.to());
        } else if (effect instanceof Effect.Wrote wrote) {
            change(wrote.inode(), new Change(changes++, wrote.position(), wrote.bytes()));
        } else if (effect instanceof Effect.Resized resized) {
            change(resized.inode(), new Change(changes++, resized.size(), null));
        } else if (effect instanceof Effect.Mode changed && byInode.get(changed.inode()) != null) {
            byInode.get(changed.inode()).mode = changed.mode();
        } else if (effect instanceof Effect.Forced forced && byInode.get(forced.inode()) != null) {
            force(byInode.get(forced.inode()));
        }
    }

    private void change(long inode, Change change) {
        Node node = byInode.computeIfAbsent(inode, nameless -> new Node('f', "", 0)); // opened with DELETE_ON_CLOSE: it has no name
        node.change(change);
    }

    private void set(String name, @Nullable Node node) {
        Node directory = parent(name);
        if (directory != null) {
            edit(List.of(new Edit(directory, last(name), node)));
        }
    }

    private void rename(String from, String to) {
        Node old = parent(from);
        Node fresh = parent(to);
        Node node = old == null ? null : old.entries.get(last(from));
        if (node != null && fresh != null) {
            edit(List.of(new Edit(old, last(from), null), new Edit(fresh, last(to), node)));
        }
    }

    private void edit(List<Edit> edits) {
        edits.forEach(edit -> edit.applyTo(edit.directory.entries));
        pending.add(edits);
    }

    private @Nullable Node parent(String name) {
        Node node = root;
        String[] names = name.split("/");
        for (int i = 0; i < names.length - 1 && node != null; i++) {
            node = node.entries.get(names[i]);
        }
        return node;
    }

    private static String last(String name) {
        return name.substring(name.lastIndexOf('/') + 1);
    }

    private void force(Node node) {
        node.force();
        if (node.type != 'd') {
            return;
        }
        // The directory's own entries; and, backwards in time, those of other directories that an operation on both has touched.
        Set<Node> touched = new HashSet<>(Set.of(node));
        List<List<Edit>> done = new ArrayList<>();
        for (int i = pending.size() - 1; i >= 0; i--) {
            List<Edit> edits = pending.get(i);
            if (edits.stream().anyMatch(edit -> touched.contains(edit.directory))) {
                edits.forEach(edit -> touched.add(edit.directory));
                done.add(0, pending.remove(i));
            }
        }
        done.forEach(edits -> edits.forEach(edit -> edit.applyTo(edit.directory.safeEntries)));
    }

    // ---- comparison with the real directory ----

    /**
     * {@return how a real directory differs from what the fault injector has recorded, in words; empty if it does not} The library's own
     * {@code .session-locks}, and files with a name in it, are written through memory and are left out; so are records that have no name there, since hard
     * links are refused.
     */
    public List<String> differences(Path directory) throws IOException {
        List<String> all = new ArrayList<>();
        compare(directory, root, "", opaqueInodes(directory), all);
        return all;
    }

    private static Set<Long> opaqueInodes(Path directory) throws IOException {
        Set<Long> inodes = new HashSet<>();
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : (Iterable<Path>) tree::iterator) {
                if (path.getParent().endsWith(OPAQUE)) {
                    inodes.add(inode(path));
                }
            }
        }
        return inodes;
    }

    private void compare(Path directory, Node node, String name, Set<Long> opaque, List<String> all) throws IOException {
        if (directory.endsWith(OPAQUE)) {
            return;
        }
        Map<String, Path> there = new TreeMap<>();
        entries(directory).forEach(path -> there.put(path.getFileName().toString(), path));
        Set<String> names = new TreeSet<>(there.keySet());
        names.addAll(node.entries.keySet());
        for (String entry : names) {
            Path path = there.get(entry);
            Node known = node.entries.get(entry);
            String full = name.isEmpty() ? entry : name + "/" + entry;
            if (entry.equals(OPAQUE)) {
                continue;
            } else if (path == null) {
                all.add(full + " is gone, and no operation has removed it");
            } else if (known == null) {
                all.add(full + " is there, and no operation has made it");
            } else {
                compareEntry(path, known, full, opaque, all);
            }
        }
    }

    private void compareEntry(Path path, Node known, String name, Set<Long> opaque, List<String> all) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (opaque.contains(inode(path))) {
            return;
        } else if (type(attributes) != known.type) {
            all.add(name + " is of another kind than what an operation has made there");
        } else if (known.type == 'd') {
            compare(path, known, name, opaque, all);
        } else if (known.type == 'f') {
            byte[] bytes = Files.readAllBytes(path);
            int first = Arrays.mismatch(bytes, known.content);
            if (first >= 0 && !isRecord(name, bytes)) {
                all.add(name + " has " + bytes.length + " bytes, and is not what was written to it from byte " + first + " on ("
                        + known.content.length + " bytes)");
            }
        }
    }

    private static boolean isRecord(String name, byte[] bytes) {
        return name.endsWith(".lock") && bytes.length == RECORD_BYTES && new String(bytes, StandardCharsets.UTF_8).startsWith("{\"pid\":");
    }

    /**
     * Takes over from the real directory what the fault injector does not see: the contents of the library's own files, which count as never forced.
     */
    public void absorb(Path directory) throws IOException {
        Set<Long> opaque = opaqueInodes(directory);
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : (Iterable<Path>) tree::iterator) {
                Node node = Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS) && opaque.contains(inode(path))
                        ? byInode.get(inode(path)) : null;
                byte[] bytes = node == null ? null : Files.readAllBytes(path);
                if (bytes != null && !Arrays.equals(bytes, node.content)) {
                    node.change(new Change(changes++, 0, null));
                    node.change(new Change(changes++, 0, bytes));
                }
            }
        }
    }

    // ---- power cuts ----

    /** What survives of the contents that were not forced. */
    public enum Contents {
        /** Nothing. A file that was never forced is empty. */
        NONE("nothing unforced"),
        /** All of it. */
        ALL("all contents"),
        /** All of it, but the last write to each file only half. */
        TORN("half of the last write to each file"),
        /** The lengths, but not the bytes: zeros in their place. */
        ZEROS("lengths, with zeros for contents"),
        /** Only the newest write, none of those before it. */
        NEWEST("the newest write, none before it");

        private final String text;

        Contents(String text) {
            this.text = text;
        }
    }

    /**
     * What a power cut may leave.
     *
     * @param entries how many of the unforced operations on directories survive, the first ones
     * @param of out of how many
     * @param contents what survives of the contents
     */
    public record Survival(int entries, int of, Contents contents) {
        /** {@return its form in a plan} */
        public String code() {
            return entries + "+" + contents.name().toLowerCase(Locale.ROOT);
        }

        @Override
        public String toString() {
            String names = of == 0 ? "no directory operation was unforced"
                    : entries == 0 ? "none of " + of + " unforced directory operations"
                    : entries == of ? "all " + of + " unforced directory operations"
                    : "the first " + entries + " of " + of + " unforced directory operations";
            return contents == Contents.NONE ? "survived: " + names + "; of the contents nothing unforced"
                    : "survived: " + names + "; of the unforced contents: " + contents.text;
        }
    }

    /** At most this many first parts of the list of operations are tried: the first, the last, and some in between. */
    private static final int MOST_BEGINNINGS = 12;

    /** {@return what a power cut may leave now: every first part of the directory operations, with each outcome for the contents} */
    public List<Survival> survivals() {
        List<Survival> all = new ArrayList<>();
        int last = pending.size();
        for (int i = 0; i <= Math.min(last, MOST_BEGINNINGS); i++) {
            int entries = last <= MOST_BEGINNINGS ? i : (int) Math.round((double) i * last / MOST_BEGINNINGS);
            for (Contents contents : Contents.values()) {
                all.add(new Survival(entries, last, contents));
            }
        }
        return all;
    }

    /** {@return what a power cut leaves} */
    public Image cut(Survival survival) {
        Map<Node, Map<String, Node>> entries = new IdentityHashMap<>();
        for (List<Edit> edits : pending.subList(0, survival.entries)) {
            for (Edit edit : edits) {
                edit.applyTo(entries.computeIfAbsent(edit.directory, directory -> new TreeMap<>(directory.safeEntries)));
            }
        }
        long newest = survival.contents == Contents.NEWEST ? newest() : -1;
        Image image = new Image();
        collect(root, "", entries, survival.contents, newest, image, new IdentityHashMap<>());
        return image;
    }

    private long newest() {
        return byInode.values().stream().flatMap(node -> node.unforced.stream()).mapToLong(Change::number).max().orElse(-1);
    }

    private static void collect(Node directory, String name, Map<Node, Map<String, Node>> entries, Contents contents, long newest,
                                Image image, Map<Node, String> named) {
        entries.getOrDefault(directory, directory.safeEntries).forEach((entry, node) -> {
            String full = name.isEmpty() ? entry : name + "/" + entry;
            int mode = contents == Contents.NONE ? node.safeMode : node.mode;
            String first = named.putIfAbsent(node, full);
            if (first != null) {
                if (node.type != 'd') {
                    image.link(full, first);
                } // a directory that was moved, and would be at both places, is shown at the first
            } else if (node.type == 'd') {
                image.directory(full, mode);
                collect(node, full, entries, contents, newest, image, named);
            } else if (node.type == 'l') {
                image.symbolicLink(full, node.target);
            } else if (node.type == 'f') {
                image.file(full, mode, content(node, contents, newest));
            }
        });
    }

    private static byte[] content(Node node, Contents contents, long newest) {
        List<Change> changes = node.unforced;
        int last = changes.size() - 1;
        byte[] result = contents == Contents.ALL ? node.content : node.safeContent;
        switch (contents) {
            case TORN -> {
                for (int i = 0; i <= last; i++) {
                    result = (i == last ? changes.get(i).half() : changes.get(i)).appliedTo(result);
                }
            }
            case ZEROS -> {
                for (Change change : changes) {
                    result = change.lengthAppliedTo(result);
                }
            }
            case NEWEST -> {
                for (Change change : changes) {
                    result = change.number == newest ? change.appliedTo(result) : result;
                }
            }
            default -> {
                // stays as it is
            }
        }
        return result;
    }
}
