import { until } from "../../../../dev/until.ts";
import { prefixRange } from "../../../../src/etcd/requests.ts";
import { FileKeys } from "../../../../src/pipeline/stream/assignment/checkpoint-keys.ts";
import type { PlainRun } from "../seed-run.ts";
import type { Worker } from "../workers.ts";
import type { LoopedFile } from "./looped-file.ts";

/** Etcd keeps the beginnings of two rounds. A streamer that was frozen for more rounds does not find the one that it wants to play next. */
const roundsMissed = 5;
const roundsAfterwards = 3;
/** A streamer may wait for times of a process whose clock was 90 s ahead. */
const roundsMaxMs = 150_000;

/** I5 for a file that is played again and again: its rounds go on while one of its streamers is frozen, and after that.
 *  @returns the violation */
export async function untilPlayedOn(
  { version }: LoopedFile,
  {
    run: { etcd, topic },
    frozen,
    record,
  }: { readonly run: PlainRun; readonly frozen: Worker; readonly record: (event: string) => void },
): Promise<string[]> {
  const rounds = `${new FileKeys(topic, version.sourceId).all}rounds/`;
  const latest = async (): Promise<number> => {
    const { kvs } = await etcd.range({ ...prefixRange(rounds), keys_only: true });
    return Math.max(-1, ...kvs.map(({ key }) => Number(key.toString().slice(rounds.length))));
  };
  const untilFurther = async (count: number): Promise<string[]> => {
    const first = await latest();
    const isFurther = async (): Promise<boolean> => (await latest()) >= first + count;
    return until(isFurther, { timeoutMs: roundsMaxMs, everyMs: 100 }).then(
      () => [],
      () => [`I5: no ${count} rounds have begun after round ${first} in ${roundsMaxMs / 1000} s`],
    );
  };
  record(`SIGSTOP ${frozen.name} for ${roundsMissed} rounds`);
  frozen.signal("SIGSTOP");
  const missed = await untilFurther(roundsMissed).finally(() => frozen.signal("SIGCONT"));
  record(`SIGCONT ${frozen.name}`);
  return [...missed, ...(await untilFurther(roundsAfterwards))];
}
