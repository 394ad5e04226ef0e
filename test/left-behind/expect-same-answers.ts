import { expect } from "bun:test";
import type { Answers } from "../../dev/left-behind/answers.ts";

/** Expects that everything of the older answers is in the newer ones, with the same value. Newer versions may add fields.
 *  @param ignored names of fields that are not compared */
export function expectSameAnswers(actual: Answers, older: Answers, ignored: readonly string[] = []): void {
  const differences = Object.entries(older).flatMap(([path, answer]) =>
    differencesOf(actual[path], answer, { at: path, ignored }),
  );
  expect(differences).toEqual([]);
}

interface Place {
  readonly at: string;
  readonly ignored: readonly string[];
}

function differencesOf(actual: unknown, older: unknown, { at, ignored }: Place): string[] {
  if (typeof older !== "object" || older === null) {
    return actual === older ? [] : [`${at} is ${JSON.stringify(actual)}, and was ${JSON.stringify(older)}`];
  }
  if (typeof actual !== "object" || actual === null)
    return [`${at} is ${String(actual)}, and was ${JSON.stringify(older)}`];
  const more = Array.isArray(older) && Array.isArray(actual) ? actual.length - older.length : 0;
  const lengths = more === 0 ? [] : [`${at} has ${more} more elements than it had`];
  const inside = Object.entries(older).flatMap(([name, value]) => {
    const place = { at: `${at} > ${name}`, ignored };
    return ignored.includes(name) ? [] : differencesOf((actual as Record<string, unknown>)[name], value, place);
  });
  return [...lengths, ...inside];
}
