package dev.sessionlock.cli;

import dev.sessionlock.LockOptions;
import dev.sessionlock.LockTimeoutException;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.internal.system.KernelLocks;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The doctor's probes that need two JVMs: this one and a partner. The last probe kills the partner. */
final class PairProbes {
    static final String EXCLUSION = "exclusion";
    static final String KERNEL_VIEW = "proc-locks";
    static final String MAPPED_PAGES = "mapped-pages";
    static final String SESSION_LOCKS = "session-locks";
    static final String AFTER_KILL = "kill-9";

    private static final String LOCAL_DISK = "keep the sessions on a local disk; no lock of any library is safe on this one";
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(3);
    private static final int READINGS = 6;
    private static final long FIRST = 0x5e55_10c4_0000_0001L;

    private final PairFiles files;
    private final Partner partner;
    private final SessionLocks locks;

    /** Something that contradicts exclusion, in words. */
    private static final class Contradiction extends Exception {
        private static final long serialVersionUID = 1L;

        Contradiction(String message) {
            super(message);
        }
    }

    private interface PairProbe {
        ProbeResult run() throws IOException, InterruptedException, Contradiction;
    }

    PairProbes(PairFiles files, Partner partner, SessionLocks locks) {
        this.files = files;
        this.partner = partner;
        this.locks = locks;
    }

    List<ProbeResult> run() throws InterruptedException {
        List<ProbeResult> checks = new ArrayList<>();
        checks.add(probe(EXCLUSION, this::exclusion));
        checks.add(kernelView());
        checks.add(probe(MAPPED_PAGES, this::mappedPages));
        checks.add(probe(SESSION_LOCKS, this::sessionLocks));
        checks.add(probe(AFTER_KILL, this::afterKill));
        return checks;
    }

    /** {@return the same checks as not tried, if there is no partner} */
    static List<ProbeResult> untried(String why) {
        return List.of(EXCLUSION, KERNEL_VIEW, MAPPED_PAGES, SESSION_LOCKS, AFTER_KILL).stream()
                .map(name -> ProbeResult.unknown(name, "not tried: " + why, "")).toList();
    }

    private ProbeResult probe(String name, PairProbe probe) throws InterruptedException {
        try {
            files.unlock(); // a probe that broke off may have left it locked
            return probe.run();
        } catch (Contradiction e) {
            return ProbeResult.notOk(name, e.getMessage(), LOCAL_DISK);
        } catch (IOException | RuntimeException e) {
            return ProbeResult.unknown(name, "could not be tried: " + FileProbes.said(e), "");
        }
    }

    // ---- the kernel's byte lock, and the page ----

    private ProbeResult exclusion() throws IOException, InterruptedException, Contradiction {
        require(locked(), "the kernel refuses a lock that nobody else has");
        expect(partner.ask(DoctorPartnerCommand.LOCK), DoctorPartnerCommand.REFUSED, "while this JVM held the kernel lock, the other one");
        files.unlock();
        expect(partner.ask(DoctorPartnerCommand.LOCK), DoctorPartnerCommand.GOT, "after this JVM let the kernel lock go, the other one");
        require(!locked(), "this JVM got the kernel lock while the other one held it");
        expect(partner.ask(DoctorPartnerCommand.UNLOCK), DoctorPartnerCommand.DONE, "letting go, the other one");
        require(locked(), "this JVM did not get the kernel lock after the other one let it go");
        files.unlock();
        return ProbeResult.ok(EXCLUSION, "kernel locks: two JVMs keep each other out, both ways, and get in after a release");
    }

    /** A file system that does not lock at all says so here; that is a result, not an accident. */
    private boolean locked() throws IOException, Contradiction {
        try {
            return files.tryLock();
        } catch (IOException e) {
            throw new Contradiction("the kernel refuses to lock files here: " + FileProbes.said(e));
        }
    }

    private ProbeResult kernelView() {
        String lacking = "status then cannot tell which process has the kernel lock";
        try {
            files.unlock();
            if (!ProcessIdentity.current().seesItselfInProc() || !files.tryLock()) {
                return ProbeResult.unknown(KERNEL_VIEW, "/proc/locks cannot be used here; " + lacking, "");
            }
            try {
                Path guard = files.guard();
                long inode = ((Number) Files.getAttribute(guard, "unix:ino")).longValue();
                return isShownAsOurs(inode) ? ProbeResult.ok(KERNEL_VIEW, "/proc/locks names who holds a lock")
                        : ProbeResult.unknown(KERNEL_VIEW, "/proc/locks does not show our own lock under the file's inode; " + lacking, "");
            } finally {
                files.unlock();
            }
        } catch (IOException | RuntimeException e) {
            return ProbeResult.unknown(KERNEL_VIEW, "could not be tried: " + FileProbes.said(e), "");
        }
    }

