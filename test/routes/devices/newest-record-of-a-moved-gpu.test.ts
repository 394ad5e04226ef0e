import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Cells, type DeviceGateway, migLabels, openDeviceGateway, pick } from "./device-gateway.ts";

// A GPU has moved, but none of its rows from the new place has a value yet. The newest record with values was once shown in the new
// place, with an id that no stored record has.

const at = (second: number): Cells => ({ timestamp: `2025-07-18T20:42:${second}Z` });
const values = (cells: Cells): Cells[] => [
  { metric: "DCGM_FI_DEV_FB_USED", value: "100", ...cells },
  { metric: "DCGM_FI_PROF_GR_ENGINE_ACTIVE", value: "0.5", ...cells },
];
const serial: Cells = { metric: "DCGM_FI_DEV_SERIAL", value: "1653" };
const none: Cells = { metric: "DCGM_FI_DEV_FB_USED", value: "N/A" };

const rows: readonly Cells[] = [
  ...values({ uuid: "GPU-host", host: "h0", gpu: "5", ...at(34) }),
  ...values({ uuid: "GPU-host", host: "h1", gpu: "5", ...at(35) }),
  { ...serial, uuid: "GPU-host", host: "h2", gpu: "5", ...at(36) },
  ...values({ uuid: "GPU-index", host: "h1", gpu: "6", ...at(35) }),
  { ...serial, uuid: "GPU-index", host: "h1", gpu: "2", ...at(36) },
  ...values({ uuid: "GPU-both", host: "h1", gpu: "7", ...at(35) }),
  { ...none, uuid: "GPU-both", host: "h3", gpu: "1", ...at(36) },
  { ...serial, uuid: "GPU-both", host: "h4", gpu: "3", ...at(37) },
  // rows of a MIG instance say where its GPU is
  { metric: "DCGM_FI_DEV_GPU_TEMP", value: "50", uuid: "GPU-cut", host: "h1", gpu: "8", ...at(35) },
  ...values({ uuid: "GPU-cut", host: "h2", gpu: "8", more: migLabels("3", "1g.10gb"), ...at(36) }),
];
const epoch = Date.parse("2025-07-18T20:42:35Z") / 1000;
const expected = [
  ["GPU-both", "h1", "7", "nvidia7", `h1_7_${epoch}`],
  ["GPU-cut", "h1", "8", "nvidia8", `h1_8_${epoch}`],
  ["GPU-cut:mig:3:1g.10gb", "h2", "8", "nvidia8", `h2_8:mig:3:1g.10gb_${epoch + 1}`],
  ["GPU-host", "h1", "5", "nvidia5", `h1_5_${epoch}`],
  ["GPU-index", "h1", "6", "nvidia6", `h1_6_${epoch}`],
];

describe.each([
  ["in one batch", 1000, rows],
  ["in one batch, with the newest row first", 1000, rows.toReversed()],
  ["in batches of a row", 1, rows],
  ["in batches of a row, with the newest row first", 1, rows.toReversed()],
])("rows without values from another place, %s", (_, batchRows, ordered) => {
  let gateway: DeviceGateway;
  beforeAll(async () => void (gateway = await openDeviceGateway(ordered, { batchRows })));
  afterAll(() => gateway.close());

  test("leave the newest record the host, index, device and id that the history gives for it", async () => {
    const newest = (await gateway.data("/api/v1/telemetry/latest")) as readonly unknown[];
    const names = ["uuid", "hostname", "gpu_id", "device", "telemetry_id"];
    expect(pick(newest, ...names).sort()).toEqual(expected);
    const history = (await gateway.data("/api/v1/telemetry?limit=1000")) as readonly unknown[];
    for (const record of newest) expect(history).toContainEqual(record);
  });

  test("do so in CSV and in GraphQL, too", async () => {
    const headers = { accept: "text/csv" };
    const [header = "", ...lines] = (await (await gateway.get("/api/v1/telemetry/latest", { headers })).text())
      .trim()
      .split(/\r?\n/);
    const id = header.split(",").indexOf("telemetry_id");
    const ids = expected.map((row) => row.at(-1));
    expect(lines.map((line) => line.split(",")[id]).sort()).toEqual(ids.toSorted());
    const answer = (await gateway.ask("{ latestTelemetry { uuid hostname gpuId device telemetryId } }")) as {
      readonly latestTelemetry: readonly unknown[];
    };
    const names = ["uuid", "hostname", "gpuId", "device", "telemetryId"];
    expect(pick(answer.latestTelemetry, ...names).sort()).toEqual(expected);
  });

  test("move the GPU itself, and select its newest record", async () => {
    expect(pick(await gateway.data("/api/v1/gpus?hostname=h2"), "uuid")).toEqual(
      expect.arrayContaining(["GPU-host", "GPU-cut"]),
    );
    expect(pick(await gateway.data("/api/v1/telemetry/latest?hostname=h2"), "uuid", "hostname")).toContainEqual([
      "GPU-host",
      "h1",
    ]);
  });
});
