import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ImportSeconds, profiledImport, type ProcessSeconds } from "./cpu/profiled-import.ts";
import { writeInputs } from "./end-to-end/inputs.ts";
import { grouped, print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Prints where the processor time of an import goes: CPU-seconds per million samples of streamer, collector, TimescaleDB and etcd,
// and within our processes by stage, as a sampling profiler sees them; start-up apart. The stages of a process sum up to its
// time. Median of the rounds, line by line. The profiler takes about a tenth; bench/end-to-end.ts measures without it.

const { values } = parseArgs({
  options: { samples: { type: "string", default: "2000000" }, rounds: { type: "string", default: "3" } },
});

/** Stages that take less are added up. */
const shownFrom = 0.02;

function printProcess(name: string, rounds: readonly ProcessSeconds[], millions: number): number {
  const perMillion = (secondsOf: (round: ProcessSeconds) => number): number =>
    median(rounds.map((round) => secondsOf(round) / millions));
  const working = perMillion((round) => round.working);
  print(`  ${name.padEnd(22)} ${working.toFixed(2)}  (start-up ${median(rounds.map((r) => r.startUp)).toFixed(1)} s)`);
  const names = new Set(rounds.flatMap(({ stages }) => [...stages.keys()]));
  const stages = Array.from(names, (stage) => [stage, perMillion((round) => round.stages.get(stage) ?? 0)] as const);
  for (const [stage, seconds] of stages.sort(([, a], [, b]) => b - a)) {
    if (seconds >= shownFrom) print(`    ${stage.padEnd(20)} ${seconds.toFixed(2)}`);
  }
  const small = stages.reduce((sum, [, seconds]) => sum + (seconds < shownFrom ? seconds : 0), 0);
  print(`    ${"smaller ones".padEnd(20)} ${small.toFixed(2)}`);
  return working;
}

function printImport(rounds: readonly ImportSeconds[], samples: number): void {
  const millions = samples / 1e6;
  const server = (name: "database" | "etcd"): number => {
    const seconds = median(rounds.map((round) => round[name])) / millions;
    print(`  ${name.padEnd(22)} ${seconds.toFixed(2)}`);
    return seconds;
  };
  const processes = (["streamer", "collector"] as const).map((name) =>
    printProcess(
      name,
      rounds.map((round) => round[name]),
      millions,
    ),
  );
  const all = [...processes, server("database"), server("etcd")].reduce((sum, seconds) => sum + seconds, 0);
  print(`  ${"all".padEnd(22)} ${all.toFixed(2)}  (${grouped(1e6 / all)} samples per CPU-second)`);
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
try {
  for (const input of await writeInputs(folder, Number(values.samples))) {
    print(`${grouped(input.samples)} samples, ${input.name}: CPU-seconds per million samples`);
    const rounds: ImportSeconds[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) rounds.push(await profiledImport(input, folder));
    printImport(rounds, input.samples);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
