import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import {
  headersFor,
  messageFor,
  packed,
  type SentProtocol,
  type SentSeries,
  staleValue,
} from "../remote-write/make-request.ts";
import { WriteGateway } from "../remote-write/write-gateway.ts";
import { firstSecondMs, type TestGateway } from "./gateway.ts";

// Requests of remote write: what is taken, what is refused and why, and that nothing is stored twice.

setDefaultTimeout(60_000);

const path = "/api/v1/write";
const protocols: readonly SentProtocol[] = ["1.0", "2.0"];

let writing: WriteGateway;
let gateway: TestGateway;

/** Each test has GPUs of its own. */
let run = 0;
const uuid = (gpu: number): string => `GPU-${run}-${gpu}`;

beforeAll(async () => {
  writing = await WriteGateway.open();
  gateway = writing.gateway;
});
beforeEach(() => {
  run += 1;
  writing.registry.resetMetrics();
});
afterAll(() => writing.close());

/** The labels that a Prometheus sends for a series of dcgm-exporter. */
function labels(name: string, gpu: number, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    ...{ __name__: name, UUID: uuid(gpu), gpu: String(gpu), device: `nvidia${gpu}`, modelName: "H100" },
    ...{ Hostname: "node-7", instance: "node-7:9400", job: "dcgm", ...more },
  };
}

const of = (name: string, gpu: number, value: number, more?: Readonly<Record<string, string>>): SentSeries => ({
  labels: labels(name, gpu, more),
  samples: [[value, firstSecondMs]],
});

const send = (...sent: Parameters<WriteGateway["send"]>) => writing.send(...sent);
const sendSeries = (protocol: SentProtocol, series: readonly SentSeries[]) => writing.sendSeries(protocol, series);

async function stored(): Promise<Record<string, unknown>[]> {
  const { data } = (await gateway.json("/api/v1/telemetry?start_time=2000-01-01T00:00:00Z&limit=1000")) as {
    data: Record<string, unknown>[];
  };
  const own = data.filter((record) => (record["uuid"] as string).startsWith(uuid(0).slice(0, -1)));
  return own.sort((a, b) => ((a["uuid"] as string) < (b["uuid"] as string) ? -1 : 1));
}

const outcomes = async (): Promise<Record<string, number>> => {
  const metric = await writing.registry.getSingleMetric("telemetry_remote_write_samples_total")?.get();
  return Object.fromEntries(
    (metric?.values ?? [])
      .filter(({ value }) => value > 0)
      .map(({ labels: { outcome }, value }) => [String(outcome), value] as const),
  );
};

test.each(protocols)(
  "version %s: samples of a time and a GPU become one record, whichever request they come in",
  async (protocol) => {
    const first = [
      of("DCGM_FI_DEV_GPU_TEMP", 0, 61),
      of("DCGM_FI_DEV_POWER_USAGE", 1, 300.5, { pod: "own", exported_pod: "train" }),
    ];
    const second = [of("DCGM_FI_DEV_POWER_USAGE", 0, 250), of("DCGM_FI_DEV_GPU_TEMP", 1, 62)];
    expect(await sendSeries(protocol, first)).toMatchObject({ status: 204, text: "", written: ["2", "0", "0"] });
    expect(await sendSeries(protocol, second)).toMatchObject({ status: 204, written: ["2", "0", "0"] });
    // duplicates count as written
    expect(await sendSeries(protocol, first)).toMatchObject({ status: 204, written: ["2", "0", "0"] });
    expect(await stored()).toMatchObject([
      { uuid: uuid(0), hostname: "node-7", cluster_id: "alpha", temperature: 61, power_draw: 250 },
      { uuid: uuid(1), pod: "train", temperature: 62, power_draw: 300.5 },
    ]);
  },
);

test.each(protocols)(
  "version %s: what is no GPU's value is counted, dropped, and counts as written",
  async (protocol) => {
    const series: SentSeries[] = [
      { labels: { __name__: "up", instance: "node-7:9400", job: "dcgm" }, samples: [[1, firstSecondMs]] },
      { labels: { __name__: "temperature", sensor: "attic" }, samples: [[21, firstSecondMs]] },
      {
        labels: labels("DCGM_FI_DEV_GPU_TEMP", 0),
        samples: [
          [staleValue, firstSecondMs],
          [NaN, firstSecondMs + 1000],
          [60, firstSecondMs + 2000],
        ],
      },
      { labels: { __name__: "http_seconds" }, samples: [], histograms: 2, exemplars: 1 },
    ];
    expect(await sendSeries(protocol, series)).toMatchObject({ status: 204, written: ["5", "2", "1"] });
    expect(await outcomes()).toEqual({ stored: 1, no_gpu: 2, stale: 1, no_value: 1, histogram: 2, exemplar: 1 });
    expect((await stored()).map((record) => [record["timestamp"], record["temperature"]])).toEqual([
      [new Date(firstSecondMs + 2000).toISOString().replace(".000", ""), 60],
    ]);
    // a request of metadata alone has nothing to store
    expect(await sendSeries(protocol, [])).toMatchObject({ status: 204, written: ["0", "0", "0"] });
  },
);

