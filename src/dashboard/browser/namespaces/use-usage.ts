import { isMoving, rangeMs } from "../../model/time-choice.ts";
import type { UsageState } from "../../model/usage-state.ts";
import { nowMs } from "../clock.ts";
import { type Answer, useAnswer } from "../frame/use-answer.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { type JobUsage, readEndedJobs, readUsage, type Usage } from "../live/usage-api.ts";

/** Rows of the API, and when they were read. */
export interface ReadRows<Row> {
  readonly rows: readonly Row[];
  readonly atMs: number;
}

/** Of a day, the present hour changes much; of a month, little, and it takes the database longer. */
const everyMs = 60_000;
const longEveryMs = 600_000;

/** The usage of the chosen time and holder, and the pods and jobs that have ended; undefined until they are read. They are read again
 *  regularly, and when the gateway is back. */
export function useUsage(live: LiveFleet, { time, by, holder }: UsageState) {
  const isShort = isMoving(time) && rangeMs[time] <= rangeMs["1d"];
  const period = isShort ? everyMs : longEveryMs;
  const isLive = live.status.name === "LIVE";
  const choice = JSON.stringify([time, holder]);
  return {
    usage: useRows<Usage>(() => readUsage({ time, by, holder }), period, [`${choice} ${by}`, isLive]),
    ended: useRows<JobUsage>(() => readEndedJobs({ time, holder }), period, [choice, isLive]),
  };
}

/** @param question the answer to another question than this is not shown */
function useRows<Row>(
  ask: () => Promise<readonly Row[]>,
  period: number,
  [question, isLive]: readonly [question: string, isLive: boolean],
): Answer<ReadRows<Row>> {
  const read = async () => ({ question, rows: await ask(), atMs: nowMs() });
  const { value, problem } = useAnswer(read, period, [question, isLive]);
  return { value: value?.question === question ? value : undefined, problem };
}
