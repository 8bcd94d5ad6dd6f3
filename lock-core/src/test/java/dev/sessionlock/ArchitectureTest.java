package dev.sessionlock;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The rules of the house, see PROTOCOL.md: which floor may use which, and who may touch what the kernel guards. */
class ArchitectureTest {
    private static final String ROOT = "dev.sessionlock";
    private static final String SYSTEM = ROOT + ".internal.system..";
    private static final String DIRECTORY = ROOT + ".internal.directory..";
    private static final String SEATS = ROOT + ".internal.seats..";
    private static final String THREADS = ROOT + ".internal.threads..";
    private static final String JDBC = ROOT + ".jdbc..";
    private static final String SPI = ROOT + ".spi..";
    private static final String METRICS = ROOT + ".metrics..";
    private static final String TOOL = ROOT + ".cli..";

    private static final JavaClasses CLASSES =
            new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages(ROOT);

    private static void mustNotUse(String floor, String... others) {
        noClasses().that().resideInAPackage(floor).should().dependOnClassesThat().resideInAnyPackage(others).check(CLASSES);
    }

    @Nested
    class Floors {
        @Test
        void systemUsesNoOther() {
            mustNotUse(SYSTEM, DIRECTORY, SEATS, THREADS, JDBC, TOOL);
        }

        @Test
        void directoryUsesSystemAlone() {
            mustNotUse(DIRECTORY, SEATS, THREADS, JDBC, TOOL);
        }

        @Test
        void seatsUseDirectoryAndSystem() {
            mustNotUse(SEATS, THREADS, JDBC, TOOL);
        }

        @Test
        void threadsUseNoEngineOverADatabase() {
            mustNotUse(THREADS, JDBC, TOOL);
        }

        @Test
        void engineOverADatabaseUsesNoFloorOfFiles() {
            mustNotUse(JDBC, DIRECTORY, SEATS, THREADS, TOOL);
        }

        @Test
        void whatAnEngineIsRestsOnNoEngine() {
            mustNotUse(SPI, ROOT + ".internal..", JDBC, TOOL);
        }

        /** The tool is not in the library's jar. */
        @Test
        void nobodyUsesTheTool() {
            noClasses().that().resideOutsideOfPackage(TOOL).should().dependOnClassesThat().resideInAPackage(TOOL).check(CLASSES);
        }

        /** Micrometer is optional: a class that a user without it loads must not know of it. */
        @Test
        void onlyTheMetersUseMicrometer() {
            noClasses().that().resideOutsideOfPackage(METRICS).should().dependOnClassesThat().resideInAnyPackage(METRICS, "io.micrometer..").check(CLASSES);
        }

        @Test
        void theMetersUseTheApiAlone() {
            mustNotUse(METRICS, ROOT + ".internal..", SPI, JDBC, TOOL);
        }

        /** The JVM's management is loaded for those who ask for it. */
        @Test
        void onlyTheRegistrationUsesJmx() {
            noClasses().that().doNotHaveSimpleName("JmxRegistration").and().resideOutsideOfPackage(TOOL)
                    .should().dependOnClassesThat().resideInAnyPackage("javax.management..", "java.lang.management..").check(CLASSES);
        }

        /** What the tool bundles is not there for a user of the library. */
        @Test
        void onlyTheToolUsesWhatItBundles() {
            noClasses().that().resideOutsideOfPackage(TOOL).should().dependOnClassesThat().resideInAnyPackage("picocli..", "org.postgresql..").check(CLASSES);
        }
    }

    /** Closing any channel of a guard file drops all kernel locks of this process on it (POSIX): one class keeps account of them. */
    @Nested
    class GuardFilesAlone {
        private static final String OWNER = "dev\\.sessionlock\\.internal\\.directory\\.GuardFiles(\\$.*)?";

        @Test
        void lockBytes() {
            noClasses().that().resideInAPackage(ROOT + ".internal..").and().haveNameNotMatching(OWNER)
                    .should().callMethodWhere(target(owner(assignableTo(FileChannel.class))).and(target(nameMatching("lock|tryLock")))).check(CLASSES);
        }

