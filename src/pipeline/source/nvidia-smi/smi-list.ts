/** What `nvidia-smi -L` says about a GPU, and the XML does not. */
export interface ListedGpu {
  /** The GPU's index on its host. */
  readonly index: number;
  /** The profile of each MIG instance, such as `3g.40gb`, by the index of the MIG device. */
  readonly profiles: ReadonlyMap<string, string>;
}

/** The GPUs of `nvidia-smi -L`, by their uuid. */
export type SmiList = ReadonlyMap<string, ListedGpu>;

const gpuLine = /^GPU (\d{1,4}): .*\(UUID: ([^)]+)\)/;
const migLine = /^\s+MIG (\S+)\s+Device\s+(\d+):/;
/** A compute instance of a part of a GPU instance: `1c.3g.40gb` belongs to a GPU instance with the profile `3g.40gb`. */
const computePart = /^\d+c\./;

/** Reads what `nvidia-smi -L` prints. Lines in another form, such as warnings, are skipped. */
export function parseSmiList(output: string): SmiList {
  const gpus = new Map<string, ListedGpu>();
  let profiles = new Map<string, string>();
  for (const line of output.split(/\r?\n/)) {
    const [, index, uuid] = gpuLine.exec(line) ?? [];
    if (index !== undefined && uuid !== undefined) {
      profiles = new Map();
      gpus.set(uuid, { index: Number(index), profiles });
    }
    const [, profile, device] = migLine.exec(line) ?? [];
    if (profile !== undefined && device !== undefined) profiles.set(device, profile.replace(computePart, ""));
  }
  return gpus;
}
