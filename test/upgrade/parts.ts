import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";

/** The processes of the pipeline, in the order in which they are replaced. The gateways are behind a balancer. */
export const partNames = [
  "collector-1",
  "gateway-1",
  "streamer-1",
  "coordinator-1",
  "live-1",
  "collector-2",
  "gateway-2",
  "streamer-2",
] as const;

export type PartName = (typeof partNames)[number];

/** What a process is given, by the first part of its name. */
export type PartSettings = Readonly<Record<"collector" | "gateway" | "streamer" | "coordinator" | "live", Settings>>;
type Settings = Readonly<Record<string, string>>;

/** An end that is no clean one, or a line of a log about an error. */
export interface Complaint {
  readonly part: string;
  readonly text: string;
}

interface Part {
  readonly process: PipelineProcess;
  readonly version: string;
}

/** The processes of a pipeline, each of one of two versions. */
export class Parts {
  readonly complaints: Complaint[] = [];
  private readonly running = new Map<PartName, Part>();

  constructor(private readonly settings: PartSettings) {}

  /** Starts a process, after the one of the same name has ended by SIGTERM. Resolves when it runs.
   *  @param checkout the folder of its version */
  async replace(name: PartName, version: string, checkout: string, more: Settings = {}): Promise<void> {
    await this.end(name);
    const kind = name.slice(0, name.indexOf("-")) as keyof PartSettings;
    const env = { ...this.settings[kind], INSTANCE_NAME: name, ...more };
    const process = startPipeline(env, checkout);
    this.running.set(name, { process, version });
    await urlOf(process, 120_000);
  }

  /** How many processes there are of each version. */
  versions(): string {
    const counts = Object.groupBy(this.running.values(), ({ version }) => version);
    return Object.entries(counts)
      .map(([version, parts]) => `${parts?.length} ${version}`)
      .join(", ");
  }

  /** Waits until a process has written this. */
  async untilSays(name: PartName, pattern: RegExp, timeoutMs: number): Promise<void> {
    await until(() => pattern.test(this.running.get(name)?.process.output() ?? ""), { timeoutMs, everyMs: 200 });
  }

  async end(name: PartName): Promise<void> {
    const part = this.running.get(name);
    if (part === undefined) return;
    await stopPipeline(part.process);
    this.running.delete(name);
    const { exitCode, signalCode } = part.process.subprocess;
    if (exitCode !== 0) this.complain(name, part, `ended with ${exitCode ?? signalCode}`);
    for (const line of part.process.output().split("\n")) {
      const level = /^\{.*"level":(\d+)/.exec(line)?.[1];
      if (Number(level) >= 50) this.complain(name, part, line);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(partNames.map((name) => this.end(name)));
  }

  private complain(name: PartName, { version }: Part, text: string): void {
    this.complaints.push({ part: `${name} (${version})`, text });
  }
}
