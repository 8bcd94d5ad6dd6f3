package dev.sessionlock;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The documents of the repository: their links lead somewhere, what they name exists, and their examples are quoted from code that compiles. */
class DocumentsTest {
    private static final Path ROOT = Path.of("..");
    private static final List<String> MODULES = List.of("lock-core", "lock-testkit", "lock-benchmarks");
    private static final Pattern FENCE = Pattern.compile("(?m)^```(\\w*)\\n(.*?)^```$", Pattern.DOTALL);
    private static final Pattern LINK = Pattern.compile("\\[[^\\[\\]]*]\\(([^()\\s]+)\\)");
    private static final Pattern SPAN = Pattern.compile("`([^`\\n]+)`");
    private static final Pattern FILE = Pattern.compile("[\\w./-]+\\.(java|md|pml|sql|svg|xml)");
    private static final Pattern TYPE = Pattern.compile("@?([A-Z][A-Za-z]*[a-z][A-Za-z]*)((?:\\.\\w+)*)(?:\\(.*\\))?");
    private static final Pattern DECLARATION = Pattern.compile("\\b(?:class|interface|enum|record)\\s+([A-Z]\\w*)");
    /** Types of other projects that the documents mention. */
    private static final Set<String> OF_OTHERS = Set.of("GuardedBy", "SpringBoot", "FileLockNamedLockFactory", "NativeFSLockFactory", "LockFile", "MeterFilter", "PreDestroy", "DependsOn");

    private static final Map<String, String> SOURCES = new HashMap<>();
    private static final Set<String> TEST_LINES = new HashSet<>();
    private static final Set<String> OF_THE_JDK = new HashSet<>();
    private static final Set<String> FILE_NAMES = new HashSet<>();

    @BeforeAll
    static void read() throws IOException {
        for (String module : MODULES) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src"))) {
                List<Path> all = files.toList();
                all.forEach(each -> FILE_NAMES.add(each.getFileName().toString()));
                for (Path file : all.stream().filter(each -> each.toString().endsWith(".java")).toList()) {
                    String text = Files.readString(file);
                    Matcher types = DECLARATION.matcher(text);
                    while (types.find()) {
                        SOURCES.merge(types.group(1), text, String::concat);
                    }
                    if (file.startsWith(ROOT.resolve(module).resolve("src/test"))) {
                        text.lines().map(String::strip).forEach(TEST_LINES::add);
                    }
                }
            }
        }
        for (ModuleReference module : ModuleFinder.ofSystem().findAll()) {
            try (ModuleReader reader = module.open(); Stream<String> names = reader.list()) {
                names.filter(name -> name.matches("javax?/.*\\.class"))
                        .map(name -> name.substring(name.lastIndexOf('/') + 1, name.length() - ".class".length()))
                        .forEach(name -> OF_THE_JDK.addAll(List.of(name.split("\\$"))));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"README.md", "CHANGELOG.md", "lock-core/README.md", "lock-core/docs/spring-boot.md", "lock-core/PROTOCOL.md", "lock-testkit/README.md", "lock-benchmarks/README.md"})
    void eachLinkLeadsSomewhere(String document) throws IOException {
        List<String> dead = new ArrayList<>();
        for (String link : links(document)) {
            int hash = link.indexOf('#');
            String file = hash < 0 ? link : link.substring(0, hash);
            Path target = file.isEmpty() ? ROOT.resolve(document) : ROOT.resolve(document).resolveSibling(file);
            if (!Files.exists(target) || hash >= 0 && !anchors(target).contains(link.substring(hash + 1))) {
                dead.add(link);
            }
        }
        assertThat(dead).as("links of %s that lead nowhere", document).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"README.md", "lock-core/README.md", "lock-core/docs/spring-boot.md", "lock-core/PROTOCOL.md", "lock-testkit/README.md", "lock-benchmarks/README.md"})
    void whatIsNamedExists(String document) throws IOException {
        List<String> missing = new ArrayList<>();
        SPAN.matcher(prose(document)).results().map(each -> each.group(1)).distinct().forEach(name -> {
            Matcher type = TYPE.matcher(name);
            if (FILE.matcher(name).matches() && !isFile(document, name) || type.matches() && !isType(type)) {
                missing.add(name);
            }
        });
        assertThat(missing).as("what %s names in backticks, and is not there", document).isEmpty();
    }

    /** Since the examples are quoted, they compile, and do what a test says. */
    @ParameterizedTest
    @ValueSource(strings = {"README.md", "lock-core/README.md", "lock-core/docs/spring-boot.md", "lock-testkit/README.md", "lock-benchmarks/README.md"})
    void examplesAreQuotedFromTests(String document) throws IOException {
        List<String> unknown = FENCE.matcher(Files.readString(ROOT.resolve(document))).results().filter(block -> block.group(1).equals("java"))
                .flatMap(block -> block.group(2).lines()).map(String::strip).filter(line -> !line.isEmpty() && !TEST_LINES.contains(line)).toList();
        assertThat(unknown).as("lines of Java in %s that stand in no test", document).isEmpty();
    }

    /** People copy both commands, and CI runs the second. */
    @Test
    void theReadmeIsShortAndHasBothCommands() throws IOException {
        String readme = Files.readString(ROOT.resolve("README.md"));
        assertThat(readme).contains("\nmvn -B -ntp -q package -DskipTests && java -jar lock-core/target/sessionlock.jar demo\nmvn -B -ntp verify\n");
        assertThat(readme.lines()).hasSizeLessThan(170);
    }

    private static List<String> links(String document) throws IOException {
        return LINK.matcher(prose(document)).results().map(each -> each.group(1)).filter(each -> !each.matches("[a-z]+:.*")).toList();
    }

    /** {@return the document without its code blocks} */
    private static String prose(String document) throws IOException {
        return FENCE.matcher(Files.readString(ROOT.resolve(document))).replaceAll("");
    }

    /** {@return the anchors of its headings, as GitHub makes them} */
    private static Set<String> anchors(Path document) throws IOException {
        return FENCE.matcher(Files.readString(document)).replaceAll("").lines().filter(line -> line.matches("#+ .*"))
                .map(line -> line.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N}_ -]", "").replace(' ', '-'))
                .collect(Collectors.toSet());
    }

    private static boolean isFile(String document, String name) {
        Path here = ROOT.resolve(document).getParent();
        return Stream.of(here, ROOT, here.resolve("src/main/java"), here.resolve("src/main/resources"), here.resolve("src/test/java"))
                .anyMatch(place -> Files.exists(place.resolve(name))) || FILE_NAMES.contains(name);
    }

    /** A name with one capital letter may be an ordinary word. A type's member must be named in the type's source. */
    private static boolean isType(MatchResult name) {
        String type = name.group(1);
        if (type.chars().filter(Character::isUpperCase).count() < 2 || OF_OTHERS.contains(type) || OF_THE_JDK.contains(type)) {
            return true;
        }
        String source = SOURCES.get(type);
        return source != null && Stream.of(name.group(2).split("\\.")).filter(member -> !member.isEmpty())
                .allMatch(member -> Pattern.compile("\\b" + member + "\\b").matcher(source).find());
    }
}
