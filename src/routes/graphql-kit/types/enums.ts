import { GraphQLEnumType } from "graphql";
import { metrics } from "../../../domain/metrics.ts";

/** Enums are known by their values: the same set is the same type wherever it stands. */
const nameByValues: ReadonlyMap<string, string> = new Map([
  ["active|silent", "Status"],
  ["raw|1m|1h", "Resolution"],
  ["auto|raw|1m|1h", "ResolutionChoice"],
  ["auto|1m|1h", "RollupChoice"],
  ["cluster|host|gpu|model|namespace", "Grouping"],
]);

/** Names in GraphQL begin with a letter. */
const nameByValue: ReadonlyMap<string, string> = new Map([
  ["1m", "minute"],
  ["1h", "hour"],
]);

/** The enums of a schema, each made once. */
export class EnumTypes {
  private readonly made = new Map<string, GraphQLEnumType>();

  /** @param fallbackName for a set of values that has no name of its own */
  of(values: readonly string[], fallbackName: string, description?: string): GraphQLEnumType {
    const key = values.join("|");
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const type = new GraphQLEnumType({
      name: nameByValues.get(key) ?? fallbackName,
      description,
      values: Object.fromEntries(values.map((value) => [nameByValue.get(value) ?? value, { value }])),
    });
    this.made.set(key, type);
    return type;
  }
}

/** Every metric of the catalogue. */
export const metricName = new GraphQLEnumType({
  name: "MetricName",
  description: "A metric of the catalogue",
  values: Object.fromEntries(
    metrics.map(({ name, description, unit }) => [name, { value: name, description: `${description}; ${unit}` }]),
  ),
});
