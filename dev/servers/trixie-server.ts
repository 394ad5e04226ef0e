import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { childOf } from "./child-of.ts";
import { lastLines } from "./last-lines.ts";
import { inNamespaces, systemPath } from "./trixie.ts";

/** A command that runs with the folder of Debian trixie as its root. */
export interface TrixieCommand {
  readonly trixie: string;
  /** The folder that the command sees as /srv, owned by `user`. */
  readonly folder: string;
  readonly user: "etcd" | "postgres" | "daemon";
  readonly command: readonly string[];
  /** Network namespace to run in; absent: the machine's. */
  readonly netns?: string | undefined;
  /** The file of the mount namespace to start from; absent: the machine's namespace. */
  readonly mounts?: string | undefined;
}

function commandLine({ trixie, folder, user, command, netns, mounts }: TrixieCommand): string[] {
  const network = netns === undefined ? [] : ["ip", "netns", "exec", netns];
  return [
    ...network,
    ...(mounts === undefined ? [] : ["nsenter", `--mount=${mounts}`]),
    ...inNamespaces(),
    ...entering({ trixie, folder, user, command }),
  ];
}

/** The command line that enters the folder of Debian trixie, for a process that has namespaces of its own. */
export function entering({
  trixie,
  folder,
  user,
  command,
}: Pick<TrixieCommand, "trixie" | "folder" | "user" | "command">): string[] {
  return ["sh", join(import.meta.dir, "enter-trixie.sh"), trixie, folder, user, ...command];
}

/** The environment of programs in the folder of Debian trixie. */
export const environment = { PATH: systemPath, LANG: "C.UTF-8", HOME: "/tmp" };

/** Runs a command and waits for its end.
 *  @returns its standard output
 *  @throws Error if the command fails, with its standard error or, if that is empty, its standard output */
export async function runInTrixie(command: TrixieCommand): Promise<string> {
  const child = Bun.spawn(commandLine(command), { cwd: "/", env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) === 0) return output;
  throw new Error(`${command.command.join(" ")} failed:\n${errors.trim() || output.trim()}`);
}

export interface TrixieServerOptions extends TrixieCommand {
  /** The name in messages; the log is `{folder}/{name}.log`. */
  readonly name: string;
  /** Resolves to true if the server answers now; otherwise resolves to false or rejects. */
  readonly answers: () => Promise<boolean>;
}

/** The limit of each wait while the server starts or ends. On a busy machine, recovery after a kill, or a graceful end with
 *  much to write, takes seconds. */
const timeoutMs = 60_000;

/** A server that runs with the folder of Debian trixie as its root. It ends when the process that started it ends, even by
 *  kill -9.
 *
 *  DOWN -start-> STARTING -answers-> UP -killed or exited-> DOWN
 *  STARTING -exited or timed out-> DOWN, with an error */
export class TrixieServer {
  readonly #options: TrixieServerOptions;
  readonly #logFile: string;
  #process: Subprocess | undefined;
  #pid = 0;

  constructor(options: TrixieServerOptions) {
    this.#options = options;
    this.#logFile = join(options.folder, `${options.name}.log`);
  }

  /** The server's process id on this machine: 0 before the process exists; after a kill, still the id of the ended process. */
  get pid(): number {
    return this.#pid;
  }

  /** Starts the server unless it is already running, and resolves when it answers.
   *  @throws Error with the last lines of the log, if the server exits, or does not answer in time and is therefore killed */
  async start(): Promise<void> {
    const child = this.#process !== undefined && isAlive(this.#process) ? this.#process : this.#spawn();
    try {
      this.#pid = await this.#until(() => childOf(child.pid));
      await this.#until(async () => (await this.#options.answers().catch(() => false)) || undefined);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  #spawn(): Subprocess {
    this.#pid = 0;
    const log = openSync(this.#logFile, "a");
    // in its own session, so that an interrupt at the terminal reaches only this process, which stops its servers in order
    const child = Bun.spawn(commandLine(this.#options), {
      cwd: "/",
      env: environment,
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    this.#process = child;
    return child;
  }

  /** Sends a signal and waits until the server has ended; does nothing if the server is down. SIGKILL ends all processes of the
   *  server. The server handles other signals itself: PostgreSQL waits for its clients after SIGTERM, and disconnects them after
   *  SIGINT.
   *  @throws Error if the server has not ended after a minute */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    if (isAlive(child)) sendSignal(this.#pid || child.pid, signal);
    const timeout = Promise.withResolvers<never>();
    const timeoutError = new Error(`${this.#options.name} has not ended ${timeoutMs} ms after ${signal}`);
    const timer = setTimeout(() => timeout.reject(timeoutError), timeoutMs);
    await Promise.race([child.exited, timeout.promise]).finally(() => clearTimeout(timer));
    this.#process = undefined;
  }

  /** Sends a signal to all processes of the server and does not wait: SIGSTOP freezes the server, SIGCONT continues it. Does
   *  nothing if the server is down. */
  signal(signal: NodeJS.Signals): void {
    if (this.#process === undefined) return;
    const namespace = pidNamespaceOf(this.#pid);
    const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
    for (const pid of pids) if (namespace !== undefined && pidNamespaceOf(pid) === namespace) sendSignal(pid, signal);
  }

  async #until<T>(check: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const value = await check();
      if (value !== undefined) return value;
      const hasEnded = this.#process === undefined || !isAlive(this.#process);
      const why = hasEnded ? "exited during startup" : Date.now() > end ? `does not answer after ${timeoutMs} ms` : "";
      if (why !== "") throw new Error(`${this.#options.name} ${why}:\n${lastLines(this.#logFile)}`);
      await Bun.sleep(20);
    }
  }
}

const isAlive = ({ exitCode, signalCode }: Subprocess): boolean => exitCode === null && signalCode === null;

function pidNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    // the process has ended
    return undefined;
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // the process has ended by itself
  }
}
