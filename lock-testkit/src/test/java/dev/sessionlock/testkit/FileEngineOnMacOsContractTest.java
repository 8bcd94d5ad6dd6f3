package dev.sessionlock.testkit;

import java.nio.file.Path;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The locks on files pass the contract in JVMs that believe they run on macOS. */
@EnabledOnOs({OS.LINUX, OS.MAC})
class FileEngineOnMacOsContractTest extends LockEngineContract {
    @TempDir
    static Path dir;

    @Override
    protected boolean sharesAmongProcesses() {
        return false; // it takes each lock exclusively
    }

    @Override
    protected Contender newContender() throws Exception {
        return Contender.InJvm.startOn(LabSystem.MACOS, FileEngineContractTest.OnFiles.class, dir.toString());
    }
}
