import { answerScrape } from "../../../../dev/exporters/answer-scrape.ts";
import { ExporterFaults } from "../../../../dev/exporters/exporter-faults.ts";
import { parseFault } from "../../../../dev/exporters/faults.ts";
import { freePorts } from "../../../../dev/servers/free-ports.ts";
import { systemClock as clock } from "../../../../src/kit/clock.ts";

/** What an exporter was asked: the answer's values are its number. */
export interface NumberedAnswer {
  readonly exporter: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

export interface NumberedExportersOptions {
  readonly count: number;
  readonly seed: number;
  /** The address to listen on. */
  readonly address: string;
  /** As on the command line of the simulator, such as `500:0.05`. */
  readonly faults: readonly string[];
}

export const gpusPerExporter = 2;

/** The uuid of a GPU. */
export const uuidOf = (seed: number, exporter: number, gpu: number): string => `GPU-${seed}-${exporter}-${gpu}`;

/** Exporters that number their answers, so that a stored value tells when it was measured: a reading that is stored twice, or
 *  with another time, is found. */
export class NumberedExporters {
  /** The answers of all exporters, by their numbers. */
  readonly answers: NumberedAnswer[] = [];
  /** The number of answers with an HTTP status other than 200, by exporter. */
  readonly failed: number[];
  private readonly servers: (Bun.Server<undefined> | undefined)[] = [];
  private readonly stopping = new AbortController();

  private constructor(
    private readonly options: NumberedExportersOptions,
    readonly ports: readonly number[],
  ) {
    this.failed = ports.map(() => 0);
  }

  static async start(options: NumberedExportersOptions): Promise<NumberedExporters> {
    const exporters = new NumberedExporters(options, await freePorts(options.count));
    exporters.ports.forEach((_, index) => exporters.appear(index));
    return exporters;
  }

  /** The addresses, as in DCGM_TARGETS. */
  get targets(): readonly string[] {
    return this.ports.map((port) => `${this.options.address}:${port}`);
  }

  /** Stops an exporter: its connections break, and new ones are refused. */
  async vanish(index: number): Promise<void> {
    const server = this.servers[index];
    this.servers[index] = undefined;
    await server?.stop(true);
  }

  /** Starts an exporter that has vanished, at the same port. */
  appear(index: number): void {
    const { address, seed, faults } = this.options;
    const ofAnswers = new ExporterFaults({ faults: faults.map(parseFault), seed, index, setAtMs: clock.nowMs() });
    const scraped = {
      exporter: { text: () => this.text(index), gzip: () => Bun.gzipSync(this.text(index)) },
      ...{ faults: ofAnswers, fleet: { catchUp: () => 0 }, clock },
    };
    this.servers[index] ??= Bun.serve({
      hostname: address,
      port: this.ports[index] ?? 0,
      fetch: async (request) => {
        const response = await answerScrape(request, scraped, this.stopping.signal);
        if (!response.ok) this.failed[index] = (this.failed[index] ?? 0) + 1;
        return response;
      },
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.ports.map((_, index) => this.vanish(index)));
  }

  private text(exporter: number): string {
    const number = this.answers.push({ exporter, atMs: clock.nowMs() }) - 1;
    const series = (name: string, gpu: number, value: number): string => {
      const uuid = uuidOf(this.options.seed, exporter, gpu);
      return `${name}{gpu="${gpu}",UUID="${uuid}",device="nvidia${gpu}",modelName="NVIDIA H100",Hostname="host-${exporter}"} ${value}\n`;
    };
    const gpus = Array.from({ length: gpusPerExporter }, (_, gpu) => gpu);
    return [
      ...gpus.map((gpu) => series("DCGM_FI_DEV_FB_USED", gpu, number)),
      ...gpus.map((gpu) => series("DCGM_FI_DEV_FB_FREE", gpu, number + gpu + 1)),
    ].join("");
  }
}
