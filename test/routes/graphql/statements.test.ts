import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SqlClient } from "../../../src/db/client.ts";
import { detectEngine } from "../../../src/db/engine.ts";
import { openPGliteClient } from "../../support/open-store.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { openSqlDrivers } from "../../../src/pipeline/store/sql/open-sql-drivers.ts";
import { makeBatch, messageOf } from "../../../dev/make-batch.ts";
import { gatewayOver, type TestGateway } from "../gateway.ts";

// The number of SQL statements that one GraphQL operation needs.

const hosts = 31;
const gpusOfHost = 8;
const statements: string[] = [];
let client: SqlClient;
let gateway: TestGateway;

beforeAll(async () => {
  client = await openPGliteClient("memory://");
  const counting: SqlClient = {
    query: (text, params) => {
      statements.push(text);
      return client.query(text, params);
    },
    transaction: (work) => client.transaction(work),
    inOrder: (work) => client.inOrder(work),
    snapshot: (work) =>
      client.snapshot((executor) =>
        work({
          query: (text, params) => {
            statements.push(text);
            return executor.query(text, params);
          },
        }),
      ),
    until: () => counting,
    close: () => client.close(),
  };
  const engine = await detectEngine(client);
  const opened = openSqlDrivers({
    writer: client,
    reader: counting,
    heavyReader: counting,
    questionsAtATime: { light: 3, heavy: 1 },
    engine: () => engine,
    place: "the test's database",
    clock: systemClock,
    onChange: () => undefined,
  });
  const records = Array.from({ length: hosts * gpusOfHost * 3 }, (_, index) => ({
    uuid: `GPU-${Math.floor(index / 3)}`,
    hostname: `host-${Math.floor(index / 3 / gpusOfHost)}`,
    timeMs: Date.UTC(2025, 6, 18) + (index % 3) * 1000,
    metrics: { temperature: index % 3 },
  }));
  await opened.store.ingest(messageOf("fleet", makeBatch(records)));
  gateway = gatewayOver({ ...opened, client });
  await gateway.get("/health/live");
  // at its first question, the gateway also reads the size of the store
  await ask("{ telemetry(limit: 1) { records { uuid } } }");
});
afterAll(() => client.close());

async function ask(query: string): Promise<Record<string, unknown>> {
  statements.length = 0;
  const headers = { "content-type": "application/json" };
  const response = await gateway.get("/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
  expect(errors).toBeUndefined();
  return data;
}

interface Cluster {
  readonly hosts: { readonly gpus: { readonly telemetry: { readonly temperature: number }[] }[] }[];
}

test("the history of 248 GPUs needs two statements: one for the records, one for the attributes at their instants", async () => {
  const query = "{ clusters { hosts { gpus { uuid telemetry(limit: 2) { temperature } } } } }";
  const [cluster] = (await ask(query))["clusters"] as Cluster[];
  const gpus = cluster?.hosts.flatMap((host) => host.gpus) ?? [];
  expect(gpus).toHaveLength(hosts * gpusOfHost);
  for (const { telemetry } of gpus) expect(telemetry.map(({ temperature }) => temperature)).toEqual([1, 2]);
  expect(statements).toHaveLength(2);
});

test("two histories of each of 248 GPUs need few statements: minutes are read in slices of the history, which grow", async () => {
  await ask(
    "{ gpus { newest: telemetry(limit: 1) { temperature } byMinute: telemetry(resolution: minute) { timestamp } } }",
  );
  // some of them are for the values before, from which the counters rose
  expect(statements.length).toBeLessThan(20);
});

test("fields that are answered from memory need no statement", async () => {
  await ask("{ clusters { id gpuCount hosts { hostname status gpus { uuid status latest { temperature } } } } }");
  expect(statements).toEqual([]);
});

describe("how many records were due of aggregates", () => {
  const statementsOf = async (selection: string, fragments = "") => {
    const range = 'startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T00:00:30Z"';
    const answer = await ask(`{ aggregates(groupBy: cluster, ${range}) { ${selection} } } ${fragments}`);
    return { answer: JSON.stringify(answer["aggregates"]), count: statements.length };
  };

  test.each([
    ["rows { expected }", ""],
    ["rows { due: expected }", ""],
    ["rows { timestamp } rows { ... on Aggregate { ... { expected } } }", ""],
    ["...outer", "fragment outer on Aggregates { rows { ...inner } } fragment inner on Aggregate { expected }"],
  ])("takes statements of its own if it is selected: %s", async (selection, fragments) => {
    const without = await statementsOf("rows { timestamp }");
    const { answer, count } = await statementsOf(selection, fragments);
    expect(answer).toContain(`:${hosts * gpusOfHost * 3}}`);
    expect(count).toBeGreaterThan(without.count);
  });

  test.each([
    ["expected: resolution rows { expected: timestamp metrics { name } }", ""],
    ["rows { ...used }", "fragment used on Aggregate { timestamp }"],
  ])("takes none if it is not: %s", async (selection, fragments) => {
    const { count } = await statementsOf("rows { timestamp }");
    expect((await statementsOf(selection, fragments)).count).toBe(count);
    expect(statements.join()).not.toContain("due_spans");
  });
});