    /** The kernel shows its locks a page at a time, so some readings miss a lock that stays, if another process is busy locking. */
    private static boolean isShownAsOurs(long inode) {
        for (int reading = 0; reading < READINGS; reading++) {
            List<KernelLocks.KernelLock> entries = new KernelLocks().read(candidate -> candidate == inode).orElse(List.of());
            if (entries.stream().anyMatch(entry -> entry.pid() == ProcessHandle.current().pid())) {
                return true;
            }
        }
        return false;
    }

    private ProbeResult mappedPages() throws IOException, InterruptedException, Contradiction {
        files.makePage();
        try {
            files.write(FIRST);
        } catch (IOException e) {
            throw new Contradiction("a file cannot be mapped and shared here: " + FileProbes.said(e));
        }
        expect(partner.ask(DoctorPartnerCommand.READ), Long.toString(FIRST), "of what this JVM wrote into a mapped page, the other one");
        String wrote = partner.ask(DoctorPartnerCommand.WRITE + " " + (FIRST + 1));
        expect(wrote, DoctorPartnerCommand.DONE, "writing into a mapped page, the other one");
        require(files.read() == FIRST + 1, "this JVM does not see what the other one wrote into a mapped page");
        return ProbeResult.ok(MAPPED_PAGES, "two JVMs see at once what the other one writes, both ways");
    }

    // ---- the library itself ----

    private ProbeResult sessionLocks() throws IOException, InterruptedException, Contradiction {
        long token;
        try (SessionLock ours = taken(Duration.ZERO)) {
            token = ours.token();
            String refused = partner.ask(DoctorPartnerCommand.ACQUIRE);
            expect(refused, DoctorPartnerCommand.REFUSED, "while this JVM held a session's lock, the other one");
            ours.verifyHeld();
        }
        long later = theirToken("after this JVM let a session's lock go, the other one");
        require(later > token, "the fencing token did not grow: " + token + ", then " + later);
        try (SessionLock both = locks.tryAcquire(files.session()).orElse(null)) {
            require(both == null, "this JVM got a session's lock while the other one held it");
        }
        expect(partner.ask(DoctorPartnerCommand.RELEASE), DoctorPartnerCommand.DONE, "letting go, the other one");
        try (SessionLock again = taken(Duration.ofSeconds(3))) {
            require(again.token() > later, "the fencing token did not grow: " + later + ", then " + again.token());
        }
        return ProbeResult.ok(SESSION_LOCKS, "sessionlock itself: two JVMs keep each other out, both ways, and the tokens grow");
    }

    private SessionLock taken(Duration patience) throws IOException, InterruptedException {
        return locks.acquire(files.session(), LockOptions.defaults().withTimeout(patience).withPurpose("sessionlock doctor"));
    }

    private ProbeResult afterKill() throws IOException, InterruptedException, Contradiction {
        expect(partner.ask(DoctorPartnerCommand.LOCK), DoctorPartnerCommand.GOT, "of a free kernel lock, the other one");
        theirToken("of a session's free lock, the other one");
        require(!locked(), "this JVM got the kernel lock while the other one held it");
        partner.kill();
        long killed = System.nanoTime();
        while (!locked()) {
            require(System.nanoTime() - killed < PATIENCE_NANOS, "the kernel lock of a JVM killed with kill -9 was still there after 3 s");
            LockSupport.parkNanos(1_000_000);
        }
        files.unlock();
        long kernel = millisSince(killed);
        boolean seen = ProcessIdentity.current().seesItselfInProc() || !Files.isDirectory(Path.of("/proc/self"));
        try (SessionLock ours = taken(Duration.ofSeconds(seen ? 5 : 1))) {
            ours.verifyHeld();
            return ProbeResult.ok(AFTER_KILL, "the lock of a killed JVM was free after " + millisSince(killed) + " ms");
        } catch (LockTimeoutException e) {
            require(!seen, "sessionlock did not let others in after kill -9: " + FileProbes.said(e));
            return new ProbeResult(AFTER_KILL, ProbeResult.ProbeVerdict.OK, "the kernel let go after " + kernel + " ms, but others get in only when the "
                    + "lease of the killed JVM has run out: it cannot be seen that it is gone", "mount /proc for this pid namespace");
        }
    }

    private static long millisSince(long nanos) {
        return Math.max(1, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - nanos));
    }

    private long theirToken(String who) throws IOException, InterruptedException, Contradiction {
        String answer = partner.ask(DoctorPartnerCommand.ACQUIRE);
        String got = DoctorPartnerCommand.GOT + " ";
        if (!answer.startsWith(got)) {
            expect(answer, got.trim() + " and its token", who);
        }
        return Long.parseLong(answer.substring(got.length()));
    }

    private static void expect(String answer, String expected, String who) throws IOException, Contradiction {
        if (answer.startsWith(DoctorPartnerCommand.FAILED)) {
            throw new IOException("the second JVM " + answer);
        }
        require(answer.equals(expected), who + " said '" + answer + "', not '" + expected + "'");
    }

    private static void require(boolean truth, String contradiction) throws Contradiction {
        if (!truth) {
            throw new Contradiction(contradiction);
        }
    }
}
