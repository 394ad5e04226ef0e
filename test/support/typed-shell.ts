import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { clientTools } from "../../dev/servers/client-tools.ts";
import { freeRanges } from "../../dev/local-pipeline.ts";

const root = resolve(import.meta.dir, "../..");
const copied = [
  ...["clients", "dev", "drizzle", "patches", "scripts", "src", "Makefile", "bun.lock", "bunfig.toml"],
  ...["drizzle.config.ts", "package.json"],
];
/** Types only what the program consists of: the tests, which are not copied, are checked elsewhere. A second check of the same files
 *  knows the first one's results. */
const typeScriptSettings = {
  extends: `${root}/tsconfig.json`,
  compilerOptions: { incremental: true, tsBuildInfoFile: "checked-types.json" },
  include: ["src", "scripts", "dev"],
  exclude: ["node_modules", "src/dashboard/browser"],
};

/** What a command printed, and its exit code. */
export interface TypedCommand {
  readonly code: number;
  readonly output: string;
}

/** When Ctrl-C ends a command. */
interface Ending {
  /** After this time; 170 by default. */
  readonly seconds?: number;
  /** As soon as it has printed this. */
  readonly printed?: RegExp | undefined;
}

/** The exit code of a command that Ctrl-C has ended. */
export const ctrlC = 124;

/** A shell in a copy of the checkout, with servers and processes of its own. */
export interface TypedShell {
  readonly folder: string;
  /** Types a command. The ports of the text are replaced by free ones. */
  type(command: string, ending?: Ending): Promise<TypedCommand>;
  /** Stops the processes and servers, and removes the folder. */
  close(): Promise<void>;
}

/** @param csvFile streamed by the processes, also under the name path/to/your/data.csv */
export async function openShell(csvFile: string): Promise<TypedShell> {
  const folder = await mkdtemp(join(tmpdir(), "typed-"));
  await Promise.all(copied.map((name) => cp(join(root, name), join(folder, name), { recursive: true })));
  await Bun.write(join(folder, "tsconfig.json"), JSON.stringify(typeScriptSettings));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  await mkdir(join(folder, "path/to/your"), { recursive: true });
  await symlink(csvFile, join(folder, "path/to/your/data.csv"));
  const [gateway = 0, streamer, collector, etcd, postgres] = await freeRanges(5);
  const ports: Readonly<Record<string, number | undefined>> = {
    "8080": gateway,
    "8081": gateway + 1,
    "8082": gateway + 2,
    "2379": etcd,
  };
  const env = {
    ...{ PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}`, HOME: process.env.HOME ?? "" },
    ...{ PORT: String(gateway), STREAMER_PORT: String(streamer), COLLECTOR_PORT: String(collector) },
    ...{ ETCD_PORT: String(etcd), POSTGRES_PORT: String(postgres), CSV_FILE: csvFile },
    ETCD_ENDPOINTS: `http://localhost:${etcd}`,
    DATABASE_URL: `postgres://telemetry:telemetry@127.0.0.1:${postgres}/telemetry`,
  };
  const tools = await clientTools();
  const type = async (command: string, { seconds = 170, printed }: Ending = {}): Promise<TypedCommand> => {
    const text = command.replace(/\b(808[012]|2379)\b/g, (port) => String(ports[port]));
    // without the --endpoints of the client tools: the command names its own
    const script = `${tools.replace("--endpoints='' ", "")}\n${text}`;
    const typed = Bun.spawn(["bash", "-c", script], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let isEnded = false;
    let isKilled = false;
    const end = (): void => {
      if (isEnded) return;
      isEnded = true;
      signalGroup(typed.pid, "SIGINT");
    };
    const endTimer = setTimeout(end, seconds * 1000);
    const killTimer = setTimeout(() => (isKilled = signalGroup(typed.pid, "SIGKILL")), (seconds + killSeconds) * 1000);
    const onText = (text: string): void => {
      if (printed?.test(text) === true) end();
    };
    const outputs = [typed.stdout, typed.stderr].map((stream) => textOf(stream, onText));
    const [output, code] = await Promise.all([Promise.all(outputs), typed.exited]);
    clearTimeout(endTimer);
    clearTimeout(killTimer);
    if (isKilled) return { code: killed, output: output.join("") };
    return { code: isEnded ? ctrlC : code, output: output.join("") };
  };
  const close = async (): Promise<void> => {
    await type("make scale-stop");
    await type("make stop-etcd");
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, type, close };
}

/** How long a command has for its end after the time at which Ctrl-C ends it. */
const killSeconds = 30;
/** The exit code of a command that Ctrl-C did not end, so that it had to be killed. */
const killed = 137;

/** Sends a signal to all processes of a command: they have a process group of their own, as in a terminal, where Ctrl-C reaches all of
 *  them. (The program `timeout` may lose the signal if it comes just after the command's start, and lets the command run on.)
 *  @returns whether a process was there that received it */
function signalGroup(id: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-id, signal);
  } catch {
    return false;
  }
}

/** @param onText is called with the text so far */
async function textOf(stream: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    onText(text);
  }
  return text;
}
