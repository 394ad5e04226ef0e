import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeFleets, writeInputs } from "./end-to-end/inputs.ts";
import { type ImportResult, importByPipeline } from "./end-to-end/ours.ts";
import { settledSizes } from "./end-to-end/settled.ts";
import { withNamedDevices } from "./end-to-end/named-devices.ts";
import { importByVictoriaMetrics } from "./end-to-end/theirs.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Measures the import of CSV files through a streamer, etcd and one or more collectors into TimescaleDB, until every
// sample is stored, and then the settling of what is stored. etcd and TimescaleDB sync their writes. For comparison, VictoriaMetrics
// imports the same files over HTTP. Then states the space that settled samples take, of a simulated fleet and of more files.
//
// Of a short import, much of the processor time is the start of the processes and the compiler's. The two files of 10 M samples take 9 GB in
// the folder for temporary files.
//
// Usage: bun bench/end-to-end.ts [--samples N] [--collectors N] [--rounds N] [--sizes FILE ...]

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "10000000" },
    collectors: { type: "string", default: "1" },
    rounds: { type: "string", default: "5" },
    sizes: { type: "string", multiple: true, default: [] },
  },
});

function text(name: string, samples: number, result: ImportResult): string {
  const { seconds, all, own, bytesPerSample, settlingCpuSeconds } = result;
  return (
    `  ${name.padEnd(16)} ${grouped(samples / seconds).padStart(9)} samples/s, ` +
    `${grouped(samples / all.cpuSeconds)} samples per CPU-second, ${all.cpuSeconds.toFixed(1)} CPU-seconds ` +
    `(${own.cpuSeconds.toFixed(1)} of its own processes, ${settlingCpuSeconds.toFixed(1)} for settling), largest process ${grouped(own.peakRssBytes / 2 ** 20)} MiB, ` +
    `${bytesPerSample.toFixed(1)} bytes per sample on disk`
  );
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
try {
  for (const input of await writeInputs(folder, Number(values.samples))) {
    print(`${grouped(input.samples)} samples, one per row: ${input.name}`);
    const ratios: number[] = [];
    const cpuRatios: number[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const theirs = await importByVictoriaMetrics(input);
      const ours = await importByPipeline(input, Number(values.collectors));
      ratios.push(theirs.seconds / ours.seconds);
      cpuRatios.push(theirs.all.cpuSeconds / ours.all.cpuSeconds);
      print(text("ours", input.samples, ours));
      print(text("VictoriaMetrics", input.samples, theirs));
    }
    print(
      `  ours is ${median(ratios).toFixed(2)} times as fast as VictoriaMetrics, and stores ${median(cpuRatios).toFixed(2)} ` +
        `times as many samples per CPU-second (medians of ${ratios.length})`,
    );
  }
  const given = await Promise.all(values.sizes.map((path) => withNamedDevices(path, folder)));
  const files = [...(await writeFleets(folder)), ...given];
  for (const { name, path } of files) {
    for await (const { engine, samples, rows, settled, cpuSeconds } of settledSizes(path)) {
      print(
        `${name}, ${grouped(samples)} samples, ${engine}: ${rows.toFixed(2)} bytes per sample in rows, ${settled.toFixed(2)} settled; ` +
          `settling took ${((cpuSeconds / samples) * 1e6).toFixed(2)} CPU-seconds of this process per million samples`,
      );
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
