package dev.sessionlock.cli;

import dev.sessionlock.cli.DemoActor.ActorMark;
import dev.sessionlock.cli.DemoActorCommand.ActorOrder;
import dev.sessionlock.internal.system.Printable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/**
 * Replays the outage: writers and a compaction job share a transcript, and one misfortune follows the other. After each, the demo measures how long
 * it takes until a line is acknowledged under a later token than the unlucky holder's. At the end it compares the lines that the writers have counted
 * with the lines in the file.
 */
final class Demo implements AutoCloseable {
    private static final int WRITERS = 3;
    private static final long PATIENCE_SECONDS = 20;
    private static final long TRAFFIC_MILLIS = 600;

    private final PrintWriter out;
    private final Path directory;
    private final Path file;
    private final JobMark mark;
    private final ParentDeathGuard guard;
    private final long start = System.nanoTime();

    private final List<DemoActor> cast = new ArrayList<>();
    private final List<DemoActor> writers = new ArrayList<>();
    private DemoActor compaction;
    private int hired;
    private final List<DemoScene> scenes = new ArrayList<>();

    private final ReentrantLock mutex = new ReentrantLock();
    private final Condition heard = mutex.newCondition();
    /** Guarded by the mutex. */
    private final List<ActorMark> marks = new ArrayList<>();
    /** Guarded by the mutex. */
    private boolean closed;

    /**
     * One misfortune.
     *
     * @param event what happened
     * @param seconds until writing went on
     * @param how what let the others in
     */
    private record DemoScene(String event, double seconds, String how) {
    }

    /** Writing did not go on, or an actor did not do its part. */
    static final class StuckException extends Exception {
        private static final long serialVersionUID = 1L;

        StuckException(String message) {
            super(message);
        }
    }

    Demo(PrintWriter out, Path directory) {
        this.out = out;
        this.directory = directory;
        this.file = directory.resolve("session.jsonl");
        this.mark = JobMark.random();
        this.guard = ParentDeathGuard.start(mark, true);
    }

    /** {@return whether no line was lost, torn or doubled} */
    boolean play() throws IOException, InterruptedException, StuckException {
        raiseCurtain();
        killCompaction();
        killWriter();
        leak();
        freeze();
        removeByHand();
        finish();
        timeline();
        return proof();
    }

    private void raiseCurtain() throws IOException, InterruptedException, StuckException {
        say("starting " + WRITERS + " writers and a compaction job on " + file);
        for (int i = 0; i < WRITERS; i++) {
            writers.add(hire(false));
        }
        compaction = hire(true);
        for (DemoActor writer : writers) {
            await("the first line of " + writer.name(), 0, told -> told.actor() == writer && told.is("counted"));
        }
        ActorMark compacted = await("the first compaction", 0, told -> told.is("compacted"));
        say("all are at work; the first compaction: " + compacted.words().get(1) + " -> " + compacted.words().get(2) + " bytes");
    }

    private DemoActor hire(boolean compacts) throws IOException {
        String name = (compacts ? "compaction" : "w") + ++hired;
        DemoActor actor = DemoActor.start(name, compacts, file, mark, this::hear);
        boolean tooLate;
        mutex.lock();
        try {
            cast.add(actor);
            tooLate = closed;
        } finally {
            mutex.unlock();
        }
        if (tooLate) {
            actor.kill();
        }
        return actor;
    }

    // ---- the scenes ----

    private void killCompaction() throws IOException, InterruptedException, StuckException {
        traffic();
        ActorMark holds = bring(compaction, ActorOrder.DIE);
        long now = System.nanoTime();
        compaction.kill();
        say("kill -9 of the compaction job (pid " + compaction.pid() + ") while it holds the lock, its new file half written");
        wentOn("compaction killed with kill -9", holds, now, "the kernel let go");
        compaction.awaitEnd(PATIENCE_SECONDS);
        compaction = hire(true);
    }

    private void killWriter() throws IOException, InterruptedException, StuckException {
        traffic();
        DemoActor victim = writers.remove(0);
        ActorMark holds = bring(victim, ActorOrder.DIE);
        long now = System.nanoTime();
        victim.kill();
        say("kill -9 of writer " + victim.name() + " (pid " + victim.pid() + ") in the middle of a line");
        wentOn("writer killed with kill -9, mid-line", holds, now, "the kernel let go; the torn line was cut off");
        victim.awaitEnd(PATIENCE_SECONDS);
        writers.add(hire(false));
    }

