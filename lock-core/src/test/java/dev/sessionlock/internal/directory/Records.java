package dev.sessionlock.internal.directory;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.domains.DomainContextBase;

/** Every possible record, for properties with {@code @Domain(Records.class)}. */
public final class Records extends DomainContextBase {
    static final long FIRST_MILLIS = -62_167_219_200_000L; // 0000-01-01T00:00:00Z
    static final long LAST_MILLIS = 253_402_300_799_999L; // 9999-12-31T23:59:59.999Z

    private static final List<String> NASTY = List.of(
            "", " ", "\"", "\\", "\\\"", "\",\"pid\":1,\"x\":\"", "}\n", "\",\"crc\":\"00000000\"", "{\"pid\":1,\"createdAt\":\"x\"}",
            "\u0000", "a\nb\tc\r", "\ud800", "\udc00", "\udc00\ud800", "x\ud83d", "\ud83d\ude00", "\u2028\u2029", "\ufeff", "\uffff",
            "\u007f\u0080\u009f", "null", "\u0130\u0131\u1e9e");

    @Provide
    Arbitrary<LockRecord> records() {
        return records(texts());
    }

    static Arbitrary<LockRecord> records(Arbitrary<String> texts) {
        Arbitrary<Long> any = Arbitraries.longs();
        Arbitrary<Long> orUnknown = Arbitraries.frequencyOf(
                Tuple.of(1, Arbitraries.just(-1L)), Tuple.of(3, Arbitraries.longs().greaterOrEqual(0)));
        Arbitrary<Long> millis = Arbitraries.longs().between(FIRST_MILLIS, LAST_MILLIS);
        Arbitrary<Long> started = Arbitraries.frequencyOf(
                Tuple.of(1, Arbitraries.just(-1L)),
                Tuple.of(3, Arbitraries.longs().between(0, LAST_MILLIS)));
        Arbitrary<Long> pids = Arbitraries.longs().greaterOrEqual(1);
        Arbitrary<long[]> numbers = Combinators.combine(pids, millis, orUnknown, orUnknown, any, started, millis, any)
                .as((pid, created, maxHold, ticks, token, start, until, nanos) ->
                        new long[] {pid, created, maxHold, ticks, token, start, until, nanos});
        Arbitrary<String> text = texts.injectNull(0.2);
        Arbitrary<List<String>> words = text.list().ofSize(7);
        return Combinators.combine(numbers, words, Arbitraries.of(true, false), any).as((n, w, takeover, lease) -> new LockRecord(
                n[0], n[1], n[2], n[3], w.get(0), n[4], w.get(1), n[5], w.get(2), w.get(3), w.get(4), w.get(5), w.get(6), takeover, lease,
                n[6], n[7]));
    }

    /** All of Unicode, with lone surrogates and control characters, up to the longest names. */
    static Arbitrary<String> texts() {
        Arbitrary<Integer> codePoints = Arbitraries.frequencyOf(
                Tuple.of(6, Arbitraries.integers().between(' ', '~')),
                Tuple.of(1, Arbitraries.of((int) '"', (int) '\\', (int) '/')),
                Tuple.of(1, Arbitraries.integers().between(0, 0x1f)),
                Tuple.of(1, Arbitraries.integers().between(0x7f, 0x7ff)),
                Tuple.of(1, Arbitraries.integers().between(0x800, 0xffff)),
                Tuple.of(1, Arbitraries.integers().between(0xd800, 0xdfff)),
                Tuple.of(1, Arbitraries.integers().between(0x10000, 0x10ffff)));
        Arbitrary<String> made = codePoints.list().ofMaxSize(255).map(list -> {
            StringBuilder text = new StringBuilder();
            list.forEach(text::appendCodePoint);
            return text.toString();
        });
        return Arbitraries.frequencyOf(Tuple.of(1, Arbitraries.of(NASTY)), Tuple.of(3, made));
    }
}
