import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Registry } from "prom-client";
import protobuf from "protobufjs";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { firstSecondMs, gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

// Exports of metrics by OTLP/HTTP, made from the .proto file: what is taken, what is refused, and how it is told.

setDefaultTimeout(60_000);

const proto = await Bun.file(`${import.meta.dir}/../remote-write/otlp-metrics.proto`).text();
const { root } = protobuf.parse(proto);
const ExportRequest = root.lookupType("otlp.ExportMetricsServiceRequest");
const ExportResponse = root.lookupType("otlp.ExportMetricsServiceResponse");

const registry = new Registry();
let gateway: TestGateway;
let opened: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => {
  opened = await openFleetStore([]);
  gateway = gatewayOver(opened, { registry });
});
afterAll(() => opened.close());

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const attributesOf = (given: Readonly<Record<string, string>>) =>
  Object.entries(given).map(([key, value]) => attribute(key, value));
const nanos = `${firstSecondMs}000000`;

function point(value: number, given: Readonly<Record<string, string>>, more: object = {}) {
  return { timeUnixNano: nanos, asDouble: value, attributes: attributesOf(given), ...more };
}

/** An export of one host. */
function exportOf(metrics: readonly object[]) {
  const resource = { attributes: attributesOf({ "host.name": "node-7", "service.name": "otel" }) };
  return { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] };
}

async function send(
  message: Readonly<Record<string, unknown>>,
  format: "json" | "protobuf",
  isPacked: boolean,
): Promise<{ status: number; type: string | null; answer: unknown }> {
  const plain =
    format === "json"
      ? new TextEncoder().encode(JSON.stringify(message))
      : new Uint8Array(ExportRequest.encode(ExportRequest.fromObject(message)).finish());
  const sending = gateway.get("/v1/metrics", {
    method: "POST",
    body: isPacked ? Bun.gzipSync(plain) : plain,
    headers: {
      "content-type": format === "json" ? "application/json" : "application/x-protobuf",
      ...(isPacked ? { "content-encoding": "gzip" } : {}),
    },
  });
  const signal = new AbortController();
  const collecting = collect(signal.signal);
  const response = await sending;
  signal.abort();
  await collecting;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const decoded = (): unknown =>
    format === "json" || response.status !== 200
      ? JSON.parse(new TextDecoder().decode(bytes))
      : ExportResponse.toObject(ExportResponse.decode(bytes), { longs: String });
  return { status: response.status, type: response.headers.get("content-type"), answer: decoded() };
}

async function collect(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const deliveries = await gateway.queue.claim({ consumerId: "test", maxMessages: 10, signal });
    for (const { envelope, ...encoded } of deliveries) {
      await opened.store.ingest({
        ...envelope,
        messageId: envelope.id,
        batch: decodeBatch({ ...envelope, ...encoded }),
      });
    }
    await gateway.queue.acknowledge(deliveries);
  }
}

async function stored(uuid: string): Promise<Record<string, unknown> | undefined> {
  const { data } = (await gateway.json(`/api/v1/gpus/${uuid}/telemetry?start_time=2000-01-01T00:00:00Z`)) as {
    data?: Record<string, unknown>[];
  };
  return data?.[0];
}