    private void leak() throws IOException, InterruptedException, StuckException {
        traffic();
        DemoActor leaking = writers.get(0);
        int before = heardSoFar();
        ActorMark holds = bring(leaking, ActorOrder.LEAK);
        say("a request of writer " + leaking.name() + " forgets to close its handle; the process lives on");
        ActorMark next = wentOnMark(holds, before);
        ActorMark ended = await("the end of the leak", before, told -> told.is("leak-ended") && told.actor() == leaking);
        boolean collected = ended.words().get(2).equals("LEAKED");
        record("handle leaked, its process lives on", holds.at(), next.at(),
                collected ? "the garbage collector found it" : "maxHold (" + DemoActorCommand.MAX_HOLD.toSeconds() + " s here) was over");
    }

    private void freeze() throws IOException, InterruptedException, StuckException {
        traffic();
        DemoActor frozen = writers.get(1);
        int before = heardSoFar();
        ActorMark holds = bring(frozen, ActorOrder.FREEZE);
        long now = System.nanoTime();
        frozen.signal("STOP");
        awaitStandstill(frozen);
        frozen.order(ActorOrder.GO);
        say("kill -STOP of writer " + frozen.name() + " (pid " + frozen.pid() + ") just before it writes, holding the lock");
        wentOn("holder frozen with SIGSTOP", holds, now, "its lease (" + DemoActorCommand.LEASE.toSeconds() + " s here) ran out");
        TimeUnit.MILLISECONDS.sleep(TRAFFIC_MILLIS / 2);
        frozen.signal("CONT");
        ActorMark refused = await("the refusal of the late write", before, told -> told.actor() == frozen && told.is("refused"));
        String line = refused.words().get(1);
        ActorMark counted = await("the retry of the late write", before,
                told -> told.actor() == frozen && told.is("counted") && told.words().get(1).equals(line));
        boolean landed = await("the retry", before, told -> told == counted || told.actor() == frozen && told.is("landed")).is("landed");
        say("kill -CONT: its late write of line " + line + " did not count (" + refused.words().get(2)
                + "). Under the lock anew, it found the line " + (landed ? "there, and only counted it" : "missing, and wrote it again"));
    }

    /** The signal stops one thread after the other. A thread that still ran would read the order to go on, and write in time. */
    private static void awaitStandstill(DemoActor frozen) throws InterruptedException, StuckException {
        long start = System.nanoTime();
        while (!ProcessTree.standsStill(frozen.pid())) {
            if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS)) {
                throw new StuckException(frozen.name() + " does not stop");
            }
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    private void removeByHand() throws IOException, InterruptedException, StuckException {
        traffic();
        DemoActor holder = writers.get(0);
        ActorMark holds = bring(holder, ActorOrder.LINGER);
        long now = System.nanoTime();
        Files.delete(directory.resolve("session.jsonl.lock"));
        say("rm session.jsonl.lock while writer " + holder.name() + " holds it");
        wentOn(".lock removed by hand while held", holds, now, "the holder noticed, stopped, and let go");
        traffic();
    }

    private void finish() throws IOException, InterruptedException, StuckException {
        say("stopping the writers, then a last compaction");
        for (DemoActor writer : writers) {
            writer.order(ActorOrder.STOP);
        }
        for (DemoActor writer : writers) {
            requireEnd(writer);
        }
        compaction.order(ActorOrder.STOP);
        requireEnd(compaction);
    }

    private void requireEnd(DemoActor actor) throws InterruptedException, StuckException {
        if (!actor.awaitEnd(PATIENCE_SECONDS)) {
            throw new StuckException(actor.name() + " did not end within " + PATIENCE_SECONDS + " s");
        }
    }

    private ActorMark bring(DemoActor actor, ActorOrder order) throws IOException, InterruptedException, StuckException {
        int before = heardSoFar();
        actor.order(order);
        return await("the lock for " + actor.name(), before, told -> told.actor() == actor && told.is("holds"));
    }

