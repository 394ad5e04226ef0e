import { expect, test } from "bun:test";
import { toApiRollup } from "../../src/routes/schemas/telemetry-record.ts";

test("a rollup's value is the average of a rate and of a count in a window, and the highest value of a counter", () => {
  const gpu = { clusterId: "c", hostname: "h", gpuId: 0, device: "", modelName: "", driverVersion: "", properties: {} };
  const names = ["pcie_tx_bytes", "pcie_rx_bytes", "nvlink_bandwidth_total", "xid_errors", "xid_errors_total"];
  const aggregate = { avg: 20, min: 10, max: 40, count: 3 };
  const rollup = toApiRollup({
    gpu: { ...gpu, uuid: "GPU-1" },
    timeMs: 0,
    records: 3,
    metrics: {
      ...Object.fromEntries(names.map((name) => [name, aggregate])),
      xid_errors_total: { ...aggregate, increase: 30 },
    },
  });
  expect(names.map((name) => rollup[name])).toEqual([20, 20, 20, 20, 40]);
  expect(rollup["rollup"]).toMatchObject({ increase: { xid_errors_total: 30 } });
});
