import type { RecordFilter } from "../../src/domain/query.ts";
import type { HistoryQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import { type FleetRecord, firstSecondMs, gatewayOver, gpuOf, openFleetStore } from "./gateway.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

type Row = Readonly<Record<string, unknown>>;

const as = (accept: string) => ({ headers: { accept } });
const dataOf = async (path: string) => ((await running.gateway.json(path)) as unknown as { data: Row[] }).data;
const csvRows = async (response: Response): Promise<Record<string, string>[]> =>
  parse(await response.text(), { columns: true });

const rowByRowLists = [
  "/api/v1/gpus",
  "/api/v1/hosts",
  "/api/v1/telemetry",
  "/api/v1/telemetry/latest",
  "/api/v1/gpus/GPU-host-a-0/telemetry",
  "/api/v1/clusters/alpha/hosts/host-a/gpus/0/metrics",
];

describe("lists row by row", () => {
  test("as NDJSON: the elements of the JSON answer, one per line", async () => {
    for (const path of rowByRowLists) {
      const response = await running.gateway.get(path, as("application/x-ndjson"));
      expect(response.headers.get("content-type")).toBe("application/x-ndjson");
      const lines = (await response.text()).trimEnd().split("\n");
      expect([path, lines.map((line) => JSON.parse(line) as Row)]).toEqual([path, await dataOf(path)]);
    }
  });

  test("as CSV: a column for each field, objects as JSON, an empty cell for a missing value", async () => {
    for (const path of rowByRowLists) {
      const response = await running.gateway.get(path, as("text/csv;q=0.9, application/json;q=0.1"));
      expect(response.headers.get("content-type")).toStartWith("text/csv");
      const expected = (await dataOf(path)).map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === "object" ? JSON.stringify(value) : String(value as string | number),
          ]),
        ),
      );
      const rows = (await csvRows(response)).map((row) =>
        Object.fromEntries(Object.entries(row).filter(([, text]) => text !== "")),
      );
      expect([path, rows]).toEqual([path, expected]);
    }
  });

  test("only the requested metrics have a column", async () => {
    const path = "/api/v1/telemetry?metrics=temperature&limit=2&order=desc";
    const rows = await csvRows(await running.gateway.get(path, as("text/csv")));
    expect(rows.map(({ temperature }) => temperature)).toEqual(["", "60"]);
    expect(Object.keys(rows[0] ?? {})).not.toContain("power_draw");
  });

  test("a text that a spreadsheet would run as a formula is escaped, also behind blanks or what may separate cells", async () => {
    const names = ["=1+1", "\u00a0=1", " \u200b@x", "a;=1", 'a;"=1', "a;b;\u3000+1", "-1", "\uff1d1", "a;b", "a=1"];
    const records = names.map((name, index) => ({
      gpu: gpuOf(name, "host-f", index, { properties: { "a;=1": name } }),
      ...{ timeMs: firstSecondMs, values: { temperature: 1 } },
    }));
    const opened = await openFleetStore(records);
    const answer = await gatewayOver(opened).get("/api/v1/gpus", as("text/csv"));
    const text = await answer.clone().text();
    const rows = await csvRows(answer);
    await opened.close();
    const written = rows.map((row) => JSON.parse(row["properties"] ?? "") as Record<string, string>);
    const shown = new Map(rows.map((row, index) => [written[index]?.["a;=1"], row["cluster_id"]]));
    expect(names.map((name) => shown.get(name))).toEqual([
      ...["'=1+1", "'\u00a0=1", "' \u200b@x", "a;'=1", "a;'\"=1", "a;b;'\u3000+1", "'-1", "'\uff1d1", "a;b", "a=1"],
    ]);
    expect(text.match(/;[\s"\u200b]*[=+@-]/gu)).toBeNull();
  });

  test("a request whose Accept header matches no format is refused", async () => {
    for (const path of rowByRowLists) {
      const response = await running.gateway.get(path, as("image/png"));
      expect([path, response.status]).toEqual([path, 406]);
      expect(await response.json()).toMatchObject({ error: { code: "not_acceptable" } });
    }
  });

  test("an error is JSON even if the request accepts only CSV", async () => {
    const response = await running.gateway.get("/api/v1/gpus/GPU-none/telemetry", as("text/csv"));
    expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/json;charset=utf-8"]);
  });
});

describe("a list without a limit", () => {
  const count = 5003;
  const records: FleetRecord[] = Array.from({ length: count }, (_, index) => ({
    gpu: gpuOf("long", "host-l", index % 2),
    timeMs: firstSecondMs + index * 500,
    values: { temperature: index % 100 },
  }));
  let long: Awaited<ReturnType<typeof openFleetStore>>;
  beforeAll(async () => void (long = await openFleetStore(records)));
  afterAll(() => long.close());

  test("is complete and in order, although it takes several queries", async () => {
    for (const order of ["asc", "desc"]) {
      const response = await gatewayOver(long).get(`/api/v1/telemetry?order=${order}`, as("application/x-ndjson"));
      const lines = (await response.text()).trimEnd().split("\n");
      const times = lines.map((line) => Date.parse((JSON.parse(line) as { timestamp: string }).timestamp));
      const expected = records.map(({ timeMs }) => timeMs);
      expect(times).toEqual(order === "asc" ? expected : expected.toReversed());
    }
  });

  test("is read from the store only as fast as the client reads it", async () => {
    const limits: number[] = [];
    const history = Object.create(long.queries.history, {
      records: {
        value: (filter: RecordFilter) => {
          limits.push(filter.limit);
          return long.queries.history.records(filter);
        },
      },
    }) as HistoryQueries;
    const app = gatewayOver({ ...long, queries: { ...long.queries, history } });
    const response = await app.get("/api/v1/telemetry", as("text/csv"));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    expect(limits.length).toBeLessThan(Math.ceil(count / 2000));
  });
});

describe("compression", () => {
  const gzip = { headers: { "accept-encoding": "gzip" } };

  test("applies to answers from memory, to answers from the store, and to lists row by row", async () => {
    for (const [path, init] of [
      ["/api/v1/gpus", {}],
      ["/api/v1/telemetry?limit=7", {}],
      ["/api/v1/metrics", {}],
      ["/api/v1/telemetry", { accept: "text/csv" }],
    ] as const) {
      const plain = await (await running.gateway.get(path, { headers: init })).text();
      expect(plain.length).toBeGreaterThan(1024);
      for (const [encoding, decode] of [
        ["gzip", gunzipSync],
        ["zstd", zstdDecompressSync],
      ] as const) {
        const response = await running.gateway.get(path, { headers: { ...init, "accept-encoding": encoding } });
        expect([path, response.headers.get("content-encoding")]).toEqual([path, encoding]);
        expect(response.headers.get("vary")).toContain("accept-encoding");
        expect(decode(Buffer.from(await response.arrayBuffer())).toString()).toBe(plain);
      }
    }
  });

  test("applies neither to short answers nor to clients that do not accept it", async () => {
    for (const [path, encoding] of [
      ["/api/v1/gpus/GPU-host-a-0", "gzip"],
      ["/api/v1/gpus", "br"],
      ["/api/v1/gpus", "gzip;q=0, identity"],
    ] as const) {
      const response = await running.gateway.get(path, { headers: { "accept-encoding": encoding } });
      expect([path, response.status, response.headers.get("content-encoding")]).toEqual([path, 200, null]);
    }
  });

  test("the ETag is the same with and without compression: a client that has it gets 304", async () => {
    const etag = (await running.gateway.get("/api/v1/gpus")).headers.get("etag") ?? "";
    const repeatedResponse = await running.gateway.get("/api/v1/gpus", {
      headers: { ...gzip.headers, "if-none-match": etag },
    });
    expect([repeatedResponse.status, await repeatedResponse.text()]).toEqual([304, ""]);
  });
});

test("a list without rows is empty as NDJSON, and has only the header as CSV", async () => {
  for (const path of [
    "/api/v1/telemetry?gpu_uuid=none",
    "/api/v1/gpus?model=none",
    "/api/v1/telemetry?gpu_uuid=none&limit=5",
  ]) {
    expect(await (await running.gateway.get(path, as("application/x-ndjson"))).text()).toBe("");
    const [header, ...rows] = (await (await running.gateway.get(path, as("text/csv"))).text()).trimEnd().split("\n");
    expect([header?.includes("uuid"), rows]).toEqual([true, []]);
  }
});
