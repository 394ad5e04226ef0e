import { readFile, stat } from "node:fs/promises";
import type { Logger } from "pino";
import { InvalidConfig } from "../../domain/errors.ts";
import { messageOf } from "../../kit/message-of.ts";
import { defaultRules, defaultXids } from "./default-rules.ts";
import { withOverrides } from "./read-rules.ts";
import type { Rule } from "./rule.ts";
import type { XidCatalogue } from "./xid-catalogue.ts";

/** Far more than changes of all fields of all rules. */
const fileMaxBytes = 1024 * 1024;

/** The rules in force: the default ones, as the operator's file (FAULT_RULES_FILE) changes them. */
export class RulesInForce {
  private text: string | undefined;
  /** What is wrong with the text. */
  private textProblem: string | undefined;
  private lastProblem = "";
  private current: readonly Rule[];

  private constructor(
    private readonly path: string | undefined,
    private readonly defaults: { readonly rules: readonly Rule[]; readonly catalogue: XidCatalogue },
    private readonly log: Pick<Logger, "info" | "warn">,
  ) {
    this.current = defaults.rules;
  }

  get catalogue(): XidCatalogue {
    return this.defaults.catalogue;
  }

  /** Why the file is not used at present, in its first line; undefined if it is. */
  get unused(): string | undefined {
    const [first] = this.lastProblem.split("\n");
    return first === "" ? undefined : `FAULT_RULES_FILE is not used; the rules of its last reading stay: ${first}`;
  }

  /** @param path undefined: the default rules
   *  @throws InvalidConfig if the file cannot be used */
  static async open(path: string | undefined, log: Pick<Logger, "info" | "warn">): Promise<RulesInForce> {
    const rules = new RulesInForce(path, { rules: await defaultRules(), catalogue: await defaultXids() }, log);
    const problem = await rules.problem();
    if (problem !== undefined) throw new InvalidConfig(problem.split("\n").map((line) => `FAULT_RULES_FILE: ${line}`));
    return rules;
  }

  /** Reads the file again if it has changed. While it cannot be used, the rules of the last reading stay, and the log says why.
   *  @returns the same list until it changes */
  async read(): Promise<readonly Rule[]> {
    const before = this.current;
    const problem = await this.problem();
    if (problem !== undefined && problem !== this.lastProblem) {
      this.log.warn(`FAULT_RULES_FILE is not used; the rules of its last reading stay: ${problem}`);
    }
    if (this.current !== before)
      this.log.info(`FAULT_RULES_FILE has changed: ${this.changes().join("; ") || "no rule"}`);
    else if (problem === undefined && this.lastProblem !== "") this.log.info("FAULT_RULES_FILE is used again");
    this.lastProblem = problem ?? "";
    return this.current;
  }

  /** What the file changes, a rule each: `gpu.temperature.high: above 90 (85), for_seconds 600 (300)`. */
  changes(): string[] {
    return this.current.flatMap((rule, index) => {
      const original = this.defaults.rules[index] as Readonly<Record<string, unknown>> | undefined;
      const changed = Object.entries(rule).filter(([name, value]) => shown(original?.[name]) !== shown(value));
      const texts = changed.map(([name, value]) => `${name} ${shown(value)} (${shown(original?.[name])})`);
      return texts.length === 0 ? [] : [`${rule.id}: ${texts.join(", ")}`];
    });
  }

  /** @returns what is wrong with the file; undefined if it is in use */
  private async problem(): Promise<string | undefined> {
    if (this.path === undefined) return undefined;
    try {
      const { size } = await stat(this.path);
      if (size > fileMaxBytes) return `${this.path} has ${size} bytes; expected at most ${fileMaxBytes}`;
      const text = await readFile(this.path, "utf8");
      if (text !== this.text) this.use(text, this.path);
      return this.textProblem;
    } catch (error) {
      return messageOf(error);
    }
  }

  private use(text: string, path: string): void {
    this.text = text;
    this.textProblem = undefined;
    try {
      this.current = withOverrides(this.defaults.rules, text, path);
    } catch (error) {
      this.textProblem = messageOf(error);
    }
  }
}

const shown = (value: unknown): string => (value === undefined ? "unset" : JSON.stringify(value));
