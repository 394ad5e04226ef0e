import { expect, test } from "bun:test";
import { makeBatch, messageOf as batchMessage } from "../../dev/make-batch.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { SqlRejectedInputs } from "../../src/pipeline/store/sql/sql-rejected-inputs.ts";
import { gatewayOver, type TestGateway } from "./gateway.ts";
import { quarantinedRows, rowOf } from "./quarantined-rows.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

// Rejected rows, as an earlier version has left them, that are redriven and deleted.

const running = fleetGateway();

const post = (id: number, of = running.gateway) => of.get(`/api/v1/quarantine/${id}/redrive`, { method: "POST" });
const rowsIn = async (sourceId: string): Promise<number> =>
  ((await running.gateway.json(`/api/v1/quarantine?source_id=${encodeURIComponent(sourceId)}`)) as { count: number })
    .count;
const messageOf = async (answer: Response): Promise<string> =>
  ((await answer.json()) as { error: { message: string } }).error.message;

/** Stores what is in the queue, as a collector does. @returns the number of messages */
async function collect({ queue }: TestGateway): Promise<number> {
  const { signal } = new AbortController();
  const { readyMessages } = await queue.stats();
  if (readyMessages === 0) return 0;
  const deliveries = await queue.claim({ consumerId: "test", maxMessages: 10, signal });
  for (const { envelope, payload } of deliveries) {
    const { id: messageId, idempotencyKey, source } = envelope;
    await running.stored.store.ingest({
      messageId,
      idempotencyKey,
      source,
      batch: decodeBatch({ ...envelope, payload }),
    });
  }
  await queue.acknowledge(deliveries);
  return deliveries.length;
}

async function temperatures(uuid: string): Promise<(number | undefined)[]> {
  const { elements } = await running.stored.queries.history.records({
    gpus: { uuids: [uuid] },
    range: allTime,
    limit: 10,
  });
  return elements.map(({ metrics }) => metrics["temperature"]);
}

test("a row that this version accepts is stored once, in its device's cluster, and leaves the quarantine", async () => {
  const known = rowOf({ uuid: "GPU/x y+%é", value: "45" });
  const [id = 0] = await quarantinedRows(running.stored, "csv:once.csv", [known]);
  const answer = await post(id);
  expect([answer.status, await answer.json()]).toMatchObject([200, { data: { id, raw: known } }]);
  expect(await rowsIn("csv:once.csv")).toBe(0);
  expect(await collect(running.gateway)).toBe(1);
  expect(await temperatures("GPU/x y+%é")).toEqual([40, 45]);
  expect(
    (await running.stored.queries.fleet.gpus({ uuids: ["GPU/x y+%é"] })).map(({ clusterId }) => clusterId),
  ).toEqual(["beta"]);
  expect((await running.stored.store.progressOf("csv:once.csv")).totals).toMatchObject({ rows: 0, samples: 1 });
  expect((await post(id)).status).toBe(404);
});

test("a row that is redriven again, because the process died before it left the quarantine, is stored once", async () => {
  const uuid = "GPU-11111111-9fbe-13a2-17733a5f68e4";
  const [id = 0] = await quarantinedRows(running.stored, "csv:twice.csv", [rowOf({ uuid, value: "46" })]);
  const inputs = new SqlRejectedInputs(running.stored.client);
  let dies = true;
  const dying = {
    get: (each: number) => inputs.get(each),
    delete: (each: number) => (dies ? Promise.reject(new Error("died")) : inputs.delete(each)),
  };
  const own = gatewayOver(running.stored, { rejectedInputs: dying });
  expect((await post(id, own)).status).toBe(500);
  expect(await rowsIn("csv:twice.csv")).toBe(1);
  expect(await collect(own)).toBe(1);
  dies = false;
  expect((await post(id, own)).status).toBe(200);
  await collect(own);
  expect(await temperatures(uuid)).toEqual([46]);
  expect((await running.stored.store.progressOf("csv:twice.csv")).totals.recordsInserted).toBe(1);
});

test.each([
  ["a value that is still out of range", "csv:a.csv", rowOf({ value: "345" }), /345.*outside its range/],
  ["a row without a value", "csv:b.csv", rowOf({ value: "N/A" }), /has no value/],
  ["columns of another table", "csv:c.csv", "2025-07-18T20:42:34Z,0,45", /Only a row with the columns timestamp, /],
  ["a text that was cut", "csv:d.csv", rowOf({ value: "45" }).padEnd(2000, " "), /up to 2000 characters/],
  ["bytes that were no text", "csv:e.csv", rowOf({ value: "45", pod: "\u{FFFD}" }), /not text/],
  ["a file with other times", "csv:f.csv:now", rowOf({ value: "45" }), /TIMESTAMPS=now/],
])("%s: the answer says why, the input stays, and is deleted", async (_, sourceId, raw, reason) => {
  const [id = 0] = await quarantinedRows(running.stored, sourceId, [raw]);
  const answer = await post(id);
  expect(answer.status).toBe(400);
  expect(await messageOf(answer)).toMatch(reason);
  expect([await rowsIn(sourceId), (await running.gateway.queue.stats()).readyMessages]).toEqual([1, 0]);
  const deleted = () => running.gateway.get(`/api/v1/quarantine/${id}`, { method: "DELETE" });
  expect([(await deleted()).status, (await deleted()).status, await rowsIn(sourceId)]).toEqual([200, 404, 0]);
});

test("a row of another table is not tried again under the columns of the exporter, even if it has as many", async () => {
  const rejected = {
    ...{ line: 9, byte: 900, reason: "other_header" as const, field: "", value: "" },
    ...{ message: "Line 8 begins another table.", raw: rowOf({ value: "45" }) },
  };
  await running.stored.store.ingest(batchMessage("row", makeBatch([], [rejected]), { source: "csv:g.csv" }));
  const [row] = await running.stored.queries.quarantine.rejections({ sourceId: "csv:g.csv", limit: 1 });
  const answer = await post(row?.id ?? 0);
  expect([answer.status, await rowsIn("csv:g.csv")]).toEqual([400, 1]);
  expect(await messageOf(answer)).toMatch(/columns of another table/);
});

test("the mutations of GraphQL do the same", async () => {
  const uuid = "GPU-22222222-9fbe-13a2-17733a5f68e4";
  const rows = [rowOf({ uuid, value: "47" }), rowOf({ uuid, value: "345" })];
  const [good = 0, bad = 0] = await quarantinedRows(running.stored, "csv:graphql.csv", rows);
  const ask = async (field: string) => {
    const body = JSON.stringify({ query: `mutation { ${field} { id reason } }` });
    const headers = { "content-type": "application/json" };
    return await (await running.gateway.get("/graphql", { method: "POST", body, headers })).json();
  };
  expect(await ask(`redriveRejection(id: ${good})`)).toEqual({
    data: { redriveRejection: { id: good, reason: "value_out_of_range" } },
  });
  expect(await ask(`redriveRejection(id: ${bad})`)).toMatchObject({
    errors: [{ extensions: { code: "BAD_USER_INPUT" } }],
  });
  expect(await ask(`deleteRejection(id: ${bad})`)).toMatchObject({ data: { deleteRejection: { id: bad } } });
  expect(await collect(running.gateway)).toBe(1);
  expect(await temperatures(uuid)).toEqual([47]);
});
