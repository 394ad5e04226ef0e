import type { components } from "../../../../clients/typescript/src/generated/schema.ts";
import { read } from "./gateway-api.ts";

/** Who the caller is, and what it may do. */
export type Me = components["schemas"]["Me"];

/** Reads the data of an answer. */
export const dataOf = async <Data>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Data> =>
  (await read<{ readonly data: Data }>(path, query)).data;

export const readMe = (): Promise<Me> => dataOf<Me>("/api/v1/me");
