import { basename, join } from "node:path";

/** The columns of a training run's log, as the pipeline names them. */
const columnNames: Readonly<Record<string, string>> = {
  gpu_index: "gpu_id",
  temperature_C: "temperature",
  utilization_gpu_percent: "gpu_utilization",
  power_W: "power_draw",
};
/** A log of some minutes takes less than an empty table with its indexes. */
const machines = 64;

/** A file that the pipeline imports. A log without uuids, of the GPUs of one machine, becomes a file of many such machines, whose GPUs
 *  have uuids.
 *  @param folder for the new file */
export async function withNamedDevices(path: string, folder: string): Promise<{ name: string; path: string }> {
  const [header = "", ...lines] = (await Bun.file(path).text()).trimEnd().split(/\r?\n/);
  const names = header.split(",").map((name) => name.trim());
  const index = names.indexOf("gpu_index");
  if (names.includes("uuid") || index < 0) return { name: path, path };
  const rows = lines.flatMap((line) =>
    Array.from({ length: machines }, (_, host) => `${line},GPU-${host}-${line.split(",")[index]?.trim()},host-${host}`),
  );
  const copy = join(folder, basename(path));
  const known = names.map((name) => columnNames[name] ?? name);
  await Bun.write(copy, [[...known, "uuid", "hostname"].join(), ...rows, ""].join("\n"));
  return { name: `${path}, of ${machines} machines`, path: copy };
}
