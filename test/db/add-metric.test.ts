import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type * as Client from "../../clients/typescript/src/index.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type CheckoutCopy, copyCheckout } from "../support/checkout-copy.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";

// In a copy of this checkout, follows the recipe of CONTRIBUTING.md for a new metric: one entry in the catalogue, and two
// commands that generate the rest. The databases already have records, which the program stored before it had the metric.

setDefaultTimeout(120_000);

const entry =
  '  ["recipe_metric", "DCGM_FI_DEV_RECIPE_METRIC", 9191, "percent", "gauge", 0, 100, "A metric of the recipe"],\n' +
  "];\n\n// prettier-ignore\nconst labelRows";
const endOfCatalogue = "];\n\n// prettier-ignore\nconst labelRows";

const containing = (element: object): unknown => expect.arrayContaining([element]);

const startMs = Date.UTC(2025, 6, 18, 20);
const csv = [
  "timestamp,metric_name,gpu_id,uuid,Hostname,value",
  ...[40, 60].map((value, second) =>
    ["2025-07-18T21:00:0" + String(second) + "Z", "DCGM_FI_DEV_RECIPE_METRIC", "0", "GPU-new", "host-a", value].join(
      ",",
    ),
  ),
  "2025-07-18T21:00:00Z,DCGM_FI_DEV_GPU_TEMP,0,GPU-new,host-a,50",
];

async function storeOldRecords({ store, close }: OpenStore): Promise<void> {
  const records = [0, 1, 2].map((second) => ({
    uuid: "GPU-old",
    timeMs: startMs + second * 1000,
    metrics: { temperature: 30 + second },
  }));
  await store.ingest(messageOf("old", makeBatch(records)));
  await close();
}

let server: ProvidedDatabase;
let checkout: CheckoutCopy;
let csvFile: string;
beforeAll(async () => {
  server = await provideDatabase();
  checkout = await copyCheckout();
  csvFile = join(checkout.dir, "new.csv");
  await Bun.write(csvFile, csv.join("\n"));
}, 300_000);
afterAll(async () => {
  await server.stop();
  await checkout.remove();
});

/** The settings for a database with old records, by engine. */
const databases = {
  PGlite: async () => {
    const dataDir = join(checkout.dir, "data");
    await storeOldRecords(await openPGliteStore({ dataDir }));
    return { DATA_DIR: dataDir };
  },
  PostgreSQL: () => serverDatabase("added_plain", true),
  TimescaleDB: () => serverDatabase("added", false),
};

async function serverDatabase(name: string, plain: boolean) {
  const url = await createDatabase(server, name, { plain });
  await storeOldRecords(await openPostgresStore({ url, migrate: true }));
  return { DATABASE_URL: url };
}

const prepared: Partial<Record<keyof typeof databases, Record<string, string>>> = {};

test("from one entry in the catalogue, the commands generate the client and a migration", async () => {
  for (const engine of ["PGlite", "PostgreSQL", "TimescaleDB"] as const) prepared[engine] = await databases[engine]();
  await checkout.replace("src/domain/metrics.ts", endOfCatalogue, entry);
  await checkout.run(["bun", "run", "db:generate", "--name", "recipe_metric"]);
  const migrations = [...new Bun.Glob("*_recipe_metric.sql").scanSync(join(checkout.dir, "drizzle"))];
  const migration = await Bun.file(join(checkout.dir, "drizzle", migrations[0] ?? "")).text();
  const text = "A metric of the recipe; percent, gauge (DCGM_FI_DEV_RECIPE_METRIC, field 9191)";
  expect(migration.split("--> statement-breakpoint\n").toSorted()).toEqual([
    'ALTER TABLE "blocks" ADD COLUMN "recipe_metric" "bytea";',
    'ALTER TABLE "blocks" ALTER COLUMN "recipe_metric" SET STORAGE EXTERNAL;',
    'ALTER TABLE "rollups" ADD COLUMN "recipe_metric" "bytea";',
    'ALTER TABLE "rollups" ALTER COLUMN "recipe_metric" SET STORAGE EXTERNAL;',
    'ALTER TABLE "telemetry" ADD COLUMN "recipe_metric" double precision;',
    `COMMENT ON COLUMN "blocks"."recipe_metric" IS '${text}, packed';`,
    `COMMENT ON COLUMN "rollups"."recipe_metric" IS '${text}, packed';`,
    `COMMENT ON COLUMN "telemetry"."recipe_metric" IS '${text}';`,
    "DROP VIEW IF EXISTS telemetry_all;",
    "DROP VIEW IF EXISTS telemetry_named;",
    "SELECT create_telemetry_all();",
    "SELECT create_telemetry_named();\n",
  ]);
  // nothing is left to generate
  await checkout.run(["bun", "run", "db:generate", "--name", "again"]);
  expect([...new Bun.Glob("*_again.sql").scanSync(join(checkout.dir, "drizzle"))]).toEqual([]);
  await checkout.run(["bun", "run", "generate:client"]);
  const messages = join(checkout.dir, "clients/typescript/src/generated/messages.ts");
  expect(await Bun.file(messages).text()).toContain("recipe_metric");
});

