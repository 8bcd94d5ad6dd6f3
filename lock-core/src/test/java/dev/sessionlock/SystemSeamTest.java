package dev.sessionlock;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Only the floor "system" knows on which operating system it runs: PROTOCOL.md, "The seam to the operating system". */
class SystemSeamTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/sessionlock");
    private static final JavaClasses CLASSES =
            new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages("dev.sessionlock");

    /** What asks, or depends on, which system it is. */
    private static final Pattern QUESTION = Pattern.compile("\"os\\.name\"|File\\.separator\\w*|\"Windows|\"Mac|\"Linux|\\.fileKey\\(\\)|\\bRandomAccessFile\\b|\"unix:|\"posix:");

    private static final String OWNERS = "asks a file system whether it has owners and modes, and does without them where it has none";
    private static final String PROBE = "the tool tries out what a disk does, and says what it saw";

    /** Each with the reason why it may. */
    private static final Map<String, String> MAY_ASK = Map.ofEntries(
            Map.entry("FileMode", OWNERS), Map.entry("OwnerTrust", OWNERS), Map.entry("StickyDirectory", OWNERS), Map.entry("TargetFile", OWNERS),
            Map.entry("DirectoryState", "asks a file system for the time of change, and does without it where it has none"),
            Map.entry("LockDirectory", "names that time for the sweep, which does without it where there is none"),
            Map.entry("FileProbes", PROBE), Map.entry("PairProbes", PROBE), Map.entry("PairFiles", PROBE), Map.entry("ProbeDirectory", PROBE),
            Map.entry("OtherUsers", PROBE), Map.entry("Forbidden", PROBE),
            Map.entry("SignalHooks", "the numbers of signals, for the exit code of a job that one has ended"),
            Map.entry("Colours", "whether picocli may find a terminal that Java does not see"));

    @Test
    void nobodyElseAsksWhichSystemItIs() throws IOException {
        Map<String, Set<String>> asked = new TreeMap<>();
        try (Stream<Path> files = Files.walk(SOURCES)) {
            for (Path file : files.filter(each -> each.toString().endsWith(".java") && !each.startsWith(SOURCES.resolve("internal/system"))).toList()) {
                Matcher question = QUESTION.matcher(Files.readString(file));
                while (question.find()) {
                    asked.computeIfAbsent(file.getFileName().toString().replace(".java", ""), name -> new TreeSet<>()).add(question.group());
                }
            }
        }
        assertThat(asked.keySet()).as("%s", asked).containsExactlyInAnyOrderElementsOf(MAY_ASK.keySet());
    }

    /** It opens without sharing the file for deletion on Windows. */
    @Test
    void onlyPosixUsesRandomAccessFiles() {
        noClasses().that().resideOutsideOfPackage("dev.sessionlock.cli..").and().doNotHaveSimpleName("PosixOpenFile")
                .should().dependOnClassesThat().haveFullyQualifiedName("java.io.RandomAccessFile").check(CLASSES);
    }

    /** There a file may be in use for a moment: the seam asks again. {@code FileRemoval} also puts back what it has moved, where nothing must be replaced. */
    @Test
    void onlyTheSeamDeletesRenamesAndLinks() {
        noClasses().that().resideInAnyPackage("dev.sessionlock", "dev.sessionlock.internal..").and().resideOutsideOfPackage("dev.sessionlock.internal.system..")
                .and().doNotHaveSimpleName("FileRemoval")
                .should().callMethodWhere(target(owner(assignableTo(Files.class))).and(target(nameMatching("delete|deleteIfExists|move|createLink")))).check(CLASSES);
    }

    /** A call through the interface is a direct one, since the implementation is a constant. */
    @Test
    void oneImplementationIsChosenOnce() throws Exception {
        assertThat(java.lang.reflect.Modifier.isFinal(Class.forName("dev.sessionlock.internal.system.SystemFiles").getField("OF_THIS_PROCESS").getModifiers())).isTrue();
    }
}
