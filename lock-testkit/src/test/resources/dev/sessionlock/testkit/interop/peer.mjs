// A process that takes OpenClaw's own session write locks as it is told, one command a line:
//   ID COMMAND ARG…        words are URL-encoded; the answer is "ID ok WORD…" or "ID failed NAME MESSAGE"
// Started as: node peer.mjs CHUNK [ARG…]; CHUNK is the module that exports acquireSessionWriteLock. Ends with its input.
import fs from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { acquireSessionWriteLock, cleanStaleLockFiles, testing } = await import(pathToFileURL(process.argv[2]).href);
const held = new Map();
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

const commands = {
    async acquire(handle, sessionFile, timeoutMs, maxHoldMs, staleMs) {
        const lock = await acquireSessionWriteLock({
            sessionFile,
            timeoutMs: Number(timeoutMs),
            maxHoldMs: maxHoldMs ? Number(maxHoldMs) : undefined,
            staleMs: staleMs ? Number(staleMs) : undefined,
        });
        held.set(handle, lock);
        return [];
    },
    async release(handle) {
        await held.get(handle).release();
        held.delete(handle);
        return [];
    },
    /** The sweep that a gateway does when it starts. */
    async sweep(sessionsDir) {
        const { cleaned } = await cleanStaleLockFiles({ sessionsDir });
        return cleaned.map((lock) => `${lock.lockPath}:${lock.staleReasons.join(",")}`);
    },
    /** What the watchdog does, as if so many milliseconds later. */
    async watchdog(later) {
        return [await testing.runLockWatchdogCheck(Date.now() + Number(later))];
    },
    /** From now on the process stops itself between the creation of its lock file and the writing of it. */
    async stopBeforeWriting() {
        testing.setProcessStartTimeResolverForTest((pid) => {
            testing.setProcessStartTimeResolverForTest();
            process.kill(process.pid, "SIGSTOP");
            return Number(fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[19]);
        });
        return [];
    },
    /** Appends lines to a transcript, each under a lock of its own; says how often it met somebody else inside. */
    async append(sessionFile, who, rounds, thinkMs) {
        let overlaps = 0;
        for (let round = 0; round < Number(rounds); round++) {
            const lock = await acquireSessionWriteLock({ sessionFile, timeoutMs: 60_000 });
            overlaps += await inside(sessionFile, `${who} ${round}`);
            await lock.release();
            await sleep(Math.random() * 2 * Number(thinkMs));
        }
        return [overlaps];
    },
    /** Takes a lock once, and says how often it met somebody else inside. */
    async once(sessionFile, who) {
        const lock = await acquireSessionWriteLock({ sessionFile, timeoutMs: 60_000 });
        const overlaps = await inside(sessionFile, who);
        await lock.release();
        return [overlaps];
    },
};

/** As Appender.inside of the tests in Java. */
async function inside(sessionFile, line) {
    let overlaps = 0;
    const flag = `${sessionFile}.inside`;
    try {
        fs.closeSync(fs.openSync(flag, "wx"));
    } catch (e) {
        if (e.code !== "EEXIST") throw e;
        overlaps++;
    }
    const counter = `${sessionFile}.counter`;
    const count = fs.existsSync(counter) ? Number(fs.readFileSync(counter, "utf8")) : 0;
    await sleep(Math.random() * 4);
    fs.appendFileSync(sessionFile, `${line}\n`);
    fs.writeFileSync(counter, String(count + 1));
    fs.rmSync(flag, { force: true });
    return overlaps;
}

const encode = (words) => words.map((word) => encodeURIComponent(String(word))).join(" ");

console.log("up");
for await (const line of createInterface({ input: process.stdin })) {
    const [id, command, ...args] = line.split(" ").map(decodeURIComponent);
    commands[command](...args)
        .then((words) => console.log(`${id} ok ${encode(words)}`))
        .catch((e) => console.log(`${id} failed ${encode([e.name, e.message])}`));
}
process.exit(0);
