package dev.sessionlock.testkit.damage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.cli.ToolInside;
import dev.sessionlock.testkit.ChildJvm;
import dev.sessionlock.testkit.KernelTruth;
import dev.sessionlock.testkit.MutualExclusionWitness;
import dev.sessionlock.testkit.OtherUser;
import dev.sessionlock.testkit.SmallJvm;
import dev.sessionlock.testkit.Tools;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * Every file behind a lock, damaged in every way, under a JVM that holds, lingers, waits and cycles there. There are never two holders. The session
 * can be locked again in that JVM, in one that wants it meanwhile and in one that comes later. If something is in the way that only a person may
 * remove, each of them is told what and where, and the session can be locked once it is gone. Only the exceptions of locks come out, and the JVM ends
 * on SIGTERM.
 *
 * <p>All are damaged at once, each in a directory of its own. So together they take as long as one: the time of the keeper's looks, not their sum.
 */
@ResourceLock(DamageSweepTest.ONE_AT_A_TIME)
class DamageSweepTest {
    static final String ONE_AT_A_TIME = "sweep of damages"; // three at once would be more sessions than MOST_AT_ONCE
    /** The promise of the table "How long can a lock be stuck?" in the README, where another program cut or overwrote a file. */
    private static final Duration PROMISED = Duration.ofSeconds(5);
    /** How many times longer it may take on a busy machine. */
    private static final int SLACK = 24;
    /** After this, a keeper has made two deep checks, one every 5 s. */
    private static final Duration KEEPER_HAS_LOOKED = Duration.ofSeconds(6);
    /** {@code -Dsweep.only=GUARD.*HOLDS} repeats some of them. */
    private static final String ONLY = System.getProperty("sweep.only", ".*");
    private static final int MOST_AT_ONCE = 40; // more of them starve each other: they wait for a CPU longer than the timeouts here

    @TempDir
    Path temp;
    private Path elsewhere;

    enum Life { HOLDS, LINGERS, WAITS, CYCLES }

    /** One session that is damaged. */
    private record Session(DamagedFile file, Damage damage, Life life, Path path) {
        static Session in(Path directory, DamagedFile file, Damage damage, Life life) throws IOException {
            Path home = Files.createDirectories(directory.resolve(file + "." + damage + "." + life));
            return new Session(file, damage, life, home.resolve("session.jsonl"));
        }

        /** {@return whether its holder must lose it, since the table, by which it is held, says nothing any more} */
        boolean losesWhatIsHeld() {
            return (file == DamagedFile.TABLE || file == DamagedFile.FURTHER_TABLE) && EnumSet.of(Damage.CUT_TO_NOTHING, Damage.CUT_IN_THE_MIDDLE, Damage.ZEROED,
                    Damage.FILLED).contains(damage);
        }

        Path older() {
            return path.resolveSibling("older");
        }

        @Override
        public String toString() {
            return path.getParent().getFileName().toString();
        }
    }

    @BeforeEach
    void writeWhatNobodyMayTouch() throws IOException {
        elsewhere = Files.writeString(temp.resolve("elsewhere"), "somebody's file");
    }

    private List<Session> all(Predicate<Damage> damages) throws IOException {
        List<Session> all = new ArrayList<>();
        for (DamagedFile file : DamagedFile.values()) {
            for (Damage damage : Damage.values()) {
                for (Life life : Life.values()) {
                    if (file.suffers(damage) && damages.test(damage) && (file + "." + damage + "." + life).matches(ONLY)) {
                        all.add(Session.in(temp, file, damage, life));
                    }
                }
            }
        }
        return all;
    }

    private static boolean needsAnotherUser(Damage damage) {
        return damage == Damage.FORBIDDEN;
    }

    /** Each file, each damage and each use, though not all combinations; always the same ones. */
    @Test
    void sessionsCanBeLockedAgain() throws Exception {
        sweep(some(all(damage -> !needsAnotherUser(damage))), SmallJvm.of(Gateway.class));
    }

