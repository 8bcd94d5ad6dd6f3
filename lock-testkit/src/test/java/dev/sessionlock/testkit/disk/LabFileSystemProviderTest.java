package dev.sessionlock.testkit.disk;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardCopyOption.ATOMIC_MOVE;
import static java.nio.file.StandardCopyOption.COPY_ATTRIBUTES;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.DELETE_ON_CLOSE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.ProviderMismatchException;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The lab's file system behaves like the system's own: the same results, the same exceptions, the same files.
 *
 * <p>It is one comparison, over a table of operations that is as long as {@code java.nio.file} is wide.
 */
class LabFileSystemProviderTest {
    private static final byte[] HELLO = "hello".getBytes(StandardCharsets.US_ASCII);

    @TempDir
    Path temp;

    private Path real;
    private Path lab;
    private LabFileSystemProvider provider;
    private final ByteArrayOutputStream journal = new ByteArrayOutputStream();

    /** An operation on a directory with the content from {@link #fill}; its result is compared as text. */
    private interface Operation {
        Object on(Path directory) throws Exception;
    }

    @BeforeEach
    void twoDirectoriesOfTheSameContent() throws IOException {
        temp = temp.toRealPath();
        real = fill(temp.resolve("real"));
        Path under = fill(temp.resolve("labs"));
        provider = new LabFileSystemProvider(FileSystems.getDefault().provider());
        lab = provider.getPath(under.toUri());
        provider.arm(lab, Plan.NOTHING, true, new FaultInjector.Lab() {
            @Override
            public void stopped(String operation, StackTraceElement[] at) {
                throw new AssertionError(operation);
            }

            @Override
            public void befallen(String operation, StackTraceElement[] at) {
                throw new AssertionError(operation);
            }

            @Override
            public void frozen(String operation, StackTraceElement[] at) {
                throw new AssertionError(operation);
            }
        }, journal);
    }

    private static Path fill(Path directory) throws IOException {
        Files.createDirectory(directory);
        Files.writeString(directory.resolve("file"), "some text\n");
        Files.writeString(directory.resolve("other"), "other text\n");
        Files.createDirectory(directory.resolve("empty"));
        Files.createDirectory(directory.resolve("full"));
        Files.writeString(directory.resolve("full/inner"), "inner");
        Files.createSymbolicLink(directory.resolve("link"), Path.of("file"));
        Files.createSymbolicLink(directory.resolve("dangling"), Path.of("nowhere"));
        Files.createLink(directory.resolve("hard"), directory.resolve("file"));
        return directory;
    }

    private static Map<String, Operation> operations() {
        Map<String, Operation> all = new LinkedHashMap<>();
        opening(all);
        names(all);
        channels(all);
        looking(all);
        paths(all);
        return all;
    }

