import { randomFrom } from "../../support/random.ts";
import type { Worker } from "./workers.ts";

export interface UpgradeOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly record: (event: string) => void;
}

/** The part of the run in which processes are replaced: all processes are of the earlier version before, and of this one afterwards. */
const replaced = { from: 0.2, to: 0.9 };

/** Replaces processes of an earlier version by processes of this checkout, each at a time that is drawn. A process that is killed before
 *  then is started again as it was. */
export async function upgradeAll(
  workers: readonly Worker[],
  { seed, durationMs, record }: UpgradeOptions,
): Promise<void> {
  const random = randomFrom(seed * 8);
  const drawn = workers.map((worker) => ({
    worker,
    atMs: durationMs * (replaced.from + random() * (replaced.to - replaced.from)),
  }));
  await Promise.all(
    drawn.map(async ({ worker, atMs }) => {
      await Bun.sleep(atMs);
      await worker.upgrade();
      record(`${worker.name} is upgraded`);
    }),
  );
}
