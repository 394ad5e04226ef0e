import type { RejectReason } from "./batch.ts";
import { metricIndexOf, metrics } from "./metrics.ts";
import { parseTimestamp } from "./timestamp.ts";
import { judgeCustomValue, judgeValue, saysNoValue } from "./value.ts";

/** Why a field cannot be used. */
export interface FieldFault {
  readonly reason: RejectReason;
  readonly field: string;
  readonly value: string;
  readonly message: string;
}

export type Checked<T> = { readonly ok: T } | { readonly fault: FieldFault };

const textMaxLength = 256;
const gpuIdMax = 1_000_000;
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
// eslint-disable-next-line no-control-regex -- finding control characters is the purpose
const controlCharacter = /[\u0000-\u001f\u007f]/;

/** A text that names something: no control characters, at most 256 characters, surrounding blanks cut. */
export function checkText(field: string, text: string, required: boolean): Checked<string> {
  const value = text.trim();
  if (required && value === "") {
    return fault("missing_field", { field, value: text, message: `${field} is empty; every row needs one` });
  }
  if (value.length > textMaxLength || controlCharacter.test(value)) {
    const message = `${field} ${shown(value)} is not usable; expected at most ${textMaxLength} characters, none of them a control character`;
    return fault("invalid_field", { field, value, message });
  }
  return { ok: value };
}

/** The index of a GPU on its host. */
export function checkGpuId(text: string): Checked<number> {
  const value = text.trim();
  const gpuId = /^\d{1,7}$/.test(value) ? Number(value) : NaN;
  if (gpuId <= gpuIdMax) return { ok: gpuId };
  const message = `gpu_id ${shown(value)} is no index; expected a whole number from 0 to ${gpuIdMax}`;
  return fault(value === "" ? "missing_field" : "invalid_gpu_id", { field: "gpu_id", value, message });
}

/** An instant, milliseconds since the epoch. */
export function checkTimestamp(text: string): Checked<number> {
  const parsed = parseTimestamp(text);
  if ("ms" in parsed) return { ok: parsed.ms };
  return fault(parsed.fault, { field: "timestamp", value: text, message: parsed.message });
}

/** A metric's value: a number, or undefined where the text says 'no value'.
 *  @param metric the metric's name as the input has it, in the catalogue or not
 *  @param field the column, for the fault */
export function checkValue(metric: string, text: string, field: string): Checked<number | undefined> {
  if (saysNoValue(text)) return { ok: undefined };
  const trimmed = text.trim();
  const value = decimal.test(trimmed) ? Number(trimmed) : NaN;
  if (!Number.isFinite(value)) {
    const message = `${metric} ${shown(trimmed)} is no number; expected a decimal number without unit or separators`;
    return fault("invalid_value", { field, value: trimmed, message });
  }
  return judged(metric, value, { field, text: trimmed });
}

/** Judges a number by its metric's range; -0 becomes 0. */
function judged(metric: string, value: number, at: { field: string; text: string }): Checked<number | undefined> {
  const index = metricIndexOf(metric);
  const verdict = index === undefined ? judgeCustomValue(value) : judgeValue(index, value);
  if (verdict === "missing") return { ok: undefined };
  if (verdict === "ok") return { ok: value + 0 };
  const known = index === undefined ? undefined : metrics[index];
  const range = known === undefined ? "finite numbers" : `${known.min} to ${known.max} ${known.unit}`;
  const message = `${metric} ${shown(at.text)} is out of its range; expected ${range}`;
  return fault("value_out_of_range", { field: at.field, value: at.text, message });
}

function fault(reason: RejectReason, rest: Omit<FieldFault, "reason">): { readonly fault: FieldFault } {
  return { fault: { reason, ...rest } };
}

/** A value as a message shows it: quoted, cut. */
function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
}
