import type { KeyGrant } from "./caller.ts";

/** A key as a source has it: what it may do, and the hash of its text in hex. */
export interface CheckedKey extends KeyGrant {
  readonly sha256: string;
}

/** A key in the store, with its history. Instants are in ms since the epoch. */
export interface StoredKey extends KeyGrant {
  readonly createdAtMs: number;
  /** Undefined: it is not revoked. */
  readonly revokedAtMs: number | undefined;
  /** To the minute; undefined: never. */
  readonly lastUsedAtMs: number | undefined;
}

/** Keeps keys. Every call throws StoreUnavailable (retryable) while the database does not answer. */
export interface KeyStore {
  /** The keys that are valid now, by the database's clock. */
  valid(): Promise<CheckedKey[]>;
  /** All keys, also those that are revoked or have expired; the newest first. */
  list(limit: number): Promise<StoredKey[]>;
  /** @throws StoreRejected if there are `maxKeys` keys that are not revoked */
  create(key: CheckedKey): Promise<StoredKey>;
  /** Revokes a key at once. A key that is revoked stays revoked as of the first time.
   *  @returns undefined if there is no such key */
  revoke(id: string): Promise<StoredKey | undefined>;
  /** Stores a successor with the name, scopes and selector of a valid key, which then expires after `overlapSeconds`, unless it expires
   *  earlier.
   *  @returns the old key and the new one; undefined if there is no valid key with this id */
  replace(id: string, by: Successor): Promise<{ readonly old: StoredKey; readonly next: StoredKey } | undefined>;
  /** Notes when keys were used. */
  used(uses: ReadonlyMap<string, number>): Promise<void>;
}

/** The key that replaces another one. */
export interface Successor {
  readonly id: string;
  readonly sha256: string;
  readonly overlapSeconds: number;
}

/** The maximum number of stored keys that are not revoked: every gateway keeps them in memory and reads them every few seconds. */
export const maxKeys = 10_000;