        @Test
        void openGuards() {
            noClasses().that().haveNameNotMatching(OWNER)
                    .should().callMethodWhere(target(nameMatching("openGuard")).and(target(owner(nameMatching(".*\\.internal\\.directory\\..*"))))).check(CLASSES);
        }

        /** The channel of a lock is asked whether it is open, and for nothing else. {@code OtherChannels} closes those that it has opened itself, to wait on them. */
        @Test
        void useTheChannelOfALock() {
            noClasses().that().resideInAPackage(DIRECTORY).and().haveNameNotMatching(OWNER).and().doNotHaveSimpleName("OtherChannels")
                    .should().callMethodWhere(target(owner(nameMatching("java\\.nio\\.channels\\.Channel"))).and(target(nameMatching("close")))).check(CLASSES);
        }
    }

    /** The resolver may wait for the network for seconds, and not even the machine's own name is worth that. */
    @Test
    void locksOnFilesAskNoNetwork() {
        noClasses().that().resideInAPackage(ROOT + ".internal..").should()
                .dependOnClassesThat().haveNameMatching("java\\.net\\.(Inet|NetworkInterface|.*Socket|.*URLConnection).*").check(CLASSES);
    }

    /** A reader who finds a name in a stack trace or a document must know which type it is. */
    @Test
    void noTwoTypesShareASimpleName() {
        Map<String, String> twice = new TreeMap<>(CLASSES.stream().filter(JavaClass::isTopLevelClass)
                .collect(Collectors.groupingBy(JavaClass::getSimpleName, Collectors.mapping(JavaClass::getPackageName, Collectors.joining(", ")))));
        twice.values().removeIf(packages -> !packages.contains(","));
        twice.remove("package-info");
        assertThat(twice).isEmpty();
    }

    /** What is longer than this hides what it does, unless it is one algorithm, whose class comment then explains it. */
    @Nested
    class Sizes {
        private static final int MOST_LINES = 500;
        private static final Path ROOT_DIRECTORY = Path.of("..");
        private static final List<String> MODULES = List.of("lock-core", "lock-testkit", "lock-benchmarks");

        /** Each with the reason why it would be worse in pieces. */
        private static final Map<String, String> MAY_BE_LONGER = Map.of(
                "SessionLocks", "all that a user types: two thirds are Javadoc, and its methods delegate",
                "Schedule", "one algorithm: a simulated run from its seed to the promises that it checks",
                "SimulatedStore", "the double of LockStore: one method for each of its operations, and one state for all of them",
                "LabFileSystemProviderTest", "one comparison, and the table of the operations that it compares");

        @Test
        void noFileIsTooLong() throws IOException {
            Map<String, Long> tooLong = lines();
            tooLong.values().removeIf(lines -> lines <= MOST_LINES);
            assertThat(tooLong.keySet()).as("files of more than %d lines, and the exceptions that have a reason; by lines: %s", MOST_LINES, tooLong)
                    .containsExactlyInAnyOrderElementsOf(MAY_BE_LONGER.keySet());
        }

        @Test
        void allModulesAreLookedAt() throws IOException {
            assertThat(lines().keySet()).contains("SeatEngine", "SeatEngineTest", "ChildJvm", "ChildJvmTest", "LoadCommand", "CrewTest");
        }

        private static Map<String, Long> lines() throws IOException {
            Map<String, Long> lines = new TreeMap<>();
            for (String module : MODULES) {
                try (Stream<Path> files = Files.walk(ROOT_DIRECTORY.resolve(module).resolve("src"))) {
                    for (Path file : files.filter(each -> each.toString().endsWith(".java")).toList()) {
                        try (Stream<String> text = Files.lines(file)) {
                            lines.merge(file.getFileName().toString().replace(".java", ""), text.count(), Math::max);
                        }
                    }
                }
            }
            return lines;
        }
    }

    /** The classes were found at all: rules over none would hold. */
    @Test
    void allFloorsAreLookedAt() {
        for (String floor : new String[] {SYSTEM, DIRECTORY, SEATS, THREADS, JDBC, SPI, TOOL}) {
            assertThat(CLASSES.stream().filter(type -> type.getPackageName().equals(floor.replace("..", "")))).as(floor).hasSizeGreaterThan(5);
        }
    }
}
