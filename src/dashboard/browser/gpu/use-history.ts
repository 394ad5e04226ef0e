import { useEffect, useState } from "preact/hooks";
import { type HistoryRecord, withRecord } from "../../model/history.ts";
import { isMoving, rangeMs, type TimeChoice, windowOf } from "../../model/time-choice.ts";
import { nowMs } from "../clock.ts";
import { type Answer, useAnswer } from "../frame/use-answer.ts";
import { useEmitter } from "../live/emitter.ts";
import { type DeviceHistory, readHistory, stepMs } from "../live/device-api.ts";
import type { LiveFleet } from "../live/live-fleet.ts";

/** Averages are read again this often: the newest one grows until its minute ends. */
const averagesEveryMs = 30_000;

/** The history of a GPU in what is chosen, with the records that arrive. */
export function useHistory(
  live: LiveFleet,
  uuid: string,
  { time, metrics }: { readonly time: TimeChoice; readonly metrics: readonly string[] },
): Answer<DeviceHistory> {
  useEmitter(live.statuses);
  // what has been missed without a connection is read when it is back
  const isLive = live.status.name === "LIVE";
  const isLong = isMoving(time) && rangeMs[time] > rangeMs["6h"];
  const answer = useAnswer(
    () => readHistory(uuid, windowOf(time, nowMs()), metrics),
    isLong ? averagesEveryMs : undefined,
    [uuid, JSON.stringify(time), metrics.join(), isLive],
  );
  const [arrived, setArrived] = useState<readonly HistoryRecord[]>([]);
  useEffect(() => {
    setArrived([]);
    if (!isMoving(time)) return undefined;
    return live.records.on((record) => {
      const { fromMs } = windowOf(time, nowMs());
      const isSeen = ({ timeMs }: HistoryRecord): boolean => timeMs >= fromMs;
      if (record.uuid === uuid) setArrived((before) => withRecord(before.filter(isSeen), record));
    });
  }, [live, uuid, JSON.stringify(time)]);
  const { value, problem } = answer;
  if (value === undefined || stepMs[value.resolution] !== undefined) return answer;
  return { problem, value: { ...value, records: joined(value.records, arrived) } };
}

/** Records that were read, and those that have arrived since. The newest one may have got more metrics. */
function joined(read: readonly HistoryRecord[], arrived: readonly HistoryRecord[]): readonly HistoryRecord[] {
  const newest = read.at(-1)?.timeMs ?? -Infinity;
  const later = arrived.filter(({ timeMs }) => timeMs >= newest);
  return later[0]?.timeMs === newest ? [...read.slice(0, -1), ...later] : [...read, ...later];
}
