import type { TimeRange } from "../../domain/time-range.ts";

/** Collects the conditions of a statement with their parameters. */
export class Conditions {
  private readonly texts: string[] = [];

  /** @param params of conditions that come before these in the same statement */
  constructor(readonly params: unknown[] = []) {}

  /** @param text with `?` where the value goes; left out where the value is undefined */
  add(text: string, value: unknown): this {
    if (value !== undefined) this.texts.push(text.replace("?", this.param(value)));
    return this;
  }

  /** Keeps a column of instants within a range. */
  within(column: string, { fromMs, toMs }: TimeRange): this {
    return this.add(`${column} >= ${instantParameter}`, finite(fromMs)).add(
      `${column} < ${instantParameter}`,
      finite(toMs),
    );
  }

  /** @returns how the statement names a value */
  param(value: unknown): string {
    return `$${this.params.push(value)}`;
  }

  get isEmpty(): boolean {
    return this.texts.length === 0;
  }

  /** The word followed by the conditions; empty without conditions. */
  after(word: "where" | "and"): string {
    return this.isEmpty ? "" : `${word} ${this.texts.join(" and ")}`;
  }
}

/** An instant whose value is in milliseconds since the epoch. */
const instantParameter = "to_timestamp(?::float8 / 1000.0)";

function finite(bound: number): number | undefined {
  return Number.isFinite(bound) ? bound : undefined;
}