test.each(protocols)(
  "version %s: a sample that cannot be used is in quarantine, the others are stored, and the answer is 400",
  async (protocol) => {
    const series = [
      of("DCGM_FI_DEV_GPU_TEMP", 0, 61),
      of("DCGM_FI_DEV_GPU_TEMP", 1, 99_999),
      { ...of("DCGM_FI_DEV_GPU_TEMP", 2, 1), samples: [[1, 9e14]] as const },
      { labels: { UUID: uuid(3), gpu: "3" }, samples: [[1, firstSecondMs]] as const },
    ];
    const answer = await sendSeries(protocol, series);
    expect(answer).toMatchObject({ status: 400, written: ["1", "0", "0"] });
    expect(answer.text).toContain("3 of 4 samples were rejected");
    expect((await stored()).map(({ uuid }) => uuid)).toEqual([uuid(0)]);
    const { data } = (await gateway.json("/api/v1/quarantine?source_id=remote-write:anyone")) as {
      data: Record<string, unknown>[];
    };
    expect(
      data
        .map(({ reason, raw }) => [reason, raw])
        .filter(([, raw]) => String(raw).includes(`GPU-${run}-`))
        .sort(),
    ).toEqual([
      ["missing_field", `{UUID="${uuid(3)}",gpu="3"} 1 ${firstSecondMs}`],
      ["timestamp_out_of_range", expect.stringContaining("DCGM_FI_DEV_GPU_TEMP{") as string],
      ["value_out_of_range", expect.stringContaining(`UUID="${uuid(1)}"`) as string],
    ]);
  },
);

test.each(protocols)(
  "version %s: a series with two names is rejected: which one is meant is not known",
  async (protocol) => {
    // of the same length, so that the bytes stay a message
    const series = [of("DCGM_FI_DEV_GPU_TEMP", 0, 61, { __nome__: "DCGM_FI_DEV_POWER_USAGE" })];
    const message = Buffer.from(messageFor(protocol, series));
    message[message.indexOf("__nome__") + 3] = "a".charCodeAt(0);
    const answer = await send(packed(message), headersFor(protocol));
    expect(answer).toMatchObject({ status: 400, written: ["0", "0", "0"] });
    expect(answer.text).toContain('has the label \\"__name__\\" twice');
    expect(await stored()).toEqual([]);
  },
);

test("a label names the cluster, and samples may come in any order of time", async () => {
  for (const timeMs of [firstSecondMs + 30_000, firstSecondMs, firstSecondMs + 15_000]) {
    const series = ["east", "west"].map((cluster, gpu) => ({
      labels: labels("DCGM_FI_DEV_GPU_TEMP", gpu, { cluster }),
      samples: [[50 + gpu, timeMs]] as const,
    }));
    expect((await sendSeries("2.0", series)).status).toBe(204);
  }
  const records = await stored();
  expect(records.map((record) => record["cluster_id"])).toEqual(["east", "east", "east", "west", "west", "west"]);
});

const snappy = { "content-encoding": "snappy" };
test.each<[Record<string, string>, string]>([
  [{ ...snappy, "content-type": "application/json" }, "content-type"],
  [{ ...snappy, "content-type": "application/x-protobuf;proto=io.prometheus.write.v3.Request" }, "content-type"],
  [{ "content-type": "application/x-protobuf" }, "content-encoding"],
  [{ "content-type": "application/x-protobuf", "content-encoding": "zstd" }, "content-encoding"],
])("a request with the headers %j is refused with 415", async (headers, header) => {
  const { status, text } = await send(packed(messageFor("1.0", [])), headers);
  expect({ status, text }).toMatchObject({ status: 415, text: expect.stringContaining(header) as string });
});

test("a type in other letters, with a space, in quotes, and 1.0 by its name, is the same type", async () => {
  const series = [of("DCGM_FI_DEV_GPU_TEMP", 0, 61)];
  for (const [type, protocol] of [
    ["Application/X-Protobuf; proto=io.prometheus.write.v2.Request", "2.0"],
    ['application/x-protobuf;proto="prometheus.WriteRequest"', "1.0"],
  ] as const) {
    const { status } = await send(packed(messageFor(protocol, series)), { ...snappy, "content-type": type });
    expect([type, status]).toEqual([type, 204]);
  }
});

