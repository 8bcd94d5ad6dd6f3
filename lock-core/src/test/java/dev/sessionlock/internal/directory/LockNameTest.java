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

    /** HFS+ has a table of its own (Apple's TN1150, FastUnicodeCompare). What is not in it compares by its decomposed form. */
    @ParameterizedTest
    @CsvSource({
            "10a0, 10d0, 38", // the old capitals of Georgian, which to Unicode are those of other letters
            "0391, 03b1, 17", "0410, 0430, 32", "0531, 0561, 38", "2160, 2170, 16", "ff21, ff41, 26", // Greek, Cyrillic, Armenian, Roman numerals, full width
            "0110, 0111, 1", "0132, 0133, 1", "013f, 0140, 1", "0181, 0253, 1", "0186, 0254, 1", "0189, 0256, 2", "018e, 01dd, 1", "018f, 0259, 1", "0190, 025b, 1",
            "0193, 0260, 1", "0194, 0263, 1", "0196, 0269, 1", "0197, 0268, 1", "019c, 026f, 1", "019d, 0272, 1", "019f, 0275, 1", "01a9, 0283, 1", "01ae, 0288, 1",
            "01b1, 028a, 2", "01b7, 0292, 1", "01c4, 01c6, 1", "01c5, 01c6, 1", "01f1, 01f3, 1", "01e4, 01e5, 1", "03e2, 03e3, 1", "0480, 0481, 1", "04cb, 04cc, 1"})
    void lettersThatAreOneToHfsAreOneLock(String one, String other, int count) {
        for (int i = 0; i < count; i++) {
            String upper = Character.toString(Integer.parseInt(one, 16) + i);
            String lower = Character.toString(Integer.parseInt(other, 16) + i);
            assertThat(LockName.fold("a" + upper + ".jsonl")).as("%s and %s", upper, lower).isEqualTo(LockName.fold("A" + lower + ".JSONL"));
        }
    }

    @Test
    void whatHfsIgnoresIsIgnored() {
        for (int c : new int[] {0x200c, 0x200d, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x206a, 0x206b, 0x206c, 0x206d, 0x206e, 0x206f, 0xfeff}) {
            assertThat(LockName.fold("a" + Character.toString(c) + "b")).as("U+%04X", c).isEqualTo("ab");
        }
    }

    /** APFS compares fully folded and decomposed names: one letter may be as good as two or three. */
    @ParameterizedTest
    @CsvSource({"\u0587, \u0565\u0582", "\u1e96, h\u0331", "\u01f0, j\u030c", "\u0390, \u03b9\u0308\u0301", "\u1f52, \u03c5\u0313\u0300", "\ufb13, \u0574\u0576",
            "\ufb03, ffi", "\ufb06, \ufb05", "\ufb05, st", "\u1fb7, \u03b1\u0342\u03b9", "\u1f88, \u1f80", "\u1c80, \u0432", "\u13f8, \u13f0", "\ua64a, \u1c88",
            "\ud801\udc00, \ud801\udc28", "\ud83a\udd00, \ud83a\udd22"}) // Deseret, Adlam
    void lettersThatAreOneToApfsAreOneLock(String one, String other) {
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

    /** Java 17 does not know the letters of Vithkuqi, and Java 25 folds them: each would lock another name. */
    @Test
    void lettersThatAreNewerThanThisJvmAreNoticed() {
        assertThat(LockName.hasKnownLetters("Session \u00e4\u10d0\ud83d\ude00.jsonl")).isTrue();
        assertThat(LockName.hasKnownLetters("a\u0378")).as("no Unicode has it").isFalse();
        assertThat(LockName.hasKnownLetters("a\ud801\udd70")).isEqualTo(Character.isDefined(0x10570));
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
