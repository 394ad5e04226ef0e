import { type GraphQLError, GraphQLScalarType, Kind } from "graphql";
import { shown } from "../../http/api-error.ts";
import { readTime, timeForms } from "../../http/parameters/relative-time.ts";
import { badInput } from "../graphql-errors.ts";

/** An instant, as a text in arguments and in answers. */
export const dateTime = new GraphQLScalarType<string, string>({
  name: "DateTime",
  description:
    "An instant in RFC 3339 format, such as 2025-07-18T20:42:34Z; arguments may have any zone, or be a time from now, such as -1h or now; answers are in UTC",
  specifiedByURL: "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
  serialize: String,
  parseValue: (value) => checked(value),
  parseLiteral: (node) => checked(node.kind === Kind.STRING ? node.value : undefined),
});

/** @returns the value itself
 *  @throws GraphQLError if the value is not an instant in RFC 3339 format or a time from now */
function checked(value: unknown): string {
  if (typeof value !== "string") throw refusal(`${JSON.stringify(value) ?? "this"} is not a text`);
  const read = readTime(value);
  if ("problem" in read) throw refusal(`${JSON.stringify(shown(value))} is not usable: ${read.problem}`);
  return value;
}

function refusal(problem: string): GraphQLError {
  return badInput(`${problem}; expected ${timeForms}`);
}
