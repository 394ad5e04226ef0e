/** A migration that takes away what earlier programs use: a table, a column, a name, a value that may be missing. */
export interface Contraction {
  /** The name of its file in drizzle/, without `.sql`. */
  readonly migration: string;
  /** The newest migration of the release that no longer uses what is taken away. Programs that do not know it stop storing. */
  readonly needs: string;
  readonly reason: string;
}

/** The newest migration before the rule: each later one that is not among the contractions only adds, so that the program before it
 *  works next to it and after it. */
export const oldestOfRule = "0032_usage_device_days";

/** The contractions since then, the oldest first. Each comes at least one release after the one that stopped using what it takes away
 *  (docs/operations.md, "Migrations that do not stop the version before"). */
export const contractions: readonly Contraction[] = [];
