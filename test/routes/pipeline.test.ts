import { afterAll, beforeEach, expect, test } from "bun:test";
import { addTwoDeadLetters, gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

const stored = await openFleetStore();
afterAll(() => stored.close());

let gateway: TestGateway;
let ids: string[];

beforeEach(async () => {
  gateway = gatewayOver(stored);
  ids = await addTwoDeadLetters(gateway.queue);
});

const ask = async (path: string, method = "GET") => {
  const response = await gateway.get(`/api/v1/pipeline${path}`, { method });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

test("the pipeline shows its queue, its rejected inputs and its services", async () => {
  expect((await ask("")).body).toEqual({
    success: true,
    count: 1,
    data: {
      queue: { depth: 1, ready: 1, in_flight: 0, dead: 2, capacity: 10, lag_seconds: expect.any(Number) as number },
      rejected: { value_out_of_range: 2 },
      settling: { enabled: true, oldest_hour: "2024-07-18T00:00:00Z", due_hours: 0, lag_seconds: 0 },
      services: [],
    },
  });
});

test("a gateway that settles nothing shows how much history waits to be settled, until others have settled it", async () => {
  const own = await openFleetStore();
  try {
    const ownGateway = gatewayOver(own);
    const settling = async () =>
      ((await ownGateway.json("/api/v1/pipeline"))["data"] as { settling: unknown }).settling;
    // as if no record had come for a while
    await own.client.query("update late_hours set last_at = last_at - interval '11 minutes'");
    expect(await settling()).toEqual({
      ...{ enabled: true, oldest_hour: "2024-07-18T00:00:00Z", due_hours: 2 },
      lag_seconds: expect.closeTo(60, -1) as number,
    });
    const { hours } = await own.settling.due({ afterMs: 0, quietMs: 0 });
    for (const hour of hours) await own.settling.settleSome(hour, 0);
    expect(await settling()).toEqual({ enabled: true, due_hours: 0, lag_seconds: 0 });
  } finally {
    await own.close();
  }
});

test("dead letters are listed, oldest first, and shown with their error", async () => {
  const { body } = await ask("/dead-letters");
  expect(body).toMatchObject({ success: true, count: 2, data: [{ id: ids[0] }, { id: ids[1] }] });
  const first = (await ask("/dead-letters?limit=1")).body;
  expect(first).toMatchObject({ count: 1, data: [{ id: ids[0] }] });
  const second = (await ask(`/dead-letters?limit=1&cursor=${String(first["next_cursor"])}`)).body;
  expect(second).toMatchObject({ count: 1, data: [{ id: ids[1] }] });
  expect(second).not.toHaveProperty("next_cursor");
  expect((await ask(`/dead-letters/${ids[1]}`)).body).toMatchObject({
    data: {
      id: ids[1],
      attempts: 1,
      last_error: "the store refused the data",
      records: 1,
      source_id: "csv:lost.csv",
      source_from: 10,
      source_to: 20,
    },
  });
});

test("a dead letter can be redriven only once", async () => {
  expect(await ask(`/dead-letters/${ids[0]}/redrive`, "POST")).toMatchObject({
    status: 200,
    body: { data: { id: ids[0] } },
  });
  expect(await gateway.queue.stats()).toMatchObject({ readyMessages: 2, deadMessages: 1 });
  expect(await ask(`/dead-letters/${ids[0]}/redrive`, "POST")).toMatchObject({ status: 404 });
});

test("a dead letter is deleted", async () => {
  expect(await ask(`/dead-letters/${ids[0]}`, "DELETE")).toMatchObject({ status: 200, body: { data: { id: ids[0] } } });
  expect(await gateway.queue.stats()).toMatchObject({ readyMessages: 1, deadMessages: 1 });
  expect((await ask(`/dead-letters/${ids[0]}`)).body).toMatchObject({
    error: { code: "not_found", details: { resource: "dead letter", id: ids[0] } },
  });
});

test("a body that is too long, or declared as a type other than JSON, is refused without effect; a JSON body is ignored", async () => {
  const redrive = async (body: string, headers: Record<string, string>) => {
    const init = { method: "POST", body, headers: { "content-length": String(body.length), ...headers } };
    const response = await gateway.get(`/api/v1/pipeline/dead-letters/${ids[0]}/redrive`, init);
    const { error } = (await response.json()) as { error?: { code: string; message: string } };
    return [response.status, error?.code];
  };
  expect(await redrive("<redrive/>", { "content-type": "text/xml" })).toEqual([415, "unsupported_media_type"]);
  expect(await redrive("a=1", { "content-type": "application/x-www-form-urlencoded" })).toEqual([
    415,
    "unsupported_media_type",
  ]);
  expect(await redrive("x".repeat(65_537), { "content-type": "application/json" })).toEqual([413, "too_large"]);
  expect(await gateway.queue.stats()).toMatchObject({ readyMessages: 1, deadMessages: 2 });
  expect(await redrive("{}", { "content-type": "application/json; charset=utf-8" })).toEqual([200, undefined]);
});

test("a wrong method is refused, and the error lists the allowed methods", async () => {
  expect(await ask(`/dead-letters/${ids[0]}/redrive`)).toMatchObject({
    status: 405,
    body: { error: { details: { allowed: ["POST", "OPTIONS"] } } },
  });
  expect(await ask(`/dead-letters/${ids[0]}`, "PUT")).toMatchObject({ status: 405 });
});
