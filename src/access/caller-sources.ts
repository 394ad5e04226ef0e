import type { Attempt } from "./attempt.ts";
import type { Caller } from "./caller.ts";
import type { Credential } from "./credential.ts";

/** Knows some of the callers: those with a key, for example. */
export interface CallerSource {
  /** @param attempt is asked before work that a made-up credential could cause, and told why the credential is not valid
   *  @returns the caller whose credential this is; undefined if it is not valid, or of another source
   *  @throws KeysUnavailable if it may be a valid one, and cannot be checked now */
  identify(credential: Credential, attempt: Attempt): Caller | undefined | Promise<Caller | undefined>;
  /** The caller with this reference; undefined if it is no longer valid, or of another source.
   *  @throws KeysUnavailable if it cannot be checked now */
  callerOf(reference: string): Caller | undefined | Promise<Caller | undefined>;
}

/** Several sources as one: the first that knows a caller counts. */
export class CallerSources implements CallerSource {
  constructor(private readonly sources: readonly CallerSource[]) {}

  identify(credential: Credential, attempt: Attempt): Promise<Caller | undefined> {
    return this.first((source) => source.identify(credential, attempt));
  }

  callerOf(reference: string): Promise<Caller | undefined> {
    return this.first((source) => source.callerOf(reference));
  }

  private async first(ask: (source: CallerSource) => ReturnType<CallerSource["identify"]>) {
    for (const source of this.sources) {
      const asked = ask(source);
      // a key is found without waiting
      const caller = asked instanceof Promise ? await asked : asked;
      if (caller !== undefined) return caller;
    }
    return undefined;
  }
}
