import { GraphQLEnumType } from "graphql";
import { metricNameOf, spellings } from "../../../domain/dialects/spelling-of.ts";
import { metricNames, metrics } from "../../../domain/metrics.ts";
import { valueName } from "./names.ts";

/** Names of enums by their values. Enums with the same values are one type. */
const nameByValues: ReadonlyMap<string, string> = new Map([
  ["active|silent", "Status"],
  ["raw|1m|1h|1d", "Resolution"],
  ["auto|raw|1m|1h|1d", "ResolutionChoice"],
  ["auto|1m|1h|1d", "RollupChoice"],
  ["cluster|host|gpu|model|namespace", "Grouping"],
  ["device|host|cluster|target", "CoverageGrouping"],
  ["hour|total", "CoverageStep"],
  ["host|device", "InventoryKind"],
  ["active|maintenance|decommissioned", "InventoryState"],
]);

const metricName = new GraphQLEnumType({
  name: "MetricName",
  description: "A metric of the catalogue; answers have the lower-case names",
  values: {
    ...Object.fromEntries(
      otherSpellings().map((name) => [
        name,
        { value: metricNameOf(name), description: `Another name of ${metricNameOf(name)}` },
      ]),
    ),
    // last, because the last of several names of a value is the one in answers
    ...Object.fromEntries(
      metrics.map(({ name, description, unit }) => [name, { value: name, description: `${description}; ${unit}` }]),
    ),
  },
});

/** The spellings that GraphQL allows as names. */
function otherSpellings(): string[] {
  return spellings.map(({ name }) => name).filter((name) => /^[A-Za-z]\w*$/.test(name) && metricNameOf(name) !== name);
}

/** The enums of a schema, each created once. */
export class EnumTypes {
  private readonly types = new Map([[keyOf(metricNames), metricName]]);

  /** Returns the enum with these values, and creates it at the first call.
   *  @param fallbackName the enum's name if `nameByValues` has none for these values */
  of(values: readonly string[], fallbackName: string, description?: string): GraphQLEnumType {
    const key = keyOf(values);
    const existing = this.types.get(key);
    if (existing !== undefined) return existing;
    const type = new GraphQLEnumType({
      name: nameByValues.get(key) ?? fallbackName,
      description,
      values: Object.fromEntries(values.map((value) => [valueName(value), { value }])),
    });
    this.types.set(key, type);
    return type;
  }
}

function keyOf(values: readonly string[]): string {
  return values.join("|");
}
