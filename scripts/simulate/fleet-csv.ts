import { formatTimestamp } from "../../src/domain/timestamp.ts";
import type { SimulatedGpu } from "../../src/pipeline/source/simulated/simulated-gpu.ts";
import type { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import {
  type Readings,
  type SimulatedMetric,
  simulatedMetrics,
} from "../../src/pipeline/source/simulated/simulated-metrics.ts";

const header = "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw\n";

/** The instants to write: `ticks` of them, `intervalMs` apart. */
export interface FleetCsvOptions {
  readonly startMs: number;
  readonly intervalMs: number;
  readonly ticks: number;
}

/** A part of the file, and the number of data rows in it. */
export interface CsvPart {
  readonly text: string;
  readonly rows: number;
}

/** The length at which a part ends, in characters: large enough for few writes, small enough for little memory. */
const partLength = 1 << 20;

/** A fleet's readings in the long layout of dcgm-exporter: an unquoted header, every value quoted, ordered by time, metric
 *  (as in `simulatedMetrics`), host and GPU. A GPU has no rows for the instants at which it is silent. */
export function* fleetCsv(fleet: SimulatedFleet, options: FleetCsvOptions): Generator<CsvPart> {
  const rowTexts = fleet.gpus.map((gpu) => new RowText(gpu));
  let part = { text: header, rows: 0 };
  for (let tick = 0; tick < options.ticks; tick += 1) {
    fleet.advance();
    const time = formatTimestamp(options.startMs + tick * options.intervalMs);
    const reporting = rowTexts.filter((row) => !row.gpu.isSilent);
    const readings = reporting.map(({ gpu }) => gpu.readings());
    for (const metric of simulatedMetrics) {
      for (const [index, row] of reporting.entries()) {
        part.text += row.format(time, metric, readings[index] as Readings);
        part.rows += 1;
        if (part.text.length < partLength) continue;
        yield part;
        part = { text: "", rows: 0 };
      }
    }
  }
  yield part;
}

/** Formats a GPU's rows. The parts that are the same in every row are formatted once. */
class RowText {
  private readonly identity: string;
  private readonly labelsBefore: string;
  private readonly labelsAfter: string;

  constructor(readonly gpu: SimulatedGpu) {
    const { uuid, hostname, gpuId, device, modelName, driverVersion, properties } = gpu.gpu;
    const label = (name: string, value: string | undefined): string => `${name}=""${value ?? ""}""`;
    this.identity = `"${gpuId}","${device}","${uuid}","${modelName}","${hostname}"`;
    const before = [
      label("DCGM_FI_DRIVER_VERSION", driverVersion),
      label("Hostname", hostname),
      label("UUID", uuid),
      `__name__=""`,
    ];
    const after = [
      `""`,
      label("device", device),
      label("gpu", String(gpuId)),
      label("instance", properties["instance"]),
      label("job", properties["job"]),
      label("modelName", modelName),
    ];
    this.labelsBefore = before.join(",");
    this.labelsAfter = after.join(",");
  }

  format(time: string, metric: SimulatedMetric, readings: Readings): string {
    const { container, pod, namespace } = this.gpu.workload;
    const { identity, labelsBefore, labelsAfter } = this;
    const labels = `"${labelsBefore}${metric}${labelsAfter}"`;
    return `"${time}","${metric}",${identity},"${container}","${pod}","${namespace}","${readings[metric]}",${labels}\n`;
  }
}
