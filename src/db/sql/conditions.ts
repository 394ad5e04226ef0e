import type { TimeRange } from "../../domain/time-range.ts";

/** Collects the conditions of a statement with their parameters. */
export class Conditions {
  private readonly texts: string[] = [];

  /** @param params the parameters of earlier conditions in the same statement; those of later conditions are appended */
  constructor(readonly params: unknown[] = []) {}

  /** Adds a condition, unless the value is undefined.
   *  @param text the condition, with `?` in place of the value */
  add(text: string, value: unknown): this {
    if (value !== undefined) this.texts.push(text.replace("?", this.param(value)));
    return this;
  }

  /** Adds a condition whose parameters have already been added. */
  addText(text: string): this {
    this.texts.push(text);
    return this;
  }

  /** Adds the conditions that a column of instants is within a range. An infinite bound adds no condition. */
  within(column: string, { fromMs, toMs }: TimeRange): this {
    return this.add(`${column} >= ${instantParameter}`, finite(fromMs)).add(
      `${column} < ${instantParameter}`,
      finite(toMs),
    );
  }

  /** Adds a parameter. @returns its placeholder, e.g. `$3` */
  param(value: unknown): string {
    return `$${this.params.push(value)}`;
  }

  get isEmpty(): boolean {
    return this.texts.length === 0;
  }

  /** The word followed by the conditions; an empty text if there are no conditions. */
  after(word: "where" | "and"): string {
    return this.isEmpty ? "" : `${word} ${this.texts.join(" and ")}`;
  }
}

/** An SQL expression for an instant; `?` is in milliseconds since the epoch. */
const instantParameter = "to_timestamp(?::float8 / 1000.0)";

function finite(bound: number): number | undefined {
  return Number.isFinite(bound) ? bound : undefined;
}
