import type { Curve } from "./curve.ts";
import { mostDesired, type Outcome, reversalsInTenMinutes, secondsUntilYounger } from "./outcome.ts";

// A collector of the model stores 10 messages a second.

const day = 86_400;
const unlimited = (): number => Infinity;

/** The curves, in the order in which they are shown. */
export const curves: readonly Curve[] = [
  {
    name: "step",
    description: "6 messages/s, ten times as many from 2:00 to 12:00",
    seconds: 1500,
    load: (second) => (second >= 120 && second < 720 ? 60 : 6),
    database: unlimited,
    collectors: 1,
    check: (outcome) => [
      ...reversalRule(outcome, 1),
      ...backRule(outcome, [120, 720]),
      ...costRule(outcome, 2),
      ...(outcome.seconds.at(-1)?.desired === 1 ? [] : ["the count did not fall back to 1"]),
    ],
  },
  {
    name: "burst",
    description: "8 messages/s, and every 5 minutes 60 for 30 s",
    seconds: 1800,
    load: (second) => (second >= 120 && (second - 120) % 300 < 30 ? 60 : 8),
    database: unlimited,
    collectors: 1,
    check: (outcome) => [
      ...[120, 420, 720, 1020, 1320, 1620].flatMap((from) => backRule(outcome, [from, Math.min(1800, from + 300)])),
      // a burst is one rise and one fall, and two begin within 10 minutes
      ...reversalRule(outcome, 5),
    ],
  },
  {
    name: "day and night",
    description: "5 messages/s at midnight, 85 at noon",
    seconds: day,
    load: (second) => 45 - 40 * Math.cos((2 * Math.PI * second) / day),
    database: unlimited,
    collectors: 1,
    check: (outcome) => [
      ...reversalRule(outcome, 1),
      ...costRule(outcome, 1.25),
      ...(outcome.reversals.length <= 3 ? [] : [`${outcome.reversals.length} reversals in a day (at most 3)`]),
      ...(outcome.overTargetSeconds <= day / 1000 ? [] : [`${outcome.overTargetSeconds} s over target (at most 86)`]),
    ],
  },
  {
    name: "stuck database",
    description: "30 messages/s; the database stores none from 12:00 to 17:00",
    seconds: 2100,
    load: () => 30,
    database: (second) => (second >= 720 && second < 1020 ? 0 : Infinity),
    collectors: 4,
    check: (outcome) => {
      const before = mostDesired(outcome, [719, 720]);
      const most = mostDesired(outcome, [720, 1020]);
      const limit = Math.ceil(1.5 * before);
      return [
        ...(most <= limit ? [] : [`${before} -> ${most} collectors while more had no gain (at most ${limit})`]),
        ...reversalRule(outcome, 1),
        ...backRule(outcome, [1020, 2100]),
      ];
    },
  },
];

function reversalRule(outcome: Outcome, most: number): string[] {
  const found = reversalsInTenMinutes(outcome);
  return found <= most ? [] : [`${found} reversals within 10 minutes (at most ${most})`];
}

/** After the load has risen, or the database has recovered. */
function backRule(outcome: Outcome, time: readonly [number, number]): string[] {
  const seconds = secondsUntilYounger(outcome, 10, time);
  return seconds <= 60
    ? []
    : [`the oldest message was younger than 10 s only ${seconds} s after second ${time[0]} (60)`];
}

function costRule({ instanceSeconds, idealInstanceSeconds }: Outcome, most: number): string[] {
  const ratio = instanceSeconds / idealInstanceSeconds;
  return ratio <= most ? [] : [`${ratio.toFixed(2)} times the ideal's instance-seconds (at most ${most})`];
}