    private static void opening(Map<String, Operation> all) {
        all.put("write", dir -> Files.writeString(dir.resolve("file"), "x").getFileName());
        all.put("write new", dir -> Files.writeString(dir.resolve("new"), "x").getFileName());
        all.put("write through a link", dir -> Files.writeString(dir.resolve("link"), "x").getFileName());
        all.put("write through a dangling link", dir -> Files.writeString(dir.resolve("dangling"), "x").getFileName());
        all.put("write into a directory", dir -> Files.writeString(dir.resolve("empty"), "x"));
        all.put("write where no directory is", dir -> Files.writeString(dir.resolve("no/where"), "x"));
        all.put("append", dir -> Files.writeString(dir.resolve("file"), "x", APPEND).getFileName());
        all.put("append to nothing", dir -> Files.writeString(dir.resolve("new"), "x", APPEND));
        all.put("create new", dir -> Files.writeString(dir.resolve("file"), "x", CREATE_NEW));
        all.put("create new through a dangling link", dir -> Files.writeString(dir.resolve("dangling"), "x", CREATE_NEW));
        all.put("append and truncate", dir -> Files.writeString(dir.resolve("file"), "x", APPEND, TRUNCATE_EXISTING));
        all.put("write and read", dir -> Files.newOutputStream(dir.resolve("file"), READ));
        all.put("read and write", dir -> Files.newInputStream(dir.resolve("file"), WRITE));
        all.put("delete on close", dir -> {
            try (OutputStream out = Files.newOutputStream(dir.resolve("file"), DELETE_ON_CLOSE)) {
                out.write(HELLO);
                return Files.exists(dir.resolve("file"));
            }
        });
        all.put("delete on close, new", dir -> {
            try (SeekableByteChannel channel = Files.newByteChannel(dir.resolve("new"), CREATE, WRITE, DELETE_ON_CLOSE)) {
                return channel.write(ByteBuffer.wrap(HELLO)) + " " + channel.size();
            }
        });
        all.put("no link followed", dir -> Files.newByteChannel(dir.resolve("link"), READ, NOFOLLOW_LINKS));
        all.put("big", dir -> Files.write(dir.resolve("new"), new byte[100_000]).getFileName());
        all.put("lines", dir -> Files.write(dir.resolve("file"), List.of("a", "b")).getFileName());
        all.put("copy in", dir -> Files.copy(new ByteArrayInputStream(HELLO), dir.resolve("new")));
        all.put("copy in over", dir -> Files.copy(new ByteArrayInputStream(HELLO), dir.resolve("file")));
    }

