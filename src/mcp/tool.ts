import { type Static, type TObject, type TProperties, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { similarNames } from "../kit/similar-names.ts";
import type { GatewayApi } from "./gateway-api.ts";

/** A question that a client may ask. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** The JSON schema of the arguments. */
  readonly input: TObject;
  /** @param values not checked yet
   *  @throws WrongArgument, ApiRefusal */
  answer(values: unknown, api: GatewayApi): Promise<string>;
}

/** An argument is not usable. */
export class WrongArgument extends Error {
  override readonly name = "WrongArgument";
}

interface Definition<Properties extends TProperties> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Properties;
  answer(values: Static<TObject<Properties>>, api: GatewayApi): Promise<string>;
}

/** Makes a tool that checks its arguments. */
export function defineTool<Properties extends TProperties>(definition: Definition<Properties>): Tool {
  const input = Type.Object<TProperties>(definition.input, { additionalProperties: false });
  return {
    ...definition,
    input,
    answer: (values, api) => {
      check(input, values);
      return definition.answer(values as Static<TObject<Properties>>, api);
    },
  };
}

function check(input: TObject, values: unknown): void {
  const [problem] = Value.Errors(input, values);
  if (problem === undefined) return;
  const name = problem.path.slice(1);
  const known = Object.keys(input.properties);
  if (name === "") throw new WrongArgument(`The arguments are no object; known are ${known.join(", ") || "none"}`);
  if (known.includes(name)) {
    const { description = "", enum: values } = input.properties[name] as { description?: string; enum?: string[] };
    const expected = values === undefined ? problem.message : `Expected one of ${values.join(", ")}`;
    throw new WrongArgument(`The argument ${name} is not usable. ${expected}. It is: ${description}`);
  }
  const [meant] = similarNames(name, known);
  const hint = meant === undefined ? "." : `; did you mean ${meant}?`;
  throw new WrongArgument(
    `There is no argument ${JSON.stringify(name)}${hint} Known are ${known.join(", ") || "none"}`,
  );
}
