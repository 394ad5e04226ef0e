import { afterEach, beforeEach, expect, test } from "bun:test";
import { SqlUploadStore } from "../../src/pipeline/store/sql/sql-upload-store.ts";
import { until } from "../../dev/until.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

// What a gateway takes as an upload, what it refuses and why, and what it says about it. test/uploads/ reads uploads.

const table = "timestamp,uuid,gpu_id,hostname,gpu_utilization\n2026-01-05T12:00:00Z,GPU-1,0,lab-1,85\n";
const mebibyte = 1024 * 1024;

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeEach(async () => {
  stored = await openFleetStore([]);
  gateway = gatewayOver(stored);
});
afterEach(() => stored.close());

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly error: { readonly code: string; readonly message: string };
}

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await gateway.get(`/api/v1/csv${path}`, init);
  const body = (await response.json()) as Pick<Answer, "data" | "error">;
  return { ...body, status: response.status, retryAfter: response.headers.get("retry-after") };
}

const send = (
  body: string | ReadableStream<Uint8Array>,
  headers: Record<string, string> = { "content-type": "text/csv" },
  query = "",
) => ask(`/upload${query}`, { method: "POST", body, headers });

function formOf(...files: readonly (readonly [text: string, name: string])[]): FormData {
  const form = new FormData();
  for (const [text, name] of files) form.append("file", new Blob([text]), name);
  return form;
}

const sendForm = (form: FormData): Promise<Answer> => ask("/upload", { method: "POST", body: form });

test("a file as a form, and as the body itself, are the same content, which is kept once", async () => {
  const asForm = await sendForm(formOf([table, "fleet.csv"]));
  expect(asForm).toMatchObject({
    status: 202,
    data: { state: "queued", file_name: "fleet.csv", sender: "anyone", cluster_id: "alpha", duplicate: false },
  });
  expect(asForm.data["bytes_received"]).toBe(table.length);
  const asBody = await send(table, { "content-type": "text/csv" }, "?file_name=other.csv");
  expect(asBody.data).toMatchObject({ id: asForm.data["id"], duplicate: true });
  const elsewhere = await send(table, { "content-type": "text/csv" }, "?cluster_id=beta");
  expect(elsewhere.data).toMatchObject({ duplicate: false, cluster_id: "beta" });
  const list = (await (await gateway.get("/api/v1/csv/uploads")).json()) as { data: readonly { id: string }[] };
  expect(list.data.map(({ id }) => id)).toEqual([elsewhere.data["id"] as string, asForm.data["id"] as string]);
});

test("what cannot be a file is refused in a sentence", async () => {
  const form = (text: string) => send(text, { "content-type": "multipart/form-data; boundary=x" });
  const cases: readonly (readonly [Promise<Answer>, number, RegExp])[] = [
    [send(table, { "content-type": "application/json" }), 415, /supported: multipart\/form-data, text\/csv/],
    [send(table, { "content-type": "text/csv", "content-encoding": "br" }), 415, /supported: gzip, x-gzip, zstd/],
    [send("", { "content-type": "text/csv" }), 400, /empty/],
    [sendForm(new FormData()), 400, /The form has no file|cannot be read/],
    [sendForm(formOf([table, "a.csv"], [table, "b.csv"])), 400, /more than one file/],
    [send(table, { "content-type": "multipart/form-data" }), 400, /cannot be read as multipart/],
    [form('--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\ntimestamp,uuid'), 400, /read/],
    [form('--x\r\ncontent-disposition: form-data; name="hostname"\r\n\r\nlab\r\n--x--\r\n'), 400, /\?hostname=/],
  ];
  for (const [answer, status, message] of cases) {
    const { status: found, error } = await answer;
    expect([found, message.test(error.message), error.message]).toEqual([status, true, error.message]);
  }
  expect(await stored.client.query("select number from upload_parts")).toEqual([]);
});

test("a file above UPLOAD_MAX_MIB is refused, whether or not its size is announced, and leaves no bytes", async () => {
  const large = "x".repeat(4 * mebibyte + 1);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(large));
      controller.close();
    },
  });
  for (const body of [large, stream]) {
    expect(await send(body)).toMatchObject({ status: 413, error: { code: "too_large" } });
  }
  expect((await send(large)).error.message).toContain("UPLOAD_MAX_MIB");
  expect(await stored.client.query("select number from upload_parts")).toEqual([]);
});

test("one client has at most half of the uploads at a time, and is told when to come back", async () => {
  for (let sent = 0; sent < 8; sent += 1) expect((await send(`${table}${sent}`)).status).toBe(202);
  const refused = await send(`${table}8`);
  expect(refused).toMatchObject({ status: 429, error: { code: "no_room" }, retryAfter: "30" });
  expect(refused.error.message).toContain("UPLOADS_MAX");
});

test("an upload is cancelled while it is received and while it waits, then removed from the list", async () => {
  const gate = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new Uint8Array(mebibyte).fill(97));
      await gate.promise;
      controller.enqueue(new Uint8Array(mebibyte).fill(97));
      controller.close();
    },
  });
  const sending = send(body);
  const uploads = new SqlUploadStore(stored.client);
  const { id } = await until(async () => (await uploads.list(1)).find(({ receivedBytes }) => receivedBytes > 0));
  const cancelled = await ask(`/uploads/${id}`, { method: "DELETE" });
  expect(cancelled.data).toMatchObject({
    state: "cancelled",
    message: expect.stringContaining("Cancelled by anyone") as string,
  });
  gate.resolve();
  expect(await sending).toMatchObject({
    status: 400,
    error: { message: expect.stringContaining("is cancelled") as string },
  });
  expect(await stored.client.query("select number from upload_parts")).toEqual([]);

  const waiting = await send(table);
  const path = `/uploads/${String(waiting.data["id"])}`;
  expect((await ask(path, { method: "DELETE" })).data).toMatchObject({ state: "cancelled" });
  expect((await send(table)).data).toMatchObject({ duplicate: false });
  expect((await ask(path, { method: "DELETE" })).data).toMatchObject({ state: "cancelled" });
  for (const method of ["GET", "DELETE"]) {
    expect(await ask(path, { method })).toMatchObject({ status: 404, error: { code: "not_found" } });
  }
});

test("a sender that goes leaves an upload that has failed", async () => {
  const left = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(new Uint8Array(2 * mebibyte));
      left.signal.addEventListener("abort", () => controller.error(new Error("the connection was closed")));
    },
  });
  const sending = send(body);
  const uploads = new SqlUploadStore(stored.client);
  await until(async () => (await uploads.list(1))[0]?.receivedBytes === 2 * mebibyte);
  left.abort();
  expect((await sending).status).toBe(400);
  expect((await uploads.list(1))[0]).toMatchObject({
    state: "failed",
    message: expect.stringContaining("does not go on") as string,
  });
});
