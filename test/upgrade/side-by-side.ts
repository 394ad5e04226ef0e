import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provideDatabase } from "../../dev/servers/provide-database.ts";
import { provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { makeLedger } from "../faults/harness/ledger.ts";
import { balancerUrl, startBalancer, storedInstants, untilReady } from "../rolling/behind-balancer.ts";
import { type Followers, openFollowers } from "../rolling/followers.ts";
import { type FailedRequest, type Load, startLoad } from "../rolling/load.ts";
import { judge, type StoredFile, storedRows } from "./judge.ts";
import { type Complaint, partNames, Parts } from "./parts.ts";

/** Two versions of the program, and how much is asked of them. */
export interface SideBySideOptions {
  /** The folder of each version. */
  readonly older: string;
  readonly newer: string;
  /** Rows of the file that two streamers read during the whole run. */
  readonly rows: number;
  readonly requestsPerSecond: number;
  readonly sockets: number;
  /** How long the load lasts after each step. */
  readonly calmMs: number;
  /** True: hours of history become blocks at once, so that most records are late for a settled hour. */
  readonly settles: boolean;
}

export interface SideBySideOutcome {
  readonly answered: number;
  readonly failed: readonly FailedRequest[];
  /** Records that the clients of WebSockets should have got together, that they lack, and that they got too often. */
  readonly expected: number;
  readonly missed: number;
  readonly repeated: number;
  readonly missedInstants: readonly string[];
  /** What is wrong with the store, compared with the file. */
  readonly wrong: readonly string[];
  /** Rows of the file that were stored while processes were replaced. */
  readonly storedMeanwhile: number;
  readonly complaints: readonly Complaint[];
}

const gpusOfHost = 4;
const rowsPerLedgerSecond = 200;
const rowsPerStreamerSecond = 400;
const timeoutMs = 180_000;

/** Runs a pipeline of the older version under load, replaces its processes by the newer version, one after another, and then by the
 *  older one again. The first newer process migrates the database.
 *  @param report receives a line for each step */
export async function sideBySide(
  options: SideBySideOptions,
  report: (line: string) => void,
): Promise<SideBySideOutcome> {
  const dir = await mkdtemp(join(tmpdir(), "telemetry-upgrade-"));
  const [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
  const topic = `upgrade-${crypto.randomUUID().slice(0, 8)}`;
  const ledger = makeLedger(1, Math.ceil(options.rows / rowsPerLedgerSecond), options.settles ? 3 : 1);
  const csvFile = join(dir, "source.csv");
  await writeFile(csvFile, ledger.csv);
  const env = {
    ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, QUEUE_TOPIC: topic, DATA_DIR: dir },
    ...{ MIGRATE_ON_START: "true", QUEUE_LEASE_SECONDS: "5", SERVICE_LEASE_SECONDS: "5", LOG_LEVEL: "info" },
    ...(options.settles ? { SETTLE_AFTER_MINUTES: "0" } : {}),
  };
  const parts = new Parts(settingsOf(env, csvFile));
  const balancer = startBalancer(env);
  const file = { csvFile, rows: ledger.rows, databaseUrl: database.url, etcdEndpoints: etcd.endpoints, topic };
  try {
    const url = await balancerUrl(balancer.stdout);
    return await new Course({ ...options, url, file, parts, report }).run();
  } finally {
    await parts.stop();
    balancer.kill();
    await balancer.exited;
    await Promise.all([etcd.stop(), database.stop()]);
    await rm(dir, { recursive: true, force: true });
  }
}

function settingsOf(env: Readonly<Record<string, string>>, csvFile: string): ConstructorParameters<typeof Parts>[0] {
  return {
    collector: { ...env, ROLE: "collector" },
    gateway: { ...env, ROLE: "gateway", SHUTDOWN_DRAIN_SECONDS: "3" },
    coordinator: { ...env, ROLE: "coordinator" },
    streamer: {
      ...{ ...env, ROLE: "streamer", CSV_FILE: csvFile, SOURCE_RANGE_MIB: "1", BATCH_SIZE: "200" },
      RATE_LIMIT_SAMPLES_PER_SECOND: String(rowsPerStreamerSecond),
    },
    live: {
      ...{ ...env, ROLE: "streamer", SIM_HOSTS: "2", SIM_GPUS_PER_HOST: String(gpusOfHost), SIM_INTERVAL: "1s" },
      ...{ SIM_SERIES: "0", SIM_MIG: "0", SIM_FAULTS: "none" },
    },
  };
}

interface CourseParts extends SideBySideOptions {
  readonly url: string;
  readonly file: StoredFile;
  readonly parts: Parts;
  readonly report: (line: string) => void;
}

/** The course of a run. */
class Course {
  constructor(private readonly of: CourseParts) {}

  async run(): Promise<SideBySideOutcome> {
    const { url, older, newer, parts, sockets, requestsPerSecond } = this.of;
    for (const name of partNames) await parts.replace(name, "older", older);
    await untilReady(url, 2);
    const followers = openFollowers(url, sockets);
    await until(() => followers.following(gpusOfHost) === sockets, { timeoutMs });
    const load = startLoad(url, requestsPerSecond);
    await Bun.sleep(this.of.calmMs);
    const storedBefore = await storedRows(this.of.file);
    for (const name of partNames) await this.replace(name, "newer", newer, load);
    for (const name of partNames.toReversed()) await this.replace(name, "older", older, load);
    const storedMeanwhile = (await storedRows(this.of.file)) - storedBefore;
    await load.stop();
    return { ...(await this.finish(followers)), storedMeanwhile, answered: load.answered(), failed: load.failed };
  }

  private async replace(
    name: (typeof partNames)[number],
    version: string,
    checkout: string,
    load: Load,
  ): Promise<void> {
    const { parts, url, calmMs, report, file } = this.of;
    const from = new Date().toISOString();
    await parts.replace(name, version, checkout);
    await untilReady(url, 2);
    await Bun.sleep(calmMs);
    report(
      `${from}: ${name} becomes ${version}, so there are ${parts.versions()}: ${load.answered()} answered, ${load.failed.length} failed, ` +
        `${await storedRows(file)} of ${file.rows} rows stored`,
    );
  }

  /** Ends the live source, reads what is left of the file without a limit, and compares. */
  private async finish(followers: Followers) {
    const { parts, older, file, url, sockets, calmMs } = this.of;
    await parts.end("live-1");
    await parts.end("streamer-2");
    await parts.replace("streamer-1", "older", older, { RATE_LIMIT_SAMPLES_PER_SECOND: "20000" });
    await until(async () => (await storedRows(file)) >= file.rows, { timeoutMs, everyMs: 500 });
    await until(() => followers.following(gpusOfHost) === sockets, { timeoutMs });
    await Bun.sleep(calmMs);
    const compared = followers.compare(await storedInstants(url));
    followers.close();
    await parts.stop();
    return { ...compared, wrong: await judge(file), complaints: parts.complaints };
  }
}
