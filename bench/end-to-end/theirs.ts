import { startVictoriaMetrics } from "../peers/victoria-metrics.ts";
import { usageOf } from "../support/process-usage.ts";
import type { Input } from "./inputs.ts";
import { type ImportResult, untilStored } from "./ours.ts";
import { until } from "../../dev/until.ts";

/** Tells VictoriaMetrics how to read the exporter's columns: all values become one metric, and DCGM's name of the metric
 *  becomes a label. */
const format =
  "1:time:rfc3339,2:label:metric_name,3:label:gpu,4:label:device,5:label:uuid,6:label:model,7:label:hostname,11:metric:value";

/** Imports a file with VictoriaMetrics' CSV import. The time is measured until the last row can be queried.
 *  @throws Error if VictoriaMetrics does not start or refuses the file, or if samples are still missing after five minutes */
export async function importByVictoriaMetrics({ path, samples }: Input): Promise<ImportResult> {
  const peer = await startVictoriaMetrics();
  try {
    const file = Bun.file(path);
    const header = (await file.slice(0, 4096).text()).indexOf("\n") + 1;
    const before = usageOf([peer.pid]);
    const started = performance.now();
    const response = await fetch(`${peer.url}/api/v1/import/csv?format=${encodeURIComponent(format)}`, {
      method: "POST",
      body: file.slice(header),
    });
    if (!response.ok) throw new Error(await response.text());
    await peer.flush();
    const question = encodeURIComponent('sum(count_over_time({__name__=~"value.*"}[10y]))');
    await until(async () => {
      const answer = await fetch(`${peer.url}/api/v1/query?query=${question}&nocache=1`);
      const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
      return Number(data.result[0]?.value[1] ?? 0) >= samples;
    }, untilStored);
    const seconds = (performance.now() - started) / 1000;
    const usage = usageOf([peer.pid]);
    const all = { ...usage, cpuSeconds: usage.cpuSeconds - before.cpuSeconds };
    return { seconds, all, own: usage, bytesPerSample: (await peer.diskBytes()) / samples, settlingCpuSeconds: 0 };
  } finally {
    await peer.stop();
  }
}
