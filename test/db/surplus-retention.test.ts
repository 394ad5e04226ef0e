import { afterAll, beforeAll, expect, test } from "bun:test";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

let opened: OpenStore;
beforeAll(async () => {
  opened = await openMemoryStore();
});
afterAll(() => opened.close());

const days = (raw: number) => ({ raw, "1m": 0, "1h": 0 });

async function idsIn(statement: string): Promise<number[]> {
  return (await opened.client.query<{ id: number }>(statement)).map(({ id }) => Number(id));
}

test("a GPU's workloads and reports are deleted with their records, but not those that hold since then", async () => {
  const { client, retention } = opened;
  const ages = [9, 5, 2, 0];
  for (const age of ages) {
    const from = `now() - make_interval(days => ${age})`;
    await client.query(`insert into gpu_workloads select 1, ${from}, '[]' from (select 1) one`);
    await client.query(`insert into gpu_reports select 1, ${from}, ${age} from (select 1) one`);
  }
  await client.query("insert into gpu_workloads select 2, now() - interval '90 days', '[]' from (select 1) one");
  await retention.deleteOlder(days(3));
  const kept = (table: string): Promise<number[]> =>
    idsIn(`select gpu_key * 100 + extract(day from now() - valid_from)::int as id from ${table} order by 1`);
  expect(await kept("gpu_workloads")).toEqual([100, 102, 105, 290]);
  expect(await kept("gpu_reports")).toEqual([100, 102, 105]);
});

test("quarantine keeps a million inputs, and none that are older than the records", async () => {
  const { client, retention } = opened;
  const text = `
insert into quarantine (id, source_id, item, byte_offset, line, reason, field, value, message, raw, seen_at)
overriding system value select id, 's', id, 0, 0, 'r', 'f', 'v', 'm', 'w', now() - make_interval(days => age)
from (values (1, 9), (2, 9), (999, 4), (1000, 1), (1000500, 0)) as r(id, age)`;
  await client.query(text);
  await retention.deleteOlder(days(0));
  expect(await idsIn("select id from quarantine order by id")).toEqual([999, 1000, 1000500]);
  await retention.deleteOlder(days(3));
  expect(await idsIn("select id from quarantine order by id")).toEqual([1000, 1000500]);
});
