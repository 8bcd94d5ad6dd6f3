package dev.sessionlock.spi;

import java.util.List;

/**
 * Opens the library's internals to its own testkit. Nobody else should use this: the internals change without notice.
 *
 * <p>The module descriptor exports them to the module {@code dev.sessionlock.testkit}. But if a build tool runs a test on the module path, the
 * testkit usually stays on the class path, since no {@code module-info} of a program requires what only its tests use. A descriptor cannot export a
 * package to the class path.
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
    public static void exportTo(Module testkit) {
        Module own = Internals.class.getModule();
        if (own.isNamed()) {
            PACKAGES.forEach(name -> own.addExports(name, testkit));
        }
    }
}
