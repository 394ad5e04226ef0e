import { Type } from "@sinclair/typebox";
import { boundNames, type GpuBounds, readNames } from "../../../domain/gpu-bounds.ts";
import type { KeyRequest } from "../../../access/key-administration.ts";
import { selectorProblem } from "../../../access/scope.ts";
import { InvalidParameter } from "../../http/api-error.ts";
import { optional, type Parameter, text, type ValuesOf } from "../../http/parameters/parameter.ts";

const names = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));

/** The selector of a key in the API's shape. */
export const selectorSchema = Type.Object(
  {
    clusters: names("Only these clusters"),
    hosts: names("Only these hosts"),
    namespaces: names("Only GPUs that these Kubernetes namespaces hold, while they hold them"),
  },
  {
    additionalProperties: false,
    description: "What the key may see; each list restricts it. Absent: everything",
    examples: [{ clusters: ["local-cluster"], namespaces: ["ml-training"] }],
  },
);

/** The parameters of a selector. */
export const selectorQuery = {
  clusters: namesOf("The key sees only these clusters", "local-cluster"),
  hosts: namesOf("The key sees only these hosts", "mtv5-dgx1-hgpu-032"),
  namespaces: namesOf(
    "The key sees only the GPUs that these Kubernetes namespaces hold, while they hold them",
    "ml-training",
  ),
};

/** The selector of a request for a key; undefined if it has none.
 *  @throws InvalidParameter if the key asks for more than a selector allows */
export function selectorIn(query: ValuesOf<typeof selectorQuery> & Pick<KeyRequest, "scopes">): GpuBounds | undefined {
  const lists = boundNames.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]] as const]));
  if (lists.length === 0) return undefined;
  const problem = selectorProblem(query.scopes);
  if (problem === undefined) return Object.fromEntries(lists);
  throw new InvalidParameter({
    parameter: "scopes",
    value: query.scopes.join(","),
    problem,
    expected: "read, operate",
  });
}

function namesOf(description: string, example: string): Parameter<readonly string[] | undefined> {
  const maxLength = 8192;
  return optional({
    ...text({ maxLength, description: `${description}; names, separated by commas`, example }),
    absent: undefined,
    expected: `names, separated by commas; together at most ${maxLength} characters`,
    read: (given) => (given.length > maxLength ? {} : readNames(given)),
  });
}
