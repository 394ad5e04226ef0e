import { randomBytes } from "node:crypto";
import { GroupCommit } from "../kit/group-commit.ts";
import type { Caller } from "./caller.ts";
import type { CallerSource } from "./caller-sources.ts";
import { hashOf } from "./key-text.ts";

/** Keeps the hashes of tickets. Every call throws StoreUnavailable (retryable) while the database does not answer. */
export interface TicketStore {
  /** @param lifeSeconds by the database's clock */
  add(sha256: string, reference: string, lifeSeconds: number): Promise<void>;
  /** Deletes tickets. @returns the references of the callers of those that there were, and that have not expired, by hash */
  take(sha256s: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

/** How long a ticket opens a connection. */
export const ticketLifeSeconds = 30;
/** Tickets that are redeemed together; one such statement runs at a time, so that made-up ones cost little. */
const maxTaken = 1000;
/** 256 bits in base64url. */
const ticketPattern = /^[A-Za-z0-9_-]{43}$/;

/** Tickets for WebSockets of browsers, which can send no key: a ticket opens one connection, for the caller who asked for it, at any
 *  gateway. It may therefore be in a URL, which proxies log. */
export class Tickets {
  private readonly taking: GroupCommit<string, string | undefined>;

  constructor(
    private readonly store: TicketStore,
    private readonly source: Pick<CallerSource, "callerOf">,
  ) {
    this.taking = new GroupCommit(async (sha256s) => {
      const left = new Map(await store.take([...new Set(sha256s)]));
      // a ticket that came twice is for the first request only
      return sha256s.map((sha256) => {
        const reference = left.get(sha256);
        left.delete(sha256);
        return reference;
      });
    }, maxTaken);
  }

  /** @throws StoreUnavailable */
  async issue(caller: Caller): Promise<string> {
    const ticket = randomBytes(32).toString("base64url");
    await this.store.add(hashOf(ticket).toString("hex"), caller.reference, ticketLifeSeconds);
    return ticket;
  }

  /** Redeems a ticket, which then opens nothing more.
   *  @returns undefined if there is no such ticket, or its caller is no longer valid
   *  @throws StoreUnavailable */
  async redeem(ticket: string): Promise<Caller | undefined> {
    if (!ticketPattern.test(ticket)) return undefined;
    const reference = await this.taking.submit(hashOf(ticket).toString("hex"));
    return reference === undefined ? undefined : this.source.callerOf(reference);
  }
}