test.each([
  ["json", false],
  ["json", true],
  ["protobuf", false],
  ["protobuf", true],
] as const)(
  "%s (packed: %p): conventions for hardware and names of dcgm-exporter become records",
  async (format, isPacked) => {
    const id = `${format}-${isPacked}`;
    const hardware = { "hw.id": `GPU-hw-${id}`, "hw.name": "GPU 1", "hw.model": "H100" };
    const ofGpu = { ...hardware, "hw.type": "gpu" };
    const dcgm = { UUID: `GPU-dcgm-${id}`, gpu: "2", modelName: "A100" };
    const message = exportOf([
      {
        name: "hw.gpu.utilization",
        gauge: { dataPoints: [point(0.5, hardware), point(0.25, { ...hardware, "hw.gpu.task": "encoder" })] },
      },
      {
        name: "hw.gpu.memory.usage",
        gauge: { dataPoints: [point(0, hardware, { asDouble: undefined, asInt: String(512 * 2 ** 20) })] },
      },
      {
        name: "hw.temperature",
        gauge: { dataPoints: [point(61, ofGpu), point(40, { "hw.id": "fan", "hw.type": "fan" })] },
      },
      { name: "hw.energy", sum: { dataPoints: [point(7, ofGpu)], aggregationTemporality: 2, isMonotonic: true } },
      {
        name: "DCGM_FI_DEV_POWER_USAGE",
        gauge: { dataPoints: [point(300.5, dcgm), point(1, { ...dcgm, gpu: "3" }, { flags: 1 })] },
      },
      { name: "http.server.duration", histogram: { dataPoints: [{ timeUnixNano: nanos, count: "1", sum: 1 }] } },
    ]);
    const { status, type, answer } = await send(message, format, isPacked);
    expect({ status, answer }).toEqual({ status: 200, answer: {} });
    expect(type).toContain(format === "json" ? "application/json" : "application/x-protobuf");
    expect(await stored(`GPU-hw-${id}`)).toMatchObject({
      ...{ hostname: "node-7", gpu_id: "1", model_name: "H100", temperature: 61, total_energy_mj: 7000 },
      ...{ gpu_utilization: 50, enc_utilization: 25, memory_used_mb: 512 },
    });
    expect(await stored(`GPU-dcgm-${id}`)).toMatchObject({ hostname: "node-7", gpu_id: "2", power_draw: 300.5 });
  },
);

test.each(["json", "protobuf"] as const)(
  "%s: points that cannot be used are counted with the reason, the others are taken",
  async (format) => {
    const gpu = { "hw.id": `GPU-part-${format}`, "hw.name": "0", "hw.type": "gpu" };
    const message = exportOf([
      { name: "hw.energy", sum: { dataPoints: [point(7, gpu)], aggregationTemporality: 1 } },
      { name: "hw.temperature", gauge: { dataPoints: [point(1e6, gpu)] } },
      { name: "hw.power", gauge: { dataPoints: [point(250, gpu)] } },
    ]);
    const { status, answer } = await send(message, format, false);
    expect({ status, answer }).toEqual({
      status: 200,
      answer: {
        partialSuccess: { rejectedDataPoints: "2", errorMessage: "hw.energy is a sum of deltas; send cumulative sums" },
      },
    });
    expect(await stored(`GPU-part-${format}`)).toMatchObject({ power_draw: 250 });
  },
);

test.each(["json", "protobuf"] as const)("%s: a point of the future is taken, and the answer warns", async (format) => {
  const gpu = { "hw.id": `GPU-ahead-${format}`, "hw.name": "0", "hw.type": "gpu" };
  const ahead = point(250, gpu, { timeUnixNano: `${Date.UTC(2095, 5)}000000` });
  const { status, answer } = await send(
    exportOf([{ name: "hw.power", gauge: { dataPoints: [ahead] } }]),
    format,
    false,
  );
  const errorMessage = expect.stringContaining(
    `the first 2095-06-01T00:00:00Z of "GPU-ahead-${format}" on "node-7"`,
  ) as string;
  expect({ status, answer }).toMatchObject({ status: 200, answer: { partialSuccess: { errorMessage } } });
});

