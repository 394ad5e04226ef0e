import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { KeysUnavailable } from "../domain/errors.ts";
import type { StoredSession } from "../domain/session.ts";
import { BaseService } from "../kit/base-service.ts";
import type { Clock } from "../kit/clock.ts";
import { GroupCommit } from "../kit/group-commit.ts";
import { within } from "../kit/within.ts";
import type { Caller } from "./caller.ts";
import type { CallerSource } from "./caller-sources.ts";
import type { Credential } from "./credential.ts";
import { hashOf } from "./key-text.ts";
import type { MappedCallers, Person } from "./mapped-callers.ts";
import type { SessionAdministration, SessionStore } from "./session-store.ts";

/** The pause between two readings of the sessions in memory. With the time that a reading may take, a revoked one ends within 5 s. */
const readEveryMs = 2000;
const readTimeoutMs = 2500;
/** Sessions that are looked up together; one lookup runs at a time, so that made-up ones cost little. */
const maxLookup = 1000;
/** 256 bits in base64url. */
const sessionPattern = /^[A-Za-z0-9_-]{43}$/;
const referenceStart = "session:";

/** Someone who has signed in. */
export interface SignedIn {
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
}

export interface SessionsOptions {
  readonly store: SessionStore;
  readonly callers: MappedCallers;
  /** Sessions of another provider are not accepted. */
  readonly issuer: string;
  readonly lifeSeconds: number;
  /** How long the sessions in memory are accepted after they were last read. */
  readonly maxAgeMs: number;
  /** Milliseconds of a clock that cannot be set. */
  readonly monotonicMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The sessions of people who have signed in. The browser has a random text, the database its SHA-256, so every gateway can look it up and
 *  end it. A gateway keeps the sessions that it was shown in memory, and reads these again every two seconds. */
export class Sessions extends BaseService implements CallerSource, SessionAdministration {
  private readonly lookups: GroupCommit<string, StoredSession | undefined>;
  private readAtMs: number | undefined;
  private readonly storeError = this.repeatedError({
    prefix: "sessions cannot be read, so the end of one is not seen",
    ended: "sessions are read again",
  });

  constructor(private readonly options: SessionsOptions) {
    super("sessions", options.log);
    this.lookups = new GroupCommit(async (sha256s) => {
      const found = new Map((await this.find(sha256s)).map((session) => [session.sha256, session]));
      return sha256s.map((sha256) => found.get(sha256));
    }, maxLookup);
  }

  /** Begins a session. @returns the text for the browser, which is not kept
   *  @throws StoreUnavailable */
  async begin(who: SignedIn): Promise<string> {
    const { store, issuer, lifeSeconds } = this.options;
    const text = randomBytes(32).toString("base64url");
    const id = randomBytes(5).toString("hex");
    await store.add({ ...who, issuer, id, lifeSeconds, sha256: hashOf(text).toString("hex") });
    return text;
  }

  /** Ends the session with this text, everywhere within 5 s. @returns undefined if there is no such session
   *  @throws StoreUnavailable, KeysUnavailable */
  async endOf(text: string): Promise<StoredSession | undefined> {
    if (!sessionPattern.test(text)) return undefined;
    const sha256 = hashOf(text).toString("hex");
    // looked up with others: anyone can sign out of made-up sessions, and none of them should cost a transaction
    return (await this.storedWith(sha256)) === undefined ? undefined : this.endIn({ sha256 });
  }

  /** Ends the session with this id, everywhere within 5 s. @returns undefined if there is no such session
   *  @throws StoreUnavailable */
  revoke(id: string): Promise<StoredSession | undefined> {
    return this.endIn({ id });
  }

  /** The sessions that have not ended, the newest first. @throws StoreUnavailable */
  list(limit: number): Promise<StoredSession[]> {
    return this.options.store.list(limit);
  }

  identify(credential: Credential): Caller | Promise<Caller | undefined> | undefined {
    if (credential.kind !== "session" || !sessionPattern.test(credential.text)) return undefined;
    return this.callerWith(hashOf(credential.text).toString("hex"));
  }

  callerOf(reference: string): Caller | Promise<Caller | undefined> | undefined {
    return reference.startsWith(referenceStart) ? this.callerWith(reference.slice(referenceStart.length)) : undefined;
  }

  /** Ends the sessions in memory that have ended elsewhere. Never throws. */
  async refresh(): Promise<void> {
    const { callers, monotonicMs, maxAgeMs } = this.options;
    const references = callers.referencesWith(referenceStart);
    this.readAtMs ??= monotonicMs();
    try {
      const sha256s = references.map((reference) => reference.slice(referenceStart.length));
      const found = sha256s.length === 0 ? [] : await this.find(sha256s);
      const valid = new Set(found.map(({ sha256 }) => `${referenceStart}${sha256}`));
      for (const reference of references) if (!valid.has(reference)) callers.endCaller(reference);
      this.readAtMs = monotonicMs();
      this.storeError.clear();
    } catch (error) {
      if (monotonicMs() - this.readAtMs > maxAgeMs) references.forEach((reference) => callers.endCaller(reference));
      this.storeError.record(error);
    }
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      await this.options.clock.sleep(readEveryMs, this.stopping);
      await this.refresh();
    }
  }

  private callerWith(sha256: string): Caller | Promise<Caller | undefined> {
    return this.options.callers.known(`${referenceStart}${sha256}`) ?? this.lookUp(sha256);
  }

  /** @throws KeysUnavailable */
  private async lookUp(sha256: string): Promise<Caller | undefined> {
    const session = await this.storedWith(sha256);
    return session && this.options.callers.callerOf(personOf(session));
  }

  /** @throws KeysUnavailable */
  private storedWith(sha256: string): Promise<StoredSession | undefined> {
    return this.lookups.submit(sha256).catch((cause: unknown) => {
      throw new KeysUnavailable("sessions cannot be read, so this one cannot be checked", { cause });
    });
  }

  private async find(sha256s: readonly string[]): Promise<StoredSession[]> {
    const { store, clock, issuer } = this.options;
    const found = await within(clock, readTimeoutMs, () => store.find(sha256s));
    return found.filter((session) => session.issuer === issuer);
  }

  private async endIn(by: Parameters<SessionStore["end"]>[0]): Promise<StoredSession | undefined> {
    const ended = await this.options.store.end(by);
    if (ended !== undefined) this.options.callers.endCaller(`${referenceStart}${ended.sha256}`);
    return ended;
  }
}

function personOf({ sha256, subject, name, groups, expiresAtMs }: StoredSession): Person {
  return {
    kind: "session",
    reference: `${referenceStart}${sha256}`,
    id: `oidc:${subject}`,
    name,
    identity: { subject, groups },
    expiresAtMs,
  };
}
