import { type Clock, systemClock } from "../../src/kit/clock.ts";
import type { SimulatedFleetOptions } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { answerScrape } from "./answer-scrape.ts";
import type { ExporterDialect } from "./exporter-dialect.ts";
import { ExporterFaults } from "./exporter-faults.ts";
import { type Fault, parseFault } from "./faults.ts";
import { ServedFleet } from "./served-fleet.ts";
import { SimulatedExporter } from "./simulated-exporter.ts";

export interface ServeExportersOptions extends SimulatedFleetOptions {
  readonly dialect: ExporterDialect;
  /** `port`: the exporter of each host has a port, from `port` on, and answers /metrics. `path`: all have one port; the exporter of
   *  a host answers /{host}/metrics. */
  readonly per: "port" | "path";
  /** 0: any ports that are free. */
  readonly port: number;
  /** The address to listen on. Absent: 127.0.0.1. */
  readonly bind?: string;
  /** As on the command line, such as `500:0.05`. */
  readonly faults?: readonly string[];
  /** Absent: the machine's. */
  readonly clock?: Clock;
}

/** An exporter to scrape. */
export interface ServedTarget {
  readonly hostname: string;
  /** host:port. */
  readonly address: string;
  readonly path: string;
}

/** Simulated exporters that answer scrapes. */
export interface ServedExporters {
  /** In the order of the hosts. */
  readonly targets: readonly ServedTarget[];
  /** A file_sd file of Prometheus with the targets. Each has its host's name as a label, because nvidia_gpu_exporter does not tell
   *  it. */
  readonly targetsFile: string;
  /** Replaces the faults; their times count from now. Over HTTP: PUT /-/faults, one fault a line.
   *  @throws TypeError that says which is not usable; the faults stay as they were */
  setFaults(faults: readonly string[]): void;
  /** Stops listening, and closes all connections. */
  stop(): Promise<void>;
}

const faultsPath = "/-/faults";
const metricsPath = "/metrics";

/** Serves the hosts of a simulated fleet as exporters, until they are stopped.
 *  @throws Error if a port is taken; TypeError if a fault is not usable */
export function serveExporters(options: ServeExportersOptions): ServedExporters {
  const server = new ExporterServer(options);
  try {
    server.listen();
    return server;
  } catch (error) {
    void server.stop();
    throw error;
  }
}

class ExporterServer implements ServedExporters {
  private readonly clock: Clock;
  private readonly fleet: ServedFleet;
  private readonly exporters: readonly SimulatedExporter[];
  private readonly indexByPath: ReadonlyMap<string, number>;
  private readonly servers: Bun.Server<undefined>[] = [];
  private readonly stopping = new AbortController();
  private faultTexts: readonly string[] = [];
  private faults: readonly ExporterFaults[] = [];

  constructor(private readonly options: ServeExportersOptions) {
    this.clock = options.clock ?? systemClock;
    this.fleet = new ServedFleet(options, this.clock);
    const { exported } = this.fleet.fleet;
    this.exporters = [...this.fleet.hosts].map(
      ([hostname, gpus], index) => new SimulatedExporter({ ...options, index, hostname, gpus, exported }),
    );
    this.indexByPath = new Map(this.exporters.map(({ hostname }, index) => [`/${hostname}${metricsPath}`, index]));
    this.setFaults(options.faults ?? []);
  }

  get targets(): readonly ServedTarget[] {
    const { per, bind = "127.0.0.1" } = this.options;
    return this.exporters.map(({ hostname }, index) => {
      const port = this.servers[per === "port" ? index : 0]?.port ?? 0;
      const address = `${bind.includes(":") ? `[${bind}]` : bind}:${port}`;
      return { hostname, address, path: per === "port" ? metricsPath : `/${hostname}${metricsPath}` };
    });
  }

  get targetsFile(): string {
    const entries = this.targets.map(({ hostname, address, path }) => ({
      targets: [address],
      labels: { hostname, ...(path === metricsPath ? {} : { __metrics_path__: path }) },
    }));
    return `[\n${entries.map((entry) => `  ${JSON.stringify(entry)}`).join(",\n")}\n]\n`;
  }

  listen(): void {
    const { per, port, bind = "127.0.0.1" } = this.options;
    const count = per === "port" ? this.exporters.length : 1;
    for (let index = 0; index < count; index += 1) {
      this.servers.push(
        Bun.serve({
          hostname: bind,
          port: port === 0 ? 0 : port + index,
          // a slow answer may take longer than Bun's own limit
          idleTimeout: 0,
          fetch: (request) => this.answer(request, per === "port" ? index : undefined),
        }),
      );
    }
  }

  setFaults(texts: readonly string[]): void {
    const faults: readonly Fault[] = texts.map(parseFault);
    const setAtMs = this.clock.nowMs();
    const { seed } = this.options;
    this.faults = this.exporters.map((_, index) => new ExporterFaults({ faults, seed, index, setAtMs }));
    this.faultTexts = faults.map(({ text }) => text);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.servers.map((server) => server.stop(true)));
  }

  /** @param own the index of the port's exporter; undefined if all have one port */
  private async answer(request: Request, own: number | undefined): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === faultsPath) return await this.answerFaults(request);
    const index = own === undefined ? this.indexByPath.get(pathname) : pathname === metricsPath ? own : undefined;
    const exporter = this.exporters[index ?? -1];
    const faults = this.faults[index ?? -1];
    if (exporter === undefined || faults === undefined) return this.listTargets(pathname);
    const { fleet, clock } = this;
    return await answerScrape(request, { exporter, faults, fleet, clock }, this.stopping.signal);
  }

  private async answerFaults(request: Request): Promise<Response> {
    if (request.method === "PUT") {
      const lines = (await request.text()).split("\n").map((line) => line.trim());
      try {
        this.setFaults(lines.filter((line) => line !== ""));
      } catch (error) {
        return new Response(`${(error as Error).message}\n`, { status: 400 });
      }
    } else if (request.method === "DELETE") this.setFaults([]);
    else if (request.method !== "GET") {
      return new Response("expected GET, PUT or DELETE\n", { status: 405, headers: { allow: "GET, PUT, DELETE" } });
    }
    return new Response(this.faultTexts.map((text) => `${text}\n`).join(""));
  }

  private listTargets(pathname: string): Response {
    const list = this.targets.map(({ address, path }) => `http://${address}${path}\n`).join("");
    return pathname === "/" ? new Response(list) : new Response(`the exporters are\n${list}`, { status: 404 });
  }
}
