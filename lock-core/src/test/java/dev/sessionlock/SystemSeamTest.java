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
import dev.sessionlock.internal.system.SystemFiles;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Only the floor "system" knows on which operating system it runs: PROTOCOL.md, "The seam to the operating system". */
class SystemSeamTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/sessionlock");
    private static final Path SYSTEM = SOURCES.resolve("internal/system");
    private static final Pattern COMMENT = Pattern.compile("(?m)^ *(?:/\\*|\\*|//).*$");
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
            Map.entry("OldFiles", "asks for that time for the sweep, which takes the time in the name where there is none"),
            Map.entry("FileProbes", PROBE), Map.entry("PairProbes", PROBE), Map.entry("PairFiles", PROBE), Map.entry("ProbeDirectory", PROBE),
            Map.entry("OtherUsers", PROBE), Map.entry("Forbidden", PROBE),
            Map.entry("SignalHooks", "the numbers of signals, for the exit code of a job that one has ended"),
            Map.entry("Colours", "whether picocli may find a terminal that Java does not see"));

    /**
     * What looks at processes, or at the kernel's own files. That is the business of the floor "system", where it stands beside {@link SystemFiles} and not behind it:
     *
     * <p>{@code ProcessIdentity}, {@code KernelLocks}, {@code OtherHooks}, {@code Rights}, {@code RunningProgram} and {@code OpenFiles} ask whether there is a {@code
     * /proc}, and not which system it is: Linux may have none, and FreeBSD may have one. What they do without it is the same everywhere. An implementation for each
     * system would say three times "not known".
     *
     * <p>{@code ProcessTable} does need the name: where {@code /proc} is missing, a process that {@link ProcessHandle} does not find is dead on macOS and Windows. On
     * Linux that says nothing, since there the JDK reads {@code /proc}, too. {@code MacKernel} needs it since {@code sysctl} is another program elsewhere.
     * {@code UnprovenSystemWarning} says the name.
     *
     * <p>The tool may look as it likes: it starts, signals and shows processes, and no lock depends on it.
     */
    private static final Pattern PROCESSES = Pattern.compile("\"/proc|\\bProcessHandle\\b|\\bOperatingSystem\\b|sysctl");

    /** Each with the reason why it may. */
    private static final Map<String, String> MAY_LOOK = Map.of(
            "ErrorMessages", "tells a person by which number to look at this process",
            "DescriptorPath", "reaches a file through an open directory where there is a /proc; without it, such a directory is refused, whatever the system is");

    /** The only ones that need the name of the system. */
    private static final Set<String> NEED_THE_NAME = Set.of("OperatingSystem", "SystemFiles", "ProcessTable", "MacKernel", "UnprovenSystemWarning");

    private static Map<String, Set<String>> asked(Pattern pattern, Predicate<Path> where) throws IOException {
        Map<String, Set<String>> asked = new TreeMap<>();
        try (Stream<Path> files = Files.walk(SOURCES)) {
            for (Path file : files.filter(each -> each.toString().endsWith(".java") && where.test(each)).toList()) {
                Matcher question = pattern.matcher(COMMENT.matcher(Files.readString(file)).replaceAll(""));
                while (question.find()) {
                    asked.computeIfAbsent(file.getFileName().toString().replace(".java", ""), name -> new TreeSet<>()).add(question.group());
                }
            }
        }
        return asked;
    }

    @Test
    void nobodyElseAsksWhichSystemItIs() throws IOException {
        Map<String, Set<String>> asked = asked(QUESTION, file -> !file.startsWith(SYSTEM));
        assertThat(asked.keySet()).as("%s", asked).containsExactlyInAnyOrderElementsOf(MAY_ASK.keySet());
    }

    /** The floors of the protocol (threads, seats, directory), the API and the engine over a database. */
    @Test
    void onlyTheSystemFloorAndTheToolLookAtProcesses() throws IOException {
        Map<String, Set<String>> looked = asked(PROCESSES, file -> !file.startsWith(SYSTEM) && !file.startsWith(SOURCES.resolve("cli")));
        assertThat(looked.keySet()).as("%s", looked).containsExactlyInAnyOrderElementsOf(MAY_LOOK.keySet());
    }

    @Test
    void fewNeedTheNameOfTheSystem() throws IOException {
        Map<String, Set<String>> named = asked(Pattern.compile("\\bOperatingSystem\\b|\"os\\.name\""), file -> file.startsWith(SYSTEM));
        assertThat(named.keySet()).as("%s", named).containsExactlyInAnyOrderElementsOf(NEED_THE_NAME);
        noClasses().that().resideOutsideOfPackages("dev.sessionlock.internal.system..", "dev.sessionlock.cli..")
                .should().dependOnClassesThat().haveSimpleName("OperatingSystem").check(CLASSES);
    }

    /** It takes a process for each question. */
    @Test
    void onlyTheToolAsksForTheStatesOfProcesses() {
        noClasses().that().resideOutsideOfPackage("dev.sessionlock.cli..").should().callMethodWhere(target(nameMatching("enable")).and(target(owner(nameMatching(".*PsStates")))))
                .check(CLASSES);
    }

    /** It opens without sharing the file for deletion on Windows. */
    @Test
    void onlyPosixUsesRandomAccessFiles() {
        noClasses().that().resideOutsideOfPackage("dev.sessionlock.cli..").and().doNotHaveSimpleName("PosixOpenFile")
                .should().dependOnClassesThat().haveFullyQualifiedName("java.io.RandomAccessFile").check(CLASSES);
    }

    /** There a file may be in use for a moment: the seam asks again. */
    @Test
    void onlyTheSeamDeletesRenamesAndLinks() {
        noClasses().that().resideInAnyPackage("dev.sessionlock", "dev.sessionlock.internal..").and().resideOutsideOfPackage("dev.sessionlock.internal.system..")
                .should().callMethodWhere(target(owner(assignableTo(Files.class))).and(target(nameMatching("delete|deleteIfExists|move|createLink")))).check(CLASSES);
    }

    /** {@code FileRemoval} does, to save a release a system call, and asks the seam where that fails. */
    @Test
    void onlyOneDeletesAroundTheSeam() {
        noClasses().that().resideInAnyPackage("dev.sessionlock", "dev.sessionlock.internal..").and().doNotHaveSimpleName("FileRemoval")
                .should().callMethodWhere(target(owner(assignableTo(File.class))).and(target(nameMatching("delete|deleteOnExit|renameTo")))).check(CLASSES);
    }

    /** A call through the interface is a direct one, since the implementation is a constant. */
    @Test
    void oneImplementationIsChosenOnce() throws Exception {
        assertThat(java.lang.reflect.Modifier.isFinal(Class.forName("dev.sessionlock.internal.system.SystemFiles").getField("OF_THIS_PROCESS").getModifiers())).isTrue();
    }
}