test.each(["json", "protobuf"] as const)("%s: numbers, times and names are what the export says", async (format) => {
  const gpu = { "hw.id": `GPU-exact-${format}`, "hw.name": "0", constructor: "c", "hw.type": "gpu" };
  const at = (name: string, dataPoint: object) => ({ name, gauge: { dataPoints: [dataPoint] } });
  // a double next to it is in the millisecond before
  const second = { timeUnixNano: `${firstSecondMs + 2}000000` };
  const message = exportOf([
    at("hw.gpu.utilization", point(0.57, gpu, second)),
    at("hw.power", { ...point(0, gpu, second), asDouble: undefined }),
    at("hw.temperature", point(0, gpu, { ...second, asDouble: undefined, asInt: "61" })),
    at("constructor", point(1, gpu, second)),
  ]);
  const { status, answer } = await send(message, format, false);
  expect({ status, answer }).toEqual({ status: 200, answer: {} });
  const { power_draw: power, ...record } = (await stored(`GPU-exact-${format}`)) ?? {};
  expect(power ?? null).toBeNull();
  expect(record).toMatchObject({ gpu_utilization: 57, temperature: 61 });
  expect(Date.parse(record["timestamp"] as string)).toBe(firstSecondMs + 2);
});

test.each([{ asDouble: "" }, { asDouble: true }, { asInt: [5] }, { asInt: "0x10" }, { timeUnixNano: "soon" }])(
  "json: a number that is none is refused: %p",
  async (more) => {
    const gpu = { "hw.id": "GPU-none", "hw.name": "0", "hw.type": "gpu" };
    const metric = { name: "hw.power", gauge: { dataPoints: [{ ...point(0, gpu), asDouble: undefined, ...more }] } };
    expect(await send(exportOf([metric]), "json", false)).toMatchObject({ status: 400 });
    expect(await stored("GPU-none")).toBeUndefined();
  },
);

test.each(["json", "protobuf"] as const)(
  "%s: values are converted from the unit that the export names",
  async (format) => {
    const cases: readonly (readonly [name: string, unit: string, sent: number, stored: readonly [string, number]])[] = [
      ["hw.temperature", "[degF]", 113, ["temperature", 45]],
      ["hw.temperature", "K", 318.15, ["temperature", 45]],
      ["hw.power", "kW", 0.3, ["power_draw", 300]],
      ["hw.energy", "kW.h", 2.5, ["total_energy_mj", 9e9]],
      ["hw.gpu.memory.usage", "GBy", 40, ["memory_used_mb", 40e9 / 2 ** 20]],
      ["hw.gpu.memory.usage", "MiBy", 1024, ["memory_used_mb", 1024]],
      ["hw.gpu.memory.usage", "By{used}", 2 ** 20, ["memory_used_mb", 1]],
      ["hw.gpu.utilization", "%", 0.9, ["gpu_utilization", 0.9]],
      ["hw.gpu.utilization", "1", 0.9, ["gpu_utilization", 90]],
      ["DCGM_FI_DEV_FB_USED", "GiBy", 2, ["memory_used_mb", 2048]],
      ["DCGM_FI_DEV_SM_CLOCK", "Hz", 1.5e9, ["sm_clock_mhz", 1500]],
      ["nvidia_smi_memory_used_bytes", "bytes", 2 ** 20, ["memory_used_mb", 1]],
      ["nvidia_smi_memory_used_bytes", "MiBy", 1, ["memory_used_mb", 1]],
      ["DCGM_FI_DEV_XID_ERRORS", "{error}", 31, ["xid_error", 31]],
    ];
    const gpuOf = (index: number) => ({ "hw.id": `GPU-unit-${format}-${index}`, "hw.name": "0", "hw.type": "gpu" });
    const named = cases.map(([name, unit, sent], index) => ({
      ...{ name, unit },
      gauge: { dataPoints: [point(sent, gpuOf(index))] },
    }));
    const unknown = { name: "hw.power", unit: "[HP]", gauge: { dataPoints: [point(1, gpuOf(0))] } };
    expect(await send(exportOf([...named, unknown]), format, false)).toMatchObject({
      status: 200,
      answer: {
        partialSuccess: {
          rejectedDataPoints: "1",
          errorMessage: 'hw.power has the unit "[HP]", which is not read; send W, mW, kW',
        },
      },
    });
    const found = await Promise.all(cases.map((_, index) => stored(`GPU-unit-${format}-${index}`)));
    expect(found.map((record, index) => [cases[index]?.[0], record?.[cases[index]?.[3][0] ?? ""]])).toEqual(
      cases.map(([name, , , [, value]]) => [name, value]),
    );
  },
);

