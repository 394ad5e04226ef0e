import { timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import { KeysUnavailable, AuthMissing } from "../domain/errors.ts";
import { BaseService } from "../kit/base-service.ts";
import type { Clock } from "../kit/clock.ts";
import { within } from "../kit/within.ts";
import { Caller, type KeyGrant } from "./caller.ts";
import type { CallerSource } from "./caller-sources.ts";
import type { Credential } from "./credential.ts";
import type { KeysFile } from "./file/keys-file.ts";
import type { CheckedKey, KeyStore } from "./key-store.ts";
import { hashOf, keyIdOf } from "./key-text.ts";
import { scopes } from "./scope.ts";

/** The pause between two readings of the keys. With the time that a reading may take, a revoked key ends within 5 s. */
const readEveryMs = 2000;
const readTimeoutMs = 2500;
/** The pause between two writes of when keys were used. */
const noteUsesEveryMs = 60_000;

/** The id under which the key of AUTH_BOOTSTRAP_KEY is named. */
const bootstrapName = "AUTH_BOOTSTRAP_KEY";

export interface KeyDirectoryOptions {
  /** The text of a key with all scopes; undefined: none. */
  readonly bootstrapKey: string | undefined;
  readonly file: KeysFile | undefined;
  /** Undefined for a process without a store. */
  readonly store: KeyStore | undefined;
  /** How long stored keys are accepted after they were last read. */
  readonly maxAgeMs: number;
  /** True: the start fails if there is no key at all. */
  readonly needsKeys: boolean;
  /** Milliseconds of a clock that cannot be set. */
  readonly monotonicMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  readonly caller: Caller;
  readonly hash: Buffer;
  expiresAtMs: number | undefined;
}

/** What a text that is not a key is compared with, so that it takes as long as one that is. */
const noHash = Buffer.alloc(32);

/** The valid keys in memory, from the settings, a file and the store. It reads them again every two seconds. While the store does
 *  not answer, the stored keys of the last reading are accepted for `maxAgeMs`; then they end. */
export class KeyDirectory extends BaseService implements CallerSource {
  private readonly entries = new Map<string, Entry>();
  private stored: readonly CheckedKey[] = [];
  private storedAtMs: number | undefined;
  private inFile: readonly CheckedKey[] = [];
  private fileProblems: readonly string[] = [];
  private reading = Promise.resolve();
  private usesNotedAtMs: number;
  private readonly storeError = this.repeatedError({
    prefix: "the stored keys cannot be read, so new and revoked keys are not seen",
    ended: "the stored keys are read again",
  });
  private readonly fileError = this.repeatedError({ prefix: "keys", ended: "every entry of AUTH_KEYS_FILE is usable" });

  constructor(private readonly options: KeyDirectoryOptions) {
    super("access", options.log);
    this.usesNotedAtMs = options.monotonicMs();
  }

  identify(credential: Credential): Caller | undefined {
    return credential.kind === "bearer" ? this.authenticate(credential.text) : undefined;
  }

  /** @returns the caller whose key this is; undefined if there is no such key, whatever the reason
   *  @throws KeysUnavailable if it may be a stored key, and the store cannot be asked */
  authenticate(text: string): Caller | undefined {
    const id = keyIdOf(text);
    const entry = id === undefined ? undefined : this.entries.get(id);
    const isEqual = timingSafeEqual(id === undefined ? noHash : hashOf(text), entry?.hash ?? noHash);
    const nowMs = this.options.clock.nowMs();
    if (entry !== undefined && isEqual && (entry.expiresAtMs ?? Infinity) > nowMs) {
      entry.caller.lastUsedMs = nowMs;
      return entry.caller;
    }
    if (id !== undefined && this.options.store !== undefined && this.storedAtMs === undefined) {
      throw new KeysUnavailable("the stored keys cannot be read, so this key cannot be checked");
    }
    return undefined;
  }

  /** The caller with this id; undefined if its key is no longer valid. */
  callerOf(id: string): Caller | undefined {
    return this.entries.get(id)?.caller;
  }

  /** Reads the keys now, and writes when keys were used if that is due. Never throws: an error is the service's error. */
  refresh(): Promise<void> {
    this.reading = this.reading.then(() => this.readAll()).then(() => this.noteUses());
    return this.reading;
  }

  override activity(): string {
    const { size } = this.entries;
    if (size > 0) return `${size} valid ${size === 1 ? "key" : "keys"}`;
    return "no valid key, so each request with one is refused";
  }

  protected override async open(): Promise<void> {
    await this.refresh();
    const isKnown = this.options.store === undefined || this.storedAtMs !== undefined;
    if (this.options.needsKeys && isKnown && this.entries.size === 0) throw new AuthMissing(this.fileProblems);
  }

  protected override async run(): Promise<void> {
    const { clock } = this.options;
    for (;;) {
      await clock.sleep(readEveryMs, this.stopping);
      if (this.stopping.aborted) return;
      await this.refresh();
    }
  }

  private async readAll(): Promise<void> {
    const { file, store, clock, monotonicMs, maxAgeMs } = this.options;
    if (file !== undefined) {
      const { keys, problems } = await file.read();
      this.inFile = keys;
      this.fileProblems = problems;
      if (problems.length === 0) this.fileError.clear();
      else this.fileError.record(problems.join("; "));
    }
    if (store !== undefined) {
      try {
        this.stored = await within(clock, readTimeoutMs, () => store.valid());
        this.storedAtMs = monotonicMs();
        this.storeError.clear();
      } catch (error) {
        if (this.storedAtMs !== undefined && monotonicMs() - this.storedAtMs > maxAgeMs) {
          this.stored = [];
          this.storedAtMs = undefined;
        }
        this.storeError.record(error);
      }
    }
    this.apply();
  }

  /** Makes the entries those of the sources. A key that is gone, has expired, or may do something else than before ends. */
  private apply(): void {
    const nowMs = this.options.clock.nowMs();
    const valid = new Map<string, CheckedKey>();
    // the first one counts: a stored key cannot replace one that the process's own settings name
    for (const key of [...bootstrapOf(this.options.bootstrapKey), ...this.inFile, ...this.stored]) {
      if (!valid.has(key.id) && (key.expiresAtMs ?? Infinity) > nowMs) valid.set(key.id, key);
    }
    for (const [id, { caller, hash }] of this.entries) {
      const key = valid.get(id);
      if (key !== undefined && key.sha256 === hash.toString("hex") && isSame(key, caller.grant)) continue;
      this.entries.delete(id);
      caller.end();
    }
    for (const [id, key] of valid) {
      const entry = this.entries.get(id);
      if (entry !== undefined) entry.expiresAtMs = key.expiresAtMs;
      else
        this.entries.set(id, {
          caller: new Caller(key),
          hash: Buffer.from(key.sha256, "hex"),
          expiresAtMs: key.expiresAtMs,
        });
    }
  }

  /** Writes when keys were used, at most once a minute; if that fails, the next time writes it. */
  private async noteUses(): Promise<void> {
    const { store, clock, monotonicMs } = this.options;
    const nowMs = monotonicMs();
    if (store === undefined || nowMs - this.usesNotedAtMs < noteUsesEveryMs) return;
    this.usesNotedAtMs = nowMs;
    const used = this.stored
      .flatMap(({ id }) => this.entries.get(id)?.caller ?? [])
      .filter((each) => each.lastUsedMs > 0);
    if (used.length === 0) return;
    const uses = new Map(used.map(({ grant, lastUsedMs }) => [grant.id, lastUsedMs]));
    try {
      await within(clock, readTimeoutMs, () => store.used(uses));
      for (const caller of used) if (uses.get(caller.grant.id) === caller.lastUsedMs) caller.lastUsedMs = 0;
    } catch (error) {
      this.storeError.record(error);
    }
  }
}

function isSame(a: KeyGrant, b: KeyGrant): boolean {
  return (
    a.name === b.name &&
    a.scopes.length === b.scopes.length &&
    a.scopes.every((scope) => b.scopes.includes(scope)) &&
    Bun.deepEquals(a.selector, b.selector)
  );
}

function bootstrapOf(text: string | undefined): CheckedKey[] {
  const id = text === undefined ? undefined : keyIdOf(text);
  if (text === undefined || id === undefined) return [];
  return [{ id, name: bootstrapName, scopes, expiresAtMs: undefined, sha256: hashOf(text).toString("hex") }];
}
