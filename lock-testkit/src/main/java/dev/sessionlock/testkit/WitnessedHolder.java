package dev.sessionlock.testkit;

import dev.sessionlock.LockMode;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A holder's connection to a {@link MutualExclusionWitness}: by it the holder proves that it holds a lock, and when.
 *
 * <pre>{@code
 * WitnessedHolder me = WitnessedHolder.connect(address, "writer 1");
 * try (SessionLock lock = locks.acquire(session)) {
 *     WitnessedHolder.Visit visit = me.entered("session", lock.token(), lock::ensureHeld);
 *     write(session);
 *     visit.stillIn();
 * }
 * }</pre>
 *
 * <p>Thread-safe; one is enough for a process. What was reported reaches the witness even if the process is killed right after.
 */
public final class WitnessedHolder implements AutoCloseable {
    private final String name;
    private final Socket socket;
    private final OutputStream out;
    private final AtomicLong number = new AtomicLong();

    private WitnessedHolder(String name, Socket socket) throws IOException {
        this.name = name;
        this.socket = socket;
        this.out = socket.getOutputStream();
    }

    /**
     * Connects to a witness.
     *
     * @param address the witness's {@link MutualExclusionWitness#address()}
     * @param name the name of this holder, for the history
     * @return the holder's side of the connection
     * @throws IOException if there is no witness, or it has been closed
     */
    public static WitnessedHolder connect(String address, String name) throws IOException {
        int colon = address.lastIndexOf(':');
        Socket socket = new Socket();
        socket.setTcpNoDelay(true);
        try {
            socket.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
            if (socket.getInputStream().read() != MutualExclusionWitness.GREETING) {
                throw new IOException("no witness at " + address + ", or it has been closed");
            }
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
        return new WitnessedHolder(Objects.requireNonNull(name, "name"), socket);
    }

    /**
     * The holder's own check of its lock, such as {@code lock::ensureHeld}: returns if it holds, throws if not.
     *
     * @param <X> what it throws
     */
    @FunctionalInterface
    public interface Check<X extends Exception> {
        /**
         * Returns if the lock is held at this moment.
         *
         * @throws X if not
         */
        void ensureHeld() throws X;
    }

    /**
     * Reports that a lock was acquired, after a check that it is still held.
     *
     * @param lock a name for the lock, the same for all holders
     * @param token its fencing token; let it grow by one if the lock has none
     * @param check the check
     * @param <X> what the check throws
     * @return the visit, for further reports
     * @throws X if the check says that it is not held; then nothing was proved and the witness is not told
     * @throws IOException if the witness is gone
     */
    public <X extends Exception> Visit<X> entered(String lock, long token, Check<X> check) throws X, IOException {
        return entered(lock, LockMode.EXCLUSIVE, token, check);
    }

    /**
     * As {@link #entered(String, long, Check)}, for a lock that was acquired in this mode. Holders in mode {@link LockMode#SHARED} may be in at the same time, with a token that
     * is at least that of the exclusive holder before them.
     *
     * @param lock a name for the lock, the same for all holders
     * @param mode the lock's mode
     * @param token its fencing token
     * @param check the check
     * @param <X> what the check throws
     * @return the visit, for further reports
     * @throws X if the check says that it is not held; then nothing was proved and the witness is not told
     * @throws IOException if the witness is gone
     */
    public <X extends Exception> Visit<X> entered(String lock, LockMode mode, long token, Check<X> check) throws X, IOException {
        long now = System.nanoTime(); // before the check: if that succeeds, the lock was held at this moment
        check.ensureHeld();
        Visit<X> visit = new Visit<>(check);
        say("in " + visit.id + " " + text(lock) + " " + text(name + ", " + Thread.currentThread().getName()) + " " + token + " " + now
                + (mode == LockMode.SHARED ? " shared" : ""));
        return visit;
    }

    /**
     * One stay in the lock. Used by one thread at a time.
     *
     * @param <X> what the check throws
     */
    public final class Visit<X extends Exception> {
        private final long id = number.incrementAndGet();
        private final Check<X> check;

        private Visit(Check<X> check) {
            this.check = check;
        }

        /**
         * Checks that the lock is still held, and reports to the witness that it was, without a gap. Call this after each step that must have been
         * alone, and before the lock is closed.
         *
         * @throws X if the check says that it is not held; the witness is told that the visit is over
         * @throws IOException if the witness is gone
         */
        public void stillIn() throws X, IOException {
            long now = System.nanoTime();
            try {
                check.ensureHeld();
            } catch (Exception e) {
                say("out " + id + " " + text("lost: " + e.getClass().getSimpleName()));
                throw e;
            }
            say("at " + id + " " + now);
        }

        /**
         * Like {@link #stillIn()}, and the visit is over. Call this right before the lock is closed.
         *
         * @throws X if the check says that it is not held
         * @throws IOException if the witness is gone
         */
        public void leaving() throws X, IOException {
            stillIn();
            say("out " + id + " " + text("left"));
        }
    }

    private static String text(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private void say(String message) throws IOException {
        byte[] line = (message + " .\n").getBytes(StandardCharsets.UTF_8);
        synchronized (out) {
            out.write(line);
        }
    }

    /** Disconnects from the witness. */
    @Override
    public void close() throws IOException {
        socket.close();
    }
}
