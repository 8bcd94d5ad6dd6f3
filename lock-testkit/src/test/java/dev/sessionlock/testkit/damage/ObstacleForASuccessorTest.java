package dev.sessionlock.testkit.damage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.testkit.Puppet;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Something lies at the path where a successor of a frozen holder puts its record. */
class ObstacleForASuccessorTest {
    private static final String SHORT = "lease=1000 timeout=30000";
    private static final Set<Damage> TAKEN_AWAY = EnumSet.of(Damage.CUT_TO_NOTHING, Damage.ZEROED, Damage.FILLED, Damage.REPLACED_BY_LINK,
            Damage.REPLACED_BY_FIFO);

    @TempDir
    Path temp;

    @Test
    void isTakenAwayOrToldOf() throws Exception {
        Path dir = Files.createDirectory(temp.resolve("sessions"));
        Path elsewhere = Files.writeString(temp.resolve("elsewhere"), "somebody's file");
        Path blocked = dir.resolve("blocked");
        try (Puppet frozen = Puppet.start(); Puppet successor = Puppet.start()) {
            for (Damage damage : TAKEN_AWAY) {
                frozen.acquire(damage.name(), dir.resolve(damage.name()), SHORT);
            }
            frozen.acquireAndFreeze("blocked", blocked, SHORT);
            for (Damage damage : TAKEN_AWAY) {
                damage.to(takeover(dir.resolve(damage.name())), temp.resolve("none"), elsewhere);
            }
            Damage.REPLACED_BY_DIRECTORY.to(takeover(blocked), temp.resolve("none"), elsewhere);

            for (Damage damage : TAKEN_AWAY) {
                long token = successor.acquire(damage.name(), dir.resolve(damage.name()), SHORT).token();
                for (Path record : new Path[] {takeover(dir.resolve(damage.name())), dir.resolve(damage.name() + ".lock")}) {
                    assertThat(Files.isRegularFile(record, LinkOption.NOFOLLOW_LINKS)).as("%s, %s", damage, record).isTrue();
                    assertThat(Files.readString(record)).as("%s", damage).contains("\"token\":" + token + ",");
                }
                successor.close(damage.name());
            }
            Puppet.Reply refused = successor.ask("acquire", "blocked", blocked, SHORT);
            assertThat(refused.text()).startsWith("LockException").contains("takeover-blocked is not an ordinary file", "remove it");
            Damage.REPLACED_BY_DIRECTORY.undo(takeover(blocked));
            successor.acquire("blocked", blocked, SHORT);
        }
        assertThat(elsewhere).hasContent("somebody's file");
    }

    private static Path takeover(Path session) {
        return session.resolveSibling(".session-locks").resolve("takeover-" + session.getFileName());
    }
}
