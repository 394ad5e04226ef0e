import { SQL } from "bun";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { clientTools } from "../servers/client-tools.ts";
import { startEtcd } from "../servers/etcd.ts";
import { startPostgres } from "../servers/postgres.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../pipeline-process.ts";
import { until } from "../until.ts";
import { allAnswers, type Answers, answerTo, fleetAnswers } from "./answers.ts";
import { isOfProcess, readEtcd } from "./etcd-content.ts";
import type { LeftBehind } from "./fixture.ts";
import type { RecordOptions } from "./record-embedded.ts";

const messages = "/queue/telemetry/messages/";
const payloads = "/queue/telemetry/payloads/";
const claims = "/queue/telemetry/claims/";
/** The id of a message whose payload is damaged: older than every other, so that it is claimed first. */
const damagedId = "01JZ0000000000000000000000";
const shortLease = { QUEUE_LEASE_SECONDS: "2" };
const longLease = { QUEUE_LEASE_SECONDS: "3600" };
/** Nothing listens there. */
const noDatabase = "postgres://postgres@127.0.0.1:1/none";

/** Imports a file, and half of another, through etcd into PostgreSQL, and kills a streamer that waits and a collector that
 *  holds messages. */
export async function recordShared(options: RecordOptions): Promise<LeftBehind["shared"]> {
  const [etcd, postgres] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const client = new EtcdClient({ endpoints: etcd.endpoints });
  try {
    const database = await plainDatabase(postgres.url);
    const env = { ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database };
    return await new Recording(options, env, client).run();
  } finally {
    client.close();
    await Promise.all([etcd.stop(), postgres.stop()]);
  }
}

class Recording {
  constructor(
    private readonly options: RecordOptions,
    private readonly env: { readonly ETCD_ENDPOINTS: string; readonly DATABASE_URL: string },
    private readonly client: EtcdClient,
  ) {}

  async run(): Promise<LeftBehind["shared"]> {
    const { complete } = this.options;
    const collector = this.start("collector", shortLease);
    await urlOf(collector);
    const streamer = this.start("streamer", { CSV_FILE: complete, ...shortLease });
    await streamer.waitFor(/Streamed .*/);
    await this.untilStored();
    await stopPipeline(streamer);
    await stopPipeline(collector);
    await this.stopHalfWay();
    const etcd = await readEtcd(this.client);
    const postgresSql = await this.dump();
    const answers = await this.answersOf(this.env, allAnswers);
    const withoutEtcd = await this.answersOf({ DATABASE_URL: this.env.DATABASE_URL }, allAnswers);
    const withoutDatabase = await this.answersOf({ ...this.env, DATABASE_URL: noDatabase }, fleetAnswers);
    const rowsToPublish = await this.finish();
    const finished = await this.answersOf(this.env, allAnswers);
    return { postgresSql, etcd, answers, withoutEtcd, withoutDatabase, finished, rowsToPublish };
  }

  private start(role: string, more: Readonly<Record<string, string>>): PipelineProcess {
    const common = { ROLE: role, BATCH_SIZE: "100", LOG_LEVEL: "warn", HOT_WINDOW_SECONDS: "3600" };
    return startPipeline({ ...common, ...this.env, ...more }, this.options.checkout);
  }

  /** Stores four messages of the second file and a dead letter; leaves six messages in the queue, some of them claimed. */
  private async stopHalfWay(): Promise<void> {
    const { halfRead } = this.options;
    const first = this.start("streamer", { CSV_FILE: halfRead, QUEUE_CAPACITY_MESSAGES: "4", ...shortLease });
    await this.untilQueued(4);
    await stopPipeline(first, "SIGKILL");
    await this.publishDamaged();
    const storing = this.start("collector", shortLease);
    await this.untilStored();
    await stopPipeline(storing);
    const second = this.start("streamer", { CSV_FILE: halfRead, QUEUE_CAPACITY_MESSAGES: "6", ...longLease });
    await this.untilQueued(6);
    const held = new SQL(this.env.DATABASE_URL, { max: 1 });
    const release = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holding = held.begin(async (transaction) => {
      await transaction`lock table ingested_messages in access exclusive mode`;
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    const hanging = this.start("collector", { COLLECTOR_WORKERS: "2", MIGRATE_ON_START: "false", ...longLease });
    await until(async () => (await this.count(claims)) >= 2);
    await stopPipeline(hanging, "SIGKILL");
    await stopPipeline(second, "SIGKILL");
    release.resolve();
    await holding;
    await held.close();
  }

  /** Publishes a copy of a message under another id and key, with a payload that nothing can read. */
  private async publishDamaged(): Promise<void> {
    const { kvs } = await this.client.range({ ...prefixRange(messages), limit: 1 });
    const envelope = JSON.parse(kvs[0]?.value.toString() ?? "{}") as Record<string, unknown>;
    const damaged = { ...envelope, id: damagedId, idempotency_key: "damaged" };
    const success = [put(messages + damagedId, JSON.stringify(damaged)), put(payloads + damagedId, "no zstd")];
    await this.client.txn({ success });
  }

  /** Ends the leases of the killed processes, and lets new processes finish the import. @returns the number of rows that the
   *  new processes published */
  private async finish(): Promise<number> {
    for (const { lease } of (await readEtcd(this.client)).filter(isOfProcess)) {
      if (lease !== undefined) await this.client.revokeLease(lease);
    }
    const collector = this.start("collector", shortLease);
    const streamer = this.start("streamer", { CSV_FILE: this.options.halfRead, ...shortLease });
    const [, rows] = await streamer.waitFor(/Streamed .* (\d+) rows/);
    await this.untilStored();
    await stopPipeline(streamer);
    await stopPipeline(collector);
    return Number(rows);
  }

  private async answersOf(
    env: Readonly<Record<string, string>>,
    read: (url: string) => Promise<Answers>,
  ): Promise<Answers> {
    const gateway = startPipeline({ ROLE: "gateway", LOG_LEVEL: "warn", ...env }, this.options.checkout);
    const url = await urlOf(gateway);
    await until(async () => ((await answerTo(url, "/api/v1/gpus")) as { count: number }).count > 0);
    const answers = await read(url);
    await stopPipeline(gateway);
    return answers;
  }

  private async dump(): Promise<string> {
    const tools = await clientTools();
    const command = 'pg_dump --inserts --no-owner --no-privileges --rows-per-insert=200 "$DATABASE_URL"';
    const text = await Bun.$`bash -c ${tools + command}`.env({ ...process.env, ...this.env }).text();
    return text.replaceAll(/^\\.*\n/gm, ""); // psql's own commands
  }

  private untilQueued(messageCount: number): Promise<unknown> {
    return until(async () => (await this.count(messages)) >= messageCount, { timeoutMs: 30_000 });
  }

  private untilStored(): Promise<unknown> {
    return until(async () => (await this.count(messages)) === 0, { timeoutMs: 60_000 });
  }

  private async count(prefix: string): Promise<number> {
    return Number((await this.client.range({ ...prefixRange(prefix), count_only: true })).count);
  }
}

/** Creates a database without TimescaleDB, so that a dump of it can be restored into any PostgreSQL. */
async function plainDatabase(serverUrl: string): Promise<string> {
  const sql = new SQL(serverUrl, { max: 1 });
  await sql.unsafe("create database left_behind");
  await sql.unsafe("alter database left_behind set timescaledb.disable_load = on");
  await sql.close();
  return serverUrl.replace(/\/[^/]*$/, "/left_behind");
}
