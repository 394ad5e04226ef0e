import type { Access, OpenPage } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { KeyDirectory } from "./key-directory.ts";
import type { Tickets } from "./tickets.ts";

/** Everyone needs a key, except for open pages. */
export class KeyAccess implements Access {
  readonly isRequired = true;

  /** @param tickets undefined for a process without a store, which has no WebSockets either */
  constructor(
    private readonly directory: KeyDirectory,
    private readonly tickets: Tickets | undefined,
    readonly openPages: readonly OpenPage[],
  ) {}

  authenticate(key: string): Caller | undefined {
    return this.directory.authenticate(key);
  }

  async redeem(ticket: string): Promise<Caller | undefined> {
    return this.tickets?.redeem(ticket);
  }
}
