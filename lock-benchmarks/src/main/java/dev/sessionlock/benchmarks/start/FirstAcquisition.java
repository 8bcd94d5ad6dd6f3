package dev.sessionlock.benchmarks.start;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.FileReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.LoggerFactory;

/**
 * A JVM that takes one lock and ends. Given a list of classes, it first does, step by step, what every program that locks must do. What remains is
 * the library's own code. It has no lambda of its own, which would be the first to be linked.
 */
final class FirstAcquisition {
    static final String BEGIN = "[begin]";
    static final String END = "[end]";
    static final String TIMES = "[times]";

    private static final int TABLE = 16 * 1024;

    private FirstAcquisition() {
    }

    /** @param args an empty directory, and a file with the names of the classes to load; without it the acquisition is not divided */
    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        Path session = dir.resolve("session.jsonl");
        List<String> classes = args.length > 1 ? lines(args[1]) : null;
        now();
        long[] times = new long[5];
        times[0] = now();
        if (classes != null) {
            LoggerFactory.getLogger("dev.sessionlock");
            times[1] = now();
            systemCalls(Files.createDirectory(dir.resolve("bare")));
            times[2] = now();
            load(classes);
        } else {
            System.out.println(BEGIN);
        }
        times[3] = now();
        SessionLock lock = SessionLocks.create().acquire(session);
        times[4] = now();
        if (classes == null) {
            System.out.println(END);
        }
        if (!lock.isHeld()) {
            throw new AssertionError("lost");
        }
        StringBuilder told = new StringBuilder(TIMES);
        for (int i = 1; i < times.length; i++) {
            told.append(' ').append(times[i] == 0 ? 0 : times[i] - (times[i - 1] == 0 ? times[0] : times[i - 1]));
        }
        System.out.println(told);
        System.out.flush();
        Runtime.getRuntime().halt(0); // nobody would measure a clean end
    }

    /** The system calls of an acquisition in a new directory, written in the plainest Java. */
    private static void systemCalls(Path dir) throws IOException {
        Path inner = Files.createDirectory(dir.toRealPath().resolve("inner"));
        Files.readAttributes(inner, BasicFileAttributes.class).fileKey();
        Files.getPosixFilePermissions(inner);
        Files.getFileStore(inner).type();
        FileChannel pin = FileChannel.open(inner, StandardOpenOption.READ);
        try (DirectoryStream<Path> all = Files.newDirectoryStream(inner)) {
            for (Path path : all) {
                Files.delete(path);
            }
        }
        FileLock lock = new RandomAccessFile(inner.resolve("guard").toFile(), "rw").getChannel().tryLock(1L << 60, 1, false);
        RandomAccessFile table = new RandomAccessFile(inner.resolve("table.new").toFile(), "rw");
        table.write(new byte[TABLE]);
        Files.move(inner.resolve("table.new"), inner.resolve("table"), StandardCopyOption.ATOMIC_MOVE);
        MappedByteBuffer page = table.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, TABLE);
        VarHandle word = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
        boolean published = word.compareAndSet(page, 64, 0L, 1L);
        RandomAccessFile record = new RandomAccessFile(inner.resolve("record").toFile(), "rw");
        record.write(new byte[1024]);
        Files.createLink(dir.resolve("x.lock"), inner.resolve("record"));
        Files.readSymbolicLink(Path.of("/proc/self/ns/pid"));
        Thread keeper = new Thread("keeper");
        keeper.setDaemon(true);
        keeper.start();
        Runtime.getRuntime().addShutdownHook(new Thread("hook"));
        if (lock == null || !published || !pin.isOpen()) {
            throw new AssertionError("the bare calls failed");
        }
    }

    /** Loads and links them, and initializes none. */
    private static void load(List<String> classes) throws ClassNotFoundException {
        ClassLoader loader = FirstAcquisition.class.getClassLoader();
        for (String name : classes) {
            Class.forName(name, false, loader).getDeclaredConstructors(); // this links it
        }
    }

    private static List<String> lines(String file) throws IOException {
        List<String> lines = new ArrayList<>();
        try (BufferedReader in = new BufferedReader(new FileReader(file))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                lines.add(line);
            }
        }
        return lines;
    }

    /** {@return the CPU time of this thread, in nanoseconds} Read in the plainest way: the JDK's own way loads half of JMX. */
    private static long now() throws IOException {
        byte[] text = new byte[64];
        try (FileInputStream in = new FileInputStream("/proc/thread-self/schedstat")) {
            in.read(text);
        }
        long nanos = 0;
        for (int i = 0; text[i] >= '0'; i++) {
            nanos = nanos * 10 + text[i] - '0';
        }
        return nanos;
    }
}
