package dev.sessionlock.internal.directory;

import static org.assertj.core.api.Assertions.assertThat;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntUnaryOperator;
import java.util.regex.Pattern;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.domains.Domain;
import net.jqwik.api.domains.DomainContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names that some file system treats as equal must fold to the same name: otherwise one file has two locks, and both could be held. */
class LockNameTest {

    @ParameterizedTest
    @CsvSource({
            "session.jsonl, SESSION.JSONL", "Session.Jsonl, session.jsonl",
            "\u00e4, a\u0308", "\u00c4, a\u0308", "\u00e9, e\u0301", "\ud55c, \u1112\u1161\u11ab", // NFC, NFD, Hangul
            "\u212a, k", "\u212a, K", "\u212b, \u00e5", // Kelvin, Angstrom
            "\u03c3, \u03c2", "\u03a3, \u03c2", // sigma, final sigma
            "\u0131, I", "i, I", "\u0130, i\u0307", // dotless i, I with dot
            "\u00df, ss", "\u00df, SS", "\u1e9e, \u00df", "\u1e9e, ss", // sharp s
            "\ufb01, fi", "\u01c6, \u01c5", "\u01c4, \u01c6", // ligature, titlecase digraph
            "\u0345, \u03b9", "\u0345\u0300, \u0300\u0345", "\u0345\u0300, \u0399\u0300", "\u03b1\u0345\u0300, \u0391\u0300\u0399", // marks in any order
            "\u1fb3, \u0391\u0399", "\u1e9b, \u1e61", "\u0149, \u02bcn",
            "\uab70, \u13a0", "\u10a0, \u2d00", "\u1c90, \u10d0", // Cherokee, Georgian
            "\uff21, a", "\u017f, s", "\u00b5, \u03bc"})
    void theyAreOneLockWhereNamesAreFolded(String one, String other) {
        assertThat(LockName.fold(one)).isEqualTo(LockName.fold(other));
        assertThat(LockName.hash(LockName.fold(one))).isEqualTo(LockName.hash(LockName.fold(other)));
        assertThat(LockName.fold("a" + one + "b")).isEqualTo(LockName.fold("a" + other + "b"));
    }

    @Test
    void caseAndFormOfNoCharacterMakeTwoLocks() {
        List<String> two = new ArrayList<>();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (!Character.isDefined(c) || Character.getType(c) == Character.SURROGATE) {
                continue;
            }
            String text = Character.toString(c);
            String folded = LockName.fold(text);
            for (String same : List.of(text.toLowerCase(Locale.ROOT), text.toUpperCase(Locale.ROOT),
                    Character.toString(Character.toTitleCase(c)), Character.toString(Character.toUpperCase(c)),
                    Character.toString(Character.toLowerCase(c)), Normalizer.normalize(text, Normalizer.Form.NFC),
                    Normalizer.normalize(text, Normalizer.Form.NFD), Normalizer.normalize(text, Normalizer.Form.NFKC), folded)) {
                if (!same.equals(text) && !LockName.fold(same).equals(folded)) {
                    two.add("U+%04X and %s".formatted(c, same));
                }
            }
        }
        assertThat(two).isEmpty();
    }

    @Test
    void whatTheKernelIgnoresIsIgnored() {
        // Default_Ignorable_Code_Point (DerivedCoreProperties.txt): ext4, f2fs and APFS leave them out when they compare names.
        Pattern ignorable = Pattern.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
                + "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\\x{1bca0}-\\x{1bca3}\\x{1d173}-\\x{1d17a}\\x{e0000}-\\x{e0fff}]");
        List<String> seen = new ArrayList<>();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (ignorable.matcher(Character.toString(c)).matches() && !LockName.fold("a" + Character.toString(c) + "b").equals("ab")) {
                seen.add("U+%04X".formatted(c));
            }
        }
        assertThat(seen).isEmpty();
    }

    @Property(tries = 1500)
    @Domain(DomainContext.Global.class)
    void foldingTwiceIsFoldingOnce(@ForAll String name) {
        String once = LockName.fold(name);

        assertThat(LockName.fold(once)).isEqualTo(once);
        String decomposed = Normalizer.normalize(name, Normalizer.Form.NFD);
        assertThat(LockName.fold(decomposed)).isEqualTo(once);
        assertThat(LockName.fold(Normalizer.normalize(name, Normalizer.Form.NFC))).isEqualTo(once);
        // Letter by letter, like file systems with Unicode forms, and like those without.
        assertThat(LockName.fold(decomposed.toUpperCase(Locale.ROOT))).isEqualTo(once);
        assertThat(LockName.fold(decomposed.toLowerCase(Locale.ROOT))).isEqualTo(once);
        assertThat(LockName.fold(letterByLetter(name, Character::toUpperCase))).isEqualTo(once);
        assertThat(LockName.fold(letterByLetter(name, Character::toLowerCase))).isEqualTo(once);
    }

    private static String letterByLetter(String name, IntUnaryOperator fold) {
        StringBuilder text = new StringBuilder();
        name.codePoints().map(fold).forEach(text::appendCodePoint);
        return text.toString();
    }

    @Test
    void namesThatNobodyTakesForOneStayTwo() {
        assertThat(LockName.fold("a")).isNotEqualTo(LockName.fold("b"));
        assertThat(LockName.fold("session-1")).isNotEqualTo(LockName.fold("session-2"));
        assertThat(LockName.hash("a")).isNotEqualTo(LockName.hash("A"));
    }

    /** An iota changes its place among the marks of a letter, and never among letters. */
    @ParameterizedTest
    @CsvSource({"\u03b9\u03b1, \u03b1\u03b9", "\u03b9\u03b1, \u03b9\u03b2", "\u03b9\u03b1, \u03b2\u03b9", "\u03b9-1, \u03b9-2", "\u03b9, \u03b9\u03b9", "\u1fb3\u03b2, \u03b1\u03b2\u03b9"})
    void namesWithAnIotaStayTwo(String one, String other) {
        assertThat(LockName.fold(one)).isNotEqualTo(LockName.fold(other));
        assertThat(LockName.fold("a" + one + "b")).isNotEqualTo(LockName.fold("a" + other + "b"));
    }

    @Test
    void anIotaStandsBehindMarksOfEveryKind() {
        for (String mark : List.of("\u0300", "\u0903", "\u20dd")) { // without width, with width, around the letter
            assertThat(LockName.fold("\u03b1\u0345" + mark)).isEqualTo(LockName.fold("\u03b1" + mark + "\u0345"));
        }
    }

    @Test
    void whatLiesBesideTheIgnoredOnesIsNotIgnored() {
        for (int c : new int[] {0x34e, 0x350, 0x115e, 0x1161, 0x17b3, 0x17b6, 0x180a, 0x1810, 0x3163, 0x3165, 0xfe10, 0xff9f, 0xffa1, 0xffef, 0xdffff, 0xe1000}) {
            assertThat(LockName.fold("a" + Character.toString(c) + "b")).as("U+%04X", c).isNotEqualTo("ab");
        }
    }

    @Test
    void theHashIsTheBeginningOfSha256() {
        assertThat(LockName.hash("session.jsonl")).isEqualTo(sha256("session.jsonl"));
        assertThat(LockName.hash("")).isEqualTo(0xe3b0c44298fc1c14L);
    }

    private static long sha256(String text) {
        try {
            return java.nio.ByteBuffer.wrap(java.security.MessageDigest.getInstance("SHA-256")
                    .digest(text.getBytes(java.nio.charset.StandardCharsets.UTF_8))).getLong();
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
