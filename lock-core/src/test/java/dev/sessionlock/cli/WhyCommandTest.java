package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.LockOptions;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import dev.sessionlock.internal.system.ProcessIdentity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands {@code why} and {@code history} on real locks; {@link WhyOutageTest} has the outages, {@link StoryTest} what is made of facts. */
class WhyCommandTest {
    @TempDir
    private Path directory;
    @TempDir
    private Path scratch;

    private Path session() {
        return directory.resolve("session.jsonl");
    }

    private void lockOnce(SessionLocks locks, String purpose) throws Exception {
        locks.acquire(session(), LockOptions.defaults().withPurpose(purpose)).close();
    }

    @Test
    void freeLock() throws Exception {
        Files.writeString(session(), "x");
        Outcome why = Outcome.of("why", session().toString());
        assertThat(why).isEqualTo(new Outcome(0, String.join(System.lineSeparator(), session() + ": free", "  why       nobody holds it", "  to do     nothing", "",
                "No past holds are known: none has ended here yet, or the history is turned off (-Dsessionlock.history=0).", ""), ""));
        assertThat(directory).as("looking leaves nothing").isDirectoryContaining(session()::equals);
        assertThat(Outcome.of("why", directory.resolve("sesion.jsonl").toString()).out()).contains("did you mean this one?");
    }

