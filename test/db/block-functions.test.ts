import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import postgres from "postgres";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import type { SqlClient } from "../../src/db/client.ts";
import { decodeNumbers, encodeNumbers } from "../../src/domain/block/number-column.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { columns } from "../support/block-columns.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { createDatabase } from "../support/postgres-database.ts";

// The functions and the view for people who write SQL.

setDefaultTimeout(120_000);

const startMs = Date.UTC(2025, 6, 18);
const hourMs = 3_600_000;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Decodes columns in SQL. @returns the bits of each column's values; a NaN stands for NULL */
async function decodedInSql(
  client: SqlClient,
  packed: readonly { readonly bytes: Uint8Array; readonly records: number }[],
) {
  const rows = await client.query<{ bits: string }>(
    `select coalesce((select string_agg(encode(float8send(coalesce(value, 'NaN')), 'hex'), '' order by place)
       from unnest(block_values(decode(c.value->>0, 'hex'), (c.value->>1)::int)) with ordinality u(value, place)), '') as bits
     from jsonb_array_elements($1::text::jsonb) with ordinality c(value, number) order by number`,
    [JSON.stringify(packed.map(({ bytes, records }) => [hex(bytes), records]))],
  );
  return rows.map(({ bits }) => bits);
}

/** The bits of doubles, as PostgreSQL sends them. */
function bitsOf(values: Float64Array): string {
  const bytes = Buffer.from(values.slice().buffer);
  return (values.length === 0 ? bytes : bytes.swap64()).toString("hex");
}

const records = [0, 1].flatMap((gpu) =>
  Array.from({ length: 200 }, (_, index) => ({
    uuid: `GPU-${gpu}`,
    timeMs: startMs + index * 30_000.5,
    metrics: {
      temperature: 40 + (index % 7),
      ...(index % 5 === 0 ? { power_draw: 300.125 + index / 3 } : {}),
      ...(index % 3 === 0 ? { my_metric: index, 'other{lane="1"}': index / 7 } : {}),
    },
    workload: { container: "", pod: index < 90 ? "p" : "", namespace: "n" },
    ...(index > 150 ? { sharing: [{ container: "c", pod: 'q"', namespace: "m" }] } : {}),
    driverVersion: index < 100 ? "535" : "550",
  })),
);

function exerciseBlockFunctions(name: string, open: () => Promise<OpenStore>): void {
  describe(name, () => {
    let opened: OpenStore;
    beforeAll(async () => {
      opened = await open();
      await opened.store.ingest(messageOf("records", makeBatch(records)));
    });
    afterAll(() => opened.close());

    test("columns have the values that the program decodes, to the bit", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(columns, { minLength: 20, maxLength: 60 }), async (given) => {
          const all = given.map((values) => Float64Array.from(values));
          const packed = all.map((values) => ({ bytes: encodeNumbers(values), records: values.length }));
          expect(await decodedInSql(opened.client, packed)).toEqual(all.map(bitsOf));
        }),
        { numRuns: 8 },
      );
    });

    test("a damaged column is an error, or has other values", async () => {
      const values = Float64Array.from({ length: 200 }, (_, index) => Math.sin(index) * (index % 2 === 0 ? 1 : 1000));
      const whole = encodeNumbers(values.map((value) => Math.round(value * 1000) / 1000));
      for (const length of [0, 1, 2, 3, 10, whole.length - 1]) {
        const cut = decodedInSql(opened.client, [{ bytes: whole.subarray(0, length), records: 200 }]);
        expect(await cut.catch((error: unknown) => error)).toBeInstanceOf(Error);
      }
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
          let expected: string | undefined;
          try {
            expected = bitsOf(decodeNumbers(bytes, 100));
          } catch {
            expected = undefined;
          }
          const read = await decodedInSql(opened.client, [{ bytes, records: 100 }]).catch(() => undefined);
          if (expected !== undefined && read !== undefined) expect(read).toEqual([expected]);
        }),
        { numRuns: 100 },
      );
    });

    test("the view and the values are the same for rows, for blocks, and for some of each", async () => {
      const { client } = opened;
      const ask = async () => ({
        all: await client.query(
          "select md5(string_agg(a::text, ' ' order by a.gpu_key, a.time)) as all, count(*)::int from telemetry_all a",
        ),
        catalogue: await client.query(
          "select count(*)::int, sum(v.value) from telemetry_values('temperature', to_timestamp($1::float8 / 1000), to_timestamp($2::float8 / 1000)) v",
          [startMs + hourMs / 2, startMs + hourMs * 1.25],
        ),
        custom: await client.query(
          `select md5(string_agg(v::text, ' ' order by v.time)) as values, count(*)::int
           from telemetry_values('other{lane="1"}', '-infinity', 'infinity', array['GPU-1']) v`,
        ),
        unknown: await client.query("select * from telemetry_values('no such', '-infinity', 'infinity')"),
      });
      const rows = await ask();
      expect(rows.all).toMatchObject([{ count: 400 }]);
      expect(rows.custom).toMatchObject([{ count: 67 }]);
      expect(rows.unknown).toEqual([]);
      await new Settler(client).settle(startMs + hourMs);
      expect(await ask()).toEqual(rows);
      await new Settler(client).settle(Infinity);
      expect(await client.query("select from telemetry")).toEqual([]);
      expect(await ask()).toEqual(rows);
    });

    test("values of a range that ends before it begins, or lacks an end, are an error, not none", async () => {
      const values = (range: string) => opened.client.query(`select from telemetry_values('temperature', ${range})`);
      const errorOf = (range: string) => values(range).catch((error: unknown) => String(error));
      expect(await errorOf("'2025-07-18', '2025-07-17'")).toContain("ends before it begins: until_at is 2025-07-17");
      expect(await errorOf("null, '2025-07-17'")).toContain("from_at is <NULL>");
      expect(await values("'2025-07-18', '2025-07-18'")).toEqual([]);
    });

    test("damaged columns are listed", async () => {
      const { client } = opened;
      expect(await client.query("select * from damaged_blocks()")).toEqual([]);
      await client.query(
        "update blocks set temperature = set_byte(temperature, 0, 255) where from_at = (select min(from_at) from blocks)",
      );
      expect(await client.query("select packed, fault from damaged_blocks()")).toEqual([
        { packed: "temperature", fault: expect.stringContaining("column") as string },
        { packed: "temperature", fault: expect.stringContaining("column") as string },
      ]);
    });
  });
}

exerciseBlockFunctions("PGlite", openMemoryStore);

let server: ProvidedDatabase | undefined;
let url: string | undefined;
afterAll(() => server?.stop());
exerciseBlockFunctions("PostgreSQL", async () => {
  server = await provideDatabase();
  url = await createDatabase(server, "block_functions", { plain: true });
  return openPostgresStore({ url, migrate: true });
});

test("a name that is no metric, and has no values, is told by a notice", async () => {
  const told: (string | undefined)[] = [];
  const sql = postgres(url ?? "", { max: 1, onnotice: ({ message }) => told.push(message) });
  const rowsOf = async (series: string) =>
    (await sql`select from telemetry_values(${series}, '-infinity', 'infinity', array['GPU-1'])`).length;
  expect(await Promise.all(["power_drw", "DCGM_FI_DEV_POWER_USAGE", "my_metric", "sm_clock_mhz"].map(rowsOf))).toEqual([
    0, 0, 67, 0,
  ]);
  await sql.end();
  expect(told).toEqual([
    expect.stringContaining('"power_drw" is no column of telemetry'),
    expect.stringContaining('"DCGM_FI_DEV_POWER_USAGE" is no column of telemetry'),
  ]);
});
