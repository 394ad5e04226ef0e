import { quoted } from "../../../domain/cut-text.ts";
import { meansNoNumber } from "../../../domain/value.ts";

/** What nvidia-smi's names are measured in: `flag` is Yes or No, `count` a number without a unit. */
export type SmiUnit = "%" | "MiB" | "W" | "C" | "MHz" | "lanes" | "count" | "flag";

/** The spellings of each unit, with the factor that converts a number to the unit. */
const spellings: Readonly<Record<Exclude<SmiUnit, "flag">, Readonly<Record<string, number>>>> = {
  "%": { "%": 1 },
  MiB: { B: 2 ** -20, KiB: 2 ** -10, MiB: 1, GiB: 2 ** 10 },
  W: { mW: 1e-3, W: 1, kW: 1e3 },
  C: { C: 1 },
  MHz: { Hz: 1e-6, kHz: 1e-3, MHz: 1, GHz: 1e3 },
  lanes: { x: 1 },
  count: { "": 1 },
};
const flags: ReadonlyMap<string, number> = new Map([
  ...["yes", "active", "enabled"].map((text) => [text, 1] as const),
  ...["no", "not active", "disabled", "inactive"].map((text) => [text, 0] as const),
]);
const numberAndUnit = /^([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(.*)$/;

/** A number in the expected unit, no value, or why the text is neither. */
export type MeasuredText = number | "missing" | { readonly message: string };

/** Reads a text such as `1234 MiB`, `45 C`, `87 %`, `16x`, `Not Active` or `[N/A]`. The unit is the one that the text has: a number
 *  without its unit, or with one that cannot be converted, is an error.
 *  @param unit the unit of the result */
export function readMeasured(text: string, unit: SmiUnit): MeasuredText {
  const [, digits, written = ""] = numberAndUnit.exec(text.trim()) ?? [];
  if (digits === undefined) {
    const flag = unit === "flag" ? flags.get(text.trim().toLowerCase()) : undefined;
    if (flag !== undefined) return flag;
    return meansNoNumber(text) ? "missing" : { message: `The text ${quoted(text)} is ${expected(unit)}.` };
  }
  const factor = unit === "flag" ? undefined : factorOf(unit, written);
  if (factor === undefined) return { message: `The text ${quoted(text)} is ${expected(unit)}.` };
  return Number(digits) * factor;
}

function factorOf(unit: keyof typeof spellings, written: string): number | undefined {
  return Object.hasOwn(spellings[unit], written) ? spellings[unit][written] : undefined;
}

function expected(unit: SmiUnit): string {
  if (unit === "flag") return "neither Yes nor No, and not Active or Not Active";
  if (unit === "count") return "not a number without a unit";
  return `not a number with the unit ${Object.keys(spellings[unit]).join(" or ")}`;
}
