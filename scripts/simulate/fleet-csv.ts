import { formatTimestamp } from "../../src/domain/timestamp.ts";
import { seriesMetrics } from "../../src/pipeline/source/simulated/devices/labelled-series.ts";
import type { SimulatedFleet } from "../../src/pipeline/source/simulated/simulated-fleet.ts";
import { simulatedMetrics } from "../../src/pipeline/source/simulated/simulated-metrics.ts";
import { gpuRows } from "./gpu-rows.ts";

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
 *  (as in `simulatedMetrics`, then in `seriesMetrics`), host and GPU. A GPU has no rows for the instants at which it is
 *  silent. */
export function* fleetCsv(fleet: SimulatedFleet, options: FleetCsvOptions): Generator<CsvPart> {
  const allRows = fleet.gpus.map((gpu) => gpuRows(gpu, fleet.exported.get(gpu)));
  const hasSeries = [...fleet.exported.values()].some((gpu) => gpu.hasSeries);
  const metrics = hasSeries ? [...simulatedMetrics, ...seriesMetrics] : simulatedMetrics;
  let part = { text: header, rows: 0 };
  for (let tick = 0; tick < options.ticks; tick += 1) {
    fleet.advance();
    const time = formatTimestamp(options.startMs + tick * options.intervalMs);
    const reporting = allRows.filter(({ gpu }) => !gpu.isSilent);
    for (const rows of reporting) rows.read();
    for (const metric of metrics) {
      for (const rows of reporting) {
        for (const row of rows.format(time, metric)) {
          part.text += row;
          part.rows += 1;
        }
        if (part.text.length < partLength) continue;
        yield part;
        part = { text: "", rows: 0 };
      }
    }
  }
  yield part;
}
