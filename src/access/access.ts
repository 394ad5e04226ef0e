import type { Attempt } from "./attempt.ts";
import { Caller } from "./caller.ts";
import type { Credential } from "./credential.ts";
import { scopes } from "./scope.ts";
import type { SignInPlace } from "./sign-in.ts";

/** The pages that an operator may open to everyone, although other requests need a key. */
export type OpenPage = "health" | "metrics" | "docs";

/** Who may use a process. */
export interface Access {
  /** False: everyone may do everything. */
  readonly isRequired: boolean;
  readonly openPages: readonly OpenPage[];
  /** Where people sign in; undefined: they cannot. */
  readonly signIn: SignInPlace | undefined;
  /** @returns the caller whose credential this is, a ticket being used up by that; undefined if it is not valid, whatever the reason
   *  @throws KeysUnavailable, StoreUnavailable if it may be a valid one, and cannot be checked now */
  identify(credential: Credential, attempt: Attempt): Promise<Caller | undefined>;
}

/** The caller where no key is required. */
export const anyone = new Caller({ id: "", name: "anyone", scopes, expiresAtMs: undefined }, "anyone");

/** Everyone may do everything. */
export const openToAll: Access = {
  isRequired: false,
  openPages: [],
  signIn: undefined,
  identify: () => Promise.resolve(anyone),
};
