import { Caller } from "./caller.ts";
import { scopes } from "./scope.ts";

/** The pages that an operator may open to everyone, although other requests need a key. */
export type OpenPage = "health" | "metrics" | "docs";

/** Who may use a process. */
export interface Access {
  /** False: everyone may do everything. */
  readonly isRequired: boolean;
  readonly openPages: readonly OpenPage[];
  /** @returns the caller whose key this is; undefined if there is no such key, whatever the reason
   *  @throws KeysUnavailable if the key may be a stored one, and the store cannot be asked */
  authenticate(key: string): Caller | undefined;
  /** @returns the caller whose ticket this is, and for whom it then opens no second connection; undefined if there is no such ticket
   *  @throws StoreUnavailable */
  redeem(ticket: string): Promise<Caller | undefined>;
}

/** The caller where no key is required. */
export const anyone = new Caller({ id: "", name: "anyone", scopes, expiresAtMs: undefined });

/** Everyone may do everything. */
export const openToAll: Access = {
  isRequired: false,
  openPages: [],
  authenticate: () => anyone,
  redeem: () => Promise.resolve(anyone),
};
