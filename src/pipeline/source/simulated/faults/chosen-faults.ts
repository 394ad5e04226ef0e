import { distance } from "fastest-levenshtein";
import { UnusableSource } from "../../../../domain/errors.ts";
import type { ChosenFault } from "./fleet-faults.ts";
import { simulatedFaults } from "./simulated-fault.ts";

/** When a fault begins of which no time is said: a GPU then has a history. */
const defaultFromSeconds = 60;
const secondsPerUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Reads the faults of a simulated fleet: `random` for incidents at random, `none` for a healthy fleet, or a list such as
 *  `device.gone,gpu.temperature.high@10m-40m`.
 *  @returns undefined for `random`
 *  @throws UnusableSource that says what is wrong, and what would be right */
export function readChosenFaults(list: readonly string[]): readonly ChosenFault[] | undefined {
  const [only = "random", ...more] = list;
  if (more.length === 0 && only === "random") return undefined;
  return more.length === 0 && only === "none" ? [] : list.map(chosenFault);
}

function chosenFault(text: string): ChosenFault {
  const [name = "", time = `${defaultFromSeconds}s`] = text.split("@");
  const fault = simulatedFaults[name];
  if (fault === undefined) {
    const nearest = Object.keys(simulatedFaults).sort((a, b) => distance(a, name) - distance(b, name))[0];
    throw new UnusableSource(
      `SIM_FAULTS: there is no fault ${JSON.stringify(name)}; expected random, none, or the name of a rule that has a fault, such as ${nearest}`,
    );
  }
  const [from = "", to] = time.split("-");
  const [fromSeconds, toSeconds] = [secondsOf(from), to === undefined ? Infinity : secondsOf(to)];
  if (fromSeconds < toSeconds) return { name, fault, fromSeconds, toSeconds };
  throw new UnusableSource(
    `SIM_FAULTS: the time of ${JSON.stringify(text)} is not usable; expected for example ${name}@60s or ${name}@10m-40m`,
  );
}

/** @returns NaN if the text is no time */
function secondsOf(text: string): number {
  const [, amount = "", unit = ""] = /^(\d+)(s|m|h)$/.exec(text) ?? [];
  return Number(amount) * (secondsPerUnit[unit] ?? NaN);
}
