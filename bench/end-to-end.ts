import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeInputs } from "./end-to-end/inputs.ts";
import { type ImportResult, importByPipeline } from "./end-to-end/ours.ts";
import { importByVictoriaMetrics } from "./end-to-end/theirs.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Measures the import of CSV files through a streamer, etcd and one or more collectors into TimescaleDB, until every
// sample is stored. etcd and TimescaleDB sync their writes. For comparison, VictoriaMetrics imports the same files over HTTP.

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "3000000" },
    collectors: { type: "string", default: "1" },
    rounds: { type: "string", default: "3" },
  },
});

function text(name: string, samples: number, { seconds, all, own, bytesPerSample }: ImportResult): string {
  return (
    `  ${name.padEnd(16)} ${grouped(samples / seconds).padStart(9)} samples/s, ` +
    `${grouped(samples / all.cpuSeconds)} samples per CPU-second, ${all.cpuSeconds.toFixed(1)} CPU-seconds ` +
    `(${own.cpuSeconds.toFixed(1)} of its own processes), largest process ${grouped(own.peakRssBytes / 2 ** 20)} MiB, ` +
    `${bytesPerSample.toFixed(1)} bytes per sample on disk`
  );
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
try {
  for (const input of await writeInputs(folder, Number(values.samples))) {
    print(`${grouped(input.samples)} samples, one per row: ${input.name}`);
    const ratios: number[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const theirs = await importByVictoriaMetrics(input);
      const ours = await importByPipeline(input, Number(values.collectors));
      ratios.push(theirs.seconds / ours.seconds);
      print(text("ours", input.samples, ours));
      print(text("VictoriaMetrics", input.samples, theirs));
    }
    print(`  ours is ${median(ratios).toFixed(2)} times as fast as VictoriaMetrics (median of ${ratios.length})`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
