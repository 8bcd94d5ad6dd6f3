package dev.sessionlock.testkit;

import dev.sessionlock.testkit.disk.SystemRule;
import dev.sessionlock.testkit.disk.SystemRules;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * An operating system that a lab plays: the JVMs of the lab believe that they run on it ({@code os.name}, from when the scenario is
 * loaded), and files behave as that system's documents say. See {@link CrashTest#os}, {@link CrashLab#on} and {@link ChildJvm.Builder#on}.
 *
 * <p><b>This is simulation, and proves nothing about a real machine.</b> It shows what a program does if the system answers as documented. What the documents leave
 * out, or get wrong, is left out or wrong here, too. The rules, and their sources:
 *
 * <table>
 * <caption>What differs from Linux</caption>
 * <tr><th>rule</th><th>{@link #WINDOWS}</th><th>{@link #MACOS}</th><th>source</th></tr>
 * <tr><td>{@code BasicFileAttributes.fileKey()}</td><td>null; a new file has the time of creation of the file that had its name before</td><td>as on Linux</td>
 *     <td>the JDK's Javadoc; Win32 "File Times" (tunneling)</td></tr>
 * <tr><td>owners and modes</td><td>none: no {@code posix} view</td><td>as on Linux</td><td>the JDK ({@code WindowsFileSystem})</td></tr>
 * <tr><td>opening and forcing a directory</td><td>denied</td><td>as on Linux</td><td>Win32 {@code CreateFile}</td></tr>
 * <tr><td>forcing a file by a channel that only reads</td><td>does nothing</td><td>as on Linux</td><td>Win32 {@code FlushFileBuffers}; the JDK hides its error</td></tr>
 * <tr><td>a file lock</td><td>belongs to the channel, and ends with it alone; a channel on which a thread waits for a lock does nothing else</td>
 *     <td>belongs to the process; closing any channel of the file ends it</td><td>Win32 {@code LockFileEx}; POSIX {@code fcntl}</td></tr>
 * <tr><td>a locked range</td><td>mandatory: other channels cannot write there, nor read there if the lock is exclusive</td><td>advisory</td>
 *     <td>Win32 {@code LockFileEx}; POSIX {@code fcntl}</td></tr>
 * <tr><td>share modes</td><td>{@code NOSHARE_READ}, {@code NOSHARE_WRITE} and {@code NOSHARE_DELETE} keep others out (seen within one JVM)</td><td>none</td>
 *     <td>Win32 {@code CreateFile}</td></tr>
 * <tr><td>renaming over a file that anybody has open</td><td>denied, though it may be deleted</td><td>done</td>
 *     <td>Win32 {@code MoveFileEx} does not ask for {@code FILE_RENAME_POSIX_SEMANTICS}, which would allow it; POSIX {@code rename}</td></tr>
 * <tr><td>cutting, deleting or replacing a mapped file</td><td>denied</td><td>done</td><td>Win32 {@code ERROR_USER_MAPPED_FILE}; POSIX</td></tr>
 * <tr><td>upper and lower case</td><td>one name</td><td>one name</td><td>Win32 "Naming Files"; Apple's APFS FAQ, for disks as macOS formats them</td></tr>
 * <tr><td>composed and decomposed letters (NFC, NFD)</td><td>two names</td><td>one name</td><td>the same</td></tr>
 * <tr><td>{@code session.jsonl.}, {@code SESSIO~1.JSO}</td><td>other names of {@code session.jsonl}</td><td>files of their own</td><td>Win32 "Naming Files"</td></tr>
 * <tr><td>{@code /proc}</td><td>none</td><td>none</td><td></td></tr>
 * </table>
 *
 * <p>Not played: backslashes and drives; {@code Path.equals}, which does not fold on any system of the lab; access control lists; a name that stays until the last channel of its deleted file is closed (before Windows 10 1809);
 * clocks that go on while the machine sleeps (no JVM can be given another monotonic clock); processes and signals, which stay those of the host. Mandatory locks and
 * open files of other processes are found through the host's {@code /proc}, so {@link #WINDOWS} needs a Linux host, on a disk with extended attributes, which play
 * named streams. What goes through {@code java.io} meets no rule. Hard links exist on both systems; {@link CrashLab#withoutHardLinks} takes them away.
 */
public enum LabSystem {
    /** The system on which the tests run, a POSIX one: no rule of the lab applies. */
    POSIX("", Set.of()),
    /** Windows on NTFS, by the documents of Win32. */
    WINDOWS("Windows 11", EnumSet.of(SystemRule.NO_FILE_KEYS, SystemRule.NO_MODES, SystemRule.NO_OPEN_DIRECTORIES, SystemRule.FORCED_BY_WRITERS_ONLY,
            SystemRule.LOCKS_OF_HANDLES, SystemRule.MANDATORY_LOCKS, SystemRule.SHARE_MODES, SystemRule.OPEN_FILES_ARE_NOT_REPLACED,
            SystemRule.MAPPED_FILES_STAY, SystemRule.OTHER_SPELLINGS, SystemRule.CASE_FOLDS, SystemRule.NO_PROC)),
    /** macOS on APFS as it is formatted by default, by Apple's documents; otherwise POSIX. */
    MACOS("Mac OS X", EnumSet.of(SystemRule.CASE_FOLDS, SystemRule.FORMS_FOLD, SystemRule.NO_PROC));

    private static final String NAME = "sessionlock.lab.os";
    /** They choose the host's native code by {@code os.name}, once: sockets, and how to start a process. */
    private static final List<String> OF_THE_HOST = List.of("jdk.net.ExtendedSocketOptions", "java.lang.ProcessImpl");

    private final String osName;
    private final SystemRules rules;

    LabSystem(String osName, Set<SystemRule> rules) {
        this.osName = osName;
        this.rules = new SystemRules(rules);
    }

    /** {@return the arguments of a JVM that is to believe this} */
    List<String> jvmArgs(boolean hardLinks) {
        SystemRules all = hardLinks ? rules : rules.and(SystemRule.NO_HARD_LINKS);
        return List.of("-D" + NAME + "=" + osName, all.asArgument());
    }

    /** Makes this JVM believe it, if it was started with {@link #jvmArgs}. Called before all other code of the testkit and its users. */
    static void believe() {
        String name = System.getProperty(NAME, "");
        if (!name.isEmpty()) {
            OF_THE_HOST.forEach(LabSystem::initialize);
            System.setProperty("os.name", name);
        }
    }

    private static void initialize(String type) {
        try {
            Class.forName(type, true, null);
        } catch (ClassNotFoundException e) {
            // another JDK has no such class, or loads it from elsewhere: then it asks in another way
        }
    }
}
