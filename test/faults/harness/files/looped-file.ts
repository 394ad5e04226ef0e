import { type DrawnRows, secondsFrom } from "./drawn-rows.ts";
import { type Version, whole, writeVersion } from "./versions.ts";
import { gpuCount, startMs } from "../ledger.ts";

/** A file that is played again and again (LOOP_MODE), of GPUs of its own. */
export interface LoopedFile {
  readonly path: string;
  readonly version: Version;
  /** The instant of its first row. */
  readonly firstMs: number;
  readonly timestamps: "now" | "original";
}

/** The GPUs of one more host. */
const gpus = secondsFrom(gpuCount, 8);
/** The part of the runs in which the rounds have the file's own times. */
const originalShare = 0.25;

/** Writes a file of one to three seconds. */
export async function writeLoopedFile(path: string, rows: DrawnRows, random: () => number): Promise<LoopedFile> {
  const seconds = secondsFrom(0, 1 + Math.floor(random() * 3));
  const drawn = rows.draw({ seconds, gpus });
  const spoiled = Math.floor(random() * drawn.length);
  const content = whole(drawn.map((row, index) => (index === spoiled ? { ...row, ...spoil(row.text) } : row)));
  const timestamps = random() < originalShare ? "original" : "now";
  return { path, version: await writeVersion(path, content), firstMs: startMs, timestamps };
}

const spoil = (text: string) => ({
  text: text.replace(/"[^"]*","DCGM_FI_DRIVER/, '"not-a-number","DCGM_FI_DRIVER'),
  value: undefined,
});
