package dev.sessionlock.spi;

import java.util.List;
import org.jetbrains.annotations.NotNull;

/**
 * The library's internals, for its own testkit and nobody else: nothing of them is kept compatible.
 *
 * <p>The module descriptor exports them to the module {@code dev.sessionlock.testkit}. But where a build tool runs a test on the module
 * path, the testkit most often is none: no {@code module-info} of a program requires what only its tests use, so it lies on the class path
 * beside. A descriptor cannot export a package to the classes there.
 */
public final class Internals {
    private static final List<String> PACKAGES = List.of("dev.sessionlock.internal.directory", "dev.sessionlock.internal.seats",
            "dev.sessionlock.internal.system", "dev.sessionlock.internal.threads");

    private Internals() {
    }

    /**
     * Exports them to the module that the testkit is in. Does nothing where the library itself is on the class path.
     *
     * @param testkit the testkit's module
     */
    public static void exportTo(@NotNull Module testkit) {
        Module own = Internals.class.getModule();
        if (own.isNamed()) {
            PACKAGES.forEach(name -> own.addExports(name, testkit));
        }
    }
}
