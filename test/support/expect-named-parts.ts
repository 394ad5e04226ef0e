import { expect } from "bun:test";

/** Checks that each service of a process has a name of its own, and its state in /health under this name.
 *  @param some services that the process must have */
export async function expectNamedParts(url: string, some: readonly string[]): Promise<void> {
  const read = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
  const { data } = (await read("/api/v1/pipeline")) as { data: { services: { name: string }[] } };
  const names = data.services.map(({ name }) => name);
  const { components } = (await read("/health")) as { components: Record<string, unknown> };
  expect(Object.keys(components).toSorted()).toEqual(["store", "queue", ...names].toSorted());
  expect(names).toEqual(expect.arrayContaining([...some]));
}
