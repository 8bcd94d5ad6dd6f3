package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.LockOptions;
import dev.sessionlock.internal.directory.LockContent.Empty;
import dev.sessionlock.internal.directory.LockContent.Foreign;
import dev.sessionlock.internal.directory.LockContent.NotALock;
import dev.sessionlock.internal.directory.LockContent.Torn;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Chars;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What lies in the place of a lock: another program's lock is told from a file that only happens to end in {@code .lock}. */
class LockContentTest {
    private static final Instant SINCE = Instant.parse("2026-02-09T06:32:23.123Z");

    private static LockContent parse(String text) {
        return LockContent.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    // ---- other programs' locks ----

    @ParameterizedTest
    @ValueSource(strings = {
            "{\"pid\":30522,\"createdAt\":\"2026-02-09T06:32:23.123Z\",\"maxHoldMs\":300000,\"starttime\":8812345}",
            "{\n  \"pid\": 30522,\n  \"createdAt\": \"2026-02-09T06:32:23.123Z\",\n  \"maxHoldMs\": 300000,\n  \"starttime\": 8812345\n}\n",
            "{\r\n\t\"starttime\":8812345, \"maxHoldMs\":300000, \"createdAt\":\"2026-02-09T06:32:23.123Z\", \"pid\":30522 }\r\n",
            "{\"pid\":30522,\"createdAt\":\"2026-02-09T06:32:23.123Z\",\"maxHoldMs\":300000,\"starttime\":8812345,\"extra\":{\"a\":[1,null]}}"})
    void openClawsLockIsForeign(String text) {
        assertThat(parse(text)).isEqualTo(new Foreign(30522, SINCE, 8_812_345, 300_000));
    }

    @Test
    void openClawsOlderLockNamesNoStartTime() {
        assertThat(parse("{\n  \"pid\": 30522,\n  \"createdAt\": \"2026-02-09T06:32:23.123Z\"\n}"))
                .isEqualTo(new Foreign(30522, SINCE, -1, -1));
    }

    @Test
    void aForeignLockWithAnUnreadableTimeIsStillForeign() {
        assertThat(parse("{\"pid\":30522,\"createdAt\":\"yesterday\"}")).isEqualTo(new Foreign(30522, null, -1, -1));
    }

    /** It has the length of a time, or begins as one. */
    @ParameterizedTest
    @ValueSource(strings = {"2026x02-09T06:32:23.123Z", "2026-02x09T06:32:23.123Z", "2026-02-09x06:32:23.123Z", "2026-02-09T06x32:23.123Z",
            "2026-02-09T06:32x23.123Z", "2026-02-09T06:32:23x123Z", "2026-02-09T06:32:23.123x", "2026-02-09T06:32:23.123Zx", "2026-02-09T06:32:23.12aZ",
            "2026-02-09T24:30:00.000Z", "2026-02-09T25:00:00.000Z", "2026-02-09T06:32:60.000Z", "2026-02-09T06:32:61.000Z", "2026-13-09T06:32:23.123Z"})
    void aTimeThatIsNoneIsUnknown(String time) {
        assertThat(parse("{\"pid\":30522,\"createdAt\":\"" + time + "\"}")).isEqualTo(new Foreign(30522, null, -1, -1));
    }

    @ParameterizedTest
    @CsvSource({"2026-02-09T06:32:23Z, 2026-02-09T06:32:23Z", "2026-02-09T06:32:23.123456Z, 2026-02-09T06:32:23.123456Z",
            "2026-02-09T24:00:00.000Z, 2026-02-10T00:00:00Z", "2026-02-09T20:59:59.999Z, 2026-02-09T20:59:59.999Z",
            "2026-06-30T23:59:60.500Z, 2026-06-30T23:59:59.500Z"})
    void aTimeThatIsWrittenOtherwiseIsUnderstood(String time, Instant meant) {
        assertThat(parse("{\"pid\":30522,\"createdAt\":\"" + time + "\"}")).isEqualTo(new Foreign(30522, meant, -1, -1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"30522", "30522\n", "  30522\n", "\n30522\r\n", "30522\0\0\0"})
    void aPidAloneIsForeign(String text) {
        assertThat(parse(text)).isEqualTo(new Foreign(30522, null, -1, -1));
    }

    // ---- ours ----

    @Test
    void aRecordThatWasRenewedIsAnotherSoThatItsHolderIsSeenToLive() {
        LockRecord record = new LockRecord(5, 0, -1, -1, "s.jsonl", 7, "moss", -1, "boot", null, null, "main", null, true, 1_000, 2_000, 3_000);
        LockRecord renewed = new LockRecord(5, 0, -1, -1, "s.jsonl", 7, "moss", -1, "boot", null, null, "main", null, true, 1_000, 2_000, 3_001);
        LockContent seen = LockContent.parse(record.bytes());
        assertThat(seen).isEqualTo(LockContent.parse(record.bytes())).hasSameHashCodeAs(new LockContent.Ours(record))
                .isNotEqualTo(LockContent.parse(renewed.bytes())).isNotEqualTo(new Empty());
    }

    @Test
    void anImpossibleLeaseCountsAsTheNearestPossibleOne() {
        assertThat(ofLease(1_000).leaseNanos()).isEqualTo(1_000_000_000L);
        assertThat(ofLease(-1).leaseNanos()).isZero();
        assertThat(ofLease(Long.MAX_VALUE).leaseNanos()).isEqualTo(LockOptions.MAX_LEASE.toNanos());
    }

    @Test
    void aRecordThatWasGivenBackHoldsNobodyUp() {
        LockRecord left = ofLease(1_000).givenBack(9_000);
        assertThat(left.isGivenBack()).isTrue();
        assertThat(ofLease(1_000).isGivenBack()).isFalse();
        assertThat(left.takeover()).isTrue();
        assertThat(left.maxHoldMs()).isZero();
        assertThat(left.leaseUntil()).isEqualTo(9_000);
        assertThat(left.token()).as("whose it was").isEqualTo(7);
    }

    private static LockRecord ofLease(long millis) {
        return new LockRecord(5, 0, -1, -1, "s.jsonl", 7, "moss", -1, "boot", null, null, "main", null, false, millis, 2_000, 3_000);
    }

    /** Whoever watches a file would otherwise not see that it changes. */
    @Test
    void contentsAreTheSameOnlyIfTheySayTheSame() {
        assertThat(new Foreign(1, SINCE, 2, 3)).isEqualTo(new Foreign(1, SINCE, 2, 3)).hasSameHashCodeAs(new Foreign(1, SINCE, 2, 3))
                .isNotEqualTo(new Foreign(9, SINCE, 2, 3)).isNotEqualTo(new Foreign(1, null, 2, 3)).isNotEqualTo(new Foreign(1, SINCE, 9, 3))
                .isNotEqualTo(new Foreign(1, SINCE, 2, 9)).isNotEqualTo(new Empty());
        assertThat(new Torn("a")).isEqualTo(new Torn("a")).hasSameHashCodeAs(new Torn("a")).isNotEqualTo(new Torn("b")).isNotEqualTo(new NotALock("a"));
        assertThat(new NotALock("a")).isEqualTo(new NotALock("a")).hasSameHashCodeAs(new NotALock("a")).isNotEqualTo(new NotALock("b")).isNotEqualTo(new Torn("a"));
        assertThat(new Empty()).isEqualTo(new Empty()).hasSameHashCodeAs(new Empty()).isNotEqualTo(new Torn("a"));
    }

    // ---- not a lock ----

    @ParameterizedTest
    @ValueSource(strings = {
            // yarn.lock, Cargo.lock, poetry.lock, Gemfile.lock, pnpm-lock
            "# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n\nleft-pad@^1.3.0:\n  version \"1.3.0\"\n",
            "# This file is automatically @generated by Cargo.\nversion = 3\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.150\"\n",
            "[[package]]\nname = \"requests\"\n", "GEM\n  remote: https://rubygems.org/\n", "lockfileVersion: '6.0'\n",
            // composer.lock, Pipfile.lock, flake.lock, deno.lock, bun.lock, package-lock
            "{\n    \"_readme\": [\n        \"This file locks the dependencies\"\n    ],\n    \"packages\": [],\n    \"aliases\": []\n}\n",
            "{\n    \"_meta\": {\"hash\": {\"sha256\": \"ab\"}, \"pipfile-spec\": 6},\n    \"default\": {},\n    \"develop\": {}\n}\n",
            "{\"nodes\":{\"nixpkgs\":{\"locked\":{\"lastModified\":1700000000,\"narHash\":\"sha256-x\"}}},\"root\":\"root\",\"version\":7}",
            "{\"version\":\"4\",\"specifiers\":{\"jsr:@std/assert@1\":\"1.0.0\"},\"jsr\":{}}",
            "{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {\n    \"\": {\n      \"name\": \"x\",\n    },\n  },\n}\n",
            "{}", "[]", "[30522]", "\"30522\"", "null", "true", "{\"a\":1}", "{\"nodes\":{\"pid\":1,\"createdAt\":\"x\"}}",
            // almost a foreign lock
            "{\"pid\":0,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}", "{\"pid\":-1,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}",
            "{\"pid\":\"30522\",\"createdAt\":\"2026-02-09T06:32:23.123Z\"}", "{\"pid\":1.5,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}",
            "{\"pid\":30522}", "{\"pid\":30522,\"createdAt\":1770617943}", "{\"createdAt\":\"2026-02-09T06:32:23.123Z\"}",
            "0", "-1", "+1", "007", "12345678901", "1.5", "30522 moss", "30522\n30523\n", "pid 30522", "\u0663\u0660\u0665",
            "\ufeff30522", "\ufeff{\"pid\":30522,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}", "\ufeff", "hello", "\0hello", "LOCK\0\0",
            "\u2003{\"pid\":30522,\"createdAt\":\"2026-02-09T06:32:23.123Z\"}"})
    void anythingElseIsNotALock(String text) {
        assertThat(parse(text)).isInstanceOf(NotALock.class);
    }

    @Test
    void gitsIndexLockIsNotALock() {
        byte[] index = new byte[4096];
        new Random(1).nextBytes(index);
        byte[] head = {'D', 'I', 'R', 'C', 0, 0, 0, 2, 0, 0, 0, 1};
        System.arraycopy(head, 0, index, 0, head.length);

        assertThat(LockContent.parse(index)).isInstanceOf(NotALock.class);
    }

    @Test
    void otherEncodingsAreNotALock() {
        assertThat(LockContent.parse("30522".getBytes(StandardCharsets.UTF_16LE))).isInstanceOf(NotALock.class);
        assertThat(LockContent.parse("30522".getBytes(StandardCharsets.UTF_16))).isInstanceOf(NotALock.class);
        assertThat(LockContent.parse("\u00e4".getBytes(StandardCharsets.ISO_8859_1))).isInstanceOf(NotALock.class);
    }

    @Test
    void hugeAndDeeplyNestedFilesAreNotALockAndHarmNothing() {
        assertThat(parse("x".repeat(64 * 1024))).isInstanceOf(NotALock.class);
        assertThat(parse("{\"a\":" + "[".repeat(60_000))).isInstanceOf(NotALock.class);
        assertThat(parse("{\"a\":".repeat(12_000))).isInstanceOf(NotALock.class);
        assertThat(parse("{\"a\":" + "{\"a\":[".repeat(5_000) + "1" + "]}".repeat(5_000) + "}")).isInstanceOf(NotALock.class);
        assertThat(parse("9".repeat(64 * 1024))).isInstanceOf(NotALock.class);
        assertThat(parse("{\"a\":" + "9".repeat(60_000) + "}")).isInstanceOf(NotALock.class);
    }

    // ---- empty and torn ----

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\n", "\r\n\t ", " \0\0"})
    void nothingAndWhiteSpaceAreEmpty(String text) {
        assertThat(parse(text)).isInstanceOf(Empty.class);
    }

    @Test
    void zerosAreWhatAPowerCutLeaves() {
        assertThat(LockContent.parse(new byte[1])).isInstanceOf(Torn.class);
        assertThat(LockContent.parse(new byte[1024])).isInstanceOf(Torn.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {
            "{\"pid\":30522,\"createdAt\":\"2026-02-09T06:32:23.123Z\",\"maxHoldMs\":300000,\"starttime\":8812345}",
            "{\n  \"pid\": 30522,\n  \"createdAt\": \"2026-02-09T06:32:23.123Z\",\n  \"maxHoldMs\": 300000,\n  \"starttime\": 8812345\n}"})
    void everyBeginningOfAForeignLockIsTorn(String text) {
        byte[] whole = text.getBytes(StandardCharsets.UTF_8);
        for (int length = 1; length < whole.length; length++) {
            assertThat(LockContent.parse(Arrays.copyOf(whole, length))).as(text.substring(0, length)).isInstanceOf(Torn.class);
            assertThat(LockContent.parse(Arrays.copyOf(Arrays.copyOf(whole, length), whole.length))).isInstanceOf(Torn.class);
        }
    }

    @Test
    void aBrokenJsonFileOfAnotherKindIsNotTakenForATornLock() {
        assertThat(parse("{ \"_readme\": [ \"x\"")).isInstanceOf(NotALock.class);
        assertThat(parse("{\"pip\":1")).isInstanceOf(NotALock.class);
        assertThat(parse("{\"version\":")).isInstanceOf(NotALock.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "# seen by me\n", "{\"pid\":1}", "\0\0", "30522"})
    void whatIsAppendedToARecordTakesNothingAwayFromIt(String tail) {
        LockRecord record = new LockRecord(77, SINCE.toEpochMilli(), 1000, 5, "x", 1, "moss", -1, null, null, null, "t", null, true, 1000, 0, 0);
        byte[] bytes = RecordCodec.encode(record);
        String whole = new String(bytes, StandardCharsets.UTF_8);

        assertThat(parse(whole + tail)).isEqualTo(new LockContent.Ours(record));
        assertThat(parse(whole + tail.repeat(1_000))).isEqualTo(new LockContent.Ours(record));
        assertThat(parse(whole.replace("\"token\":1", "\"token\":2") + tail)).as("a wrong checksum").isNotInstanceOf(LockContent.Ours.class);
    }

    @Test
    void aRecordOfALaterVersionIsHonouredAsForeign() {
        LockRecord record = new LockRecord(77, SINCE.toEpochMilli(), 1000, 5, "x", 1, "moss", -1, null, null, null, "t", null, true, 1000, 0, 0);
        byte[] bytes = RecordCodec.encode(record);
        String text = new String(bytes, StandardCharsets.UTF_8).replace("\"v\":1", "\"v\":2");
        int end = text.indexOf(",\"crc\":\"");
        byte[] later = text.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(RecordCodec.digits(RecordCodec.checksum(later, end)), 0, later, end + 8, 8);

        assertThat(LockContent.parse(later)).isEqualTo(new Foreign(77, SINCE, 5, 1000));
    }

    @Test
    void aReformattedRecordOfOursIsTornAndNotForeign() {
        byte[] bytes = RecordCodec.encode(
                new LockRecord(77, SINCE.toEpochMilli(), 1000, 5, "x", 1, "moss", -1, null, null, null, "t", null, true, 1000, 0, 0));
        String pretty = new String(bytes, StandardCharsets.UTF_8).replace(",\"", ",\n  \"").replaceAll(" +}", "}");

        assertThat(parse(pretty)).isEqualTo(new Torn("a record of another length or form"));
        assertThat(parse(pretty.replaceAll(",\\s*\"crc\":\"[0-9a-f]*\"", ""))).isInstanceOf(Torn.class);
    }

    @Test
    void aRecordWithoutAMemberThatItMustHaveIsTorn() {
        byte[] bytes = RecordCodec.encode(
                new LockRecord(77, SINCE.toEpochMilli(), 1000, 5, "x", 1, "moss", -1, null, null, null, "t", null, true, 1000, 0, 0));
        for (String member : new String[] {"\"token\"", "\"leaseMs\"", "\"leaseUntilNanos\"", "\"takeover\""}) {
            byte[] without = new String(bytes, StandardCharsets.UTF_8).replace(member, "\"x" + member.substring(2)).getBytes(StandardCharsets.UTF_8);
            String text = new String(without, StandardCharsets.UTF_8);
            int end = text.indexOf(",\"crc\":\"");
            System.arraycopy(RecordCodec.digits(RecordCodec.checksum(without, end)), 0, without, end + 8, 8);

            assertThat(LockContent.parse(without)).as(member).isEqualTo(new Torn("it lacks what a record must say"));
        }
    }

    @Test
    void aRecordOfNoProcessIsTorn() {
        for (long none : new long[] {0, -1}) {
            assertThat(LockContent.parse(RecordCodec.encode(new LockRecord(none, SINCE.toEpochMilli(), 1000, 5, "x", 1, "moss", -1, null, null, null, "t", null,
                    true, 1000, 0, 0)))).isEqualTo(new Torn("it lacks what a record must say"));
        }
    }

    /** Its checksum is where that of a record is, with nothing before it. */
    @Test
    void aRecordOfNothingButItsChecksumIsTornOrNoRecord() {
        byte[] bytes = new byte[RecordCodec.SIZE];
        Arrays.fill(bytes, (byte) ' ');
        byte[] crc = ",\"crc\":\"00000000\"".getBytes(StandardCharsets.UTF_8);
        for (int at : new int[] {0, 1}) {
            System.arraycopy(crc, 0, bytes, at, crc.length);
            bytes[RecordCodec.SIZE - 2] = '}';
            bytes[RecordCodec.SIZE - 1] = '\n';
            assertThat(LockContent.parse(bytes)).isInstanceOf(NotALock.class);
        }
    }

    // ---- anything ----

    @Property(tries = 800)
    void noBytesMakeItThrow(@ForAll @Size(max = 2048) byte[] bytes) {
        assertThat(LockContent.parse(bytes)).isNotNull();
    }

    @Property(tries = 1200)
    void noTextOfTheLettersOfJsonMakesItThrow(
            @ForAll @Chars({'{', '}', '[', ']', '"', ':', ',', '\\', 'u', 'd', '8', '0', '-', '+', '.', 'e', 't', 'n', ' ', '\n', '\0'})
            @StringLength(max = 60) String text) {
        assertThat(parse(text)).isNotNull();
        assertThat(parse("{\"pid\":" + text)).isNotNull();
        assertThat(parse("{\"pid\":1,\"createdAt\":\"" + text)).isNotNull();
    }
}
