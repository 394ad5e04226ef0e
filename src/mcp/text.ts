import { ageText } from "../kit/age-text.ts";
import { systemClock } from "../kit/clock.ts";
import { futureMs } from "../domain/future-records.ts";
import { shortened } from "../domain/cut-text.ts";
import type { Workload } from "../domain/gpu.ts";
import { visible } from "../domain/visible-text.ts";

const maxTextLength = 200;

/** A text of the telemetry: on one line, not too long, with characters that deceive escaped. */
export function shown(text: string): string {
  return shortened(visible(text), maxTextLength);
}

/** A value, or what was computed from several, with as many digits as it may mean. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(5)));
}

/** A number of things, with their name. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}

/** The workloads that hold a device. */
export function holdersText(holders: readonly Partial<Workload>[]): string {
  const names = holders.map(({ namespace, pod, container }) =>
    [namespace, pod, container].flatMap((name) => (name ? [shown(name)] : [])).join("/"),
  );
  return names.filter((name) => name !== "").join(", ");
}

/** A time, and how long ago that was, or how far ahead that is, if it is not the present. */
export function timeWithAge(time: string): string {
  const seconds = Math.round((systemClock.nowMs() - Date.parse(time)) / 1000);
  if (isFuture(time)) return `${time} (${ageText(-seconds)} ahead)`;
  return seconds < recentSeconds ? time : `${time} (${ageText(seconds)} ago)`;
}

/** True if a time is in the future, by more than clocks differ. */
export function isFuture(time: string): boolean {
  return Date.parse(time) > systemClock.nowMs() + futureMs;
}

const recentSeconds = 300;

/** The last line of a part of a list. */
export function continuation(next: string | undefined): string[] {
  return next === undefined ? [] : [`More follow: ask again with the same arguments and cursor=${next}`];
}

/** What an API answer says that its list may lack. */
export function noticeLine(answer: object): string[] {
  const { notice } = answer as { readonly notice?: string };
  return notice === undefined ? [] : [`Notice: ${notice}`];
}
