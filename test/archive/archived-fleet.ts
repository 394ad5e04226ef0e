import { metrics } from "../../src/domain/metrics.ts";
import { migUuid } from "../../src/domain/mig-instance.ts";
import { type FleetRecord, firstSecondMs, fleet, gpuOf } from "../routes/gateway.ts";

/** Labels as exporters have them: a number that is a text, quotes, commas and a line end. */
const properties = { job: "dcgm", rack: "12", serial: '17"b', note: "a, b=c;\n\\d" };
const whole = gpuOf("alpha", "host-m", 0, { properties, driverVersion: "550.54.15" });
const instance = gpuOf("alpha", "host-m", 0, {
  uuid: migUuid({ parentUuid: whole.uuid, instanceId: "3", profile: "1g.10gb" }),
});
const named = gpuOf("beta/2 ü", "host-n", 1, {
  uuid: "MIG-6f1c",
  properties: { GPU_I_ID: "4", GPU_I_PROFILE: "2g.20gb" },
});
const every = Object.fromEntries(
  metrics.map(({ name, min, max }, index) => [name, Math.min(max, Math.max(min, index / 3))]),
);

const at = (gpu: FleetRecord["gpu"], ms: number, values: FleetRecord["values"], more: Partial<FleetRecord> = {}) => {
  return { gpu, timeMs: firstSecondMs + ms, values, ...more };
};

/** A fleet with all that records can have: every metric, labelled series and metrics outside the catalogue, MIG instances of both forms,
 *  shared devices, milliseconds, labels, and a GPU that moves to another cluster. */
export const everything: readonly FleetRecord[] = [
  ...fleet,
  at(whole, 0, every, { custom: { 'xid_errors{xid="31"}': 2, 'xid_errors{xid="79"}': 1, "odd, name": -1.5e-7 } }),
  ...["job-1", "job-2", "job-3"].map((pod) =>
    at(whole, 5001, { gpu_utilization: 0.1 + 0.2 }, { workload: { container: "c", pod, namespace: "ml" } }),
  ),
  at(instance, 0, { gpu_utilization: 12 }, { workload: { container: "", pod: "job-9", namespace: "ml" } }),
  at(named, 250, { gpu_utilization: 7, temperature: -3 }),
  at(gpuOf("beta", "host-b", 0), 7_200_000, { temperature: 91 }),
];
