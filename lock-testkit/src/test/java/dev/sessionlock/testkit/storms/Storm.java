package dev.sessionlock.testkit.storms;

import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.MutualExclusionWitness;
import dev.sessionlock.testkit.SmallJvm;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Some JVMs at work on the locks of one directory, an attack on them, and the judgement afterwards. Whatever is found is recorded at once. A test
 * names the promises that must have been kept ({@link #assertKept}). The rest is printed: it shows what an attack does.
 */
final class Storm implements AutoCloseable {
    /** Longer than the keeper needs to see that the kernel has lost its bytes, or that its directory was replaced (5 s and a tick). */
    static final Duration KEEPER_HAS_LOOKED = Duration.ofMillis(6_500);
    private static final Duration ANSWER = Duration.ofSeconds(60);
    /** From SIGTERM on: the grace of the library's hook is a second, the rest is for a busy machine. */
    private static final Duration END = Duration.ofSeconds(20);
    private static final Duration RECORDS_GO = Duration.ofSeconds(10);
    private static final int LAST_OUTPUT = 2_500;

    /** What the library promises. */
    enum Promise {
        ONE_HOLDER, GROWING_TOKENS,
        /** No lock has two table entries, once each was taken again. */
        ONE_ENTRY_A_LOCK,
        /** The JVMs of the storm and a fresh one can take each lock, and nobody waits in vain. */
        NO_LOCK_STUCK,
        NO_RECORD_LEFT,
        /** No JVM dies, or stops answering. */
        JVMS_LIVE,
        /** Each ends after SIGTERM in bounded time, even while its threads are at work. */
        JVMS_END,
        /** A lock is lost only for the reasons that the attack gives, and no acquisition is refused for any other. */
        NOTHING_ELSE_LOST,
        /** A lock of another directory is kept. */
        OTHER_DIRECTORIES_UNHARMED
    }

    /** What is done to them, once; the storm repeats it. */
    interface Attack {
        void strike(Storm storm) throws Exception;
    }

    /** Whether records are removed in addition, as the second fault. */
    enum Removals {
        NONE,
        /** Some seconds after the attack, when the keepers have had time to see what it did. */
        AFTERWARDS,
        /** At any moment, also in the middle of it. */
        MEANWHILE
    }

    /**
     * Where the storm runs, with what, and what is expected.
     *
     * @param inside the directory as its JVMs see it
     * @param outside the same as this JVM sees it
     * @param wrapper starts each JVM
     * @param setting what the gateways do
     * @param bound how long a lock may be stuck after the storm, at most
     * @param allowed further errors that threads may meet: regular expressions for how they begin
     */
    record Plan(Path inside, Path outside, List<String> wrapper, List<String> jvmArgs, int jvms, Gateway.Setting setting, Duration bound,
            List<String> allowed, Removals removals) {
        static Plan in(Path dir) {
            return new Plan(dir, dir, List.of(), List.of(), 3, new Gateway.Setting(Duration.ofSeconds(30), 5, false), Duration.ofSeconds(15),
                    List.of(), Removals.NONE);
        }

        Plan seenFromOutsideAs(Path outside, String... wrapper) {
            return new Plan(inside, outside, List.of(wrapper), jvmArgs, jvms, setting, bound, allowed, removals);
        }

        Plan wrappedBy(String... wrapper) {
            return new Plan(inside, outside, List.of(wrapper), jvmArgs, jvms, setting, bound, allowed, removals);
        }

        Plan jvmArgs(String... jvmArgs) {
            return new Plan(inside, outside, wrapper, List.of(jvmArgs), jvms, setting, bound, allowed, removals);
        }

        Plan jvms(int jvms) {
            return new Plan(inside, outside, wrapper, jvmArgs, jvms, setting, bound, allowed, removals);
        }

        Plan setting(Duration maxHold, int patientShare, boolean newDirectories) {
            return new Plan(inside, outside, wrapper, jvmArgs, jvms, new Gateway.Setting(maxHold, patientShare, newDirectories), bound, allowed, removals);
        }

        Plan bound(Duration bound) {
            return new Plan(inside, outside, wrapper, jvmArgs, jvms, setting, bound, allowed, removals);
        }

        Plan allowing(String... allowed) {
            return new Plan(inside, outside, wrapper, jvmArgs, jvms, setting, bound, List.of(allowed), removals);
        }

        Plan removals(Removals removals) {
            return new Plan(inside, outside, wrapper, jvmArgs, jvms, setting, bound, allowed, removals);
        }
    }

    private final String name;
    private final Plan plan;
    private final long seed = Long.getLong("storm.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final MutualExclusionWitness witness;
    private final Path bystanders;
    private final List<ChildJvm> jvms = new ArrayList<>();
    private final Map<Promise, Set<String>> broken = new EnumMap<>(Promise.class);
    private final Map<String, Long> met = new TreeMap<>();
    /** How often each command struck. */
    private final Map<String, Long> harm = new TreeMap<>();
    private final Set<String> suspects = new LinkedHashSet<>();
    private final Thread remover = new Thread(this::removeMeanwhile, "removes-records");
    private volatile boolean over;
    private int started;
    private int commands;
    private int strikes;
    private int removed;

    Storm(String name, Plan plan, Path temp) throws IOException, InterruptedException {
        this.name = name;
        this.plan = plan;
        witness = MutualExclusionWitness.open();
        bystanders = Files.createDirectories(temp.resolve("bystanders"));
        try {
            for (int i = 0; i < plan.jvms(); i++) {
                jvms.add(start(i));
            }
        } catch (Throwable e) {
            close();
            throw e;
        }
        remover.setDaemon(true);
    }

    private ChildJvm start(int place) throws IOException, InterruptedException {
        String id = "g" + ++started;
        ChildJvm.Builder builder = SmallJvm.of(Gateway.class).jvmArgs("-XX:ErrorFile=" + bystanders.resolveSibling("hs_err_%p.log"), "-XX:-CreateCoredumpOnCrash")
                .jvmArgs(plan.jvmArgs().toArray(String[]::new)).wrappedBy(plan.wrapper().toArray(String[]::new));
        if (place % 2 == 1 && OtherJava.get().isPresent()) {
            builder.java(OtherJava.get().get());
            id += "-other-java";
        }
        ChildJvm jvm = builder.name(id).args(id, witness.address(), plan.inside().toString(), Long.toString(random.nextLong()), plan.setting().word()).start();
        try {
            jvm.awaitMark("ready", ANSWER);
            ask(jvm, "keep", bystanders.resolve(id));
            return jvm;
        } catch (Throwable e) {
            jvm.close();
            throw e;
        }
    }

    // ---- talking to them ----

    /** A JVM that was asked. */
    private record Question(ChildJvm jvm, String mark) {
    }

    private Question begin(ChildJvm jvm, String command, Object... words) {
        int id = ++commands;
        jvm.send(Stream.concat(Stream.of(Integer.toString(id), command), Stream.of(words).map(String::valueOf)).reduce((a, b) -> a + " " + b).orElseThrow());
        return new Question(jvm, "done-" + id);
    }

    private String ask(ChildJvm jvm, String command, Object... words) throws InterruptedException {
        Question question = begin(jvm, command, words);
        return question.jvm().awaitMark(question.mark(), ANSWER).text();
    }

    /** Sends a command to all of them, at the same time. One that has ended, or does not answer, is recorded and replaced. Returns their answers. */
    List<String> tellAll(String command, Object... words) throws IOException, InterruptedException {
        return tell(jvms, command, words);
    }

    /** Sends a command to the first of them. Returns its answer. */
    String tellFirst(String command, Object... words) throws IOException, InterruptedException {
        return tell(jvms.subList(0, 1), command, words).stream().findFirst().orElse(Gateway.NONE);
    }

    private List<String> tell(List<ChildJvm> some, String command, Object... words) throws IOException, InterruptedException {
        List<Question> questions = new ArrayList<>();
        List<String> answers = new ArrayList<>();
        for (ChildJvm jvm : List.copyOf(some)) {
            try {
                questions.add(begin(jvm, command, words));
            } catch (AssertionError e) {
                replace(jvm, "has ended");
            }
        }
        for (Question question : questions) {
            try {
                String answer = question.jvm().awaitMark(question.mark(), ANSWER).text();
                answers.add(answer);
                if (answer.matches("[0-9]+")) {
                    harm.merge(command, Long.parseLong(answer), Long::sum);
                }
            } catch (AssertionError e) {
                replace(question.jvm(), "does not answer to " + command);
            }
        }
        return answers;
    }

    private void replace(ChildJvm jvm, String why) throws IOException, InterruptedException {
        int place = jvms.indexOf(jvm);
        if (place < 0) {
            return; // it was replaced already
        }
        if (jvm.isAlive()) {
            write(Promise.JVMS_LIVE, jvm + " " + why + stacks(jvm));
        } else {
            write(Promise.JVMS_LIVE, jvm + " ended with status " + jvm.awaitExit(END) + tail(jvm));
        }
        jvm.close();
        jvms.set(place, start(place));
    }

    private static String stacks(ChildJvm jvm) throws InterruptedException, IOException {
        new ProcessBuilder("kill", "-QUIT", Long.toString(jvm.pid())).start().waitFor();
        Thread.sleep(500);
        return tail(jvm);
    }

    private static String tail(ChildJvm jvm) {
        String output = jvm.output();
        return "\n" + output.substring(Math.max(0, output.length() - LAST_OUTPUT)).indent(8);
    }

    void write(Promise promise, String finding) {
        broken.computeIfAbsent(promise, p -> new LinkedHashSet<>()).add(finding);
    }

    // ---- the storm ----

    Random random() {
        return random;
    }

    Path dir() {
        return plan.outside();
    }

    void rage(Duration length, Attack attack) throws Exception {
        System.out.println(name + ": a storm of " + length.toSeconds() + " s, seed " + seed + ", " + jvms);
        remover.start();
        long start = System.nanoTime();
        while (System.nanoTime() - start < length.toNanos()) {
            attack.strike(this);
            strikes++;
            if (plan.removals() == Removals.AFTERWARDS) {
                Thread.sleep(KEEPER_HAS_LOOKED.toMillis());
                removeSome();
            }
            for (ChildJvm jvm : List.copyOf(jvms)) {
                if (!jvm.isAlive()) {
                    replace(jvm, "");
                }
            }
        }
        over = true;
        remover.join();
    }

    private void removeMeanwhile() {
        try {
            while (!over && plan.removals() == Removals.MEANWHILE) {
                removeOne();
                Thread.sleep(100 + new Random().nextInt(500));
            }
        } catch (IOException | InterruptedException e) {
            write(Promise.NOTHING_ELSE_LOST, "this test could not go on with removing records: " + e);
        }
    }

    void removeSome() throws IOException, InterruptedException {
        for (int i = 0; i < 4; i++) {
            removeOne();
            Thread.sleep(300);
        }
    }

    /** Like {@code rm *.lock}: of the names that are held for long, removes all records that are there. */
    private void removeOne() throws IOException {
        for (Path record : records()) {
            if (!record.getFileName().toString().startsWith("short")) {
                Files.deleteIfExists(record);
                removed++;
            }
        }
    }

    private List<Path> records() throws IOException {
        List<Path> records = new ArrayList<>();
        if (Files.isDirectory(dir())) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(dir(), "*-*.lock")) {
                files.forEach(records::add);
            } catch (java.nio.file.DirectoryIteratorException e) {
                return records;
            }
        }
        return records;
    }

    /**
     * Makes all JVMs use new names for a while, the same ones at the same time.
     *
     * @param guard only names of this guard file, or {@link Gateway#ANY_GUARD}
     * @return those names
     */
    Set<String> withNewNames(int guard, Attack attack) throws Exception {
        long from = System.nanoTime() / Gateway.NEW_NAMES_NANOS;
        tellAll("new-names", guard);
        attack.strike(this);
        tellAll("new-names", "off");
        long to = System.nanoTime() / Gateway.NEW_NAMES_NANOS + 1;
        Set<String> names = new LinkedHashSet<>();
        for (long period = from; period <= to; period++) {
            for (int i = 0; i < Gateway.NEW_NAMES; i++) {
                names.add(Gateway.newName(period, i, guard));
            }
        }
        return names;
    }

    /** Names that need a closer look: they are held for long from now on, and taken again at the end. */
    void suspect(Set<String> names) throws IOException, InterruptedException {
        suspects.addAll(names);
        System.out.println("    looks closer at " + names.size() + " locks, e.g. " + names.stream().limit(3).toList());
        tellAll("hot", names.isEmpty() ? Gateway.NONE : String.join(",", names.stream().limit(8).toList()));
    }

    // ---- afterwards ----

    /** Ends the storm, and checks that everything is as it should be. */
    void calm() throws IOException, InterruptedException {
        int last = jvms.size() - 1;
        collect(jvms.get(last));
        end(jvms.get(last), "at work");
        List<String> stuck = tell(jvms.subList(0, last), "stop");
        stuck.stream().filter(threads -> !threads.equals(Gateway.NONE)).forEach(threads -> write(Promise.NO_LOCK_STUCK, "threads that hang: " + threads));
        jvms.set(last, start(last)); // a fresh one
        Set<String> names = new LinkedHashSet<>(suspects.stream().limit(40).toList());
        IntStream.range(0, Gateway.SHORT_NAMES).forEach(i -> names.add("short-" + i));
        IntStream.range(0, Gateway.LONG_NAMES).forEach(i -> names.add("long-" + i));
        tell(jvms.subList(last, last + 1), "stop");
        for (ChildJvm jvm : List.copyOf(jvms)) {
            String cannot = tell(List.of(jvm), "take-all", plan.bound().toMillis(), String.join(",", names)).stream().findFirst().orElse("does not answer");
            if (!cannot.equals(Gateway.NONE)) {
                write(Promise.NO_LOCK_STUCK, (jvm == jvms.get(last) ? "a fresh JVM" : jvm) + " cannot have, within " + plan.bound().toSeconds() + " s: " + cannot);
            }
        }
        TableOnDisk table = TableOnDisk.read(dir());
        System.out.println("    " + table.size() + " locks on the board, " + table.doubled() + " of them twice");
        if (table.doubled() > 0) {
            write(Promise.ONE_ENTRY_A_LOCK, table.doubled() + " of " + table.size() + " locks have two lines on the board");
        }
        lookForRecords();
        for (int i = 0; i < last; i++) {
            collect(jvms.get(i));
            end(jvms.get(i), "at rest");
        }
        jvms.get(last).close();
        witness.awaitAllLeft(ANSWER);
        for (String violation : witness.violations()) {
            write(violation.startsWith("a token") ? Promise.GROWING_TOKENS : Promise.ONE_HOLDER, violation);
        }
    }

    private void lookForRecords() throws IOException, InterruptedException {
        long end = System.nanoTime() + RECORDS_GO.toNanos();
        while (!records().isEmpty() && System.nanoTime() < end) {
            Thread.sleep(100);
        }
        List<Path> left = records();
        if (!left.isEmpty()) {
            write(Promise.NO_RECORD_LEFT, left.stream().map(path -> path.getFileName() + " (" + size(path) + " bytes)").toList().toString());
        }
    }

    private static String size(Path file) {
        try {
            return Long.toString(Files.size(file));
        } catch (IOException e) {
            return "?";
        }
    }

    /** Collects what its threads have met. */
    private void collect(ChildJvm jvm) throws InterruptedException, IOException {
        if (!jvm.isAlive()) {
            return;
        }
        String counts = ask(jvm, "met");
        for (String count : counts.substring(1, counts.length() - 1).split(", (?=[^,]*=[0-9]+)")) {
            int equals = count.lastIndexOf('=');
            if (equals > 0) {
                String what = count.substring(0, equals);
                met.merge(what, Long.parseLong(count.substring(equals + 1)), Long::sum);
                if (plan.allowed().stream().noneMatch(allowed -> what.matches(allowed + ".*")) && !isOrdinary(what)) {
                    write(what.equals("timeout") ? Promise.NO_LOCK_STUCK : Promise.NOTHING_ELSE_LOST, what);
                }
            }
        }
        String troubles = ask(jvm, "troubles");
        if (!troubles.equals(Gateway.NONE)) {
            write(troubles.contains("LockTimeoutException") ? Promise.NO_LOCK_STUCK : Promise.NOTHING_ELSE_LOST, troubles);
        }
        String kept = ask(jvm, "kept");
        if (!kept.equals(Gateway.NONE)) {
            write(Promise.OTHER_DIRECTORIES_UNHARMED, jvm + ": " + kept);
        }
    }

    /** A lease may be missed when the machine stands still; a hold that is too long is ended. */
    private boolean isOrdinary(String what) {
        return what.startsWith("lost LEASE_EXPIRED") && !what.contains("without a stall") || what.startsWith("lost MAX_HOLD")
                || what.startsWith("lost SHUTDOWN") || plan.removals() != Removals.NONE && what.startsWith("lost REMOVED_BY_HAND");
    }

    private void end(ChildJvm jvm, String how) throws InterruptedException, IOException {
        if (jvm.isAlive()) {
            jvm.terminate();
            try {
                jvm.awaitExit(END);
            } catch (AssertionError e) {
                write(Promise.JVMS_END, jvm + ", " + how + ", does not end within " + END.toSeconds() + " s of SIGTERM" + stacks(jvm));
            }
        }
        jvm.close();
    }

    void assertKept(Set<Promise> promises) {
        System.out.println(this);
        Set<Promise> failed = EnumSet.noneOf(Promise.class);
        failed.addAll(promises);
        failed.retainAll(broken.keySet());
        if (!failed.isEmpty()) {
            StringBuilder text = new StringBuilder(name + " (seed " + seed + ") broke " + failed);
            failed.forEach(promise -> broken.get(promise).forEach(finding -> text.append("\n  ").append(promise).append(": ").append(finding)));
            throw new AssertionError(text.toString());
        }
    }

    @Override
    public void close() throws IOException {
        over = true;
        jvms.forEach(ChildJvm::close);
        witness.close();
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(name + ", seed " + seed + ": " + witness.visits() + " visits, " + strikes + " strikes " + harm + ", " + removed
                + " records removed; threads met " + met);
        broken.forEach((promise, findings) -> text.append("\n  broken: ").append(promise).append(", ").append(findings.size()).append(" times; first: ")
                .append(findings.iterator().next().lines().limit(3).reduce((a, b) -> a + " |" + b).orElse("")));
        return text.toString();
    }
}
