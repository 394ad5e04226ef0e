import type { GpuBounds } from "../domain/gpu-bounds.ts";
import type { KeyStore, StoredKey } from "./key-store.ts";
import { makeKeyText } from "./key-text.ts";
import type { Scope } from "./scope.ts";

/** A new key, and its text, which is not kept. */
export interface CreatedKey {
  readonly key: StoredKey;
  readonly text: string;
}

/** The request for a key. */
export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Undefined: everything. */
  readonly selector?: GpuBounds | undefined;
  /** Undefined: it does not expire. */
  readonly expiresAtMs: number | undefined;
}

/** Creates, lists, revokes and replaces stored keys. Every call throws StoreUnavailable (retryable) while the database does not
 *  answer. */
export class KeyAdministration {
  /** @param onChange called after each change */
  constructor(
    private readonly store: KeyStore,
    private readonly onChange: () => Promise<void>,
  ) {}

  list(limit: number): Promise<StoredKey[]> {
    return this.store.list(limit);
  }

  /** @throws StoreRejected if there are too many keys */
  async create(request: KeyRequest): Promise<CreatedKey> {
    const { id, text, sha256 } = makeKeyText();
    const key = await this.store.create({ ...request, id, sha256 });
    await this.onChange();
    return { key, text };
  }

  /** Revokes a key in every process, within 5 s. @returns undefined if there is no such key */
  async revoke(id: string): Promise<StoredKey | undefined> {
    const key = await this.store.revoke(id);
    await this.onChange();
    return key;
  }

  /** Replaces a key by a new one with its name, scopes, selector and expiry. The old one is valid for `overlapSeconds` more.
   *  @returns undefined if there is no valid key with this id */
  async rotate(id: string, overlapSeconds: number): Promise<(CreatedKey & { readonly old: StoredKey }) | undefined> {
    const { id: nextId, text, sha256 } = makeKeyText();
    const replaced = await this.store.replace(id, { id: nextId, sha256, overlapSeconds });
    await this.onChange();
    return replaced && { key: replaced.next, text, old: replaced.old };
  }
}
