import { HeatMapCanvas } from "../../src/dashboard/browser/fleet/heat-map-canvas.ts";
import type { Device, DeviceRecord } from "../../src/dashboard/model/device.ts";
import { viewOf } from "../../src/dashboard/model/device-view.ts";
import { FleetData } from "../../src/dashboard/model/fleet-data.ts";
import { layOut } from "../../src/dashboard/model/heat-map-layout.ts";

// Runs in the browser: updates of a heat map, with the parts of the dashboard.

const gpusPerHost = 8;
const frames = 320;
/** The browser compiles what it has run a few times. */
const warmFrames = 20;

declare global {
  interface Window {
    /** @returns the milliseconds of each update: of taking in the records, and of drawing the changed cells */
    measureUpdates: (gpus: number, changedShare: number) => Promise<{ taken: number[]; drawn: number[] }>;
  }
}

function devicesOf(gpus: number): Device[] {
  return Array.from({ length: gpus }, (_, number) => ({
    ...{ uuid: `GPU-${number}`, hostname: `host-${Math.floor(number / gpusPerHost)}`, clusterId: "bench" },
    ...{
      index: String(number % gpusPerHost),
      model: "H100",
      parentUuid: undefined,
      isUnderMaintenance: false,
      isReporting: true,
      migInstanceId: undefined,
      migProfile: undefined,
    },
  }));
}

window.measureUpdates = async (gpus, changedShare) => {
  const data = new FleetData();
  data.replaceDevices(devicesOf(gpus));
  const view = viewOf(data, () => true);
  const layout = layOut(view.hostSizes, { widthPx: 1200, heightPx: 420 });
  const [cells, overlay] = [document.createElement("canvas"), document.createElement("canvas")];
  document.body.replaceChildren(cells, overlay);
  const drawing = new HeatMapCanvas(cells, overlay, { data, metric: "gpu_utilization", view, layout });
  const everyNth = Math.round(1 / changedShare);
  const [taken, drawn]: [number[], number[]] = [[], []];
  for (let frame = 0; frame < frames; frame++) {
    const records = data.devices.filter((_, number) => number % everyNth === frame % everyNth).map(recordAt(frame));
    await new Promise(requestAnimationFrame);
    const startedAtMs = performance.now();
    for (const record of records) data.apply(record);
    const takenAtMs = performance.now();
    drawing.paintChanged(data.takeChanged());
    if (frame < warmFrames) continue;
    taken.push(takenAtMs - startedAtMs);
    drawn.push(performance.now() - takenAtMs);
  }
  return { taken, drawn };
};

const recordAt =
  (frame: number) =>
  ({ uuid }: Device): DeviceRecord => {
    const values = { gpu_utilization: Math.random() * 100, temperature: 60, power_draw: 500, memory_used_mb: 40_000 };
    return { uuid, timeMs: frame * 1000, values, holders: undefined };
  };