    private static void names(Map<String, Operation> all) {
        for (String name : List.of("file", "empty", "full", "link", "dangling", "hard", "new", "no/where", ".")) {
            all.put("delete " + name, dir -> {
                Files.delete(dir.resolve(name));
                return "";
            });
            all.put("delete if exists " + name, dir -> Files.deleteIfExists(dir.resolve(name)));
            all.put("mkdir " + name, dir -> Files.createDirectory(dir.resolve(name)).getFileName());
            all.put("mkdirs " + name, dir -> Files.createDirectories(dir.resolve(name).resolve("b")).getFileName());
            all.put("create " + name, dir -> Files.createFile(dir.resolve(name)).getFileName());
            all.put("link " + name, dir -> Files.createLink(dir.resolve(name), dir.resolve("other")).getFileName());
            all.put("link to " + name, dir -> Files.createLink(dir.resolve("fresh"), dir.resolve(name)).getFileName());
            all.put("symlink " + name, dir -> Files.createSymbolicLink(dir.resolve(name), dir.getFileSystem().getPath("other"))
                    .getFileName());
            for (String to : List.of("other", "fresh", "empty", "full", "link", "hard", "no/where", "full/moved")) {
                all.put("move " + name + " to " + to, dir -> Files.move(dir.resolve(name), dir.resolve(to)).getFileName());
                all.put("replace " + to + " by " + name, dir -> Files.move(dir.resolve(name), dir.resolve(to), REPLACE_EXISTING)
                        .getFileName());
                all.put("rename " + name + " to " + to, dir -> Files.move(dir.resolve(name), dir.resolve(to), ATOMIC_MOVE).getFileName());
                all.put("copy " + name + " to " + to, dir -> Files.copy(dir.resolve(name), dir.resolve(to)).getFileName());
                all.put("copy " + name + " over " + to, dir -> Files.copy(dir.resolve(name), dir.resolve(to), REPLACE_EXISTING,
                        COPY_ATTRIBUTES).getFileName());
                all.put("copy link " + name + " over " + to, dir -> Files.copy(dir.resolve(name), dir.resolve(to), REPLACE_EXISTING,
                        NOFOLLOW_LINKS).getFileName());
            }
        }
        all.put("copy atomically", dir -> Files.copy(dir.resolve("file"), dir.resolve("fresh"), ATOMIC_MOVE));
        all.put("symlink with attributes", dir -> Files.createSymbolicLink(dir.resolve("new"), dir,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))));
        all.put("mkdir with mode", dir -> Files.getPosixFilePermissions(Files.createDirectory(dir.resolve("new"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")))));
    }

    private interface OnChannel {
        Object on(FileChannel channel) throws Exception;
    }

    private static Operation with(OnChannel body, java.nio.file.OpenOption... options) {
        return dir -> {
            try (FileChannel channel = FileChannel.open(dir.resolve("file"), options)) {
                Object result = body.on(channel);
                return result + " at " + channel.position() + " of " + channel.size();
            }
        };
    }

    private static void channels(Map<String, Operation> all) {
        Map<String, OnChannel> bodies = new LinkedHashMap<>();
        bodies.put("write", channel -> channel.write(ByteBuffer.wrap(HELLO)));
        bodies.put("write nothing", channel -> channel.write(ByteBuffer.allocate(0)));
        bodies.put("write direct", channel -> channel.write(ByteBuffer.allocateDirect(3).put((byte) 'a').flip()));
        bodies.put("write at", channel -> channel.write(ByteBuffer.wrap(HELLO), 3));
        bodies.put("write beyond", channel -> channel.write(ByteBuffer.wrap(HELLO), 300));
        bodies.put("write at minus", channel -> channel.write(ByteBuffer.wrap(HELLO), -1));
        bodies.put("gather", channel -> {
            ByteBuffer[] three = {ByteBuffer.wrap(HELLO), ByteBuffer.wrap(new byte[]{'-'}), ByteBuffer.wrap(HELLO)};
            return channel.write(three, 1, 2) + " " + three[0].position() + three[1].position() + three[2].position();
        });
        bodies.put("gather badly", channel -> channel.write(new ByteBuffer[1], 1, 2));
        bodies.put("write part of a buffer", channel -> {
            ByteBuffer some = ByteBuffer.wrap(HELLO, 1, 3);
            return channel.write(some) + " " + some;
        });
        bodies.put("position", channel -> channel.position(4).write(ByteBuffer.wrap(HELLO)));
        bodies.put("position minus", channel -> channel.position(-1));
        bodies.put("truncate", channel -> channel.position(8).truncate(4).position());
        bodies.put("truncate to more", channel -> channel.position(80).truncate(40).position());
        bodies.put("truncate to minus", channel -> channel.truncate(-1).position());
        bodies.put("force", channel -> {
            channel.force(true);
            return "";
        });
        bodies.put("read", channel -> channel.read(ByteBuffer.allocate(4)));
        bodies.put("read at", channel -> channel.read(ByteBuffer.allocate(40), 5));
        bodies.put("scatter", channel -> channel.read(new ByteBuffer[]{ByteBuffer.allocate(2), ByteBuffer.allocate(3)}));
        bodies.put("transfer from", channel -> channel.transferFrom(Channels.newChannel(new ByteArrayInputStream(HELLO)), 2, 4));
        bodies.put("transfer from beyond", channel -> channel.transferFrom(Channels.newChannel(new ByteArrayInputStream(HELLO)), 200, 4));
        bodies.put("transfer from minus", channel -> channel.transferFrom(Channels.newChannel(new ByteArrayInputStream(HELLO)), -1, 4));
        bodies.put("transfer to", channel -> channel.transferTo(1, 4, Channels.newChannel(new ByteArrayOutputStream())));
        bodies.put("map", channel -> {
            MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_ONLY, 0, 4);
            return map.get(0);
        });
        bodies.put("map more", channel -> channel.map(FileChannel.MapMode.READ_WRITE, 0, 40).capacity());
        bodies.put("map minus", channel -> channel.map(FileChannel.MapMode.READ_WRITE, -1, 40));
        bodies.put("lock", channel -> {
            try (FileLock lock = channel.lock(1, 2, false)) {
                return lock.position() + " " + lock.size() + lock.isShared() + lock.isValid() + (lock.acquiredBy() == channel);
            }
        });
        bodies.put("lock twice", channel -> {
            FileLock lock = channel.tryLock();
            assertThatThrownBy(() -> channel.tryLock(0, 1, false)).isInstanceOf(OverlappingFileLockException.class);
            lock.release();
            return lock.isValid();
        });
        bodies.put("lock, closed", channel -> {
            FileLock lock = channel.tryLock();
            channel.close();
            return lock.isValid() + " " + channel.isOpen() + channel.position();
        });
        bodies.put("write when closed", channel -> {
            channel.close();
            return channel.write(ByteBuffer.wrap(HELLO));
        });
        bodies.put("force when closed", channel -> {
            channel.close();
            channel.force(true);
            return "";
        });
        bodies.put("interrupted", channel -> {
            Thread.currentThread().interrupt();
            String thrown = "";
            try {
                channel.write(ByteBuffer.wrap(HELLO));
            } catch (IOException | RuntimeException e) {
                thrown = e.toString();
            }
            boolean open = channel.isOpen();
            assertThat(Thread.interrupted()).isTrue();
            return thrown + open;
        });
        bodies.forEach((name, body) -> {
            all.put("channel, to read: " + name, with(body, READ));
            all.put("channel, to write: " + name, with(body, WRITE));
            all.put("channel, both: " + name, with(body, READ, WRITE));
            all.put("channel, to append: " + name, with(body, APPEND));
        });
        all.put("channel to channel", dir -> {
            try (FileChannel from = FileChannel.open(dir.resolve("file"), READ);
                 FileChannel to = FileChannel.open(dir.resolve("other"), WRITE)) {
                return from.transferTo(2, 100, to) + " " + to.transferFrom(from, 3, 100) + " " + to.position();
            }
        });
        all.put("interrupted streams", dir -> {
            Thread.currentThread().interrupt();
            try {
                Files.writeString(dir.resolve("new"), Files.readString(dir.resolve("file")));
                return Files.readAllLines(dir.resolve("new"));
            } finally {
                assertThat(Thread.interrupted()).isTrue();
            }
        });
        all.put("directory forced", dir -> {
            try (FileChannel channel = FileChannel.open(dir, READ)) {
                channel.force(true);
                return channel.isOpen();
            }
        });
        all.put("directory written", dir -> FileChannel.open(dir, WRITE));
        asynchronous(all);
    }

    private static void asynchronous(Map<String, Operation> all) {
        all.put("asynchronous", dir -> {
            try (AsynchronousFileChannel channel = AsynchronousFileChannel.open(dir.resolve("file"), READ, WRITE)) {
                ByteBuffer read = ByteBuffer.allocate(20);
                ByteBuffer hello = ByteBuffer.wrap(HELLO);
                String done = channel.write(hello, 3).get() + " " + hello.position() + " " + channel.read(read, 0).get()
                        + new String(read.array(), StandardCharsets.US_ASCII);
                channel.force(true);
                FileLock lock = channel.lock(0, 1, false).get();
                boolean ours = lock.acquiredBy() == channel && lock.isValid();
                lock.release();
                return done + channel.truncate(4).size() + ours + channel.tryLock().isShared();
            }
        });
        all.put("asynchronous, read only", dir -> {
            try (AsynchronousFileChannel channel = AsynchronousFileChannel.open(dir.resolve("file"), READ)) {
                return channel.write(ByteBuffer.wrap(HELLO), 3).get();
            }
        });
        all.put("asynchronous, closed", dir -> {
            AsynchronousFileChannel channel = AsynchronousFileChannel.open(dir.resolve("file"), WRITE);
            channel.close();
            try {
                return channel.write(ByteBuffer.wrap(HELLO), 3).get();
            } catch (ExecutionException e) {
                throw (Exception) e.getCause();
            }
        });
    }

    private static void looking(Map<String, Operation> all) {
        for (String name : List.of("file", "empty", "full", "link", "dangling", "new", "no/where", "file/below")) {
            all.put("attributes of " + name, dir -> Files.readAttributes(dir.resolve(name), "posix:permissions,size,isDirectory"));
            all.put("attributes of link " + name, dir -> Files.readAttributes(dir.resolve(name), "unix:mode,nlink", NOFOLLOW_LINKS));
            all.put("exists " + name, dir -> Files.exists(dir.resolve(name)) + " " + Files.isWritable(dir.resolve(name)) + Files.isHidden(
                    dir.resolve(name)));
            all.put("real path of " + name, dir -> dir.relativize(dir.resolve(name).toRealPath()));
            all.put("target of " + name, dir -> Files.readSymbolicLink(dir.resolve(name)));
            all.put("list " + name, dir -> {
                try (Stream<Path> list = Files.list(dir.resolve(name))) {
                    return list.map(dir::relativize).map(Path::toString).sorted().toList();
                }
            });
            all.put("same as " + name, dir -> Files.isSameFile(dir.resolve(name), dir.resolve("file")));
            all.put("time of " + name, dir -> Files.getLastModifiedTime(Files.setLastModifiedTime(dir.resolve(name),
                    FileTime.fromMillis(7000))));
            all.put("mode of " + name, dir -> Files.getPosixFilePermissions(Files.setPosixFilePermissions(dir.resolve(name),
                    PosixFilePermissions.fromString("rwx------"))));
            all.put("unix mode of " + name, dir -> Files.getAttribute(Files.setAttribute(dir.resolve(name), "unix:mode", 0640),
                    "unix:mode"));
        }
        all.put("unknown view", dir -> Files.readAttributes(dir.resolve("file"), "nothing:mode"));
        all.put("unknown attribute", dir -> Files.setAttribute(dir.resolve("file"), "unix:nothing", 1));
        all.put("views", dir -> Files.getFileAttributeView(dir.resolve("file"), BasicFileAttributeView.class).name()
                + Files.getFileAttributeView(dir.resolve("file"), PosixFileAttributeView.class).readAttributes().permissions()
                + Files.getFileAttributeView(dir.resolve("file"), java.nio.file.attribute.AclFileAttributeView.class));
        all.put("user attribute", dir -> {
            UserDefinedFileAttributeView view = Files.getFileAttributeView(dir.resolve("file"), UserDefinedFileAttributeView.class);
            view.write("colour", ByteBuffer.wrap(HELLO));
            return view.list();
        });
        all.put("owner", dir -> Files.setOwner(dir.resolve("file"), Files.getOwner(dir.resolve("file"))).getFileName());
        all.put("glob", dir -> {
            List<String> names = new ArrayList<>();
            try (DirectoryStream<Path> stream = Files.newDirectoryStream(dir, "*l*")) {
                stream.forEach(path -> names.add(path.getFileName().toString()));
                assertThatThrownBy(stream::iterator).isInstanceOf(IllegalStateException.class);
            }
            return names.stream().sorted().toList();
        });
        all.put("walk", dir -> {
            try (Stream<Path> tree = Files.walk(dir)) {
                return tree.map(dir::relativize).map(Path::toString).sorted().toList();
            }
        });
        all.put("store", dir -> Files.getFileStore(dir.resolve("file")).type());
        all.put("mismatch", dir -> Files.mismatch(dir.resolve("file"), dir.resolve("other")));
        all.put("content type", dir -> Files.probeContentType(dir.resolve("file.txt")));
    }

    private static void paths(Map<String, Operation> all) {
        all.put("resolve", dir -> dir.relativize(dir.resolve("a/../b").normalize()) + " " + dir.resolve("a").resolveSibling("c")
                .getFileName());
        all.put("resolve paths", dir -> {
            Path part = dir.getFileSystem().getPath("a", "b");
            return dir.relativize(dir.resolve(part)) + " " + dir.resolve(part).endsWith(part) + part.startsWith("a") + part.getNameCount()
                    + part.getName(1) + part.subpath(0, 1) + part.getRoot() + part.isAbsolute() + part.getParent().getParent();
        });
        all.put("compare", dir -> dir.resolve("a").compareTo(dir.resolve("b")) + " " + dir.resolve("a").equals(dir.resolve("./a"))
                + dir.resolve("a").equals(dir.resolve("a")) + (dir.resolve("a").hashCode() == dir.resolve("a").hashCode()));
        all.put("iterate", dir -> {
            List<String> names = new ArrayList<>();
            dir.getFileSystem().getPath("a/b/c").forEach(name -> names.add(name.toString()));
            return names;
        });
        all.put("relativize badly", dir -> dir.relativize(dir.getFileSystem().getPath("a")));
        all.put("invalid", dir -> dir.resolve("a\0b"));
        all.put("uri", dir -> dir.getFileSystem().provider().getPath(dir.resolve("file").toUri()).equals(dir.resolve("file")));
        all.put("bad uri", dir -> dir.getFileSystem().provider().getPath(URI.create("file:relative")));
        all.put("file system of a uri", dir -> dir.getFileSystem().provider().getFileSystem(URI.create("file:///")) == dir.getFileSystem());
        all.put("new file system", dir -> dir.getFileSystem().provider().newFileSystem(URI.create("file:///"), Map.of()));
        all.put("bad file system", dir -> dir.getFileSystem().provider().getFileSystem(URI.create("file:///x")));
        all.put("close", dir -> {
            dir.getFileSystem().close();
            return "";
        });
        all.put("system", dir -> dir.getFileSystem().isOpen() + " " + dir.getFileSystem().isReadOnly() + dir.getFileSystem().getSeparator()
                + dir.getFileSystem().getRootDirectories().iterator().next() + new java.util.TreeSet<>(
                        dir.getFileSystem().supportedFileAttributeViews()));
        all.put("matcher", dir -> dir.getFileSystem().getPathMatcher("glob:**/fi*").matches(dir.resolve("file")));
        all.put("bad matcher", dir -> dir.getFileSystem().getPathMatcher("nothing:**/fi*"));
        all.put("starts with a stranger", dir -> {
            try (FileSystem zip = FileSystems.newFileSystem(zip(dir), Map.of("create", "true"))) {
                Path foreign = zip.getPath("/x");
                assertThatThrownBy(() -> dir.resolve(foreign)).isInstanceOf(ProviderMismatchException.class);
                assertThatThrownBy(() -> dir.compareTo(foreign)).isInstanceOf(ClassCastException.class);
                return dir.startsWith(foreign) + " " + dir.endsWith(foreign) + dir.equals(foreign)
                        + Files.isSameFile(dir, foreign);
            }
        });
        all.put("zip", dir -> {
            try (FileSystem zip = FileSystems.newFileSystem(zip(dir), Map.of("create", "true"))) {
                Files.copy(dir.resolve("file"), zip.getPath("/inside"));
            }
            try (FileSystem zip = FileSystems.newFileSystem(zip(dir))) {
                Files.copy(zip.getPath("/inside"), dir.resolve("outside"));
                Files.move(dir.resolve("other"), zip.getPath("/moved"));
            }
            Files.delete(zip(dir)); // its bytes contain times
            return Files.readString(dir.resolve("outside"));
        });
        all.put("to file", dir -> dir.relativize(dir.getFileSystem().getPath(dir.resolve("file").toFile().getPath())));
    }

    private static Path zip(Path directory) {
        return directory.resolve("archive.zip");
    }

    @Test
    void everyOperationDoesWhatTheSystemsOwnDoes() throws Exception {
        Map<String, String> expected = new TreeMap<>();
        Map<String, String> actual = new TreeMap<>();
        Map<String, String> fresh = tree(real);
        for (Map.Entry<String, Operation> one : operations().entrySet()) {
            expected.put(one.getKey(), outcome(real, one.getValue()));
            actual.put(one.getKey(), outcome(lab, one.getValue()));
            Path under = temp.resolve("labs");
            Map<String, String> after = tree(real);
            assertThat(tree(under)).as("the files after: " + one.getKey()).isEqualTo(after);
            assertThat(disk.differences(under)).as("what the gate has seen of: " + one.getKey()).isEmpty();
            if (!after.equals(fresh)) {
                renew(real);
                renew(under);
            }
        }
        List<String> different = expected.keySet().stream().filter(name -> !expected.get(name).equals(actual.get(name)))
                .map(name -> name + ": " + expected.get(name) + " -- but the lab's: " + actual.get(name)).toList();
        assertThat(different).isEmpty();
        assertThat(actual).hasSizeGreaterThan(500);
    }

    /** The disk with the lab's directory as it was before an operation, and then with all changes from the journal. */
    private Disk disk;

    private String outcome(Path directory, Operation operation) throws Exception {
        if (directory == lab) {
            disk = Disk.of(temp.resolve("labs"));
            journal.reset();
        }
        String text;
        try {
            text = String.valueOf(operation.on(directory));
        } catch (AssertionError e) {
            throw e;
        } catch (Throwable e) {
            text = "throws " + e.getClass().getName() + ": " + e.getMessage();
        }
        if (directory == lab) {
            Path file = Files.write(temp.resolve("journal"), journal.toByteArray());
            Effect.readAll(file).forEach(disk::apply);
        }
        return text.replace(directory.toString(), "DIR");
    }

    private static void renew(Path directory) throws IOException {
        if (Files.exists(directory)) {
            try (Stream<Path> tree = Files.walk(directory)) {
                for (Path path : tree.sorted(java.util.Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
        }
        fill(directory);
    }

    private static Map<String, String> tree(Path directory) throws IOException {
        Map<String, String> all = new TreeMap<>();
        try (Stream<Path> tree = Files.walk(directory)) {
            for (Path path : tree.toList()) {
                String what = Files.isSymbolicLink(path) ? "-> " + Files.readSymbolicLink(path).toString()
                        .replace(directory.toString(), "DIR")
                        : Files.isDirectory(path) ? "directory" : Arrays.hashCode(Files.readAllBytes(path)) + " of " + Files.size(path);
                String mode = Files.getAttribute(path, "unix:mode", NOFOLLOW_LINKS) + " " + (Files.isDirectory(path, NOFOLLOW_LINKS) ? ""
                        : Files.getAttribute(path, "unix:nlink", NOFOLLOW_LINKS));
                all.put(directory.relativize(path).toString(), what + " " + mode);
            }
        }
        return all;
    }

    @Test
    void watchesSeeTheLabsFilesByTheLabsPaths() throws Exception {
        try (WatchService watch = lab.getFileSystem().newWatchService()) {
            WatchKey key = lab.register(watch, StandardWatchEventKinds.ENTRY_CREATE);
            Files.createFile(lab.resolve("watched"));
            WatchKey seen = watch.poll(20, TimeUnit.SECONDS);
            assertThat(seen).isSameAs(key);
            assertThat(seen.watchable()).isEqualTo(lab);
            assertThat(seen.pollEvents()).singleElement().satisfies(event -> assertThat(lab.resolve((Path) event.context()))
                    .isEqualTo(lab.resolve("watched")));
            assertThat(seen.reset()).isTrue();
            seen.cancel();
        }
        try (WatchService foreign = FileSystems.getDefault().newWatchService()) {
            assertThatThrownBy(() -> lab.register(foreign, StandardWatchEventKinds.ENTRY_CREATE))
                    .isInstanceOf(ProviderMismatchException.class);
        }
    }

    @Test
    void whatLiesElsewhereIsNoneOfItsBusiness() throws Exception {
        Path elsewhere = lab.resolveSibling("elsewhere");
        Files.writeString(elsewhere, "x");
        Files.move(elsewhere, elsewhere.resolveSibling("moved"));
        assertThat(journal.size()).isZero();
        Files.move(elsewhere.resolveSibling("moved"), lab.resolve("moved"));
        Files.move(lab.resolve("full"), lab.resolveSibling("taken"));
        Files.createSymbolicLink(lab.resolve("out"), lab.resolveSibling("real"));
        Files.writeString(lab.resolve("out/file"), "not here");
        disk = Disk.of(fill(temp.resolve("fresh")));
        assertThat(Files.readString(real.resolve("file"))).isEqualTo("not here");
        assertThat(new String(journal.toByteArray(), StandardCharsets.ISO_8859_1)).contains("moved", "rename full")
                .doesNotContain("out/file");
    }
}
