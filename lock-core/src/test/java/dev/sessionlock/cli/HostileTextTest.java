package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import dev.sessionlock.ClearOptions;
import dev.sessionlock.LockException;
import dev.sessionlock.LockOptions;
import dev.sessionlock.LockReport;
import dev.sessionlock.SessionLock;
import dev.sessionlock.SessionLocks;
import dev.sessionlock.cli.MainTest.Outcome;
import dev.sessionlock.internal.system.Log;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Proxy;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.helpers.MessageFormatter;

/** Names of files, records and threads that try to move the cursor, to forge a line, or to reverse the writing. A person sees them as plain words. */
class HostileTextTest {
    private static final String FORGED = "2026-11-29 ERROR forged";
    private static final String EVIL = "\u001b[2J\u009b31m\u0085" + FORGED + "\u2028\u2029\u202e\u2066\u200f\ufeff\n" + FORGED + "\r" + FORGED + "\u007f";
    private static final String SHOWN = "\\u001b[2J\\u009b31m\\u0085" + FORGED + "\\u2028\\u2029\\u202e\\u2066\\u200f\\ufeff\\u000a" + FORGED + "\\u000d" + FORGED
            + "\\u007f";
    private static final Pattern DANGEROUS = Pattern.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\u200e\\u200f\\ufeff]");

    @TempDir
    private Path scratch;
    private Path directory;
    private Path held;
    private final SessionLocks locks = SessionLocks.create();
    private SessionLock lock;

    @BeforeEach
    void lockAndPlant() throws Exception {
        directory = Files.createDirectory(scratch.resolve("d" + EVIL.substring(0, 30)));
        held = directory.resolve(EVIL + "\u4f1a\u8bdd");
        CompletableFuture<SessionLock> taken = new CompletableFuture<>();
        Thread holder = new Thread(() -> {
            try {
                taken.complete(locks.acquire(held, LockOptions.defaults().withPurpose("p" + EVIL)));
            } catch (Exception e) {
                taken.completeExceptionally(e);
            }
        }, "t" + EVIL);
        holder.start();
        lock = taken.get(60, TimeUnit.SECONDS);
        Files.writeString(directory.resolve("dead" + EVIL + ".lock"), "{\"pid\":4000000000,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}");
        Files.writeString(directory.resolve("mute" + EVIL + ".lock"), "# no lock " + EVIL);
    }

    @AfterEach
    void close() {
        locks.close();
    }

    private static void assertHarmless(String said) {
        assertThat(DANGEROUS.matcher(said).results().map(found -> Integer.toHexString(found.group().charAt(0))).toList()).as("in <%s>", said).isEmpty();
        assertThat(said.lines()).as("no line is forged").noneMatch(line -> line.startsWith(FORGED));
        assertThat(said).contains(SHOWN);
    }

    @Nested
    class TheTool {

        @Test
        void whyAndHistory() throws Exception {
            locks.clear(held, ClearOptions.forReal().withToken(lock.token()).withTimeout(Duration.ofSeconds(30)));
            try (SessionLock again = locks.acquire(held, LockOptions.defaults().withPurpose("p" + EVIL).withTimeout(Duration.ofSeconds(30)))) {
                again.ensureHeld();
                Path page = scratch.resolve("page.html");
                await().until(() -> Outcome.of("history", held.toString()).out().contains("asked to release"));
                assertHarmless(Outcome.of("history", held.toString()).out());
                assertHarmless(Outcome.of("history", directory.toString()).out());
                assertHarmless(Outcome.of("why", "--html", page.toString(), held.toString()).out());
                assertHarmless(Files.readString(page));
                assertHarmless(Outcome.of("why", "--json", held.toString()).out().replace("\\n", "\\u000a").replace("\\r", "\\u000d"));
                assertHarmless(Outcome.of("history", "--json", directory.toString()).out().replace("\\n", "\\u000a").replace("\\r", "\\u000d"));
            }
        }

        @Test
        void listStatusAndClear() {
            for (String[] command : List.of(new String[] {"list", "%"}, new String[] {"list", "--older-than", "0", "%"}, new String[] {"clear", "%"},
                    new String[] {"clear", "--token", "7", "%/h"}, new String[] {"status", "%/h"}, new String[] {"status", "%/dead" + EVIL},
                    new String[] {"status", "%/mute" + EVIL + ".lock"})) {
                Outcome outcome = Outcome.of(List.of(command).stream().map(word -> word.equals("%/h") ? held.toString() : word.replace("%", directory.toString()))
                        .toArray(String[]::new));
                assertHarmless(outcome.out());
                assertThat(outcome.err()).isEmpty();
            }
            assertThat(Outcome.of("status", held.toString()).out()).as("ordinary letters stay").contains("\u4f1a\u8bdd: held", "p" + SHOWN, "t" + SHOWN);
        }

        @Test
        void documentsAreJsonAndSayTheTextItself() throws Exception {
            for (String command : List.of("list", "clear")) {
                String document = Outcome.of(command, "--json", directory.toString()).out();
                assertHarmless(document.replace("\\n", "\\u000a").replace("\\r", "\\u000d"));
                List<Map<String, Object>> all = command.equals("list") ? JsonDocument.locks(document) : JsonDocument.cleared(document);
                assertThat(all).extracting(it -> it.get("target")).contains(directory.toRealPath().resolve(held.getFileName()).toString());
            }
        }

        @Test
        void messagesOnStderr() {
            Outcome busy = Outcome.of("run", "--timeout", "0", held.toString(), "--", "true");
            assertThat(busy.exitCode()).isEqualTo(75);
            assertHarmless(busy.err());
            for (String[] bad : List.of(new String[] {"run", directory + "/x", "--", "./" + EVIL}, new String[] {"list", directory + "/none" + EVIL},
                    new String[] {"watch", "/none" + EVIL}, new String[] {"doctor", "/none" + EVIL}, new String[] {"demo", "--dir", "/none" + EVIL},
                    new String[] {"run", directory + "/none/" + EVIL, "--", "true"}, new String[] {"run", directory + "/mute" + EVIL, "--", "true"})) {
                Outcome outcome = Outcome.of(bad);
                assertThat(outcome.exitCode()).isNotZero();
                assertThat(outcome.err().lines()).as("one line").hasSize(1);
                assertThat(DANGEROUS.matcher(outcome.err()).find()).as(outcome.err()).isFalse();
                assertThat(outcome.err().lines()).noneMatch(line -> line.startsWith(FORGED));
            }
        }

        @Test
        void watch() throws Exception {
            try (ToolProcess watch = ToolProcess.start(scratch, "watch", directory.toString())) {
                watch.awaitOut("p\\u001b[2J");
                String said = watch.out();
                assertThat(DANGEROUS.matcher(said).find()).as(said).isFalse();
                assertThat(said.lines()).allMatch(line -> line.matches("\\d{4}-\\d\\d-\\d\\dT.*") && !line.startsWith(FORGED));
            }
        }
    }

    @Nested
    class TheLibrary {

        @Test
        void timeoutsAndReports() throws Exception {
            Throwable timeout = catchThrowable(() -> locks.acquire(held, LockOptions.defaults().withTimeout(Duration.ZERO)));
            assertHarmless(printed(timeout));
            for (LockReport report : locks.list(directory).toList()) {
                assertThat(DANGEROUS.matcher(report.evidence() + report.advice() + report + report.owner()).find()).isFalse();
            }
            assertThat(locks.inspect(held).name()).as("data is what it is").isEqualTo(held.getFileName().toString());
        }

        @Test
        void exceptionsAndTheirCauses() {
            assertHarmless(printed(catchThrowable(() -> locks.acquire(directory.resolve("none/" + EVIL)))));
            assertHarmless(printed(catchThrowable(() -> locks.acquire(directory.resolve("mute" + EVIL), LockOptions.defaults().withTimeout(Duration.ZERO)))));
            assertHarmless(printed(catchThrowable(() -> locks.acquire(EVIL + "\0"))));
            assertHarmless(printed(new LockException("x" + EVIL, new AccessDeniedException("/d/" + EVIL))));
        }

        private String printed(Throwable thrown) {
            StringWriter printed = new StringWriter();
            thrown.printStackTrace(new PrintWriter(printed, true));
            return printed.toString().replace("\n\t", "\n    ");
        }

        @Test
        void theLog() {
            List<String> logged = new ArrayList<>();
            Logger logger = (Logger) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, args) -> {
                if (method.getReturnType() == boolean.class) {
                    return true;
                }
                Object[] values = (Object[]) args[1];
                logged.add(MessageFormatter.arrayFormat((String) args[0], values).getMessage());
                if (values[values.length - 1] instanceof Throwable thrown) {
                    logged.add(printed(thrown));
                }
                return null;
            });
            Log log = new Log(() -> logger);
            log.debug("{} {}", 1, held);
            log.info("{}", EVIL);
            log.warn("{}", lock);
            log.error("it failed: {}", "p" + EVIL, new LockException("cannot lock", new AccessDeniedException("/d/" + EVIL)));
            log.warn("no", new AccessDeniedException("/d/" + EVIL));
            assertThat(logged).hasSize(7).filteredOn(line -> !line.equals("no")).allSatisfy(HostileTextTest::assertHarmless);
        }
    }
}
