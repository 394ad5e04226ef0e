import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { makeSpoolFolder, removeLeftSpools } from "../../src/pipeline/source/push/spool-folder.ts";
import { decodeBatch, encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import type { Gpu } from "../../src/domain/gpu.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { until } from "../../dev/until.ts";
import { firstSecondMs, gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

// Telemetry that clients push: what is taken, what is refused and why, and that nothing is stored twice.

setDefaultTimeout(60_000);

const path = "/api/v1/telemetry";
const time = new Date(firstSecondMs).toISOString();
const uuid = (index: number): string => `GPU-aaaaaaaa-0000-0000-0000-${String(index).padStart(12, "0")}`;
const record = (index: number, more: object = {}) => {
  return { timestamp: time, uuid: uuid(index), gpu_id: index, hostname: "pushed", gpu_utilization: index, ...more };
};
const columns = ["timestamp", "uuid", "gpu_id", "hostname", "gpu_utilization"];

interface Pushed {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly data: Record<string, unknown> & { readonly rejected: readonly Record<string, unknown>[] };
  readonly error: { readonly code: string; readonly message: string };
}

let gateway: TestGateway;
let opened: Awaited<ReturnType<typeof openFleetStore>>;
let collecting: Promise<void>;
/** Those that the collected batches have. */
let devices: Gpu[] = [];
const stopped = { now: new AbortController() };

beforeEach(async () => {
  opened = await openFleetStore([]);
  gateway = gatewayOver(opened);
  stopped.now = new AbortController();
  devices = [];
  collecting = collect();
});
afterEach(async () => {
  stopped.now.abort();
  await collecting;
  await opened.close();
});

/** Stores what is published, as a collector does. */
async function collect(): Promise<void> {
  while (!stopped.now.signal.aborted) {
    const deliveries = await gateway.queue.claim({ consumerId: "test", maxMessages: 1, signal: stopped.now.signal });
    for (const { envelope, ...encoded } of deliveries) {
      const batch = decodeBatch({ ...envelope, ...encoded });
      devices.push(...batch.gpus);
      await opened.store.ingest({ ...envelope, messageId: envelope.id, batch });
    }
    await gateway.queue.acknowledge(deliveries);
  }
}

async function push(
  body: string | Uint8Array | undefined,
  type: string,
  headers: Record<string, string> = {},
): Promise<Pushed> {
  const { query = "", ...others } = headers;
  const init = {
    method: "POST",
    headers: { "content-type": type, ...others },
    ...(body === undefined ? {} : { body: body as string }),
  };
  const response = await gateway.get(`${path}${query}`, init);
  const answer = (await response.json()) as Pick<Pushed, "data" | "error">;
  return { status: response.status, retryAfter: response.headers.get("retry-after"), ...answer };
}

const json = (value: unknown, headers?: Record<string, string>): Promise<Pushed> =>
  push(JSON.stringify(value), "application/json", headers);

async function stored(): Promise<Record<string, unknown>[]> {
  const { data } = (await gateway.json(`${path}?start_time=2000-01-01T00:00:00Z&limit=10000`)) as {
    data: Record<string, unknown>[];
  };
  return data.sort((a, b) => ((a["uuid"] as string) < (b["uuid"] as string) ? -1 : 1));
}

const valuesOf = async (): Promise<unknown[]> =>
  (await stored()).map((each) => [each["uuid"], each["cluster_id"], each["hostname"], each["gpu_utilization"]]);

const three = [0, 1, 2].map((index) => record(index));
const ndjson = three.map((each) => `${JSON.stringify(each)}\n`).join("");
const csv = [columns.join(), ...three.map((each) => Object.values(each).join())].join("\n");
const expected = [0, 1, 2].map((index) => [uuid(index), "alpha", "pushed", index]);

test.each<[form: string, type: string, body: string]>([
  ["an array", "application/json", JSON.stringify(three, null, 2)],
  ["the answer of a list", "application/json; charset=utf-8", JSON.stringify({ success: true, count: 3, data: three })],
  ["lines", "application/x-ndjson", ndjson],
  ["lines without the last line end", "application/jsonl", ndjson.trimEnd()],
  ["a table", "Text/CSV; header=present", csv],
  ["a table of another program", "text/csv", csv.replaceAll(",", ";")],
])("%s is stored, whether it is packed or not, and once", async (_, type, body) => {
  const bytes = Buffer.from(body);
  const packed = [
    [bytes, {}],
    [Bun.gzipSync(bytes), { "content-encoding": "gzip" }],
    [Bun.zstdCompressSync(bytes), { "content-encoding": "zstd" }],
    // a file that was packed before
    [Bun.gzipSync(bytes), {}],
  ] as const;
  for (const [index, [sent, headers]] of packed.entries()) {
    const { status, data } = await push(sent, type, headers);
    const result = { rows: 3, records: 3, samples: 3, rejected_count: 0, rejected: [], unread: [], messages: 1 };
    expect({ status, data }).toMatchObject({
      status: 202,
      data: { ...result, duplicate_messages: index === 0 ? 0 : 1 },
    });
  }
  expect(await valuesOf()).toEqual(expected);
});

test("a record that another host has is taken, and listed where the answer says, once it is stored", async () => {
  const first = await json([record(0, { hostname: "host-b" }), record(1)]);
  expect(first.data).toMatchObject({ source_id: "push:anyone", rejected_count: 0 });
  // the host whose name comes first displaces the stored record, the other one loses
  const second = await json([
    record(0, { hostname: "host-a", gpu_utilization: 7 }),
    record(1, { hostname: "pushed-later" }),
  ]);
  const listed = async (path: unknown) =>
    ((await gateway.json(path as string)) as { readonly data: readonly Record<string, unknown>[] }).data;
  const rejections = await until(async () => {
    const found = await listed(second.data["quarantine"]);
    return found.length === 2 ? found : undefined;
  });
  expect(await listed(first.data["quarantine"])).toEqual([]);
  expect(rejections.map(({ reason, value }) => [reason, value]).sort()).toEqual([
    ["uuid_on_two_hosts", "host-b"],
    ["uuid_on_two_hosts", "pushed-later"],
  ]);
});

test("records of the future are taken, and the answer counts them and names the first", async () => {
  const ahead = { timestamp: "2095-06-01T00:00:00Z" };
  const minuteAhead = { timestamp: new Date(Date.now() + 60_000).toISOString() };
  const { status, data } = await json([record(0), record(1, ahead), record(2, ahead), record(3, minuteAhead)]);
  expect({ status, ...data }).toMatchObject({ status: 202, records: 4, rejected_count: 0 });
  expect(data["future"]).toEqual({
    ...{ count: 2, timestamp: "2095-06-01T00:00:00Z", uuid: uuid(1) },
    message:
      `2 records have times in the future, the first 2095-06-01T00:00:00Z of "${uuid(1)}" on "pushed". They are stored there, and are the newest ` +
      "records of their GPUs until one of the present comes. If that is not meant, correct the sender's clock or time zone: a time without a zone is UTC.",
  });
  expect((await json([record(0, { gpu_utilization: 1 }), record(3, minuteAhead)])).data["future"]).toBeUndefined();
  expect(await stored()).toHaveLength(4);
});

test("a record with several misspelled metrics is rejected with each that may be meant, in a table, too", async () => {
  const { gpu_utilization, ...others } = record(0);
  const wrong = { ...others, gpu_utilisation: gpu_utilization, powr_draw: 300, temprature: 45 };
  const meant =
    '("gpu_utilisation" may be gpu_utilization, "powr_draw" may be power_draw, "temprature" may be temperature)';
  expect((await json([wrong])).data.rejected[0]?.["message"]).toContain(meant);
  const table = `${Object.keys(wrong).join()}\n${Object.values(wrong).join()}\n`;
  expect((await push(table, "text/csv")).error.message).toContain(meant);
});

test("a record whose only metric is misspelled is rejected with the one that may be meant", async () => {
  const { gpu_utilization, ...others } = record(0);
  const { data } = await json([{ ...others, gpu_utilisation: gpu_utilization }]);
  expect(data.rejected[0]?.["message"]).toEndWith('"gpu_utilisation" ("gpu_utilisation" may be gpu_utilization).');
});

test("a record that cannot be used affects no other: the answer and the quarantine say why", async () => {
  const sent = [
    ...[record(0), record(1, { timestamp: "yesterday" }), record(2, { gpu_utilization: 345 })],
    ...[{ gpu_utilization: 1 }, 7, record(3, { uuid: "[N/A]" }), record(4, { occupants: ["a"] })],
  ];
  const { status, data } = await json(sent);
  expect({ status, ...data }).toMatchObject({
    status: 202,
    rows: 7,
    records: 2,
    rejected_count: 5,
    unread: ["occupants"],
  });
  expect(data.rejected.map(({ index, reason, field }) => [index, reason, field])).toEqual([
    [1, "invalid_timestamp", "timestamp"],
    [2, "value_out_of_range", "gpu_utilization"],
    [3, "missing_field", ""],
    [4, "malformed_line", ""],
    [5, "missing_field", "uuid"],
  ]);
  expect(data.rejected[2]?.["message"]).toBe(
    'The record lacks timestamp, gpu_id, uuid, hostname; found "gpu_utilization".',
  );
  expect((await stored()).map((each) => each["gpu_utilization"])).toEqual([0, 4]);
  const quarantined = await gateway.json(`/api/v1/quarantine?source_id=${encodeURIComponent("push:anyone")}`);
  expect(quarantined).toMatchObject({ count: 5 });
});

test.each([
  ["with an exponent", "1e400"],
  ["with a longer exponent", "-1E+0400"],
  ["of 310 digits", `1${"0".repeat(309)}`],
])("a number %s that no double can hold is refused in any form", async (_, huge) => {
  const textOf = (members: object): string => JSON.stringify(members).replaceAll('"huge"', huge);
  const bad = textOf(record(0, { power_draw: "huge" }));
  const ofOwn = textOf(record(1, { own_metric: "huge" }));
  const forms = [
    ["application/json", bad, ofOwn],
    ["application/json", `[${bad}]`, `[${ofOwn}]`],
    ["application/x-ndjson", bad, ofOwn],
  ] as const;
  for (const [type, known, own] of forms) {
    const refused = await push(known, type);
    expect(refused.data).toMatchObject({
      rejected_count: 1,
      missing: 0,
      rejected: [{ field: "power_draw", value: huge.slice(0, 200) }],
    });
    expect((await push(own, type)).data).toMatchObject({ rejected_count: 0, unread: ["own_metric"], samples: 1 });
  }
});

test("a line that is bad in each push is in the quarantine for each push", async () => {
  const bad = JSON.stringify(record(1, { timestamp: "yesterday" }));
  const head = "timestamp,uuid,gpu_id,hostname,gpu_utilization";
  for (const at of [0, 2]) {
    await push(`${JSON.stringify(record(at))}\n${bad}\n`, "application/x-ndjson");
    await push(`${head}\nnever,GPU-1,0,h,${at}\n`, "text/csv");
  }
  const quarantined = await gateway.json(`/api/v1/quarantine?source_id=${encodeURIComponent("push:anyone")}`);
  expect(quarantined).toMatchObject({ count: 4 });
});

test("a line that is no JSON, or too long, is rejected with its number, and the next one is read", async () => {
  const long = `{"uuid":"${"x".repeat(1_100_000)}"}`;
  const lines = [JSON.stringify(record(0)), "{bad", "", long, '"\u00ff', JSON.stringify(record(1))];
  const { data } = await push(lines.join("\n"), "application/x-ndjson");
  expect(data.rejected.map(({ line, reason }) => [line, reason])).toEqual([
    [2, "malformed_line"],
    [4, "record_too_large"],
    [5, "malformed_line"],
  ]);
  expect(await valuesOf()).toEqual(expected.slice(0, 2));
});

test("what a body has before it ends in something that is no JSON is stored, and the answer says so", async () => {
  const { status, error } = await push(`[${JSON.stringify(record(0))},{"uuid"`, "application/json");
  expect([status, error.code]).toEqual([400, "invalid_body"]);
  expect(error.message).toBe(
    "The body is not JSON after its record 1: the array does not end; what was before that is taken (records: 1)",
  );
  expect(error).toMatchObject({ details: { taken: { rows: 1, records: 1 } } });
  expect(await valuesOf()).toEqual(expected.slice(0, 1));
});

test.each([
  [
    `[${JSON.stringify(record(0))},{"power_draw": NaN}]`,
    /^The body is not JSON after its record 1: unexpected "N" at byte \d+; leave out/,
  ],
  ['[{"power_draw": -Infinity}]', /^The body is not JSON after its record 0: unexpected "I" at byte 17; leave out/],
  ["[{'a': 1}]", /^The body is not JSON after its record 0: unexpected "'" at byte 2$/],
])("what is no JSON is named with its place, without words of a parser: %s", async (body, message) => {
  const { status, error } = await push(body, "application/json");
  expect([status, error.message]).toEqual([400, expect.stringMatching(message)]);
});

test("lines whose line ends are missing, as curl -d sends them, are refused with how to send them", async () => {
  const odd = record(0, { note: 'a "quoted\\" } and {' });
  const lines = [odd, record(1)].map((each) => JSON.stringify(each));
  const one = lines.join("");
  const hint = "curl keeps line ends with --data-binary, not with -d";
  const several = `The line has several objects: write one object a line. ${hint}.`;
  const { status, data } = await push(`${one}\n${JSON.stringify(record(2))}`, "application/x-ndjson");
  expect({ status, data }).toMatchObject({ status: 202, data: { records: 1, rejected: [{ message: several }] } });
  const { data: long } = await push(one.repeat(10_000), "application/x-ndjson");
  expect(long).toMatchObject({ rejected: [{ reason: "record_too_large", message: several }] });
  for (const body of [one, lines.join("\n")]) {
    const { status, error } = await push(body, "application/json");
    expect([status, error.message]).toEqual([400, expect.stringContaining(hint)]);
    expect(error.message).toStartWith("The body has several objects: send them as an array");
  }
  // one object, with braces in a text, and no JSON after it
  const cut = await push(`${lines[0]}]`, "application/x-ndjson");
  expect(cut.data.rejected).toMatchObject([{ message: expect.stringContaining("is not JSON in UTF-8") as string }]);
});

test("records name their cluster and host, or the parameters do", async () => {
  const nameless = { ...record(0), hostname: null };
  expect(await json([nameless])).toMatchObject({ data: { records: 0, rejected: [{ reason: "missing_field" }] } });
  const query = "?hostname=own&cluster_id=beta";
  const { status, data } = await json([nameless, record(1, { cluster_id: "gamma" })], { query });
  expect({ status, data }).toMatchObject({ status: 202, data: { records: 2 } });
  const smi = `index, uuid, timestamp, utilization.gpu [%]\n2, ${uuid(2)}, 2025/07/18 20:42:34.000, 2 %\n`;
  expect(await push(smi, "text/csv")).toMatchObject({ status: 400, error: { code: "invalid_body" } });
  expect(await push(smi, "text/csv", { query })).toMatchObject({ status: 202, data: { records: 1 } });
  expect(await valuesOf()).toEqual([
    [uuid(0), "beta", "own", 0],
    [uuid(1), "gamma", "pushed", 1],
    [uuid(2), "beta", "own", 2],
  ]);
});

test("members that are metrics outside the catalogue, nested or labelled are read as columns of a table are", async () => {
  const sent = record(0, {
    custom: { fan_rpm: 900, 'xid_errors{xid="31"}': 4 },
    metrics: { DCGM_FI_DEV_GPU_TEMP: 61 },
    note: "x",
  });
  expect((await json(sent)).data).toMatchObject({ records: 1, samples: 4, unread: ["note"] });
  const custom = { fan_rpm: 900, 'xid_errors{xid="31"}': 4 };
  expect(await stored()).toMatchObject([{ temperature: 61, gpu_utilization: 0, xid_errors: 4, custom }]);
  // a record of an answer is a record of a push
  const [answered] = await stored();
  expect((await json([answered])).data).toMatchObject({ records: 1, rejected: [] });
  expect(await stored()).toEqual([answered as Record<string, unknown>]);
});

test.each(["labels", "properties"])("what is in %s is a label, whatever its text looks like", async (member) => {
  const texts = {
    rack: "12",
    asset: "0012345",
    slot: "A7",
    serial: "1650123",
    DCGM_FI_DRIVER_VERSION: "550.54",
    pod: "p-1",
  };
  const more = { row: 7, spare: true, quote: 'a "b", c\\', none: null, "a=b": "x", list: [1] };
  const { hostname, ...sent } = record(0);
  const { data } = await json({
    ...sent,
    labels_raw: 'site="west"',
    [member]: { ...texts, ...more, hostname, uuid: "other" },
  });
  expect(data).toMatchObject({ records: 1, samples: 1, rejected: [], unread: ["a=b", "list"] });
  const [found] = await stored();
  const properties = {
    rack: "12",
    asset: "0012345",
    slot: "A7",
    row: "7",
    spare: "true",
    quote: 'a "b", c\\',
    site: "west",
  };
  expect(found).toMatchObject({ hostname, uuid: uuid(0), pod: "p-1" });
  expect(found?.["custom"] ?? {}).toEqual({});
  expect(devices).toMatchObject([{ driverVersion: "550.54", properties: { ...properties, serial: "1650123" } }]);
});

test.each(["application/json", "application/x-ndjson"])(
  "a time that a program has rounded is refused in %s as it is in a table",
  async (type) => {
    const times = ["1.76761e9", "1.76761e+12", "1.7676100005e9", "1767610000", "1767610001.5"];
    const records = times.map((each, index) => JSON.stringify(record(index)).replace(JSON.stringify(time), each));
    const body = type === "application/json" ? `[${records.join()}]` : records.join("\n");
    const { data } = await push(body, type);
    expect(data.rejected.map(({ reason, value }) => [reason, value])).toEqual([
      ["invalid_timestamp", "1.76761e9"],
      ["invalid_timestamp", "1.76761e+12"],
    ]);
    expect((await stored()).map((each) => [each["uuid"], each["timestamp"]])).toEqual([
      [uuid(2), "2026-01-05T10:46:40.500Z"],
      [uuid(3), "2026-01-05T10:46:40Z"],
      [uuid(4), "2026-01-05T10:46:41.500Z"],
    ]);
    const single = await push(records[0], "application/json");
    expect(single.data.rejected).toMatchObject([{ value: "1.76761e9" }]);
    expect((await push(`{"data":[${records[1]}]}`, "application/json")).data.rejected_count).toBe(1);
  },
);

test("a table that begins within a pushed one is refused from its header on", async () => {
  const swapped = "timestamp,uuid,gpu_id,hostname,temperature\n" + Object.values(record(1)).join();
  const { data } = await push(`${csv.split("\n").slice(0, 2).join("\n")}\n${swapped}`, "text/csv");
  expect(data.rejected.map(({ reason, line }) => [reason, line])).toEqual([
    ["other_header", 3],
    ["other_header", 4],
  ]);
  expect(await valuesOf()).toEqual(expected.slice(0, 1));
});

test("a pushed record has all workloads that it lists, and is the same when its answer is pushed", async () => {
  const shared = [
    { container: "a", pod: "job-1", namespace: "ml" },
    { container: "b", pod: "job-2", namespace: "ml" },
  ];
  const listed = record(0, { ...shared[0], occupants: shared, labels_raw: 'serial="17",job="dcgm, all"' });
  expect((await json([listed])).data).toMatchObject({ records: 1, samples: 1, duplicate_messages: 0, unread: [] });
  const [answered] = await stored();
  expect(answered).toMatchObject({ ...shared[0], occupants: shared });
  expect((await json([answered])).data).toMatchObject({ records: 1, unread: [] });
  expect(await stored()).toEqual([answered as Record<string, unknown>]);
});

test("other content under the same Idempotency-Key is not taken for the same, and the same under another key is stored again", async () => {
  const named = (key: string) => ({ "idempotency-key": key });
  expect((await json([record(0)], named("a"))).data).toMatchObject({ duplicate_messages: 0 });
  expect((await json([record(0)], named("a"))).data).toMatchObject({ duplicate_messages: 1 });
  expect((await json([record(1)], named("a"))).data).toMatchObject({ duplicate_messages: 0 });
  expect((await json([record(0)], named("b"))).data).toMatchObject({ duplicate_messages: 0 });
  expect(await json([record(0)], named("x".repeat(256)))).toMatchObject({ status: 400 });
  expect(await valuesOf()).toEqual(expected.slice(0, 2));
});

test("a body that is too large, packed or not, is refused; what came before that is told", async () => {
  const line = `${JSON.stringify(record(0, { note: "x".repeat(1000) }))}\n`;
  const body = line.repeat(Math.ceil((4 * 1024 * 1024) / line.length) + 200);
  const message = expect.stringContaining("at most 4194304 bytes are accepted (PUSH_MAX_MIB)") as string;
  const headers = { "content-length": String(body.length) };
  expect(await push(body, "application/x-ndjson", headers)).toMatchObject({ status: 413, error: { message } });
  expect(await stored()).toEqual([]);
  const bomb = Bun.gzipSync(Buffer.from(body));
  expect(bomb.length).toBeLessThan(100_000);
  const answer = await push(bomb, "application/x-ndjson", { "content-encoding": "gzip" });
  expect(answer).toMatchObject({
    status: 413,
    error: { code: "too_large", message, details: { taken: { duplicate_messages: 0 } } },
  });
  const { rows } = (answer.error as unknown as { details: { taken: { rows: number } } }).details.taken;
  expect(rows).toBeWithin(Math.floor((4 * 1024 * 1024 - 65_536) / line.length), (4 * 1024 * 1024) / line.length);
});

test("what cannot be unpacked, has another type or coding, or is empty, is refused in a sentence", async () => {
  const packed = Bun.gzipSync(Buffer.from(ndjson));
  const type = "application/x-ndjson";
  expect(await push(packed.subarray(0, packed.length - 12), type)).toMatchObject({ status: 400 });
  const problems = [
    [await push("x", type, { "content-encoding": "gzip" }), 400, /cannot be unpacked as gzip/],
    [
      await push("x", type, { "content-encoding": "br" }),
      415,
      /content-encoding "br"; supported: gzip, zstd, identity/,
    ],
    [await push("x", "application/xml"), 415, /content-type "application\/xml"; supported: application\/json/],
    [await push(undefined, type), 400, /The body is empty/],
    [await push("", "application/json"), 400, /The body is empty/],
    [await push("7", "application/json"), 400, /The body is no record/],
    [await push("a,b\n1,2\n", "text/csv"), 400, /^The body has no usable header: .* as the parameter hostname\.$/],
  ] as const;
  for (const [{ status, error }, expectedStatus, message] of problems) {
    expect([status, error.message]).toEqual([expectedStatus, expect.stringMatching(message)]);
  }
});

test("a push is answered when it is stored, and refused while the queue is full", async () => {
  stopped.now.abort();
  await collecting;
  const pushes = Array.from({ length: 10 }, (_, index) => json([record(index)], { query: `?cluster_id=c${index}` }));
  while ((await gateway.queue.stats()).readyMessages < 2) await Bun.sleep(5);
  const isAnswered = (of: Promise<unknown>): Promise<boolean> =>
    Promise.race([of.then(() => true), Bun.sleep(50).then(() => false)]);
  expect(await isAnswered(pushes[0] as Promise<unknown>)).toBe(false);
  const at = { offset: 0, line: 0 };
  const source = { sourceId: "filler", from: at, to: at };
  const filler = { ...encodeBatch(new BatchBuilder().build()), traceId: "", count: 0, source };
  const fillers = Array.from({ length: 8 }, (_, index) => ({ ...filler, idempotencyKey: `filler ${index}` }));
  await gateway.queue.publish(fillers, { signal: AbortSignal.timeout(5000) });
  const refused = await json([record(11)]);
  expect(refused).toMatchObject({ status: 429, retryAfter: "5", error: { code: "no_room" } });
  stopped.now = new AbortController();
  collecting = collect();
  expect((await Promise.all(pushes)).map(({ status }) => status)).toEqual(pushes.map(() => 202));
});

test("bodies are kept in folders that cannot be guessed, and those that a killed process has left are removed", async () => {
  const parent = await mkdtemp(join(tmpdir(), "spools-"));
  const ended = Bun.spawn(["true"]);
  await ended.exited;
  const left = join(parent, `gpu-telemetry-push-${ended.pid}-abc`);
  await mkdir(left);
  const own = await makeSpoolFolder(parent);
  await writeFile(join(left, "body.csv"), "x");
  await removeLeftSpools(parent);
  expect(await readdir(parent)).toEqual([basename(own)]);
  expect((await stat(own)).mode & 0o777).toBe(0o700);
  expect(await makeSpoolFolder(parent)).not.toBe(own);
  await rm(parent, { recursive: true });
});

test("the quarantine is narrowed to one push, however many messages it has, and to the same push sent again", async () => {
  const bad = (from: number) =>
    Array.from({ length: 250 }, (_, at) =>
      record(from + at, { gpu_utilization: 1, ...(at % 50 === 0 ? { uuid: "" } : {}) }),
    );
  const lines = (records: readonly object[]) => records.map((each) => `${JSON.stringify(each)}\n`).join("");
  const one = await push(lines(bad(0)), "application/x-ndjson");
  const other = await push(lines(bad(1)), "application/x-ndjson");
  expect([one, other].map(({ data }) => [data["rejected_count"], Number(data["messages"]) > 1])).toEqual([
    [5, true],
    [5, true],
  ]);
  const again = await push(lines(bad(0)), "application/x-ndjson");
  expect(again.data["push_id"]).toBe(one.data["push_id"]);
  const ids = async (path: string) => {
    const { data } = (await gateway.json(path)) as { readonly data: readonly { readonly push_id: string }[] };
    return data.map(({ push_id: id }) => id);
  };
  for (const { data } of [one, other]) {
    const id = data["push_id"] as string;
    const listed = await until(async () => {
      const found = await ids(data["quarantine"] as string);
      return found.length === 5 ? found : undefined;
    });
    expect(new Set(listed)).toEqual(new Set([id]));
    expect(await ids(`/api/v1/quarantine?source_id=push%3Aanyone&push_id=${id}`)).toEqual(listed);
    expect(await ids(`/api/v1/quarantine?source_id=csv%3Aother&push_id=${id}`)).toEqual([]);
  }
  expect(await ids("/api/v1/quarantine?source_id=push%3Aanyone")).toHaveLength(10);
  const query = `{ quarantine(pushId: "${String(one.data["push_id"])}", limit: 3) { pushId } }`;
  const answer = await gateway.get("/graphql", {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) },
  });
  const pushId = one.data["push_id"];
  expect(await answer.json()).toEqual({ data: { quarantine: [{ pushId }, { pushId }, { pushId }] } });
});
