import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientTools } from "../../dev/servers/client-tools.ts";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { makeKeyText } from "../../src/access/key-text.ts";
import { settleTo } from "../support/settled.ts";
import { contentOf } from "../support/database-content.ts";
import { commandsUnder, runCommands } from "../support/doc-commands.ts";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { withClient } from "../support/postgres-database.ts";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { sharedData } from "../support/shared-data.ts";

// Runs commands of docs/backup.md as they are written, and checks that they restore the store.

setDefaultTimeout(120_000);

const realCsv = sharedData("csv", "dcgm_metrics_20250718_134233.csv");
const page = "backup.md";
let folder: string;
let server: PostgresServer;
let etcd: EtcdCluster;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-backup-"));
  [server, etcd] = await Promise.all([startPostgres(), startEtcd({ members: 1 })]);
}, 300_000);
afterAll(async () => {
  await Promise.all([server.stop(), etcd.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** @returns the output of the process that imports the file, with the report */
async function importCsv(csvFile: string, env: Readonly<Record<string, string>>): Promise<string> {
  const pipeline = startPipeline({ ROLE: "streamer,collector", CSV_FILE: csvFile, LOG_LEVEL: "warn", ...env });
  await pipeline.waitFor(/records stored.*samples\/s/s);
  await stopPipeline(pipeline);
  return pipeline.output();
}

async function run(commands: readonly string[]): Promise<void> {
  const tools = await clientTools({ etcdEndpoint: etcd.endpoints[0] });
  await runCommands(folder, commands, { tools, env: { DATABASE_URL: server.url } });
}

/** Expects that the pipeline can continue with the restored database. */
async function expectContinuation(csvFile: string, env: Readonly<Record<string, string>>): Promise<void> {
  const before = await importedContent();
  expect(await importCsv(csvFile, env)).toContain("is already imported; it has no new rows");
  expect(await importedContent()).toEqual(before);
  const more = join(folder, `more-${crypto.randomUUID()}.csv`);
  await writeFleetCsv(more, { hosts: 1, "gpus-per-host": 2, seconds: 3, seed: 7 });
  expect(await importCsv(more, env)).toMatch(/records stored +6\n/);
  const [stored] = await withClient(server.url, (client) =>
    client.query("select count(*)::int as records from telemetry_all"),
  );
  expect(stored).toEqual({ records: 988 + 6 });
}

/** All but what the process that imports says about its evaluation of faults. */
async function importedContent(): Promise<Record<string, unknown>> {
  const { "public.fault_leader": leader, "public.fault_states": states, ...content } = await contentOf(server.url);
  expect([leader, states]).not.toContain(undefined);
  return content;
}

const dropDatabase = 'psql "${DATABASE_URL%/*}/postgres" --command="drop database if exists telemetry with (force)"';

for (const [name, isPlain] of [
  ["TimescaleDB", false],
  ["plain PostgreSQL", true],
] as const) {
  test.skipIf(realCsv === undefined)(
    `${name} with the real CSV is restored exactly, and the pipeline then imports only new rows`,
    async () => {
      const env = { DATABASE_URL: server.url, DATA_DIR: join(folder, "unused") };
      const restore = await commandsUnder(page, "Restore TimescaleDB");
      const setUp = restore.filter((command) => command.includes("create database telemetry"));
      expect(setUp).toHaveLength(1);
      await run(setUp);
      if (isPlain) await disableTimescale();
      await importCsv(realCsv as string, env);
      const key = await addToHistory();
      const answers = isPlain ? undefined : await answersWith(key);
      const before = await contentOf(server.url);
      expect(before["public.gpus"]).toMatchObject({ rows: 247 });
      expect(before["public.telemetry_all"]).toMatchObject({ rows: 988 });
      for (const table of ["telemetry", "blocks", "rollups", "usage_hours", "access_keys"])
        expect([table, before[`public.${table}`]]).not.toMatchObject([table, { rows: 0 }]);
      expect(before.hypertables).toEqual(
        isPlain ? undefined : [expect.objectContaining({ hypertable: "telemetry", chunks: 1 })],
      );

      const backUp = await commandsUnder(page, "Back up");
      expect(backUp.join("\n")).toContain("pg_dump");
      await run(backUp);
      await run([dropDatabase]);
      await expect(contentOf(server.url)).rejects.toThrow("3D000");
      if (isPlain) {
        await run(setUp);
        await disableTimescale();
      }
      await run(isPlain ? restore.filter((command) => !/timescaledb|create database/.test(command)) : restore);
      expect(await contentOf(server.url)).toEqual(before);
      if (answers !== undefined) expect(await answersWith(key)).toEqual(answers);
      await expectContinuation(realCsv as string, env);
    },
  );
}

/** Settles half of the history, and adds a key. @returns the key's text */
async function addToHistory(): Promise<string> {
  const { id, text, sha256 } = makeKeyText();
  await withClient(server.url, async (client) => {
    await settleTo(client, "half");
    const scopes = JSON.stringify(["read"]);
    await client.query(
      "insert into access_keys (id, name, sha256, scopes) values ($1, 'reader', $2, $3::text::jsonb)",
      [...[id, sha256, scopes]],
    );
  });
  return text;
}

const window = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T22:00:00Z";
const paths = [
  ...["/api/v1/gpus?limit=300", `/api/v1/telemetry?${window}&limit=1000`],
  `/api/v1/telemetry/aggregates?${window}&resolution=1h&group_by=namespace`,
  `/api/v1/usage?${window}&group_by=namespace`,
];

/** What a gateway answers to a caller with this key, in a cluster of which only the database is not empty. */
async function answersWith(key: string): Promise<unknown[]> {
  const empty = { ETCD_ENDPOINTS: etcd.endpoints.join(","), QUEUE_TOPIC: `empty-${crypto.randomUUID().slice(0, 8)}` };
  const first = { AUTH_BOOTSTRAP_KEY: makeKeyText().text, LOG_LEVEL: "warn" };
  const gateway = startPipeline({ ROLE: "gateway", DATABASE_URL: server.url, ...empty, ...first });
  const url = await urlOf(gateway);
  const headers = { authorization: `Bearer ${key}` };
  const answers = paths.map(async (path) => {
    const answer = await fetch(`${url}${path}`, { headers });
    expect([path, answer.status]).toEqual([path, 200]);
    const { data } = (await answer.json()) as { readonly data: readonly unknown[] };
    expect([path, data.length > 0]).toEqual([path, true]);
    return data;
  });
  try {
    return await Promise.all(answers);
  } finally {
    await stopPipeline(gateway);
  }
}

/** Makes the database behave as on a server without TimescaleDB. */
async function disableTimescale(): Promise<void> {
  await withClient(server.url, (client) => client.query("alter database telemetry set timescaledb.disable_load = on"));
}

test("the embedded store is restored from its copy, and no row of the file is imported again", async () => {
  const csvFile = join(folder, "fleet.csv");
  await writeFleetCsv(csvFile, { hosts: 2, "gpus-per-host": 8, seconds: 10, seed: 1 });
  const env = { DATA_DIR: join(folder, "data") };
  expect(await importCsv(csvFile, env)).toMatch(/records stored +160\n/);
  const commands = (await commandsUnder(page, "The embedded store")).filter((command) => /^(?:cp|rm) /.test(command));
  expect(commands).toHaveLength(3);
  await run(commands);
  const secondOutput = await importCsv(csvFile, env);
  expect(secondOutput).toContain("is already imported; it has no new rows");
  expect(secondOutput).toMatch(/records stored +0 +160\n/);
});
