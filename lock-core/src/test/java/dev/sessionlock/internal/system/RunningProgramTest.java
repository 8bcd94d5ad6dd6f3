package dev.sessionlock.internal.system;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sessionlock.internal.system.RunningProgram.Container;
import dev.sessionlock.internal.system.RunningProgram.Service;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RunningProgramTest {
    private static final String ID = "0123456789abcdef".repeat(4);

    @Test
    void serviceIsNamedByTheControlGroup() {
        assertThat(RunningProgram.supervisor("0::/system.slice/openclaw-gateway.service\n")).isEqualTo(new Service("openclaw-gateway.service", null));
        assertThat(RunningProgram.supervisor("0::/system.slice/system-openclaw.slice/openclaw@a.service/workers\n"))
                .isEqualTo(new Service("openclaw@a.service", null));
        assertThat(RunningProgram.supervisor("0::/user.slice/user-1000.slice/user@1000.service/app.slice/openclaw.service\n"))
                .isEqualTo(new Service("openclaw.service", "1000"));
        assertThat(RunningProgram.supervisor("9:name=systemd:/system.slice/gateway.service\n8:pids:/\n0::/\n"))
                .as("the older hierarchies").isEqualTo(new Service("gateway.service", null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0::/", "0::/init.scope", "0::/user.slice/user-1000.slice/session-3.scope", "0::/system.slice/cron.service",
        "0::/system.slice/ssh.service", "0::/user.slice/user-1000.slice/user@1000.service/init.scope", "0::/system.slice/systemd-logind.service",
        "8:pids:/system.slice/gateway.service", "no control group", "0::/system.slice/$(reboot).service"})
    void whatWouldNotStartItAgainIsNotNamed(String cgroup) {
        assertThat(RunningProgram.supervisor(cgroup)).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0::/system.slice/docker-ID.scope", "0::/docker/ID", "4:memory:/x\n0::/docker/ID/init"})
    void containerIsNamed(String cgroup) {
        assertThat(RunningProgram.supervisor(cgroup.replace("ID", ID))).isEqualTo(new Container("docker", "0123456789ab"));
        assertThat(RunningProgram.supervisor("0::/machine.slice/libpod-" + ID + ".scope")).isEqualTo(new Container("podman", "0123456789ab"));
    }

    @Test
    void commandLineIsShortAndHarmless() {
        assertThat(RunningProgram.commandLine("node\0openclaw\0gateway\0")).isEqualTo("node openclaw gateway");
        assertThat(RunningProgram.commandLine("a\nkill -9 1\u001b[31m\u0085\u2028\u202eb")).isEqualTo("a?kill -9 1?[31m???b");
        assertThat(RunningProgram.commandLine("x".repeat(200))).hasSize(63).endsWith("...");
        assertThat(RunningProgram.commandLine("")).isNull();
    }

    @Test
    void ownProcessIsDescribed() {
        Assumptions.assumeTrue(Files.exists(Path.of("/proc/self/cmdline")), "no /proc");
        long self = ProcessHandle.current().pid();
        assertThat(RunningProgram.of(self).inWords()).startsWith("pid " + self + " (").contains("java", "user " + System.getProperty("user.name"));
        assertThat(RunningProgram.of(999_999_999).inWords()).isEqualTo("pid 999999999");
    }

    @Test
    void rightsAreReadFromTheStatus() {
        assertThat(Rights.parse("Name:\tx\nUid:\t1000\t65534\t0\t0\nCapEff:\t0000000000000000\n")).isEqualTo(new Rights(65534, false));
        assertThat(Rights.parse("Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n")).isEqualTo(new Rights(0, true));
        assertThat(Rights.parse("Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425f3\n")).as("without CAP_FOWNER").isEqualTo(new Rights(0, false));
        assertThat(Rights.parse("nothing")).isNull();
        assertThat(new Rights(7, false).isUser(7)).isTrue();
        assertThat(new Rights(7, false).isUser(null)).isFalse();
    }
}
