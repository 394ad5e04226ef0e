import fc from "fast-check";
import {
  getNamedType,
  getNullableType,
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLObjectType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";
import { makeSchema } from "../../../src/routes/graphql/schema.ts";

// Queries that the schema allows, with arguments that are valid, at a limit, or beyond a limit.

const queryType = makeSchema().getQueryType() as GraphQLObjectType;

const texts = ["GPU-host-a-0", "host-a", "alpha", "ml", "", "x".repeat(300), "é", "\u0000", "'; drop table gpus", "%"];
const numbers = [1, 2, 5, 100, 10_000, 0, -1, 10_001, 2_147_483_647];
const instants = ["2025-07-18T20:42:34Z", "2025-07-18T22:42:36+02:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];

/** The values that queries have. */
interface Pool {
  /** The texts for an argument with this name. */
  readonly textsFor: (argument: string) => readonly string[];
  readonly numbers: readonly number[];
  readonly instants: readonly string[];
}

/** Queries in which all values are literals. */
export const arbitraryQuery: fc.Arbitrary<string> = queriesWith({ textsFor: () => texts, numbers, instants });

/** Queries in which all values are literals from a pool. */
export function queriesWith(pool: Pool): fc.Arbitrary<string> {
  return fc.gen().map((generate) => {
    // an index, not a value: fast-check would compare the values deeply, and GraphQL types refer to each other in cycles
    const pick = <Value>(values: readonly Value[]) => values[generate(fc.nat, { max: values.length - 1 })] as Value;
    return new Selecting(pick, pool).selectionOf(queryType, 5);
  });
}

class Selecting {
  constructor(
    private readonly pick: <Value>(values: readonly Value[]) => Value,
    private readonly pool: Pool,
  ) {}

  selectionOf(type: GraphQLObjectType, levels: number): string {
    const fields = Object.values(type.getFields()).filter(
      (field) => levels > 1 || !isObjectType(getNamedType(field.type)),
    );
    if (fields.length === 0) return "{ __typename }";
    const chosen = Array.from({ length: this.pick([1, 2, 3]) }, (_, index) => {
      const field = this.pick(fields);
      const inner = getNamedType(field.type);
      const chosenArguments = field.args.flatMap((argument) => this.argumentOf(argument));
      const args = chosenArguments.length === 0 ? "" : `(${chosenArguments.join(", ")})`;
      // each field has an alias: without one, the same field twice with different arguments would be a conflict
      return `f${index}: ${field.name}${args} ${isObjectType(inner) ? this.selectionOf(inner, levels - 1) : ""}`;
    });
    return `{ ${chosen.join(" ")} }`;
  }

  private argumentOf({ name, type }: GraphQLArgument): string[] {
    return isNonNullType(type) || this.pick([true, false, false]) ? [`${name}: ${this.valueOf(name, type)}`] : [];
  }

  private valueOf(argument: string, type: GraphQLInputType): string {
    if (!isNonNullType(type) && this.pick([true, false, false, false])) return "null";
    const inner = getNullableType(type);
    if (isListType(inner)) {
      return `[${[this.valueOf(argument, inner.ofType), this.valueOf(argument, inner.ofType)].join(", ")}]`;
    }
    if (isEnumType(inner)) return this.pick(inner.getValues()).name;
    const { name } = getNamedType(type);
    if (name === "Int") return String(this.pick(this.pool.numbers));
    if (name === "Boolean") return String(this.pick([true, false]));
    return JSON.stringify(this.pick(name === "DateTime" ? this.pool.instants : this.pool.textsFor(argument)));
  }
}
