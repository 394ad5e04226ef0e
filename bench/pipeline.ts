import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { grouped, print } from "./support/output.ts";

// Measures the whole pipeline in one child process: CSV file -> streamer -> queue -> collector -> embedded store. Prints the
// samples/s that the process reports, and its peak resident memory.

const root = `${import.meta.dir}/..`;
const dir = await mkdtemp(join(tmpdir(), "telemetry-bench-"));

async function run(command: string[], env: Record<string, string> = {}): Promise<void> {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    env: { ...process.env, ...env },
    stdout: "ignore",
  });
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
}

async function importOnce(
  csv: string,
  dataDir: string,
): Promise<{ samplesPerSecond: number; maxRssMebibytes: number }> {
  const env = { ...process.env, CSV_FILE: csv, DATA_DIR: dataDir, PORT: "0", LOG_LEVEL: "warn" };
  const child = Bun.spawn([process.execPath, "src/main.ts"], { cwd: root, env, stdout: "pipe", stderr: "ignore" });
  let text = "";
  let maxRssMebibytes = 0;
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (!/samples\/s\s+[\d,]+/.test(text) || maxRssMebibytes > 0) continue;
    // read here, because the resource usage at the exit would include the process that created the database
    const status = await Bun.file(`/proc/${child.pid}/status`).text();
    maxRssMebibytes = Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
    child.kill("SIGTERM");
  }
  await child.exited;
  const samplesPerSecond = Number(/samples\/s\s+([\d,]+)/.exec(text)?.[1]?.replaceAll(",", ""));
  return { samplesPerSecond, maxRssMebibytes };
}

try {
  const csv = join(dir, "fleet.csv");
  await run(["scripts/simulate.ts", "--hosts", "31", "--gpus-per-host", "8", "--seconds", "120", "--out", csv]);
  for (let round = 0; round < 3; round += 1) {
    const { samplesPerSecond, maxRssMebibytes } = await importOnce(csv, join(dir, `data-${round}`));
    print(`round ${round + 1}: ${grouped(samplesPerSecond)} samples/s, ${maxRssMebibytes} MiB`);
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
