import type { Access, OpenPage } from "./access.ts";
import type { Attempt } from "./attempt.ts";
import type { Caller } from "./caller.ts";
import type { CallerSource } from "./caller-sources.ts";
import type { Credential } from "./credential.ts";
import type { SignInPlace } from "./sign-in.ts";
import type { Tickets } from "./tickets.ts";

/** Only known callers may use the process, except for open pages. */
export class GuardedAccess implements Access {
  readonly isRequired = true;

  readonly openPages: readonly OpenPage[];
  readonly signIn: SignInPlace | undefined;

  /** @param tickets undefined for a process without a store, which has no WebSockets either */
  constructor(
    private readonly source: CallerSource,
    private readonly tickets: Tickets | undefined,
    { openPages, signIn }: Pick<Access, "openPages" | "signIn">,
  ) {
    this.openPages = openPages;
    this.signIn = signIn;
  }

  async identify(credential: Credential, attempt: Attempt): Promise<Caller | undefined> {
    if (credential.kind === "ticket") return this.tickets?.redeem(credential.text);
    return this.source.identify(credential, attempt);
  }
}