describe.each(["PGlite", "PostgreSQL", "TimescaleDB"] as const)("a new metric on %s with old records", (engine) => {
  let pipeline: PipelineProcess;
  let url: string;
  let client: typeof Client;
  let gateway: Client.GatewayClient;
  beforeAll(async () => {
    // the copy's client, with the types of this checkout's client
    client = (await import(join(checkout.dir, "clients/typescript/src/index.ts"))) as typeof Client;
    pipeline = startPipeline({ ...prepared[engine], CSV_FILE: csvFile, LOG_LEVEL: "warn" }, checkout.dir);
    url = await urlOf(pipeline);
    await pipeline.waitFor(/records stored/);
    gateway = client.createGatewayClient({ baseUrl: url });
  }, 120_000);
  afterAll(() => stopPipeline(pipeline));

  const textOf = async (path: string, accept: string): Promise<string> =>
    (await fetch(`${url}${path}`, { headers: { Accept: accept } })).text();

  const expected = {
    raw: [40, 60],
    "1m": [50],
    "1h": [50],
  } as const;

  test.each(["raw", "1m", "1h"] as const)(
    "is in the history with resolution %s, in every format",
    async (resolution) => {
      const query = { resolution, metrics: "recipe_metric" };
      const path = `/api/v1/gpus/GPU-new/telemetry?${new URLSearchParams(query).toString()}`;
      const values = expected[resolution];
      const answer = await client.answerOf(
        gateway.GET("/api/v1/gpus/{uuid}/telemetry", { params: { path: { uuid: "GPU-new" }, query } }),
      );
      expect(answer.data.map(recipeMetricOf)).toEqual([...values]);
      const [header = "", ...rows] = (await textOf(path, "text/csv")).trimEnd().split(/\r?\n/);
      const column = header.split(",").indexOf("recipe_metric");
      expect(rows.map((row) => Number(row.split(",")[column]))).toEqual([...values]);
      const lines = (await textOf(path, "application/x-ndjson")).trimEnd().split("\n");
      expect(lines.map((line) => recipeMetricOf(JSON.parse(line)))).toEqual([...values]);
    },
  );

  test("is in aggregates, in the catalogue and in the newest record", async () => {
    const query = { group_by: "host", metrics: "recipe_metric", resolution: "1m" } as const;
    const range = { start_time: "2025-07-18T21:00:00Z", end_time: "2025-07-18T21:05:00Z" };
    const aggregates = await client.answerOf(
      gateway.GET("/api/v1/telemetry/aggregates", { params: { query: { ...query, ...range } } }),
    );
    expect(aggregates.data).toMatchObject([{ metrics: { recipe_metric: { avg: 50, min: 40, max: 60, count: 2 } } }]);
    const catalogue = await client.answerOf(gateway.GET("/api/v1/metrics"));
    expect(catalogue.data).toContainEqual(expect.objectContaining({ name: "recipe_metric", unit: "percent" }));
    const latest = await checkout.run(
      ["bun", "scripts/telemetry.ts", "latest", "--metrics", "recipe_metric", "--json"],
      {
        TELEMETRY_URL: url,
      },
    );
    expect((JSON.parse(latest) as object[]).map(recipeMetricOf)).toContain(60);
  });

  test("is in GraphQL at every resolution, and in the updates that the TypeScript client receives over /ws", async () => {
    const query = `{ gpu(uuid: "GPU-new") {
      raw: telemetry(resolution: raw) { recipeMetric }
      minutes: telemetry(resolution: minute) { recipeMetric rollup { max { name value } } }
      hours: telemetry(resolution: hour) { recipeMetric }
    } }`;
    const answer = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query }),
    });
    expect(await answer.json()).toEqual({
      data: {
        gpu: {
          raw: [{ recipeMetric: 40 }, { recipeMetric: 60 }],
          minutes: [{ recipeMetric: 50, rollup: { max: containing({ name: "recipe_metric", value: 60 }) } }],
          hours: [{ recipeMetric: 50 }],
        },
      },
    });
    const update = await new Promise<Client.TelemetryUpdateMessage>((resolve) => {
      const live = client.liveTelemetry({
        baseUrl: url,
        filters: { gpu_uuid: "GPU-new", metrics: ["recipe_metric"] },
        onUpdate: (received) => {
          live.close();
          resolve(received);
        },
      });
    });
    expect(update).toMatchObject({ gpu_uuid: "GPU-new", data: { recipe_metric: 60 } });
  });

  test("leaves old records unchanged", async () => {
    const path = "/api/v1/gpus/GPU-old/telemetry";
    const valuesOf = async (resolution: string) =>
      ((await (await fetch(`${url}${path}?resolution=${resolution}`)).json()) as { data: object[] }).data.map(
        (record) => ({ ...record }),
      );
    const raw = await valuesOf("raw");
    expect(raw).toMatchObject([{ temperature: 30 }, { temperature: 31 }, { temperature: 32 }]);
    expect(raw.filter((record) => "recipe_metric" in record)).toEqual([]);
    for (const resolution of ["1m", "1h"]) {
      expect(await valuesOf(resolution)).toMatchObject([{ temperature: 31, rollup: { records: 3 } }]);
    }
  });
});

function recipeMetricOf(record: unknown): unknown {
  return (record as { readonly recipe_metric?: number }).recipe_metric;
}
