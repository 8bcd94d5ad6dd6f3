package dev.sessionlock.internal.system;

/**
 * An operating system, and how far the locks on files are proven on it.
 *
 * @param name as people call it
 * @param support how far
 */
public record OperatingSystem(String name, Support support) {

    /** How far the locks on files are proven. */
    public enum Support {
        /** All tests pass there, at every change. */
        PROVEN,
        /** The protocol takes its differences into account, and tests play them on another system. Nobody has seen the tests pass on it. */
        DESIGNED_FOR,
        /** Known to be wrong there. */
        UNSUPPORTED
    }

    /** {@return the one that this JVM runs on} */
    public static OperatingSystem current() {
        return of(System.getProperty("os.name", ""));
    }

    boolean isLinux() {
        return name.equals("Linux");
    }

    boolean isMac() {
        return name.equals("macOS");
    }

    /** {@return whether it is Windows, where files are shared, named and told apart in other ways than POSIX says} */
    boolean isWindows() {
        return name.equals("Windows");
    }

    /**
     * {@return the one of a name}
     *
     * @param osName the name that Java gives it, the system property {@code os.name}
     */
    static OperatingSystem of(String osName) {
        if (osName.startsWith("Linux")) {
            return new OperatingSystem("Linux", Support.PROVEN);
        } else if (osName.startsWith("Mac")) {
            return new OperatingSystem("macOS", Support.DESIGNED_FOR);
        }
        return new OperatingSystem(osName.startsWith("Windows") ? "Windows" : osName.isBlank() ? "an unknown system" : osName, Support.UNSUPPORTED);
    }
}
