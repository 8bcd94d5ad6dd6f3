package dev.sessionlock.cli;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a thread of another JVM was seen to do.
 *
 * @param name its name
 * @param presence whether it was found
 * @param state its state, as {@link Thread.State} names it; null if unknown
 * @param frames its stack, the innermost first, such as {@code com.example.Upload.send(Upload.java:88)}
 * @param ran how much processor time it used while it was watched; null if unknown
 * @param watched for how long it was watched; null if it was not
 */
record ThreadSnapshot(String name, Presence presence, @Nullable String state, List<String> frames, @Nullable Duration ran, @Nullable Duration watched) {
    /** Frames of the JDK and of this library do not say what a program is busy with. */
    private static final List<String> NOT_OF_THE_PROGRAM = List.of("java.", "javax.", "jdk.", "sun.", "com.sun.", "dev.sessionlock.internal.", "dev.sessionlock.jdbc.",
            "dev.sessionlock.cli.", "dev.sessionlock.Session", "dev.sessionlock.Acquisitions");
    /** The thread of {@code run} that waits for its job. */
    private static final String OF_A_JOB = "dev.sessionlock.cli.Job.";
    /** What the threads of event loops do while there is nothing to do. */
    private static final List<String> SELECTING = List.of("sun.nio.ch.SelectorImpl.select", "io.netty.channel.epoll.Native.epollWait");
    private static final List<String> WAITING = List.of("WAITING", "TIMED_WAITING", "BLOCKED");
    /** Less than this share of a processor is no work. */
    private static final int BUSY_SHARE = 10;

    /** Whether a thread is there. */
    enum Presence {
        /** It is there, and does something, or waits for something. */
        AT_WORK,
        /** It is there and has nothing to do: a worker of a pool, or an event loop. */
        IDLE,
        /** It waits for the job of {@code run}. */
        RUNS_A_JOB,
        /** It has ended. */
        GONE,
        /** Nobody could look. */
        UNKNOWN
    }

    ThreadSnapshot {
        frames = List.copyOf(frames);
    }

    /** {@return one that could not be looked at} */
    static ThreadSnapshot unknown(String name) {
        return new ThreadSnapshot(name, Presence.UNKNOWN, null, List.of(), null, null);
    }

    /** {@return one that is not there} */
    static ThreadSnapshot gone(String name) {
        return new ThreadSnapshot(name, Presence.GONE, null, List.of(), null, null);
    }

    /** {@return one that was found} */
    static ThreadSnapshot found(String name, @Nullable String state, List<String> frames, @Nullable Duration ran, @Nullable Duration watched) {
        boolean selects = frames.stream().anyMatch(frame -> SELECTING.stream().anyMatch(frame::startsWith));
        Presence presence = frames.stream().anyMatch(frame -> frame.startsWith(OF_A_JOB)) ? Presence.RUNS_A_JOB
                : selects || waits(state) && frames.stream().noneMatch(ThreadSnapshot::isOfTheProgram) ? Presence.IDLE : Presence.AT_WORK;
        return new ThreadSnapshot(name, presence, state, frames, ran, watched);
    }

    private static boolean isOfTheProgram(String frame) {
        return NOT_OF_THE_PROGRAM.stream().noneMatch(frame::startsWith);
    }

    /** {@return whether it was seen to use the processor} */
    boolean isBusy() {
        return ran != null && watched != null && ran.multipliedBy(BUSY_SHARE).compareTo(watched) >= 0;
    }

    /** {@return whether it stands still, as far as is known: it used no processor time, or it waits} */
    boolean isStill() {
        return presence == Presence.AT_WORK && (ran == null ? waits(state) : !isBusy());
    }

    private static boolean waits(@Nullable String state) {
        return state != null && WAITING.contains(state);
    }

    /** {@return whether it can have dropped a handle: it is not doing anything under a lock} */
    boolean hasLeft() {
        return presence == Presence.IDLE || presence == Presence.GONE;
    }

    /** {@return the innermost frame of the program itself; null if there is none} */
    @Nullable String where() {
        return frames.stream().filter(ThreadSnapshot::isOfTheProgram).findFirst().orElse(null);
    }

    /** {@return the innermost frame; null if there is none} */
    @Nullable String top() {
        return frames.isEmpty() ? null : frames.get(0);
    }
}