    private static List<Session> some(List<Session> all) {
        return all.stream().filter(session -> (session.file().ordinal() + session.damage().ordinal()) % Life.values().length == session.life().ordinal())
                .filter(session -> !ONLY.equals(".*") || (2 * session.file().ordinal() + session.damage().ordinal()) % 3 == 0)
                .toList();
    }

    @Test
    @Tag("soak")
    void sessionsWhoseFilesAreForbiddenCanBeLockedAgainOnceTheyAreNot() throws Exception {
        Tools.requireRoot();
        Tools.require("becoming another user", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "true");
        List<Session> all = all(DamageSweepTest::needsAnotherUser);
        Tools.shell("chmod 711 '" + temp + "' && chown -R 65534:65534 '" + temp + "'/*");
        try (OtherUser nobody = OtherUser.prepare()) {
            sweep(all, nobody.jvm(Gateway.class, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"));
        }
    }

    @Test
    @Tag("soak")
    @Timeout(value = 1, unit = TimeUnit.HOURS)
    void sessionsCanBeLockedAgainWhateverTheJvmDid() throws Exception {
        List<Session> all = all(damage -> !needsAnotherUser(damage));
        for (int from = 0; from < all.size(); from += MOST_AT_ONCE) {
            sweep(all.subList(from, Math.min(all.size(), from + MOST_AT_ONCE)), SmallJvm.of(Gateway.class));
        }
    }

    // ---- one sweep ----

    private void sweep(List<Session> sessions, ChildJvm.Builder jvm) throws Exception {
        Troubles troubles = new Troubles();
        try (MutualExclusionWitness witness = MutualExclusionWitness.open();
                Jvm victim = new Jvm("victim", jvm.args(witness.address()).name("victim").start());
                Jvm other = new Jvm("other", jvm.args(witness.address()).name("other").start())) {
            prepare(sessions, victim, other, troubles);
            say("damage", sessions.size());
            victim.ask("forget-losses", List.of());
            other.ask("forget-losses", List.of());
            Map<Session, Long> damagedAt = new HashMap<>();
            for (Session session : sessions) {
                damagedAt.put(session, System.currentTimeMillis());
                damage(session);
            }
            List<Session> ill = sessions.stream().filter(session -> session.damage().isObstacle()).toList();
            List<Session> well = sessions.stream().filter(session -> !session.damage().isObstacle()).toList();
            Thread.sleep(300);
            askTheTool(sessions, troubles);
            try (Jvm late = new Jvm("late", jvm.args(witness.address()).name("late").start())) {
                List<Session> wanted = sessions.stream().filter(session -> session.life() != Life.WAITS).toList();
                late.ask("cycle", sessions); // in addition to the holder, until the keepers have looked
                other.ask("cycle", wanted);
                Thread.sleep(KEEPER_HAS_LOOKED.toMillis());
                mustBeLostInTime(damagedAt, victim, other, troubles);
                say("let go", sessions.size());
                List<Call> lettingGo = begin(List.of(victim, other, late), "let-go", sessions);
                for (Call call : lettingGo) {
                    troubles.add("is not let go", call.answer());
                }
                say("use", sessions.size());
                long askedAt = System.currentTimeMillis();
                List<Call> wells = begin(List.of(victim, other, late), "use", well);
                List<Call> ills = begin(List.of(victim, other, late), "use", ill);
                for (Call call : wells) {
                    troubles.add("cannot be locked again", call.answer());
                }
                for (Jvm each : List.of(victim, other, late)) {
                    mustBeHadInTime(well, askedAt, each, troubles);
                }
                for (Call call : ills) {
                    troubles.addUnlessTold(ill, call.answer());
                }
                say("undo", ill.size());
                for (Session session : ill) {
                    for (Path path : session.file().in(session.path())) {
                        session.damage().undo(path);
                    }
                    for (Path path : damaged.getOrDefault(session, List.of())) {
                        session.damage().undo(path);
                    }
                }
                for (Call call : begin(List.of(victim, other, late), "use", ill)) {
                    troubles.add("once that is removed", call.answer());
                }
                say("take", sessions.size());
                List<Session> fine = sessions.stream().filter(session -> !troubles.knows(session)).toList();
                for (Jvm holder : List.of(victim, other)) {
                    troubles.add("cannot be held", holder.ask("hold", fine));
                    for (Jvm each : List.of(victim, other, late)) {
                        if (each != holder) {
                            troubles.add("cannot be tried", each.ask("try", fine));
                        }
                    }
                    mustHaveTheirBytes(holder, fine, troubles);
                    troubles.add("is not let go", holder.ask("let-go", fine));
                }
                for (Jvm each : List.of(victim, other, late)) {
                    troubles.add("escaped", each.ask("escaped", List.of()));
                    each.jvm.terminate();
                }
                for (Jvm each : List.of(victim, other, late)) {
                    assertThat(each.jvm.awaitExit(Gateway.PATIENCE)).as("ended by the signal").isEqualTo(143);
                    assertThat(each.jvm.output()).doesNotContain("stumbled", "Exception in thread");
                }
                say("end", sessions.size());
            }
            witness.awaitAllLeft(Duration.ofSeconds(10));
            witness.verify();
        }
        assertThat(elsewhere).hasContent("somebody's file");
        assertThat(troubles.told).as("%d of %d sessions:\n%s", troubles.told.size(), sessions.size(), troubles).isEmpty();
    }

    // ---- how long it takes ----

    /** By now, whoever held it when the table was cut or overwritten has noticed. */
    private static void mustBeLostInTime(Map<Session, Long> damagedAt, Jvm victim, Jvm other, Troubles troubles) throws Exception {
        Map<Session, Jvm> holders = new HashMap<>();
        damagedAt.keySet().stream().filter(Session::losesWhatIsHeld).filter(session -> session.life() == Life.HOLDS || session.life() == Life.WAITS)
                .forEach(session -> holders.put(session, session.life() == Life.HOLDS ? victim : other));
        Map<Session, Long> lostAfter = new HashMap<>();
        try {
            await().atMost(PROMISED.multipliedBy(SLACK)).until(() -> {
                for (Jvm jvm : List.of(victim, other)) {
                    Map<String, String> lost = jvm.ask("lost", List.of());
                    holders.forEach((session, holder) -> {
                        String at = lost.get(session.path().toString());
                        if (holder == jvm && at != null) {
                            lostAfter.put(session, Long.parseLong(at) - damagedAt.get(session));
                        }
                    });
                }
                return lostAfter.size() == holders.size();
            });
        } catch (ConditionTimeoutException e) {
            holders.keySet().stream().filter(session -> !lostAfter.containsKey(session))
                    .forEach(session -> troubles.add(session, "what was held is not lost within " + PROMISED.multipliedBy(SLACK)));
        }
        sayLongest("what was held by a damaged table was lost after", lostAfter);
    }

    /** Whoever asks after its release gets it, though the table has to be created anew for it. */
    private static void mustBeHadInTime(List<Session> well, long askedAt, Jvm jvm, Troubles troubles) throws Exception {
        Map<String, String> had = jvm.ask("had", List.of());
        Map<Session, Long> hadAfter = new HashMap<>();
        for (Session session : well) {
            String at = had.get(session.path().toString());
            if (at != null) { // otherwise it was reported already
                hadAfter.put(session, Long.parseLong(at) - askedAt);
            }
        }
        hadAfter.forEach((session, after) -> {
            if (after > Gateway.PATIENCE.toMillis()) {
                troubles.add(session, "could be locked only after " + after + " ms");
            }
        });
        sayLongest("the " + jvm.name + " JVM had its locks after", hadAfter);
    }

    private static void sayLongest(String what, Map<Session, Long> after) {
        after.entrySet().stream().max(Map.Entry.comparingByValue()).ifPresent(longest -> System.out.printf("%tT.%<tL %s at most %d ms (%s, of %d)%n",
                System.currentTimeMillis(), what, longest.getValue(), longest.getKey(), after.size()));
    }

    private static void mustHaveTheirBytes(Jvm holder, List<Session> sessions, Troubles troubles) throws IOException, InterruptedException {
        List<Session> without = sessions;
        for (int looks = 0; looks < 20 && !without.isEmpty(); looks++) { // a lost one is taken again
            Thread.sleep(looks == 0 ? 0 : 100);
            Set<Path> held = KernelTruth.held(sessions.stream().map(session -> session.path().getParent()).toList(), holder.jvm.pid());
            without = without.stream().filter(session -> !held.contains(session.path().getParent())).toList();
        }
        without.forEach(session -> troubles.add(session, "held without its byte"));
    }

    private static List<Call> begin(List<Jvm> jvms, String command, List<Session> sessions) throws IOException {
        List<Call> calls = new ArrayList<>();
        for (Jvm jvm : jvms) {
            calls.add(jvm.begin(command, sessions));
        }
        return calls;
    }

    private static void say(String what, int count) {
        System.out.printf("%tT.%<tL %s: %d%n", System.currentTimeMillis(), what, count);
    }

    private void prepare(List<Session> sessions, Jvm victim, Jvm other, Troubles troubles) throws Exception {
        say("prepare", sessions.size());
        List<Path> crowd = new ArrayList<>();
        for (Session session : sessions) {
            crowd.addAll(session.file().crowd(session.path()));
        }
        troubles.add("crowd", other.tell("visit", crowd).answer());
        troubles.add("first", other.ask("visit", sessions));
        List<Path> spares = sessions.stream().map(session -> session.path().resolveSibling("spare")).toList();
        troubles.add("before", victim.ask("hold", sessions));
        troubles.add("spare", victim.tell("visit", spares).answer());
        for (Session session : sessions) { // an older copy, as in a backup
            Path home = session.path().getParent();
            Tools.shell("cp -a '" + home + "' '" + session.path().resolveSibling("../older-of-" + session) + "'; mv '"
                    + session.path().resolveSibling("../older-of-" + session) + "' '" + session.older() + "'");
        }
        troubles.add("before", victim.ask("let-go", sessions));
        troubles.add("hold", victim.ask("hold", of(sessions, Life.HOLDS)));
        troubles.add("linger", victim.ask("linger", of(sessions, Life.LINGERS)));
        troubles.add("hold", other.ask("hold", of(sessions, Life.WAITS)));
        victim.ask("wait", of(sessions, Life.WAITS));
        victim.ask("cycle", of(sessions, Life.CYCLES));
        Thread.sleep(200);
    }

    private static List<Session> of(List<Session> sessions, Life life) {
        return sessions.stream().filter(session -> session.life() == life).toList();
    }

    private final Map<Session, List<Path>> damaged = new HashMap<>();

    private void damage(Session session) throws Exception {
        Path home = session.path().getParent();
        List<Path> paths = session.file().in(session.path());
        damaged.put(session, paths);
        for (Path path : paths) {
            Path older = session.older().resolve(home.relativize(path));
            for (int tries = 0; ; tries++) {
                try {
                    session.damage().to(path, older, elsewhere);
                    break;
                } catch (IOException e) { // a thread that cycles creates and removes it meanwhile
                    if (tries == 20) {
                        throw e;
                    }
                }
            }
        }
    }

    /** For a session that is held, and for one that cannot be locked, the tool prints something, or exits with another code than 0. */
    private void askTheTool(List<Session> sessions, Troubles troubles) {
        for (Session session : sessions) {
            if (session.damage().isObstacle() && session.life() == Life.HOLDS) {
                mustSaySomething(session, troubles, "status", session.path().toString());
                mustSaySomething(session, troubles, "clear", session.path().toString());
                mustSaySomething(session, troubles, "list", "--older-than", "1ms", session.path().getParent().toString());
            }
        }
        String all = ToolInside.run("list", "--recursive", "--older-than", "1ms", temp.toString()).text();
        for (Session session : sessions) {
            if (session.life() == Life.HOLDS && !all.contains(session.toString())) {
                troubles.add(session, "list --older-than does not name it");
            }
        }
    }

    private static void mustSaySomething(Session session, Troubles troubles, String... command) {
        ToolInside.Said said = ToolInside.run(command);
        for (int tries = 0; tries < 5 && said.isNothing(); tries++) { // a holder that was starved takes it again
            said = ToolInside.run(command);
        }
        if (said.isNothing()) {
            troubles.add(session, command[0] + " says nothing, and exits with 0");
        } else if (Stream.of("\tat ", "Error", "Unchecked", "NullPointer").anyMatch(said.text()::contains)) {
            troubles.add(session, command[0] + ": " + said.text());
        }
    }

    /** What went wrong, by session. */
    private static final class Troubles {
        private final Map<String, String> told = new TreeMap<>();

        void add(Session session, String what) {
            told.merge(session.toString(), what, (one, other) -> one + "; " + other);
        }

        void add(String when, Map<String, String> answers) {
            answers.forEach((session, what) -> told.merge(name(session), when + ": " + what, (one, other) -> one + "; " + other));
        }

        /** Where something is in the way: either it does no harm, or whoever wants the lock is told where it is and what to do. */
        void addUnlessTold(List<Session> ill, Map<String, String> answers) {
            Map<String, Session> byName = ill.stream().collect(Collectors.toMap(session -> session.path().toString(), session -> session));
            answers.forEach((path, what) -> {
                Session session = byName.get(path);
                if (session == null || !isTold(session, what)) {
                    told.merge(name(path), "with it in the way: " + what, (one, other) -> one + "; " + other);
                }
            });
        }

        private static boolean isTold(Session session, String what) {
            try {
                return session.file().in(session.path()).stream().anyMatch(path -> what.contains("/" + path.getFileName()))
                        && Gateway.isForAPerson(what);
            } catch (IOException e) {
                return what.contains(".session-locks");
            }
        }

        boolean knows(Session session) {
            return told.containsKey(session.toString());
        }

        private static String name(String session) {
            return session.isEmpty() ? "-" : Path.of(session).getParent().getFileName().toString();
        }

        @Override
        public String toString() {
            return told.entrySet().stream().map(entry -> entry.getKey() + ": " + entry.getValue()).collect(Collectors.joining("\n"));
        }
    }

    // ---- the JVMs ----

    private interface Call {
        Map<String, String> answer() throws InterruptedException;
    }

    private final class Jvm implements AutoCloseable {
        private final ChildJvm jvm;
        private final String name;
        private final AtomicLong calls = new AtomicLong();

        Jvm(String name, ChildJvm jvm) {
            this.name = name;
            this.jvm = jvm;
        }

        Map<String, String> ask(String command, List<Session> sessions) throws IOException, InterruptedException {
            return begin(command, sessions).answer();
        }

        Call begin(String command, List<Session> sessions) throws IOException {
            return tell(command, sessions.stream().map(Session::path).toList());
        }

        Call tell(String command, List<Path> sessions) throws IOException {
            long number = calls.incrementAndGet();
            Path list = Files.write(temp.resolve("list-" + jvm.pid() + "-" + number), sessions.stream().map(Path::toString).toList());
            jvm.send(number + " " + command + " " + list);
            return () -> answer(jvm.awaitMark("done-" + number, Gateway.PATIENCE.multipliedBy(3)).text());
        }

        private static Map<String, String> answer(String text) {
            Map<String, String> answers = new LinkedHashMap<>();
            if (!text.equals(Gateway.NONE)) {
                URLDecoder.decode(text, StandardCharsets.UTF_8).lines().forEach(line -> answers.put(line.split("\t", 2)[0], line.split("\t", 2)[1]));
            }
            return answers;
        }

        @Override
        public void close() {
            jvm.close();
        }
    }
}