    private static void traffic() throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(TRAFFIC_MILLIS);
    }

    // ---- measuring ----

    private void wentOn(String event, ActorMark holds, long since, String how) throws InterruptedException, StuckException {
        record(event, since, wentOnMark(holds, 0).at(), how);
    }

    private ActorMark wentOnMark(ActorMark holds, int from) throws InterruptedException, StuckException {
        return await("writing to go on", from, told -> told.is("counted") && told.token() > holds.token());
    }

    private void record(String event, long since, long until, String how) {
        scenes.add(new DemoScene(event, Math.max(0, until - since) / 1e9, how));
        say("  writing went on after " + seconds(until - since));
    }

    private void hear(ActorMark told) {
        mutex.lock();
        try {
            marks.add(told);
            heard.signalAll();
        } finally {
            mutex.unlock();
        }
    }

    private int heardSoFar() {
        mutex.lock();
        try {
            return marks.size();
        } finally {
            mutex.unlock();
        }
    }

    private ActorMark await(String what, int from, Predicate<ActorMark> wanted) throws InterruptedException, StuckException {
        long left = TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        int next = from;
        mutex.lock();
        try {
            while (true) {
                for (; next < marks.size(); next++) {
                    ActorMark told = marks.get(next);
                    if (wanted.test(told)) {
                        return told;
                    } else if (told.is("ended") && !told.actor().isDismissed()) {
                        throw new StuckException(told.actor().name() + " ended by itself; why should stand above");
                    }
                }
                if (left <= 0) {
                    throw new StuckException("waited " + PATIENCE_SECONDS + " s in vain for " + what);
                }
                left = heard.awaitNanos(left);
            }
        } finally {
            mutex.unlock();
        }
    }

    // ---- output ----

    private void say(String what) {
        out.println(Printable.text(String.format(Locale.ROOT, "%5.1f s  %s", (System.nanoTime() - start) / 1e9, what)));
        out.flush();
    }

    private static String seconds(long nanos) {
        return String.format(Locale.ROOT, "%.2f s", Math.max(0, nanos) / 1e9);
    }

    private void timeline() {
        out.println();
        out.printf("%-38s %20s   %s%n", "event", "writing went on after", "because");
        for (DemoScene scene : scenes) {
            out.printf(Locale.ROOT, "%-38s %19.2f s   %s%n", scene.event(), scene.seconds(), scene.how());
        }
        out.printf("%-38s %21s   %s%n", "the outage", "22 min", "somebody ran rm");
        out.println();
    }

    private boolean proof() throws IOException {
        Set<String> counted = countedIds();
        Map<String, Integer> found = new HashMap<>();
        int torn = 0;
        for (String text : Files.readAllLines(file)) { // also a torn one at the end
            Transcript.TranscriptLine entry = Transcript.TranscriptLine.parse(text);
            if (entry == null) {
                torn++;
            } else {
                found.merge(entry.id(), 1, Integer::sum);
            }
        }
        Set<String> lost = new HashSet<>(counted);
        lost.removeAll(found.keySet());
        List<String> doubled = found.entrySet().stream().filter(entry -> entry.getValue() > 1).map(Map.Entry::getKey).toList();
        out.println("lines counted by the writers " + counted.size() + ", found in the transcript " + found.size()
                + (found.size() > counted.size() ? " (the rest: written, and their writer killed before it could count them)" : ""));
        out.println("lost " + lost.size() + ", torn " + torn + ", doubled " + doubled.size());
        show("lost", lost);
        show("doubled", doubled);
        boolean proven = lost.isEmpty() && torn == 0 && doubled.isEmpty() && !counted.isEmpty();
        out.println(proven ? "Nothing was lost." : "THIS MUST NOT HAPPEN. Please report it, with all that is above.");
        out.flush();
        return proven;
    }

    private Set<String> countedIds() {
        mutex.lock();
        try {
            Set<String> ids = new HashSet<>();
            marks.stream().filter(told -> told.is("counted")).forEach(told -> ids.add(told.words().get(1)));
            return ids;
        } finally {
            mutex.unlock();
        }
    }

    private void show(String what, Iterable<String> ids) {
        int shown = 0;
        for (String id : ids) {
            if (shown++ < 10) {
                out.println("  " + what + ": " + id);
            }
        }
    }

    /** Ends all actors, also one that is frozen. Idempotent, from any thread. */
    @Override
    public void close() {
        List<DemoActor> actors;
        mutex.lock();
        try {
            closed = true;
            actors = List.copyOf(cast);
        } finally {
            mutex.unlock();
        }
        actors.forEach(DemoActor::kill);
        try {
            for (DemoActor actor : actors) {
                actor.awaitEnd(PATIENCE_SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        guard.dismiss();
    }
}
