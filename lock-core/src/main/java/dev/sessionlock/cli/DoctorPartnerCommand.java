package dev.sessionlock.cli;

import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * The doctor's second JVM. It reads orders from stdin, and answers each with one line. When stdin ends, the doctor has died, and the partner cleans
 * up after it.
 */
@Command(name = DoctorPartnerCommand.NAME, hidden = true)
final class DoctorPartnerCommand implements Callable<Integer> {
    static final String NAME = "doctor-partner";

    // The orders.
    static final String LOCK = "lock";
    static final String UNLOCK = "unlock";
    static final String READ = "read";
    static final String WRITE = "write";
    static final String ACQUIRE = "acquire";
    static final String RELEASE = "release";

    // The answers.
    static final String READY = "ready";
    static final String GOT = "got";
    static final String REFUSED = "refused";
    static final String DONE = "done";
    static final String FAILED = "failed";

    @Parameters(index = "0")
    private Path probe;

    private @Nullable SessionLock held;

    @Override
    public Integer call() throws IOException {
        Thread.currentThread().setName("doctor-partner");
        tell(READY);
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
                PairFiles files = new PairFiles(probe);
                SessionLocks locks = SessionLocks.create()) {
            for (String order = in.readLine(); order != null; order = in.readLine()) {
                tell(answer(order, files, locks));
            }
        } finally {
            ProbeDirectory.remove(probe);
        }
        return 0;
    }

    private String answer(String order, PairFiles files, SessionLocks locks) {
        String[] words = order.split(" ");
        try {
            switch (words[0]) {
                case LOCK -> {
                    return files.tryLock() ? GOT : REFUSED;
                }
                case UNLOCK -> files.unlock();
                case READ -> {
                    return Long.toString(files.read());
                }
                case WRITE -> files.write(Long.parseLong(words[1]));
                case ACQUIRE -> {
                    return acquire(files, locks);
                }
                case RELEASE -> held.close();
                default -> {
                    return FAILED + " unknown order " + order;
                }
            }
            return DONE;
        } catch (IOException | RuntimeException e) {
            return FAILED + " " + e.toString().replaceAll("\\s*\\R\\s*", "; ");
        }
    }

    private String acquire(PairFiles files, SessionLocks locks) throws IOException {
        Optional<SessionLock> lock = locks.tryAcquire(files.session());
        held = lock.orElse(held);
        return lock.map(taken -> GOT + " " + taken.token()).orElse(REFUSED);
    }

    private static void tell(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
