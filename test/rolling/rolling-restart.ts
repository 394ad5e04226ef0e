import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { provideDatabase } from "../../dev/servers/provide-database.ts";
import { provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { realCsv, untilLoaded } from "../support/loaded-gateway.ts";
import { type FailedRequest, startLoad } from "./load.ts";
import { balancerUrl, startBalancer, storedInstants, untilReady } from "./behind-balancer.ts";
import { openFollowers } from "./followers.ts";

export interface RollingOptions {
  readonly requestsPerSecond: number;
  readonly sockets: number;
  /** How often each gateway is restarted. */
  readonly rounds: number;
  /** How long the load lasts before, between and after restarts. */
  readonly calmMs: number;
}

export interface RollingOutcome {
  readonly answered: number;
  /** Failed requests during the rolling restarts. */
  readonly failed: readonly FailedRequest[];
  /** Failed requests after a gateway was killed, and the requests that were in flight then. */
  readonly failedByKill: readonly FailedRequest[];
  readonly inFlightAtKill: number;
  /** Connections of WebSockets that broke. */
  readonly breaks: number;
  /** Records that the clients of WebSockets should have got together, that they lack, and that they got too often. */
  readonly expected: number;
  readonly missed: number;
  readonly repeated: number;
  readonly missedInstants: readonly string[];
}

const gpusOfHost = 4;
const timeoutMs = 90_000;

/** The processes of a pipeline with two gateways behind a balancer. */
class RollingPipeline {
  private readonly running = new Set<PipelineProcess>();

  constructor(private readonly env: Record<string, string>) {}

  start(role: string, env: Record<string, string> = {}): PipelineProcess {
    const started = startPipeline({ ...this.env, ROLE: role, ...env });
    this.running.add(started);
    return started;
  }

  startGateway(name: string): PipelineProcess {
    return this.start("gateway", { INSTANCE_NAME: name, SHUTDOWN_DRAIN_SECONDS: "3" });
  }

  async end(part: PipelineProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await stopPipeline(part, signal);
    this.running.delete(part);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running].map((part) => this.end(part)));
  }
}

/** Restarts the gateways one after another under load, and at last kills one.
 *  @param report receives a line for each step */
export async function rollingRestart(options: RollingOptions, report: (line: string) => void): Promise<RollingOutcome> {
  const dir = await mkdtemp(join(tmpdir(), "telemetry-rolling-"));
  const [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
  const env = {
    ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, MIGRATE_ON_START: "true" },
    ...{ QUEUE_TOPIC: `rolling-${crypto.randomUUID().slice(0, 8)}`, LOG_LEVEL: "info", DATA_DIR: dir },
    ...{ SIM_HOSTS: "2", SIM_GPUS_PER_HOST: String(gpusOfHost), SIM_INTERVAL: "1s" },
  };
  const pipeline = new RollingPipeline(env);
  const balancer = startBalancer(env);
  try {
    const url = await balancerUrl(balancer.stdout);
    return await underLoad(pipeline, { ...options, url, report });
  } finally {
    await pipeline.stop();
    balancer.kill();
    await balancer.exited;
    await Promise.all([etcd.stop(), database.stop()]);
    await rm(dir, { recursive: true, force: true });
  }
}

async function underLoad(
  pipeline: RollingPipeline,
  { url, report, ...options }: RollingOptions & { readonly url: string; readonly report: (line: string) => void },
): Promise<RollingOutcome> {
  const gateways = ["gateway-1", "gateway-2"].map((name) => ({ name, process: pipeline.startGateway(name) }));
  for (const gateway of gateways) await urlOf(gateway.process);
  pipeline.start("collector");
  const file = pipeline.start("streamer", realCsv === undefined ? {} : { CSV_FILE: realCsv });
  await untilReady(url, gateways.length);
  if (realCsv !== undefined) await untilLoaded(url);
  await pipeline.end(file);
  const streamer = pipeline.start("streamer");
  const followers = openFollowers(url, options.sockets);
  await until(() => followers.following(gpusOfHost) === options.sockets, { timeoutMs });
  const load = startLoad(url, options.requestsPerSecond);
  await Bun.sleep(options.calmMs);
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const gateway of gateways) {
      await pipeline.end(gateway.process);
      gateway.process = pipeline.startGateway(gateway.name);
      await untilReady(url, gateways.length);
      report(`round ${round}: ${gateway.name} restarted; ${load.answered()} answered, ${load.failed.length} failed`);
      await Bun.sleep(options.calmMs);
    }
  }
  const failed = [...load.failed];
  const inFlightAtKill = load.inFlight();
  for (const { process } of gateways.slice(0, 1)) await pipeline.end(process, "SIGKILL");
  await Bun.sleep(options.calmMs);
  await load.stop();
  await pipeline.end(streamer);
  await until(() => followers.following(gpusOfHost) === options.sockets, { timeoutMs });
  await Bun.sleep(options.calmMs);
  const outcome = followers.compare(await storedInstants(url));
  followers.close();
  const failedByKill = load.failed.slice(failed.length);
  return { ...outcome, failed, failedByKill, inFlightAtKill, answered: load.answered(), breaks: followers.breaks() };
}
