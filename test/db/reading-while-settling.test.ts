import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { createDatabase } from "../support/postgres-database.ts";
import { recordsOfColumns } from "../support/records-of-columns.ts";
import { settledStates, settleTo } from "../support/settled.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

test("no answer has a record twice or not at all while history is settled and unsettled", async () => {
  const url = await createDatabase(server, "read_while_settling", { plain: true });
  const { store, client, queries, close } = await openPostgresStore({ url, migrate: true });
  const uuids = ["GPU-0", "GPU-1", "GPU-2"];
  const records = uuids.flatMap((uuid) =>
    Array.from({ length: 60 }, (_, index) => ({
      uuid,
      timeMs: Date.UTC(2025, 6, 18) + index * 180_000,
      metrics: { temperature: index },
    })),
  );
  await store.ingest(messageOf("message", makeBatch(records)));
  const day = { fromMs: Date.UTC(2025, 6, 17), toMs: Date.UTC(2025, 6, 19) };
  const questions = [
    () => queries.history.records({ gpus: { uuids: ["GPU-1"] }, range: allTime, limit: 45 }),
    () => queries.history.records({ gpus: { hostname: "host-a" }, range: allTime, limit: 100, isForward: true }),
    () => queries.history.records({ gpus: {}, range: allTime, limit: 100 }),
    () => queries.history.recordsOfEach({ uuids, range: allTime, limit: 30 }),
    () => queries.fleet.latest({}),
    () => recordsOfColumns(queries.history, { gpus: {}, range: day, metrics: ["temperature"] }),
  ];
  const expected = await Promise.all(questions.map((ask) => ask()));
  let isSettling = true;
  const settling = (async () => {
    for (let round = 0; round < 12; round += 1) await settleTo(client, settledStates[round % 3] ?? "half");
    isSettling = false;
  })();
  let asked = 0;
  while (isSettling) {
    expect(await Promise.all(questions.map((ask) => ask()))).toEqual(expected);
    asked += 1;
  }
  await settling;
  expect(asked).toBeGreaterThan(1);
  await close();
});