    @Test
    void heldLockAndItsPast() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            lockOnce(locks, "append");
            try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("compaction"))) {
                await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("history", session().toString()).out().contains("released"));
                Outcome why = Outcome.of("why", "--no-stack", session() + ".lock");
                assertThat(why.exitCode()).isZero();
                assertThat(why.out()).startsWith(session() + ": held").contains("purpose   compaction", "token     " + lock.token(), "  evidence  ", "The last hold:", "for \"append\"");
            }
        }
    }

    @Test
    void foreignLockThatNeedsAPerson() throws Exception {
        Files.writeString(session(), "x");
        Process other = new ProcessBuilder("sleep", "100").start();
        try {
            Files.writeString(directory.resolve("session.jsonl.lock"), "{\"pid\":" + other.pid() + ",\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
            Outcome why = Outcome.of("why", session().toString());
            assertThat(why.exitCode()).isEqualTo(1).isEqualTo(Outcome.of("status", session().toString()).exitCode());
            assertThat(why.out()).contains("another program has it: pid " + other.pid(), "  to do ");
        } finally {
            other.destroyForcibly();
        }
    }

    @Test
    void history() throws Exception {
        try (SessionLocks locks = SessionLocks.create()) {
            lockOnce(locks, "append");
            locks.acquire(directory.resolve("other.jsonl")).close();
            await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("history", directory.toString()).out().lines().count() == 3);
            assertThat(Outcome.of("history", directory.toString()).out().lines().toList().get(0)).containsPattern("SINCE +UNTIL +HELD +ENDED +BY +FILE");
            assertThat(Outcome.of("history", session().toString()).out()).contains("for \"append\"").doesNotContain("other.jsonl");
            assertThat(Outcome.of("history", "--since", "0", directory.toString()).out()).contains("No hold of " + directory + " ended within the last 0 s");
            assertThat(Outcome.of("history", "--json", session().toString()).out()).startsWith("{\"version\":1,\"holds\":[{\"name\":\"session.jsonl\",\"token\":")
                    .contains("\"ending\":\"RELEASED\",\"count\":1,");
            assertThat(Outcome.of("why", "--json", session().toString()).out()).contains("\"cause\":\"NONE\"", "\"queue\":[]", "\"holds\":[{\"name\":\"session.jsonl\"");
        }
    }

    /** A thread of the process hung until {@code maxHold} ended its hold. Its pid is now that of this JVM. */
    @Nested
    class ThePidOfAPastHold {
        private final ProcessIdentity self = ProcessIdentity.current();

        private String whyAfter(String process) throws Exception {
            Path inner = Files.createDirectories(directory.resolve(".session-locks"));
            String now = Instant.now().minusSeconds(1).toString();
            Files.writeString(inner.resolve("history"), HostileStoryTest.checked("{\"v\":1,\"name\":\"session.jsonl\",\"token\":7,\"pid\":" + self.pid() + ",\"host\":\""
                    + self.host() + "\",\"thread\":\"main\",\"since\":\"" + now + "\",\"until\":\"" + now + "\",\"ending\":\"MAX_HOLD\",\"count\":1,\"waitedUs\":0" + process));
            return Outcome.of("why", session().toString()).out();
        }

        @Test
        void isOfThisProcessOfAnotherOrOfAnotherContainer() throws Exception {
            String boot = ",\"boot\":\"" + self.boot().substring(0, 8) + "\"";
            String ours = boot + ",\"pidns\":\"" + self.pidNamespace() + "\"";
            assertThat(whyAfter(",\"starttime\":" + self.startTicks() + ours)).contains("jstack " + self.pid()).doesNotContain("which has ended");
            assertThat(whyAfter(",\"starttime\":" + (self.startTicks() - 1) + ours)).contains("which has ended", "look in the log of pid").doesNotContain("jstack");
            assertThat(whyAfter(",\"starttime\":" + self.startTicks() + boot + ",\"pidns\":\"12\"")).contains("pid " + self.pid() + " in another pid namespace")
                    .doesNotContain("jstack", "which has ended");
        }

        /** In a pid namespace of its own, it has the pid 1 there. */
        @Test
        void isThatOfItsContainer() throws Exception {
            Needs.program("unshare");
            Needs.check(new ProcessBuilder("unshare", "--pid", "--fork", "--mount-proc", "true").start().waitFor() == 0, "no pid namespace of its own here");
            try (ToolProcess tool = ToolProcess.startScript(scratch, "exec unshare --pid --fork --mount-proc " + ToolProcess.quoted("run", session().toString(), "--", "true"))) {
                assertThat(tool.exitCode()).as("%s", tool).isZero();
            }
            assertThat(Outcome.of("history", session().toString()).out()).contains("pid 1 in another pid namespace");
            assertThat(Outcome.of("history", "--json", session().toString()).out()).contains("\"pidNamespace\":\"").doesNotContain(self.pidNamespace());
        }
    }

    /** By {@code acquireAsync}. The thread that asked has gone on to other work, or has ended: it says nothing about the lock. */
    @Nested
    class HeldByNoThread {
        private static final String SHOWN = "no named thread (acquireAsync, or a virtual thread)";

        @Test
        void theThreadThatAskedIsNotNamedAndNotJudged() throws Exception {
            try (SessionLocks locks = SessionLocks.create()) {
                AtomicReference<SessionLock> held = new AtomicReference<>();
                Thread asker = new Thread(() -> held.set(locks.acquireAsync(session(), LockOptions.defaults().withPurpose("answer")).join()), "asker");
                asker.start();
                asker.join();
                CompletableFuture<SessionLock> waiting = locks.acquireAsync(session(), LockOptions.defaults().withPurpose("next").withTimeout(Duration.ofMinutes(5)));
                await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("why", "--no-stack", session().toString()).out().contains("somebody has waited for"));
                Outcome why = Outcome.of("why", session().toString());
                assertThat(why.out()).contains("long hold: held for", SHOWN + "\n  purpose   answer", "  waiting   1 waits", ", " + SHOWN + ", for \"next\"")
                        .doesNotContain("leaked", "asker", "deadlock");
                assertThat(Outcome.of("status", session().toString()).out()).contains(SHOWN).doesNotContain("asker");
                held.get().close();
                waiting.join().close();
                await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("history", session().toString()).out().lines().count() == 3);
                assertThat(Outcome.of("history", session().toString()).out()).contains(" (no named thread) for \"answer\"", " (no named thread) for \"next\"")
                        .doesNotContain("asker", "main", "\"\"");
                assertThat(Outcome.of("history", "--json", session().toString()).out()).contains("\"thread\":\"\"");
            }
        }

        /** One thread asks for all of them, and stands in nobody's way. */
        @Test
        void twoThatOneThreadAskedForAreNoChain() throws Exception {
            Path other = directory.resolve("other.jsonl");
            LockOptions patient = LockOptions.defaults().withTimeout(Duration.ofMinutes(5));
            try (SessionLocks locks = SessionLocks.create(); SessionLock one = locks.acquireAsync(session(), patient).join();
                    SessionLock two = locks.acquireAsync(other, patient).join()) {
                CompletableFuture<SessionLock> first = locks.acquireAsync(session(), patient);
                CompletableFuture<SessionLock> second = locks.acquireAsync(other, patient);
                for (Path path : List.of(session(), other)) {
                    await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("why", "--no-stack", path.toString()).out().contains("1 waits, the first since"));
                    assertThat(Outcome.of("why", "--no-stack", path.toString()).out()).doesNotContain("deadlock", "waits for another lock", "  chain ");
                }
                first.cancel(true);
                second.cancel(true);
                one.ensureHeld();
                two.ensureHeld();
            }
        }
    }

    /** The page, and where it is written to. */
    @Nested
    class ThePage {
        private Path page() {
            return directory.resolve("out.html");
        }

        private Outcome write(String... options) {
            return Outcome.of(Stream.of(List.of("why", "--html", page().toString()), List.of(options), List.of(session().toString()))
                    .flatMap(List::stream).toArray(String[]::new));
        }

        @Test
        void replacesAnEarlierPageAndNothingElse() throws Exception {
            assertThat(write().exitCode()).isZero();
            assertThat(Files.readString(page())).startsWith(StoryPage.BEGINNING).endsWith("</html>\n");
            Files.writeString(page(), "old", StandardOpenOption.APPEND);
            assertThat(write().exitCode()).isZero();
            assertThat(Files.readString(page())).endsWith("</html>\n");
            Files.writeString(page(), "mine");
            Outcome refused = write();
            assertThat(refused.exitCode()).isEqualTo(2);
            assertThat(refused.out()).as("the story, all the same").startsWith(session() + ": ");
            assertThat(refused.err()).isEqualTo("sessionlock: " + page() + " is something else than a report of this tool, and stays as it is; --force replaces it"
                    + System.lineSeparator());
            assertThat(page()).hasContent("mine");
            assertThat(write("--force").exitCode()).isZero();
            assertThat(Files.readString(page())).startsWith(StoryPage.BEGINNING);
            assertThat(names()).as("nothing is left beside it").containsExactly("out.html");
        }

        @Test
        void followsNoLink() throws Exception {
            Path victim = Files.writeString(directory.resolve("victim"), StoryPage.BEGINNING);
            Files.createSymbolicLink(page(), victim);
            assertThat(write().err()).contains("is something else", "the link, not what it leads to");
            assertThat(write("--force").exitCode()).isZero();
            assertThat(victim).hasContent(StoryPage.BEGINNING.strip());
            assertThat(page()).isRegularFile();
            assertThat(Files.isSymbolicLink(page())).isFalse();
        }

        @Test
        void directoryOrMissingPlaceIsRefused() throws Exception {
            Files.createDirectory(page());
            assertThat(write("--force").err()).contains("cannot write " + page() + ": it is a directory; name a file in it");
            assertThat(Outcome.of("why", "--html", "/no/such/place/x.html", session().toString()).err()).contains("the directory /no/such/place does not exist; make it first");
        }

        private List<String> names() throws IOException {
            try (Stream<Path> files = Files.list(directory)) {
                return files.map(file -> file.getFileName().toString()).toList();
            }
        }

        @Test
        void isMarkupOfOursAlone() throws Exception {
            Path hostile = directory.resolve("<script>alert(1)<.jsonl");
            try (SessionLocks locks = SessionLocks.create();
                    SessionLock lock = locks.acquire(hostile, LockOptions.defaults().withPurpose("\"><img src=x onerror=alert(2)>"))) {
                lock.ensureHeld();
                assertThat(Outcome.of("why", "--html", page().toString(), hostile.toString()).exitCode()).isZero();
            }
            assertThat(Files.readString(page())).doesNotContain("<script", "<img", "http://", "https://", "src=x onerror=alert(2)>\"").contains("&lt;script&gt;");
        }
    }

    /** In a real browser, light and dark. The pictures stay in {@code target/why}. */
    @Nested
    class InABrowser {
        @Test
        void thePageIsDrawn() throws Exception {
            Needs.program("chromium");
            Path pictures = Files.createDirectories(Path.of("target", "why").toAbsolutePath());
            Path page = pictures.resolve("page.html");
            Files.deleteIfExists(page);
            try (SessionLocks locks = SessionLocks.create()) {
                lockOnce(locks, "append");
                try (SessionLock lock = locks.acquire(session(), LockOptions.defaults().withPurpose("compaction <script>"))) {
                    lock.ensureHeld();
                    await().atMost(ToolProcess.PATIENCE).until(() -> Outcome.of("history", session().toString()).out().contains("released"));
                    assertThat(Outcome.of("why", "--no-stack", "--html", page.toString(), session().toString()).exitCode()).isZero();
                }
            }
            String dom = browse(page, "--dump-dom");
            assertThat(dom).contains("<svg", "Timeline of holds and waits", "compaction &lt;script&gt;");
            for (String scheme : List.of("light", "dark")) {
                Path picture = pictures.resolve(scheme + ".png");
                Files.deleteIfExists(picture);
                browse(page, "--screenshot=" + picture, "--window-size=1100,1000", "--blink-settings=preferredColorScheme=" + (scheme.equals("dark") ? 0 : 1));
                assertThat(Files.size(picture)).isGreaterThan(10_000);
            }
        }

        private String browse(Path page, String... options) throws Exception {
            List<String> command = new ArrayList<>(List.of("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + directory.resolve("profile"), "--hide-scrollbars"));
            command.addAll(List.of(options));
            command.add(page.toUri().toString());
            Process browser = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            try {
                CompletableFuture.delayedExecutor(Duration.ofSeconds(90).toSeconds(), TimeUnit.SECONDS)
                        .execute(browser::destroyForcibly);
                String said = new String(browser.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                assertThat(browser.waitFor()).as(said).isZero();
                return said;
            } finally {
                browser.descendants().forEach(ProcessHandle::destroyForcibly);
                browser.destroyForcibly();
            }
        }
    }
}
