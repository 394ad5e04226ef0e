import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { metricText } from "../../src/domain/metric-text.ts";
import { metrics } from "../../src/domain/metrics.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

// What people find who read the database with SQL: comments, views, and the examples of docs/store.md.

const uuid = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";
const docs = await Bun.file(`${import.meta.dir}/../../docs/store.md`).text();
const [questions = "", role = ""] = [...docs.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, text = ""]) => text);
const statementsOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

let store: OpenStore;
beforeAll(async () => {
  store = await openMemoryStore();
  const timeMs = Math.floor(Date.now() / 1000) * 1000 - 60_000;
  const record = { uuid, hostname: "gpu-01", timeMs, metrics: { temperature: 41, power_draw: 300 } };
  await store.store.ingest(messageOf("a", makeBatch([record])));
});
afterAll(() => store.close());

test("every table, view and column of the database says what it is; metrics say their unit and their field of DCGM", async () => {
  const silent = await store.client.query(
    `select c.relname, a.attname from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
       and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)`,
  );
  expect(silent).toEqual([]);
  const described = await store.client.query<{ name: string; about: string }>(
    `select attname as name, col_description(attrelid, attnum) as about from pg_attribute where attrelid = 'telemetry'::regclass`,
  );
  const aboutOf = new Map(described.map(({ name, about }) => [name, about]));
  for (const metric of metrics) expect(aboutOf.get(metric.name)).toBe(metricText(metric));
});

test("the examples of docs/store.md find the record, and the role there may ask them, but not read keys", async () => {
  const { client } = store;
  for (const statement of statementsOf(role)) await client.query(statement);
  await client.query("set role reader");
  const answers: unknown[][] = [];
  for (const statement of statementsOf(questions)) answers.push(await client.query(statement));
  expect(answers).toMatchObject([
    [{ temperature: 41, power_draw: 300 }],
    [{ hostname: "gpu-01" }],
    [{ hostname: "gpu-01", watts_a_gpu: 300 }],
    [],
  ]);
  await expect(client.query("select * from access_keys")).rejects.toThrow("permission denied");
  await client.query("reset role");
});
