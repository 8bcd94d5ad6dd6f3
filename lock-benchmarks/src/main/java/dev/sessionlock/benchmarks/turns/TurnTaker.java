package dev.sessionlock.benchmarks.turns;

import com.sun.management.ThreadMXBean;
import dev.sessionlock.testkit.ChildScenario;
import dev.sessionlock.testkit.ParentJvm;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.IntConsumer;

/** The JVM in which contenders take turns; see {@link Turns}. */
final class TurnTaker implements ChildScenario {
    private static final long TURN_NANOS = TimeUnit.MILLISECONDS.toNanos(3);
    private static final int MOST_CYCLES = 1_000_000;

    /** One contender, and its times of the round. */
    private static final class Place {
        final Contender contender;
        final IntConsumer cycles;
        final List<Double> nanos = new ArrayList<>();
        int many = 1;
        long done;
        long bytes;

        Place(Contender contender, IntConsumer cycles) {
            this.contender = contender;
            this.cycles = cycles;
        }

        /** As many cycles as fill a turn. */
        void calibrate() throws ContenderFailedException {
            while (many < MOST_CYCLES && turn() < TURN_NANOS) {
                many *= 2;
            }
        }

        long turn() throws ContenderFailedException {
            long start = System.nanoTime();
            try {
                cycles.accept(many);
            } catch (RuntimeException e) {
                throw new ContenderFailedException(contender, e.getMessage());
            }
            return System.nanoTime() - start;
        }

        void count(ThreadMXBean memory) throws ContenderFailedException {
            long before = memory.getCurrentThreadAllocatedBytes();
            nanos.add((double) turn() / many);
            bytes += memory.getCurrentThreadAllocatedBytes() - before;
            done += many;
        }

        String tell() {
            Collections.sort(nanos);
            String told = nanos.get(nanos.size() / 10) + "," + nanos.get(nanos.size() / 2) + "," + (double) bytes / done;
            nanos.clear();
            bytes = 0;
            done = 0;
            return told;
        }
    }

    @Override
    public void run(ParentJvm parent) throws Exception {
        List<String> args = parent.args();
        Path directory = Path.of(args.get(0));
        long warmUp = Long.parseLong(args.get(1));
        long round = Long.parseLong(args.get(2));
        int rounds = Integer.parseInt(args.get(3));
        int done = 0;
        try {
            List<Place> places = new ArrayList<>();
            for (String contender : args.subList(4, args.size())) {
                places.add(open(Contender.parse(contender), Files.createTempDirectory(directory, "turns-")));
            }
            Random order = new Random(1);
            calibrate(places); // turns of a single cycle would be so many that their times fill the memory
            take(places, warmUp, order);
            places.forEach(Place::tell);
            for (; done < rounds; done++) {
                calibrate(places);
                take(places, round, order);
                parent.mark("round" + done, "ok", String.join(";", places.stream().map(Place::tell).toList()));
            }
        } catch (ContenderFailedException e) {
            parent.mark("round" + done, "failed", e.contender(), e.reason());
        }
    }

    private static void calibrate(List<Place> places) throws ContenderFailedException {
        for (Place place : places) {
            place.calibrate();
        }
    }

    /** In an order that is new each time, so that no contender always follows the same one. */
    private static void take(List<Place> places, long nanos, Random random) throws ContenderFailedException {
        ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        List<Place> order = new ArrayList<>(places);
        long end = System.nanoTime() + nanos;
        do {
            Collections.shuffle(order, random);
            for (Place place : order) {
                place.count(memory);
            }
        } while (System.nanoTime() - end < 0);
    }

    private static Place open(Contender contender, Path directory) throws Exception {
        URL[] classes = contender.jar() == null ? ownClasses() : with(contender.jar().toUri().toURL());
        ClassLoader loader = new URLClassLoader(classes, ClassLoader.getPlatformClassLoader()); // open until this JVM ends
        Object cycles = loader.loadClass(OneThread.class.getName()).getConstructor().newInstance();
        @SuppressWarnings("unchecked")
        BiConsumer<String, String> opener = (BiConsumer<String, String>) cycles;
        try {
            opener.accept(contender.peer().name(), directory.toString());
        } catch (RuntimeException e) {
            throw new ContenderFailedException(contender, e.toString());
        }
        return new Place(contender, (IntConsumer) cycles);
    }

    private static URL[] ownClasses() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator)).map(TurnTaker::url).toArray(URL[]::new);
    }

    private static URL[] with(URL jar) {
        return new URL[] {jar, TurnTaker.class.getProtectionDomain().getCodeSource().getLocation()};
    }

    private static URL url(String path) {
        try {
            return Path.of(path).toUri().toURL();
        } catch (MalformedURLException e) {
            throw new IllegalStateException(e);
        }
    }
}
