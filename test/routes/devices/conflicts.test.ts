import { expect, test } from "bun:test";
import { openDeviceGateway } from "./device-gateway.ts";

const utilization = { metric: "DCGM_FI_DEV_GPU_UTIL" };

test("values that contradict each other, within a batch or across batches, are counted; a repeated value is not", async () => {
  const gateway = await openDeviceGateway([
    { ...utilization, value: "40" },
    { ...utilization, value: "40" },
  ]);
  try {
    expect(await gateway.data("/api/v1/pipeline")).not.toHaveProperty("conflicts");
    await gateway.importRows([{ ...utilization, value: "41" }]);
    await gateway.importRows([
      { ...utilization, value: "39", uuid: "GPU-1" },
      { ...utilization, value: "38", uuid: "GPU-1" },
    ]);
    expect(await gateway.data("/api/v1/pipeline")).toMatchObject({ conflicts: 2 });
    expect(await gateway.data("/api/v1/telemetry")).toMatchObject([{ gpu_utilization: 41 }, { gpu_utilization: 39 }]);
  } finally {
    await gateway.close();
  }
});
