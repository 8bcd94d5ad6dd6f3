package dev.sessionlock.internal.system;

import static java.time.temporal.ChronoUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What it reads from {@code /proc} is the same as what the JDK says. */
class ProcessIdentityTest {
    private final ProcessIdentity self = ProcessIdentity.current();

    @Test
    void itsPid() {
        assertThat(self.pid()).isEqualTo(ProcessHandle.current().pid());
    }

    @Test
    void whenItStarted() {
        Optional<Instant> told = ProcessHandle.current().info().startInstant();
        assumeTrue(told.isPresent(), "the JDK does not know when this process started");
        assertThat(self.started()).isCloseTo(told.get(), within(1, SECONDS)); // the time of the boot is computed anew at each look
    }

    private record Told(Supplier<MacKernel> kernel, Map<String, String> environment) implements ProcessIdentity.Machine {
        @Override
        public MacKernel mac() {
            return kernel.get();
        }

        @Override
        public String variable(String name) {
            return environment.get(name);
        }
    }

    /** The resolver may ask the network, and some machines wait five seconds for its answer. */
    @Nested
    class NameOfTheHost {
        @TempDir
        private Path proc;
        private final Map<String, String> environment = new HashMap<>();
        private MacKernel kernel = MacKernel.UNKNOWN;

        private String host() {
            return ProcessIdentity.read(proc, new Told(() -> kernel, environment)).host();
        }

        @Test
        void isNotAskedOfTheResolver() {
            assertThat(host()).isEqualTo("unknown");
        }

        @Test
        void isToldByTheKernelFirst() throws IOException {
            environment.put("COMPUTERNAME", "WINDOWS");
            assertThat(host()).isEqualTo("WINDOWS");
            environment.put("HOSTNAME", "shell");
            assertThat(host()).isEqualTo("shell");
            kernel = new MacKernel(null, "mac.local");
            assertThat(host()).isEqualTo("mac.local");
            Files.createDirectories(proc.resolve("sys/kernel"));
            Files.writeString(proc.resolve("sys/kernel/hostname"), "linux\n");
            assertThat(host()).isEqualTo("linux");
        }
    }

    @Nested
    class Boot {
        @TempDir
        private Path proc;
        private final AtomicInteger asked = new AtomicInteger();

        private ProcessIdentity read(MacKernel kernel) {
            return ProcessIdentity.read(proc, new Told(() -> {
                asked.incrementAndGet();
                return kernel;
            }, Map.of()));
        }

        @Test
        void isAskedOfMacOsWhereThereIsNoProc() {
            assertThat(read(new MacKernel("5e6ffebe-6b0c-4d3e-9f21-0a1b2c3d4e5f", null)).boot()).isEqualTo("5e6ffebe-6b0c-4d3e-9f21-0a1b2c3d4e5f");
            assertThat(asked).hasValue(1);
        }

        @Test
        void isUnknownWhereNobodyTells() {
            assertThat(read(MacKernel.UNKNOWN).boot()).isNull();
        }

        @Test
        void isReadFromProcWhereThereIsOne() throws IOException {
            Files.createDirectories(proc.resolve("sys/kernel/random"));
            Files.writeString(proc.resolve("sys/kernel/random/boot_id"), "3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f\n");

            assertThat(read(new MacKernel("5e6ffebe-6b0c-4d3e-9f21-0a1b2c3d4e5f", null)).boot()).isEqualTo("3f8a2f5e-6b0c-4d3e-9f21-0a1b2c3d4e5f");
            assertThat(asked).hasValue(0);
        }
    }
}
