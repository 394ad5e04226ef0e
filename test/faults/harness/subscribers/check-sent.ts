import { shortened } from "../invariants.ts";
import { type Reading, uuidOf } from "../told/script.ts";
import type { Sent, Subscriber } from "./subscriber.ts";

type SentRecord = Exclude<Sent, "gap">;

/** I12: from its first record of a GPU on, a subscriber was sent each record of this GPU with its values, or was told between the records
 *  around it that records may be missing.
 *  @param uuids the GPUs that the subscribers have chosen */
export function checkSent(
  subscribers: readonly Pick<Subscriber, "name" | "sent">[],
  readings: readonly Reading[],
  uuids: readonly string[],
): string[] {
  return shortened(
    subscribers.flatMap(({ name, sent }) =>
      uuids.flatMap((uuid) =>
        checkGpu(sent, valuesOf(uuid, readings)).map((found) => `I12: ${name}, ${uuid}: ${found}`),
      ),
    ),
  );
}

/** The values of a GPU at each instant. */
function valuesOf(uuid: string, readings: readonly Reading[]): ReportedGpu {
  const values = readings.map(({ timeMs, gpus }) => {
    const metrics = gpus.find((_, gpu) => uuidOf(gpu) === uuid);
    return [timeMs, metrics ?? {}] as const;
  });
  return { uuid, values: new Map(values) };
}

interface ReportedGpu {
  readonly uuid: string;
  readonly values: ReadonlyMap<number, Reading["gpus"][number]>;
}

function checkGpu(sent: readonly Sent[], { uuid, values }: ReportedGpu): string[] {
  const isOwn = (each: Sent): each is SentRecord => each !== "gap" && each.gpu_uuid === uuid;
  const own = sent.filter(isOwn);
  if (own.length === 0) return ["it was sent no record"];
  const instantOf = ({ timestamp }: SentRecord): number => Date.parse(timestamp);
  const wrong = own.filter((each) => !Bun.deepEquals(each.data, values.get(instantOf(each))));
  const instants = new Set(own.map(instantOf));
  const firstMs = Math.min(...instants);
  const missed = [...values.keys()].filter((timeMs) => timeMs > firstMs && !instants.has(timeMs));
  const untold = missed.filter((timeMs) => {
    const before = sent.findLastIndex((each) => isOwn(each) && instantOf(each) < timeMs);
    const after = sent.findIndex((each, index) => index > before && isOwn(each) && instantOf(each) > timeMs);
    return !sent.slice(before, after === -1 ? undefined : after).includes("gap");
  });
  return [
    ...wrong.map((each) => `it was sent ${JSON.stringify(each)}, which the GPU has not reported`),
    ...untold.map(
      (timeMs) => `it was not sent the record of ${new Date(timeMs).toISOString()}, and was told of no gap`,
    ),
  ];
}
