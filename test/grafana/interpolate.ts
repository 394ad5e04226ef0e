/** The texts that a variable has at the moment, and whether it may have several. */
export interface Chosen {
  readonly texts: readonly string[];
  readonly isMulti: boolean;
}

/** The time that a dashboard shows. */
export interface Shown {
  readonly fromMs: number;
  readonly toMs: number;
  /** Between two points of a panel. */
  readonly intervalMs: number;
  /** Between two scrapes, as the data source says. */
  readonly scrapeMs: number;
}

type Variables = ReadonlyMap<string, Chosen>;

const reference = /\$(?:\{(\w+)(?::(\w+))?\}|(\w+))/g;

/** A query in PromQL as Grafana sends it. Of a variable with several texts, it makes a regular expression.
 *  Source: https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/ */
export function promqlOf(query: string, variables: Variables, { fromMs, toMs, intervalMs, scrapeMs }: Shown): string {
  const builtIn: Readonly<Record<string, string>> = {
    __interval: `${intervalMs / 1000}s`,
    __rate_interval: `${Math.max(intervalMs + scrapeMs, 4 * scrapeMs) / 1000}s`,
    __range: `${Math.round((toMs - fromMs) / 1000)}s`,
  };
  return query.replace(reference, (whole, braced: string | undefined, format: string | undefined, plain?: string) => {
    const name = braced ?? plain ?? "";
    if (format !== undefined) throw new Error(`${whole}: PromQL has no use for a format`);
    const given = builtIn[name];
    if (given !== undefined) return given;
    const { texts, isMulti } = chosen(variables, name);
    if (!isMulti) return (texts[0] ?? "").replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    const escaped = texts.map((text) => text.replace(/[\\^$*+?.()|[\]{}]/g, "\\\\$&").replaceAll('"', '\\"'));
    return escaped.length === 1 ? (escaped[0] ?? "") : `(${escaped.join("|")})`;
  });
}

/** A statement as Grafana's data source for PostgreSQL sends it, without TimescaleDB's functions.
 *  Source: https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/ (macros) */
export function sqlOf(statement: string, variables: Variables, { fromMs, toMs }: Shown): string {
  const [from, to] = [fromMs, toMs].map((ms) => `'${new Date(ms).toISOString()}'`);
  const withMacros = statement
    .replace(/\$__timeFilter\(([^)]*)\)/g, (_, column: string) => `${column} BETWEEN ${from} AND ${to}`)
    .replace(/\$__timeFrom\(\)/g, from ?? "")
    .replace(/\$__timeTo\(\)/g, to ?? "")
    .replace(/\$__timeGroupAlias\((\w+),\s*'(\d+)h'\)/g, (_, column: string, hours: string) => {
      const seconds = Number(hours) * 3600;
      return `floor(extract(epoch from ${column})/${seconds})*${seconds} AS "time"`;
    });
  return withMacros.replace(reference, (whole, braced: string | undefined, format: string | undefined) => {
    if (braced === undefined || format !== "sqlstring") throw new Error(`${whole}: in SQL, a text needs :sqlstring`);
    return chosen(variables, braced)
      .texts.map((text) => `'${text.replaceAll("'", "''")}'`)
      .join(",");
  });
}

function chosen(variables: Variables, name: string): Chosen {
  const found = variables.get(name);
  if (found === undefined) throw new Error(`there is no variable ${name}`);
  return found;
}