test.each(protocols)(
  "version %s: a series with a label that is not UTF-8 is rejected, the others are taken",
  async (protocol) => {
    const message = messageFor(protocol, [
      of("DCGM_FI_DEV_GPU_TEMP", 0, 61, { note: "mark" }),
      of("DCGM_FI_DEV_GPU_TEMP", 1, 62, { note: "a \ufffd that was sent" }),
    ]);
    const at = Buffer.from(message).indexOf("mark");
    message.set([0xff, 0xfe], at);
    const { status, text } = await send(packed(message), headersFor(protocol));
    expect([status, text.includes("is not UTF-8.")]).toEqual([400, true]);
    expect(await outcomes()).toMatchObject({ stored: 1, rejected: 1 });
    expect(await stored()).toMatchObject([{ uuid: uuid(1), temperature: 62 }]);
  },
);

/** A block of snappy that says that its content is longer or shorter than it is. */
function otherLength(block: Uint8Array, difference: number): Uint8Array {
  const bytes = Uint8Array.from(block);
  bytes[0] = (bytes[0] ?? 0) + difference;
  return bytes;
}

test("a body that is no such message is refused with 400, one that is too large with 413", async () => {
  const whole = messageFor("1.0", [of("DCGM_FI_DEV_GPU_TEMP", 0, 61), of("DCGM_FI_DEV_GPU_TEMP", 1, 61)]);
  const whole2 = messageFor("2.0", [of("DCGM_FI_DEV_GPU_TEMP", 0, 61)]);
  const large = Buffer.from([...[0x80, 0x80, 0x80, 0x40], 0]); // says that it unpacks to 128 MiB
  for (const [body, protocol, status] of [
    [Buffer.from("no snappy at all"), "1.0", 400],
    [packed(Buffer.from("no message at all")), "1.0", 400],
    [packed(whole2), "1.0", 400],
    [packed(Buffer.from([0x22, 1, 65, 0x2a, 0])), "2.0", 400],
    [packed(whole2.slice(0, -3)), "2.0", 400],
    [undefined, "1.0", 400],
    [otherLength(packed(whole), -1), "1.0", 400],
    [otherLength(packed(whole), 1), "1.0", 400],
    [large, "1.0", 413],
  ] as const) {
    const answer = await send(body, headersFor(protocol));
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining('"success":false') as string]);
  }
  // what comes before the place is taken
  const cut = await send(packed(whole.slice(0, -3)), headersFor("1.0"));
  expect(cut).toMatchObject({ status: 400, written: ["1", "0", "0"] });
  expect((await stored()).map(({ uuid }) => uuid)).toEqual([uuid(0)]);
});

test("a full queue answers 503 with Retry-After, after which Prometheus sends the request again", async () => {
  const full = { ...(await gateway.queue.stats()), readyMessages: 10, capacityMessages: 10 };
  const stats = gateway.queue.stats.bind(gateway.queue);
  gateway.queue.stats = () => Promise.resolve(full);
  const response = await gateway.get(path, {
    method: "POST",
    headers: headersFor("1.0"),
    body: packed(messageFor("1.0", [of("DCGM_FI_DEV_GPU_TEMP", 0, 61)])) as Uint8Array<ArrayBuffer>,
  });
  expect([response.status, Number(response.headers.get("retry-after")) > 0]).toEqual([503, true]);
  gateway.queue.stats = stats;
  expect((await sendSeries("1.0", [of("DCGM_FI_DEV_GPU_TEMP", 0, 61)])).status).toBe(204);
});

test("a sample of an unknown unit is answered with 503, and taken when the exporter's other series have come", async () => {
  const ratio = [of("DCGM_FI_DEV_GPU_UTIL_RATIO", 0, 1)];
  const { status, text, headers } = await sendSeries("1.0", ratio);
  expect([status, Number(headers.get("retry-after")) > 0]).toEqual([503, true]);
  expect(JSON.parse(text)).toMatchObject({ error: { code: "awaits_series" } });
  expect(await stored()).toEqual([]);
  expect((await sendSeries("1.0", [of("DCGM_FI_DEV_FB_CAPACITY_BYTES", 0, 2 ** 30)])).status).toBe(204);
  expect(await sendSeries("1.0", ratio)).toMatchObject({ status: 204, written: ["1", "0", "0"] });
  expect(await stored()).toMatchObject([{ uuid: uuid(0), gpu_utilization: 100, memory_capacity_mb: 1024 }]);
});