test("two sensors of a GPU never become one series", async () => {
  const gpu = { "hw.id": "GPU-sensors", "hw.name": "0", "hw.type": "gpu" };
  const at = (location: string, value: number) => point(value, { ...gpu, "hw.sensor_location": location });
  const message = exportOf([
    { name: "hw.temperature", gauge: { dataPoints: [at("edge", 45), at("memory", 93), at("vrm", 101)] } },
    { name: "hw.power", gauge: { dataPoints: [point(300, gpu), at("vrm", 700)] } },
    {
      name: "hw.gpu.utilization",
      gauge: { dataPoints: [point(0.5, gpu), point(1, { ...gpu, "hw.gpu.task": "copy" })] },
    },
  ]);
  expect(await send(message, "json", false)).toMatchObject({
    status: 200,
    answer: {
      partialSuccess: {
        rejectedDataPoints: "3",
        errorMessage: 'hw.temperature with hw.sensor_location = "vrm" is not read',
      },
    },
  });
  expect(await stored("GPU-sensors")).toMatchObject({
    ...{ temperature: 45, memory_temperature: 93, power_draw: 300, gpu_utilization: 50 },
  });
});

test("an export without metrics is taken: in protobuf, it has no byte", async () => {
  for (const headers of [{ "content-type": "application/x-protobuf" }, { "content-type": "application/json" }]) {
    const isJson = headers["content-type"] === "application/json";
    const response = await gateway.get("/v1/metrics", { method: "POST", headers, ...(isJson && { body: "{}" }) });
    expect([response.status, (await response.bytes()).length]).toEqual([200, isJson ? 2 : 0]);
  }
});

test("the documented export is taken", async () => {
  const document = await Bun.file(`${import.meta.dir}/../../docs/otlp.md`).text();
  const [, example = ""] = /^```json\n(.*?)^```$/ms.exec(document) ?? [];
  const { status, answer } = await send(JSON.parse(example) as Record<string, unknown>, "json", false);
  expect({ status, answer }).toEqual({ status: 200, answer: {} });
  expect(await stored("GPU-5ca1ab1e-0000-4000-8000-000000000002")).toMatchObject({
    ...{ hostname: "lab-1", gpu_id: "0", gpu_utilization: 85 },
  });
});

test("other types and codings are refused with 415, and what is no export with 400", async () => {
  const status = async (body: string, headers: Record<string, string>): Promise<number> =>
    (await gateway.get("/v1/metrics", { method: "POST", body, headers })).status;
  const json = { "content-type": "application/json" };
  expect(await status("{}", { "content-type": "text/plain" })).toBe(415);
  expect(await status("{}", { ...json, "content-encoding": "snappy" })).toBe(415);
  for (const body of [
    "no json",
    "[]",
    '{"resourceMetrics":3}',
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":{}}]}]}',
  ]) {
    expect([body, await status(body, json)]).toEqual([body, 400]);
  }
  expect(await status("\u0005\u0001", { "content-type": "application/x-protobuf" })).toBe(400);
});

test("a point of an unknown unit is answered with 503, and taken when the exporter's other series have come", async () => {
  const attributes = { UUID: "GPU-of-unknown-unit", gpu: "0" };
  const of = (name: string, value: number) =>
    exportOf([
      { name, gauge: { dataPoints: [point(value, { ...attributes, "service.instance.id": "node-7:9400" })] } },
    ]);
  const ratio = of("DCGM_FI_DEV_GPU_UTIL_RATIO", 1);
  for (const format of ["json", "protobuf"] as const) expect((await send(ratio, format, false)).status).toBe(503);
  expect((await send(of("DCGM_FI_DEV_FB_CAPACITY_BYTES", 2 ** 30), "json", false)).status).toBe(200);
  expect(await send(ratio, "protobuf", false)).toMatchObject({ status: 200, answer: {} });
});
