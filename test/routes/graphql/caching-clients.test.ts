import { expect, test } from "bun:test";
import { fleetGateway } from "../../support/fleet-gateway.ts";

interface Gpu {
  readonly id: string;
  readonly uuid: string;
}
type KeyOf = (gpu: Gpu) => unknown;

const running = fleetGateway();

/** The keys that the snippets of docs/graphql.md give to caching clients: Apollo's, and urql's. */
async function documentedKeys(): Promise<{ apollo: { keyFields: (keyof Gpu)[] }; urql: KeyOf }> {
  const doc = await Bun.file(new URL("../../../docs/graphql.md", import.meta.url)).text();
  const snippet = /```ts\n([^`]*InMemoryCache[^`]*)```/.exec(doc)?.[1] ?? "";
  const made: { typePolicies?: { Gpu: { keyFields: (keyof Gpu)[] } }; keys?: { Gpu: KeyOf } } = {};
  function take(options: object): void {
    Object.assign(made, options);
  }
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call
  new Function("InMemoryCache", "cacheExchange", snippet)(take, take);
  if (made.typePolicies === undefined || made.keys === undefined) throw new Error(`no snippet: ${snippet}`);
  return { apollo: made.typePolicies.Gpu, urql: made.keys.Gpu };
}

test("with the keys of the docs, a caching client has every GPU; by id, it would have fewer", async () => {
  const query = "{ gpus { __typename id uuid } }";
  const answer = await running.gateway.json(`/graphql?query=${encodeURIComponent(query)}`);
  const { gpus } = answer["data"] as { gpus: (Gpu & { readonly __typename: string })[] };
  expect(new Set(gpus.map(({ __typename }) => __typename))).toEqual(new Set(["Gpu"]));
  expect(new Set(gpus.map(({ id }) => id)).size).toBeLessThan(gpus.length);
  const { apollo, urql } = await documentedKeys();
  expect(new Set(gpus.map(urql)).size).toBe(gpus.length);
  expect(new Set(gpus.map((gpu) => apollo.keyFields.map((field) => gpu[field]).join())).size).toBe(gpus.length);
});
