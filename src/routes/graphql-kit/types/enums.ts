import { GraphQLEnumType, GraphQLError, Kind, type ValueNode } from "graphql";
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
  ["info|warning|critical", "FaultSeverity"],
  ["pending|firing|acknowledged|resolved|suppressed", "FaultState"],
  ["device|host|cluster|job", "FaultKind"],
  ["planned|active|ended", "SilenceState"],
  ["reset|reboot", "Remediation"],
]);

/** The most values that an error lists. */
const listedMax = 10;

/** An enum whose errors list its values: those of REST that begin with a digit have other names here, such as `hour` for `1h`. */
class ListedEnum extends GraphQLEnumType {
  override parseValue(...[value, hideSuggestions]: Parameters<GraphQLEnumType["parseValue"]>): unknown {
    return this.listing(() => super.parseValue(value, hideSuggestions) as unknown);
  }

  override parseLiteral(...[node, variables, hideSuggestions]: Parameters<GraphQLEnumType["parseLiteral"]>): unknown {
    return this.listing(() => super.parseLiteral(node, variables, hideSuggestions) as unknown, node);
  }

  private listing(parse: () => unknown, node?: ValueNode): unknown {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      const names = this.getValues().map(({ name }) => name);
      const listed = names.length > listedMax ? "those that { metrics { name } } lists" : names.join(", ");
      const how = node?.kind === Kind.STRING ? ", without quotes" : "";
      throw new GraphQLError(`${error.message} Its values are ${listed}${how}.`, { nodes: node ?? null });
    }
  }
}

const metricName = new ListedEnum({
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
    const type = new ListedEnum({
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
