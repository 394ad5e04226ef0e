import { createWriteStream, type WriteStream } from "node:fs";
import { resolve } from "node:path";
import type { Subprocess } from "bun";
import { until } from "../../../dev/until.ts";
import type { TestHost } from "./network.ts";

export interface WorkerOptions {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** The host that the process runs on; absent: this machine. */
  readonly host?: TestHost | undefined;
  readonly logFile: string;
  readonly onLine: (line: string) => void;
  /** The folder of the program's version; absent: this checkout. */
  readonly checkout?: string | undefined;
}

const thisCheckout = resolve(import.meta.dir, "../../..");

/** The pause before the supervisor starts a process again. */
const restartMs = 300;

/** Longer than a frozen process takes to continue, and then to end. */
const restartMaxMs = 60_000;

/** Longer than /health takes to answer: its probes of components end after 2 s. */
const healthTimeoutMs = 3000;

/** A pipeline process that a supervisor keeps running, as Kubernetes or systemd would. */
export class Worker {
  readonly name: string;
  private process: Subprocess<"ignore", "pipe", "pipe"> | undefined;
  /** The process that has received SIGTERM: a second SIGTERM would end it immediately, with another status. */
  private terminated: Subprocess | undefined;
  /** Undefined until the process has printed its URL. */
  private printedUrl: string | undefined;
  private readonly failures: string[] = [];
  private stopping = false;
  private skewMs = 0;
  private checkout: string;
  private settings: Readonly<Record<string, string>> = {};
  private running: Promise<void> | undefined;
  private readonly log: WriteStream;

  constructor(private readonly options: WorkerOptions) {
    this.name = options.name;
    this.checkout = options.checkout ?? thisCheckout;
    this.log = createWriteStream(options.logFile, { flags: "a" });
  }

  get host(): TestHost | undefined {
    return this.options.host;
  }

  /** The id of the process; undefined before the first start. It is a part of the name that the process has in etcd. */
  get pid(): number | undefined {
    return this.process?.pid;
  }

  /** The URL of the process; undefined until it has started. */
  get url(): string | undefined {
    return this.printedUrl;
  }

  /** The statuses with which its processes have ended that were up, and that no fault had ended: the supervisor hides such an end. */
  get endedByItself(): readonly string[] {
    return this.failures;
  }

  /** The reasons that /health gives for components that are not ok. @returns undefined if the process does not answer */
  async complaints(): Promise<string[] | undefined> {
    const { HOST = "127.0.0.1", PORT = "0" } = this.options.env;
    try {
      const url = PORT === "0" ? this.printedUrl : `http://${HOST}:${PORT}`;
      const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(healthTimeoutMs) });
      const { components } = (await answer.json()) as { components: Record<string, { reason?: string }> };
      return Object.values(components).flatMap(({ reason }) => reason ?? []);
    } catch {
      return undefined;
    }
  }

  start(): void {
    this.running ??= this.supervise();
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === "SIGTERM") this.terminated = this.process;
    this.process?.kill(signal);
  }

  /** Sets how far the clock of the next process is ahead of the machine's. */
  setClock(skewMs: number): void {
    this.skewMs = skewMs;
  }

  /** Ends the process by SIGTERM, unless it has received one, and waits until the next one is started.
   *  @param settings more settings of all next processes */
  async restart(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    this.settings = { ...this.settings, ...settings };
    const last = this.process;
    if (last !== this.terminated) this.signal("SIGTERM");
    await until(() => this.process !== last, { timeoutMs: restartMaxMs, everyMs: 50 });
  }

  /** Ends the process as `restart` does, and starts the next ones of this checkout. */
  async upgrade(): Promise<void> {
    this.checkout = thisCheckout;
    await this.restart();
  }

  /** Ends the process and its supervision.
   *  @param signal the signal that ends the process
   *  @returns the exit status or the signal that ended the process, and "not up" if it had not printed its URL */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<string> {
    this.stopping = true;
    const last = this.process;
    if (last !== this.terminated) last?.kill(signal);
    await this.running;
    this.log.end();
    return `${last?.exitCode ?? last?.signalCode}${this.printedUrl === undefined ? ", not up" : ""}`;
  }

  private async supervise(): Promise<void> {
    while (!this.stopping) {
      const child = this.spawn();
      this.process = child;
      this.printedUrl = undefined;
      await Promise.all([this.follow(child.stdout), this.follow(child.stderr), child.exited]);
      this.log.write(`-- ended: ${child.exitCode ?? child.signalCode}\n`);
      if (this.hasFailed(child)) this.failures.push(`${this.name} ended by itself with status ${child.exitCode}`);
      if (!this.stopping) await Bun.sleep(restartMs);
    }
  }

  /** A process that has begun to serve ends with 0 after SIGTERM, or by another signal. */
  private hasFailed(child: Subprocess): boolean {
    const wasStopped = this.stopping || child === this.terminated;
    return !wasStopped && this.printedUrl !== undefined && child.exitCode !== null && child.exitCode !== 0;
  }

  private spawn(): Subprocess<"ignore", "pipe", "pipe"> {
    const { host, env } = this.options;
    const place = host === undefined ? [] : ["ip", "netns", "exec", host.netns];
    const clock = this.skewMs === 0 ? [] : ["--preload", `${import.meta.dir}/skewed-clock.ts`];
    // it ends when this process ends, even by kill -9
    const command = ["setpriv", "--pdeathsig", "KILL", process.execPath, ...clock, "src/main.ts"];
    return Bun.spawn([...place, ...command], {
      cwd: this.checkout,
      env: {
        ...{ PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", PORT: "0", ...env, ...this.settings },
        ...(this.skewMs === 0 ? {} : { CLOCK_SKEW_MS: String(this.skewMs) }),
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  private async follow(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      this.log.write(text);
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.printedUrl ??= /^ *health +(http\S+)\/health/.exec(line)?.[1];
        this.options.onLine(line);
      }
    }
  }
}
