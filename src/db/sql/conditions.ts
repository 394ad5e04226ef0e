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

  /** @returns how the statement names a value */
  param(value: unknown): string {
    return `$${this.params.push(value)}`;
  }

  /** The conditions after a word that is left out where there are none. */
  after(word: "where" | "and"): string {
    return this.texts.length === 0 ? "" : `${word} ${this.texts.join(" and ")}`;
  }
}
