package dev.sessionlock.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where the database's password comes from, and that it is never printed: the tool in JVMs of its own, with a server that asks for a password. */
class JdbcPasswordTest {
    @TempDir
    private Path scratch;

    private AskingServer server;

    @BeforeEach
    void open() throws IOException {
        server = new AskingServer();
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    private ToolProcess status(Map<String, String> environment, String... arguments) throws IOException {
        List<String> all = new ArrayList<>(List.of("status"));
        all.addAll(List.of(arguments));
        all.add("a");
        String home = "JAVA_TOOL_OPTIONS=-Duser.home=" + scratch;
        StringBuilder variables = new StringBuilder("exec env " + home);
        environment.forEach((name, value) -> variables.append(" ").append(name).append("='").append(value).append("'"));
        return ToolProcess.startScript(scratch, variables + " " + ToolProcess.quoted(all.toArray(String[]::new)));
    }

    private void assertAsked(ToolProcess tool, String user, String password) throws Exception {
        assertThat(tool.exitCode()).as("%s", tool).isEqualTo(2);
        assertThat(server.told).contains(user + ":" + password);
        assertThat(tool.out() + tool.err()).contains("does not let us in").doesNotContain(password);
    }

    private Path secret(String mode, String content) throws IOException {
        Path file = Files.writeString(scratch.resolve("secret"), content);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    }

    @Nested
    class ComesFrom {
        @Test
        void theEnvironment() throws Exception {
            try (ToolProcess tool = status(Map.of("PGPASSWORD", "hunter2"), "--jdbc", server.url("?user=me"))) {
                assertAsked(tool, "me", "hunter2");
            }
        }

        @Test
        void aPasswordFileOfLibpq() throws Exception {
            Path file = secret("rw-------", "*:*:*:me:hunter3\n");
            try (ToolProcess tool = status(Map.of("PGPASSFILE", file.toString()), "--jdbc", server.url(""), "--jdbc-user", "me")) {
                assertAsked(tool, "me", "hunter3");
            }
        }

        @Test
        void theFileThatIsNamedBeforeAllOthers() throws Exception {
            Path file = secret("rw-------", "hunter4\nmore\n");
            try (ToolProcess tool = status(Map.of("PGPASSWORD", "no"), "--jdbc", server.url("?password=no&user=no"), "--jdbc-user", "me",
                    "--jdbc-password-file", file.toString())) {
                assertAsked(tool, "me", "hunter4");
            }
        }

        @Test
        void noFileThatOthersMayRead() throws Exception {
            Path file = secret("rw-r-----", "*:*:*:me:hunter5\n");
            try (ToolProcess tool = status(Map.of("PGPASSFILE", file.toString()), "--jdbc", server.url("?user=me"));
                    ToolProcess named = status(Map.of(), "--jdbc", server.url("?user=me"), "--jdbc-password-file", file.toString())) {
                assertThat(tool.exitCode()).isEqualTo(2);
                assertThat(tool.err()).contains("rw-r-----", "is ignored", "chmod 600 " + file).doesNotContain("hunter5");
                assertThat(named.exitCode()).isEqualTo(2);
                assertThat(named.err()).contains("open to others", "chmod 600 " + file);
                assertThat(server.told).noneMatch(told -> told.contains("hunter5"));
            }
        }
    }

    @Nested
    class IsToldToNobody {
        @ParameterizedTest
        @ValueSource(strings = {"jdbc:postgresql://127.0.0.1:port/db?user=me&password=hunter2", "jdbc:postgresql://me:hunter2@127.0.0.1/db",
            "jdbc:postgresql://me:hun/ter2@127.0.0.1/db", "postgres://me:hunter2@127.0.0.1/db", "jdbc:postgresql://127.0.0.1/db?password=%hunter2"})
        void whenTheAddressIsNone(String url) throws Exception {
            try (ToolProcess tool = status(Map.of(), "--jdbc", url)) {
                assertThat(tool.exitCode()).as("%s", tool).isEqualTo(2);
                assertThat(tool.out() + tool.err()).contains("--jdbc").doesNotContain("hun", "ter2", "\tat ");
            }
        }

        @Test
        void whenAnOptionIsMisspelt() throws Exception {
            try (ToolProcess tool = status(Map.of(), "--jbdc=" + server.url("?password=hunter2"))) {
                assertThat(tool.exitCode()).isEqualTo(2);
                assertThat(tool.err()).contains("--jbdc").doesNotContain("hunter2");
            }
        }
    }

    /** Speaks just enough of PostgreSQL's protocol to ask for a password and to refuse it, and reports the password. */
    private static final class AskingServer {
        private static final int SSL_REQUEST = 80877103;
        private static final int GSS_REQUEST = 80877104;

        private final ServerSocket socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final Queue<String> told = new ConcurrentLinkedQueue<>();

        AskingServer() throws IOException {
            Thread thread = new Thread(() -> {
                while (!socket.isClosed()) {
                    try (Socket client = socket.accept()) {
                        serve(new DataInputStream(client.getInputStream()), new DataOutputStream(client.getOutputStream()));
                    } catch (IOException e) {
                        // the next one
                    }
                }
            }, "asking-server");
            thread.setDaemon(true);
            thread.start();
        }

        String url(String parameters) {
            return "jdbc:postgresql://127.0.0.1:" + socket.getLocalPort() + "/db" + parameters;
        }

        private void serve(DataInputStream in, DataOutputStream out) throws IOException {
            byte[] startup = in.readNBytes(in.readInt() - 4);
            while (java.nio.ByteBuffer.wrap(startup).getInt() == SSL_REQUEST || java.nio.ByteBuffer.wrap(startup).getInt() == GSS_REQUEST) {
                out.writeByte('N');
                startup = in.readNBytes(in.readInt() - 4);
            }
            List<String> words = List.of(new String(startup, 4, startup.length - 4, StandardCharsets.UTF_8).split("\0"));
            out.writeByte('R');
            out.writeInt(8);
            out.writeInt(3); // in clear text
            in.readByte();
            byte[] answer = in.readNBytes(in.readInt() - 4);
            String password = new String(answer, 0, answer.length - 1, StandardCharsets.UTF_8);
            told.add(words.get(words.indexOf("user") + 1) + ":" + password);
            byte[] refusal = ("SFATAL\0C28P01\0Mnot password=" + password + "\0\0").getBytes(StandardCharsets.UTF_8);
            out.writeByte('E');
            out.writeInt(refusal.length + 4);
            out.write(refusal);
        }

        void close() throws IOException {
            socket.close();
        }
    }
}
