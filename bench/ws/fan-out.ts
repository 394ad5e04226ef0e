import type { Subprocess } from "bun";

/** The rate of sent messages, per second and per second of the server's processor time. */
export interface FanOutRate {
  readonly messagesPerSecond: number;
  readonly messagesPerCpuSecond: number;
}

/** The measured server: plain Bun; or ours, with records published to the live feed (`feed`) or to the hot tier (`hot`). */
export type FanOutKind = "bun" | "feed" | "hot";

interface Load {
  readonly subscribers: number;
  readonly gpus: number;
  /** Records of each GPU in one turn of the server's event loop. */
  readonly perTurn: number;
  readonly seconds: number;
}

/** How many messages to one subscriber may be in flight: far fewer than the kernel can buffer. */
const inFlightPerSubscriber = 128;

/** A child process that communicates by messages. */
class Child {
  private readonly answers: unknown[] = [];
  private onAnswer: () => void = () => undefined;
  private readonly subprocess: Subprocess;

  constructor(script: string, args: readonly unknown[]) {
    this.subprocess = Bun.spawn([process.execPath, `${import.meta.dir}/${script}`, ...args.map(String)], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (message) => {
        this.answers.push(message);
        this.onAnswer();
      },
      onExit: () => this.onAnswer(),
    });
  }

  send(message: unknown): void {
    this.subprocess.send(message);
  }

  async answer(): Promise<unknown> {
    while (this.answers.length === 0) {
      const { exitCode, signalCode } = this.subprocess;
      if (exitCode !== null || signalCode !== null) throw new Error("a child process of the bench has ended");
      await new Promise<void>((resolve) => (this.onAnswer = resolve));
    }
    return this.answers.shift();
  }

  async stop(): Promise<void> {
    this.subprocess.kill();
    await this.subprocess.exited;
  }
}

/** Publishes as fast as the subscribers read: first for one second to warm up, then for the measured `seconds`. Each subscriber
 *  follows one GPU.
 *  @throws Error if the server or the readers' process ends early */
export async function fanOut(kind: FanOutKind, { subscribers, gpus, perTurn, seconds }: Load): Promise<FanOutRate> {
  const server = new Child("fan-out-server.ts", [kind, gpus]);
  const { port } = (await server.answer()) as { port: number };
  const readers = new Child("fan-out-readers.ts", [port, subscribers, gpus]);
  try {
    await readers.answer();
    const turns = Math.max(1, Math.floor(inFlightPerSubscriber / perTurn));
    let sent = 0;
    const block = async (): Promise<void> => {
      sent += turns * perTurn * subscribers;
      readers.send(sent);
      server.send({ turns, perTurn });
      await readers.answer();
    };
    const cpuSeconds = async (): Promise<number> => {
      server.send("usage");
      const { user, system } = (await server.answer()) as NodeJS.CpuUsage;
      return (user + system) / 1e6;
    };
    for (const warmUntilMs = performance.now() + 1000; performance.now() < warmUntilMs;) await block();
    const cpuBefore = await cpuSeconds();
    const startedAtMs = performance.now();
    const sentBefore = sent;
    while (performance.now() < startedAtMs + seconds * 1000) await block();
    const messages = sent - sentBefore;
    const tookSeconds = (performance.now() - startedAtMs) / 1000;
    const cpu = (await cpuSeconds()) - cpuBefore;
    return { messagesPerSecond: messages / tookSeconds, messagesPerCpuSecond: messages / cpu };
  } finally {
    await Promise.all([server.stop(), readers.stop()]);
  }
}
